//! The structures that shaders read, each the twin of one in `shaders/`.

use bytemuck::{Pod, Zeroable};

/// `Centroid` of potential.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Centroid {
    pub high: [f32; 3],
    pub radius: f32,
    pub low: [f32; 3],
    pub colour: [u8; 4],
}
const _: () = assert!(size_of::<Centroid>() == 32);

/// `Field` of potential.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Field {
    pub count: u32,
    pub goal: u32,
    pub transform: u32,
    pub cells: u32,
    pub inverse_tau: f32,
    pub epsilon: f32,
    pub attraction: f32,
    pub correction: f32,
}
const _: () = assert!(size_of::<Field>() == 32);

/// `Vector` of field_vectors.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Vector {
    pub vector: [f32; 3],
    pub phi: f32,
}
const _: () = assert!(size_of::<Vector>() == 16);

/// `Particle` of field_particles.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Particle {
    pub position: [f32; 3],
    pub clock: f32,
    pub start: [f32; 3],
    pub region: u32,
    pub traversals: u32,
    pub arrived: u32,
    pub nearest: u32,
    pub padding: u32,
}
const _: () = assert!(size_of::<Particle>() == 48);

/// `Run` of field_particles.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Run {
    pub steps: u32,
    pub first: u32,
    pub step: f32,
    pub reach: f32,
    pub arrival: f32,
    pub trails: u32,
    pub length: u32,
    pub stride: u32,
    pub calm: [u8; 4],
    pub alarm: [u8; 4],
    pub padding: [u32; 2],
}
const _: () = assert!(size_of::<Run>() == 48);

/// Bins of the histogram of arrivals.
pub(super) const BINS: usize = 64;

/// `Counters` of field_particles.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Counters {
    pub arrived: u32,
    pub crossing: u32,
    pub traversals: u32,
    pub clock: u32,
    pub histogram: [u32; BINS],
}
const _: () = assert!(size_of::<Counters>() == 272);

/// `Slice` of field_slice.wgsl and its companions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Slice {
    pub origin: [f32; 4],
    pub u: [f32; 4],
    pub v: [f32; 4],
}
const _: () = assert!(size_of::<Slice>() == 48);

/// `Lines` of field_streamlines.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Lines {
    pub length: f32,
    pub points: u32,
    pub colour: [u8; 4],
    pub padding: u32,
}
const _: () = assert!(size_of::<Lines>() == 16);

/// `LinePoint` of field_lines.wgsl. No alpha: the point belongs to no segment.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct LinePoint {
    pub position: [f32; 3],
    pub colour: [u8; 4],
}
const _: () = assert!(size_of::<LinePoint>() == 16);

/// `Style` of field_lines.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Style {
    pub width: f32,
    pub lift: f32,
    pub cue: f32,
    pub padding: f32,
}
const _: () = assert!(size_of::<Style>() == 16);

/// `Cloud` of field_cloud.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Cloud {
    pub pixels: u32,
    pub stride: u32,
    pub offset: u32,
    pub next_offset: u32,
    pub share: f32,
    pub radius: f32,
    pub colours: u32,
    pub brushed: u32,
}
const _: () = assert!(size_of::<Cloud>() == 32);

/// `Scene` of field_scene.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Scene {
    pub view_projection: [[f32; 4]; 4],
    pub eye: [f32; 4],
    pub right: [f32; 4],
    pub up: [f32; 4],
    pub forward: [f32; 4],
    pub viewport: [f32; 4],
    pub background: [f32; 4],
    pub ink: [f32; 4],
    pub arrow: [f32; 4],
    pub slice: [f32; 4],
    pub marks: [f32; 4],
    pub goal: [f32; 4],
    pub points: [f32; 4],
    pub picks: [i32; 4],
    pub ramp: [[f32; 4]; 8],
}
const _: () = assert!(size_of::<Scene>() == 400);
