//! The field lab's drawing: the vector field around the class centroids, in the cube of colours.
//!
//! A [`Scene`] says what is seen; [`Renderer`] computes and draws it off screen. The arithmetic of
//! the potential is in `shaders/potential.wgsl` for the device and in [`crate::potential`] for the
//! CPU; tests hold the two together.
//!
//! The field is one over *predictions* `x` of the end point of a pixel's path (equations 5 and 6):
//! minus the gradient of the loss with respect to the prediction, that is the way on which training
//! drives it. Vanilla flow matching gives `mu - x`; reshaping adds `-grad Phi` (equation 12).
//!
//! # Cost
//! Milliseconds on Mesa's software adapter (llvmpipe, two cores, one of them at other work) at
//! 630 x 560 pixels with one sample each, by `cargo bench --bench field`. Figure 1 (b) takes 20 in
//! motion and 35 at rest; its slice 4, its streamlines 17, its trails 6. Drawing grows with what is
//! drawn, computing with N times the points:
//!
//! | | | | | |
//! |---|---|---|---|---|
//! | arrows | 64: 1.5 | 512: 5 | 4096: 25 | 13824: 50 to 100 |
//! | particles | 1000: 3 | 10000: 8 | 100000: 50 to 100 | |
//! | points of a photo | 16384: 7 | 262144: 240 | | |
//! | centroids, N | 2: 0.8 | 11: 0.9 | 150: 1.9 | 1000: 8 |
//! | heat map, 512 x 512, at N | | 11: 90 | 150: 700 | 1000: 6000 |
//! | a step of 20000 particles, at N | | 11: 12 | 150: 34 | 1000: 240 |
//!
//! [`Detail`] lowers what is drawn while things move, and the viewer makes heat maps coarser and runs
//! slower where the adapter is a program.

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
