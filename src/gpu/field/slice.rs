//! The slice: a heat map in a plane through the cube, with iso-lines, boundaries of Voronoi cells
//! and the target's neighbourhood.
//!
//! A kernel fills two textures per pane once for all frames, one thread per texel: `Phi`, distances
//! to cell boundaries and `|f|`, and the nearest centroid's colour. The distance to the plane
//! halfway between two centroids is `(d_k - d_j) / (2 |mu_k - mu_j|)`. The fragment shader
//! interpolates them and draws every line a constant number of pixels wide by their derivatives.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl};
use super::layer::{Draw, Frame, Layer};
use super::lines::{Polyline, Ribbon, Ribbons, Strip, with_alpha};
use crate::format::round_step;
use crate::gpu::GpuError;
use crate::vector_field::{Plane, Ranges};
use glam::Vec3;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the heat map shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// `Phi` (equation 10).
    #[default]
    Potential,
    /// `p` of the target class (equation 9).
    Probability,
    /// The nearest centroid's colour.
    Cells,
    /// The length of the pane's field.
    Magnitude,
}

/// The slice's settings; where it lies is [`super::FieldView::plane`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slice {
    /// What the heat map shows.
    pub quantity: Quantity,
    /// Boundaries of Voronoi cells, the target's dashed.
    pub boundaries: bool,
    /// Lines of equal value.
    pub iso_lines: bool,
    /// Shade the target's neighbourhood.
    pub neighbourhood: bool,
    /// 0..=1.
    pub opacity: f32,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            quantity: Quantity::Magnitude,
            boundaries: true,
            iso_lines: true,
            neighbourhood: true,
            opacity: 0.95,
        }
    }
}

/// Alpha of the outline, 0..=255.
const OUTLINE: u8 = 150;

const MAP: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;
const CELLS: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Slice` of field/slice.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Slice {
        pub origin: Vec3,
        pub quantity: u32,
        pub u: Vec3,
        pub marks: u32,
        pub v: Vec3,
        pub iso_spacing: f32,
        pub opacity: f32,
        pub ramp_end: f32,
        pub padding: [u32; 2],
    }
    const _: () = assert!(size_of::<Slice>() == 64);

    pub const BOUNDARIES: u32 = 1;
    pub const ISO_LINES: u32 = 2;
    pub const NEIGHBOURHOOD: u32 = 4;
}

pub(super) struct SliceLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    ribbons: Arc<Ribbons>,
    uniform: wgpu::Buffer,
    cut: Option<Cut>,
}

/// A plane's polygon in the cube, with the heat map of each pane.
struct Cut {
    key: Key,
    triangles: u32,
    panes: Vec<wgpu::BindGroup>,
    /// The outline in a colour.
    edge: ([u8; 3], Option<Strip>),
}

/// What the heat maps depend on.
#[derive(Clone, Copy, PartialEq)]
struct Key {
    fields: u64,
    plane: Plane,
    resolution: u32,
}

impl SliceLayer {
    pub fn new(gpu: &Gpu, ribbons: &Arc<Ribbons>) -> Self {
        let filled = [Slot::Uniform, Slot::Store(MAP), Slot::Store(CELLS)];
        let drawn = [Slot::Uniform, Slot::Texture, Slot::Texture, Slot::Read];
        let empty: gpu_data::Slice = bytemuck::Zeroable::zeroed();
        Self {
            kernel: Kernel::new(gpu, "field slice map", Self::WGSL, &filled),
            pipeline: Pipeline::new(gpu, "field slice", Self::WGSL, &drawn, Phase::Blended),
            ribbons: ribbons.clone(),
            uniform: gpu.uniform(&empty),
            cut: None,
        }
    }

    /// Computes the heat maps; the uniform is up to date. `outline` has three corners or more.
    fn cut(&self, frame: &Frame<'_>, key: Key, outline: &[Vec3]) -> Cut {
        let Frame { gpu, globals, .. } = frame;
        let corners: Vec<[f32; 4]> = outline.iter().map(|p| p.extend(1.0).to_array()).collect();
        let corners = gpu.storage(&corners);
        let panes = globals.panes.iter().map(|pane| {
            let map = texture(gpu, "field slice", key.resolution, MAP);
            let cells = texture(gpu, "field cells", key.resolution, CELLS);
            let [map, cells] = [&map, &cells].map(wgpu::BindingResource::TextureView);
            let filled = [self.uniform.as_entire_binding(), map.clone(), cells.clone()];
            let group = self.kernel.bind(gpu, &filled);
            let groups = key.resolution.div_ceil(8);
            self.kernel
                .dispatch(gpu, &pane.group, &group, [groups, groups]);
            let [uniform, corners] = [&self.uniform, &corners].map(|b| b.as_entire_binding());
            self.pipeline.bind(gpu, &[uniform, map, cells, corners])
        });
        Cut {
            panes: panes.collect(),
            triangles: outline.len() as u32 - 2,
            edge: self.edge(gpu, outline, frame.view.style.ink),
            key,
        }
    }

    fn edge(&self, gpu: &Gpu, outline: &[Vec3], ink: [u8; 3]) -> ([u8; 3], Option<Strip>) {
        let line = Polyline {
            points: outline.iter().chain(outline.first()).copied().collect(),
            colour: with_alpha(ink, OUTLINE),
        };
        (ink, self.ribbons.upload(gpu, &[line], Ribbon::EDGE))
    }
}

impl Layer for SliceLayer {
    type Settings = Slice;

    const WGSL: &'static str = wgsl!(
        "common/scene",
        "common/potential",
        "common/bilinear",
        "field/slice"
    );

    fn prepare(&mut self, settings: Option<&Slice>, frame: &Frame<'_>) -> Result<(), GpuError> {
        let view = frame.view;
        let known = self.cut.take();
        let (Some(settings), Some(plane)) = (settings, view.plane) else {
            return Ok(());
        };
        let outline = plane.outline();
        if outline.len() < 3 {
            return Ok(());
        }
        let content = content(settings, &plane, &outline, frame.globals.ranges);
        frame.gpu.write(&self.uniform, &[content]);
        let key = Key {
            fields: frame.globals.version,
            plane,
            resolution: view.resolution,
        };
        let known = known.filter(|cut| cut.key == key);
        let mut cut = known.unwrap_or_else(|| self.cut(frame, key, &outline));
        if cut.edge.0 != view.style.ink {
            cut.edge = self.edge(frame.gpu, &outline, view.style.ink);
        }
        self.cut = Some(cut);
        Ok(())
    }

    fn draw(&self, draw: &Draw<'_>, pass: &mut wgpu::RenderPass<'_>) {
        let Some(cut) = self.cut.as_ref().filter(|_| draw.phase == Phase::Blended) else {
            return;
        };
        if let (_, Some(edge)) = &cut.edge {
            self.ribbons.draw_all(draw, pass, edge);
        }
        if let Some(group) = cut.panes.get(draw.pane) {
            self.pipeline
                .draw(pass, draw.detail.fine, group, 3 * cut.triangles);
        }
    }
}

fn content(settings: &Slice, plane: &Plane, outline: &[Vec3], ranges: Ranges) -> gpu_data::Slice {
    let [centre, half] = plane.bounds(outline);
    let (quantity, iso_spacing, ramp_end) = match settings.quantity {
        Quantity::Potential => {
            let spacing = round_step(f64::from(ranges.phi) / 12.0);
            (0, spacing as f32, ranges.phi)
        }
        Quantity::Probability => (1, 0.1, 1.0),
        Quantity::Cells => (2, 1.0, 1.0),
        Quantity::Magnitude => (3, 0.25, 1.0),
    };
    let marks = [
        (settings.boundaries, gpu_data::BOUNDARIES),
        (settings.iso_lines, gpu_data::ISO_LINES),
        (settings.neighbourhood, gpu_data::NEIGHBOURHOOD),
    ];
    gpu_data::Slice {
        origin: plane.point(centre),
        quantity,
        u: half.x * plane.u,
        marks: marks
            .iter()
            .map(|(on, flag)| if *on { *flag } else { 0 })
            .sum(),
        v: half.y * plane.v,
        iso_spacing,
        opacity: settings.opacity,
        ramp_end,
        padding: [0; 2],
    }
}

fn texture(gpu: &Gpu, label: &str, edge: u32, format: wgpu::TextureFormat) -> wgpu::TextureView {
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d {
            width: edge,
            height: edge,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING,
        view_formats: &[],
    });
    texture.create_view(&Default::default())
}
