//! The vector field around the class centroids, as mathematics on the CPU: no device, no window.
//!
//! It is a field over *predictions* `x` of the end point of a pixel's path (equations 5 and 6):
//! minus the gradient of the loss with respect to the prediction, that is, the direction in which
//! training pushes it. Vanilla flow matching gives `mu - x`; reshaping adds `-grad Phi` (equation
//! 12). `VectorField` evaluates it in double precision; `gpu::field` draws it.

mod camera;
mod curve;
mod field;
mod integrate;
pub(crate) mod pixels;
mod plane;
mod range;
pub mod seeds;

pub use camera::{Camera, Ray};
pub(crate) use curve::{CurvePoint, GradientCurve};
pub(crate) use field::VectorField;
pub use field::{CentroidTable, FieldKind, Neighbourhood};
pub use integrate::Integration;
pub(crate) use integrate::{ARRIVAL, ParticlePath};
pub use plane::Plane;
pub(crate) use plane::{HALF_EDGE, cubic_lattice, in_cube};
pub(crate) use range::Ranges;
