//! Arrows: the field at points of a lattice or of the photo, shown by length and colour.
//!
//! A kernel evaluates the field (and `Phi`) at the anchors, one thread per point; the network's
//! velocity is uploaded instead. An arrow is a flat shaft and head around its anchor, facing the
//! eye and shaded as if round. Its length grows with the position of `log10 |f|` on the colour
//! ramp.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl, whole};
use super::layer::{Draw, Frame, Layer};
use super::view::FieldView;
use crate::gpu::GpuError;
use crate::vector_field::{FieldKind, Plane, cubic_lattice, pixels, seeds::shuffled};
use glam::Vec3;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrowPlace {
    /// On a lattice that fills the cube.
    #[default]
    Cube,
    /// On a lattice in the plane of the slice.
    Slice,
    /// At pixels of the photo. The network's velocity is only ever shown there.
    Cloud,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrows {
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

/// Maximum number of arrows at pixels of the photo.
const MOST_AT_PIXELS: usize = 3000;

pub(super) mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Arrows` of field/arrows.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(crate) struct Arrows {
        pub length: f32,
        pub half_width: f32,
    }
    const _: () = assert!(size_of::<Arrows>() == 8);

    /// `Vector` of field/arrows.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(crate) struct Vector {
        pub vector: Vec3,
        pub phi: f32,
    }
    const _: () = assert!(size_of::<Vector>() == 16);
}

pub(super) struct ArrowLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    placed: Option<(Key, Placed)>,
}

struct Placed {
    count: u32,
    /// One bind group per pane; `None` if its field is not known.
    panes: Vec<Option<wgpu::BindGroup>>,
}

#[derive(PartialEq)]
struct Key {
    fields: u64,
    settings: Arrows,
    plane: Option<Plane>,
    /// Generation of the photo's state.
    cloud: Option<u64>,
}

impl ArrowLayer {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let computed = [Slot::Read, Slot::ReadWrite];
        let drawn = [Slot::Read, Slot::Read, Slot::Uniform];
        Self {
            kernel: Kernel::new(gpu, "field vectors", Self::WGSL, &computed),
            pipeline: Pipeline::new(gpu, "field arrows", Self::WGSL, &drawn, Phase::Opaque),
            placed: None,
        }
    }

    fn place(&self, settings: &Arrows, frame: &Frame<'_>) -> Result<Placed, GpuError> {
        let Frame { gpu, globals, .. } = frame;
        let (points, velocity) = anchors(settings, frame)?;
        let count = points.len() as u32;
        let mut panes = Vec::new();
        if count == 0 {
            return Ok(Placed { count, panes });
        }
        let points = gpu.points(&points);
        let velocity = velocity.map(|vectors| gpu.storage(&vectors));
        let uniform = gpu.uniform(&size(settings));
        for pane in &globals.panes {
            let vectors = match pane.kind {
                FieldKind::Network => velocity.clone(),
                _ => Some(self.evaluate(gpu, &pane.group, &points, count)),
            };
            let bind = |vectors| {
                let resources = whole([&points, &vectors, &uniform]);
                self.pipeline.bind(gpu, &resources)
            };
            panes.push(vectors.map(bind));
        }
        Ok(Placed { count, panes })
    }

    /// The field of a pane and `Phi` at `count` points, as a buffer `[count]` of
    /// [`gpu_data::Vector`]s.
    pub(super) fn evaluate(
        &self,
        gpu: &Gpu,
        pane: &wgpu::BindGroup,
        points: &wgpu::Buffer,
        count: u32,
    ) -> wgpu::Buffer {
        let vectors = gpu.empty_storage::<gpu_data::Vector>(count as usize);
        let group = self.kernel.bind(gpu, &whole([points, &vectors]));
        self.kernel
            .run(gpu, [pane, &group], [count.div_ceil(64), 1]);
        vectors
    }
}

impl Layer for ArrowLayer {
    type Settings = Arrows;

    const WGSL: &'static str = wgsl!(scene, potential => arrows);

    fn prepare(&mut self, settings: &Arrows, frame: &Frame<'_>) -> Result<(), GpuError> {
        let view = frame.view;
        let pixels = at_pixels(settings, view);
        let key = Key {
            fields: frame.globals.version,
            settings: *settings,
            plane: view.plane.filter(|_| !pixels),
            cloud: frame.cloud.filter(|_| pixels).map(|c| c.generation),
        };
        if self.placed.as_ref().is_none_or(|(known, _)| *known != key) {
            self.placed = Some((key, self.place(settings, frame)?));
        }
        Ok(())
    }

    fn draw(&self, _: &Arrows, draw: &mut Draw<'_, '_>) {
        if draw.phase == Phase::Opaque
            && let Some((_, placed)) = &self.placed
            && let Some(Some(group)) = placed.panes.get(draw.pane)
        {
            let arrows = draw.detail.strokes_of(placed.count);
            draw.vertices(&self.pipeline, group, 9 * arrows);
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

fn at_pixels(settings: &Arrows, view: &FieldView) -> bool {
    settings.place == ArrowPlace::Cloud || FieldKind::has_network(&view.panes)
}

/// Points, and the network's velocity there if it is known.
type Anchors = (Vec<Vec3>, Option<Vec<gpu_data::Vector>>);

fn anchors(settings: &Arrows, frame: &Frame<'_>) -> Result<Anchors, GpuError> {
    let per_edge = settings.per_edge;
    if !at_pixels(settings, frame.view) {
        let points = match (settings.place, frame.view.plane) {
            (ArrowPlace::Cube, _) => cubic_lattice(per_edge),
            (_, Some(plane)) => plane.lattice(per_edge, false),
            (_, None) => Vec::new(),
        };
        return Ok((shuffled(points), None));
    }
    let Some(cloud) = frame.cloud else {
        return Ok(Anchors::default());
    };
    let state = cloud.read(&frame.gpu.device, &frame.gpu.queue)?;
    let most = (per_edge as usize).pow(3).min(MOST_AT_PIXELS);
    let points = shuffled(pixels::thin(&state, most));
    let velocity = cloud.velocity.map(|velocity| {
        let vector = |&(pixel, _): &(usize, Vec3)| gpu_data::Vector {
            vector: pixels::point(velocity, pixel),
            phi: 0.0,
        };
        points.iter().map(vector).collect()
    });
    Ok((points.into_iter().map(|(_, x)| x).collect(), velocity))
}
