//! The field lab's drawing: the vector field around the class centroids, in the cube of colours.
//!
//! A [`Scene`] says what is seen; [`Renderer`] computes and draws it off screen. The arithmetic of
//! the potential is in `shaders/potential.wgsl` for the device and in [`crate::potential`] for the
//! CPU; tests hold the two together.
//!
//! The field is one over *predictions* `x` of the end point of a pixel's path (equations 5 and 6):
//! minus the gradient of the loss with respect to the prediction, that is the way on which training
//! drives it. Vanilla flow matching gives `mu - x`; reshaping adds `-grad Phi` (equation 12).

mod buffers;
pub mod camera;
mod cloud;
mod curve;
mod draw;
mod integrate;
mod layout;
mod pane;
mod particles;
mod picture;
mod pipelines;
mod plane;
mod prepare;
mod probe;
mod range;
mod renderer;
mod scene;
pub mod seeds;
mod shaders;
mod show;
mod target;
#[cfg(test)]
pub(in crate::gpu) mod tests;

pub use camera::{Camera, Ray};
pub use cloud::{Cloud, CloudState, inside};
pub use curve::{Curve, CurvePoint, nearest_neighbour};
pub use draw::AXES;
pub use integrate::{Flow, Outcome};
pub use particles::Tally;
pub use picture::Picturing;
pub use pipelines::COLOUR;
pub use plane::{HALF, Plane, in_cube};
pub use probe::probe;
pub use range::{Ranges, round_step};
pub use renderer::{Detail, Renderer};
pub use scene::*;
pub use show::{Show, Shown};
