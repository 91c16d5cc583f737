//! The vector field around the class centroids, as mathematics on the CPU: no device, no window.
//!
//! The field is one over *predictions* `x` of the end point of a pixel's path (equations 5 and 6):
//! minus the gradient of the loss with respect to the prediction, that is, the direction in which
//! training pushes it. Vanilla flow matching gives `mu - x`; reshaping adds `-grad Phi`
//! (equation 12). [`VectorField`] evaluates it in double precision; `crate::gpu::field` draws it.

mod camera;
mod curve;
mod field;
mod integrate;
pub(crate) mod pixels;
mod plane;
mod range;
pub mod seeds;

pub use camera::{Camera, Ray};
pub use curve::{CurvePoint, GradientCurve};
pub use field::{CentroidTable, FieldKind, Neighbourhood, VectorField};
pub use integrate::{ARRIVAL, Integration, ParticlePath};
pub use plane::Plane;
pub(crate) use plane::{HALF_EDGE, cubic_lattice, in_cube};
pub use range::Ranges;
