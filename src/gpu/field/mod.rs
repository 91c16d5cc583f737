//! Draws the vector field around the class centroids, in the cube of colours.
//!
//! A [`FieldScene`] lists what is visible; [`Renderer`] computes it and draws it off screen. The
//! arithmetic of the potential is in `shaders/common/potential.wgsl` for the device and in
//! [`crate::potential`] for the CPU; tests compare the two.
//!
//! A layer is one kind of visible item: one file here with its settings, its uniform, its pipelines
//! and how it is prepared and drawn, and one shader of the same name in `shaders/field`. To add
//! one, write the two files and add a line to the list in `layers.rs`.
//!
//! # Cost
//! Milliseconds on Mesa's software adapter (llvmpipe, two cores, one of them busy with other work)
//! at 630 x 560 pixels with one sample each, by `cargo bench --bench field`. Figure 1 (b) takes 20
//! in motion and 35 at rest; its slice 4, its streamlines 17, its trails 6. Drawing time grows with
//! the number of items, computing time with N times the number of points:
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
//! [`Detail`] lowers the number of items while something moves. On a software adapter the viewer
//! uses coarser heat maps and slower runs.

mod arrows;
mod blit;
mod centroids;
mod cloud;
mod context;
mod globals;
mod layer;
mod layers;
mod lines;
mod particles;
mod pixels;
mod readback;
mod renderer;
mod slice;
mod streamlines;
mod target;
#[cfg(test)]
pub(in crate::gpu) mod tests;
mod view;

pub use arrows::{ArrowPlace, Arrows};
pub(crate) use blit::{Blit, BlitPicture};
pub(crate) use centroids::EMPHASIS;
pub use centroids::Spheres;
pub use cloud::{CloudColours, CloudStyle};
pub(crate) use context::COLOUR;
pub use layer::Detail;
pub use layers::{FieldScene, LayerSettings};
pub(crate) use lines::AXES;
pub use lines::{Lines, Polyline, Ribbon};
pub(crate) use particles::Tally;
pub use particles::{ParticleColours, Particles};
pub use pixels::{Cloud, CloudState};
pub(crate) use readback::PictureReadback;
pub use renderer::Renderer;
pub use slice::{Quantity, Slice};
pub use streamlines::Streamlines;
pub use view::{FieldStyle, FieldView};
