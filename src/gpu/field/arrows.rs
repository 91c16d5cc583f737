//! Arrows: the field at points of a lattice or of the photo, by length and colour.
//!
//! A kernel evaluates the field (and `Phi`) at the anchors, one thread per point; the network's
//! velocity is uploaded instead. An arrow is a flat shaft and head around its anchor, turned to the
//! eye and shaded as if round. Its length grows with where `log10 |f|` lies on the colour ramp.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl};
use super::layer::{Draw, Frame, Layer};
use crate::gpu::GpuError;
use crate::vector_field::{FieldKind, Plane, cubic_lattice, pixels, seeds::shuffled};
use glam::Vec3;
use serde::{Deserialize, Serialize};

/// Where arrows are placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrowPlace {
    /// On a lattice that fills the cube.
    #[default]
    Cube,
    /// On a lattice in the plane of the slice.
    Slice,
    /// At pixels of the photo. The network's velocity is always shown there.
    Cloud,
}

/// The arrows' settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrows {
    /// Where they are.
    pub place: ArrowPlace,
    /// Number of arrows along an edge of the cube, 2..=32.
    pub per_edge: u32,
}

impl Default for Arrows {
    fn default() -> Self {
        Self {
            place: ArrowPlace::Cube,
            per_edge: 8,
        }
    }
}

/// Most arrows at pixels of the photo.
const MOST_AT_PIXELS: usize = 3000;

/// Vertices per arrow.
const VERTICES: u32 = 9;

pub(super) mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Arrows` of field/arrows.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Arrows {
        pub length: f32,
        pub half_width: f32,
    }
    const _: () = assert!(size_of::<Arrows>() == 8);

    /// `Vector` of field/arrows.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Vector {
        pub vector: Vec3,
        pub phi: f32,
    }
    const _: () = assert!(size_of::<Vector>() == 16);
}

pub(super) struct ArrowLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    placed: Option<Placed>,
}

/// Arrows on the device.
struct Placed {
    key: Key,
    count: u32,
    /// A bind group per pane; `None` if its field is not known.
    panes: Vec<Option<wgpu::BindGroup>>,
}

/// What arrows depend on.
#[derive(PartialEq)]
struct Key {
    fields: u64,
    settings: Arrows,
    plane: Option<Plane>,
    /// Generation of the photo's state.
    cloud: Option<u64>,
}

/// Points, and the network's velocity there, if it is known.
type Anchors = (Vec<Vec3>, Option<Vec<Vec3>>);

impl ArrowLayer {
    pub fn new(gpu: &Gpu) -> Self {
        let drawn = [Slot::Read, Slot::Read, Slot::Uniform];
        Self {
            kernel: kernel(gpu),
            pipeline: Pipeline::new(gpu, "field arrows", Self::WGSL, &drawn, Phase::Opaque),
            placed: None,
        }
    }

    fn place(&self, frame: &Frame<'_>, key: Key) -> Result<Placed, GpuError> {
        let (points, velocity) = anchors(&key, frame)?;
        let count = points.len() as u32;
        let mut placed = Placed {
            key,
            count,
            panes: Vec::new(),
        };
        if count == 0 {
            return Ok(placed);
        }
        let Frame { gpu, globals, .. } = frame;
        let points: Vec<[f32; 4]> = points.iter().map(|p| p.extend(0.0).to_array()).collect();
        let points = gpu.storage(&points);
        let velocity = velocity.map(|velocity| {
            let vectors = velocity.into_iter();
            let vectors: Vec<_> = vectors
                .map(|vector| gpu_data::Vector { vector, phi: 0.0 })
                .collect();
            gpu.storage(&vectors)
        });
        let uniform = gpu.uniform(&size(&placed.key.settings));
        for pane in &globals.panes {
            let vectors = match pane.kind {
                FieldKind::Network => velocity.clone(),
                _ => Some(evaluate(gpu, &self.kernel, &pane.group, &points, count)),
            };
            let group = vectors.map(|vectors| {
                let buffers = [&points, &vectors, &uniform].map(|b| b.as_entire_binding());
                self.pipeline.bind(gpu, &buffers)
            });
            placed.panes.push(group);
        }
        Ok(placed)
    }
}

impl Layer for ArrowLayer {
    type Settings = Arrows;

    const WGSL: &'static str = wgsl!("common/scene", "common/potential", "field/arrows");

    fn prepare(&mut self, settings: Option<&Arrows>, frame: &Frame<'_>) -> Result<(), GpuError> {
        let Some(&settings) = settings else {
            self.placed = None;
            return Ok(());
        };
        let at_pixels = settings.place == ArrowPlace::Cloud || frame.view.has_network();
        let on_plane = settings.place == ArrowPlace::Slice && !at_pixels;
        let key = Key {
            fields: frame.globals.version,
            settings,
            plane: frame.view.plane.filter(|_| on_plane),
            cloud: frame.cloud.filter(|_| at_pixels).map(|c| c.generation),
        };
        if self.placed.as_ref().is_none_or(|placed| placed.key != key) {
            self.placed = Some(self.place(frame, key)?);
        }
        Ok(())
    }

    fn draw(&self, draw: &Draw<'_>, pass: &mut wgpu::RenderPass<'_>) {
        if draw.phase == Phase::Opaque
            && let Some(placed) = &self.placed
            && let Some(Some(group)) = placed.panes.get(draw.pane)
        {
            let vertices = VERTICES * draw.detail.strokes_of(placed.count);
            self.pipeline.draw(pass, draw.detail.fine, group, vertices);
        }
    }
}

fn size(settings: &Arrows) -> gpu_data::Arrows {
    let cell = match settings.place {
        ArrowPlace::Cloud => 0.14,
        _ => 2.2 / settings.per_edge.max(2) as f32,
    };
    gpu_data::Arrows {
        length: 0.92 * cell,
        half_width: 0.034 * cell,
    }
}

fn anchors(key: &Key, frame: &Frame<'_>) -> Result<Anchors, GpuError> {
    let Arrows { place, per_edge } = key.settings;
    if place == ArrowPlace::Cloud || frame.view.has_network() {
        let Some(cloud) = frame.cloud else {
            return Ok(Anchors::default());
        };
        let state = cloud.read(&frame.gpu.device, &frame.gpu.queue)?;
        let most = (per_edge as usize).pow(3).min(MOST_AT_PIXELS);
        let points = shuffled(pixels::thin(&state, most));
        let velocity = cloud.velocity.map(|velocity| {
            let at = points.iter().map(|&(p, _)| pixels::point(velocity, p));
            at.collect()
        });
        return Ok((points.into_iter().map(|(_, x)| x).collect(), velocity));
    }
    let points = match (place, key.plane) {
        (ArrowPlace::Cube, _) => cubic_lattice(per_edge),
        (_, Some(plane)) => plane.lattice(per_edge, false),
        (_, None) => Vec::new(),
    };
    Ok((shuffled(points), None))
}

/// The kernel that evaluates a field.
pub(super) fn kernel(gpu: &Gpu) -> Kernel {
    let slots = [Slot::Read, Slot::ReadWrite];
    Kernel::new(gpu, "field vectors", ArrowLayer::WGSL, &slots)
}

/// The field of a pane and `Phi` at `count` points `[count][4]`, as a buffer of
/// [`gpu_data::Vector`]s.
pub(super) fn evaluate(
    gpu: &Gpu,
    kernel: &Kernel,
    pane: &wgpu::BindGroup,
    points: &wgpu::Buffer,
    count: u32,
) -> wgpu::Buffer {
    let vectors = gpu.empty_storage::<gpu_data::Vector>(count as usize);
    let group = kernel.bind(gpu, &[points, &vectors].map(|b| b.as_entire_binding()));
    kernel.dispatch(gpu, pane, &group, [count.div_ceil(64), 1]);
    vectors
}
