//! The slice: a heat map in a plane through the cube, with iso-lines, boundaries of Voronoi cells
//! and the target's neighbourhood.
//!
//! A kernel fills two textures per pane once for all frames, one thread per texel: one with `Phi`,
//! the distance to cell boundaries and `|f|`, the other with the nearest centroid's colour. The
//! distance to the plane halfway between two centroids is `(d_k - d_j) / (2 |mu_k - mu_j|)`. The
//! fragment shader interpolates the textures and uses derivatives to draw every line a constant
//! number of pixels wide.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl, whole};
use super::globals::Pane;
use super::layer::{Draw, Frame, Layer};
use super::lines::{Polyline, Ribbon, Ribbons, Strip, with_alpha};
use crate::format::round_step;
use crate::gpu::GpuError;
use crate::gpu::textures::texture;
use crate::vector_field::{Plane, Ranges};
use bytemuck::Zeroable;
use glam::Vec3;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

/// The settings of the slice; [`super::FieldView::plane`] is its position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slice {
    pub quantity: Quantity,
    /// Boundaries of Voronoi cells, the target's dashed.
    pub boundaries: bool,
    /// Lines of equal value.
    pub iso_lines: bool,
    /// Shades the target's neighbourhood.
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
    pub(super) struct Slice {
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

    pub(super) const BOUNDARIES: u32 = 1;
    pub(super) const ISO_LINES: u32 = 2;
    pub(super) const NEIGHBOURHOOD: u32 = 4;
}

pub(super) struct SliceLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    ribbons: Arc<Ribbons>,
    uniform: wgpu::Buffer,
    maps: Option<(Key, Vec<wgpu::BindGroup>)>,
    outline: Option<Outline>,
}

/// Everything that the heat maps depend on.
#[derive(PartialEq)]
struct Key {
    fields: u64,
    colours: u64,
    plane: Plane,
    resolution: u32,
}

/// The polygon in which the plane cuts the cube, with at least three corners.
struct Outline {
    plane: Plane,
    ink: [u8; 3],
    corners: Vec<Vec3>,
    buffer: wgpu::Buffer,
    strip: Option<Strip>,
}

impl SliceLayer {
    pub(super) fn new(gpu: &Gpu, ribbons: &Arc<Ribbons>) -> Self {
        let filled = [Slot::Uniform, Slot::Store(MAP), Slot::Store(CELLS)];
        let drawn = [Slot::Uniform, Slot::Texture, Slot::Texture, Slot::Read];
        Self {
            kernel: Kernel::new(gpu, "field slice map", Self::WGSL, &filled),
            pipeline: Pipeline::new(gpu, "field slice", Self::WGSL, &drawn, Phase::Blended),
            ribbons: ribbons.clone(),
            uniform: gpu.uniform(&gpu_data::Slice::zeroed()),
            maps: None,
            outline: None,
        }
    }

    fn outline(&self, gpu: &Gpu, plane: Plane, ink: [u8; 3]) -> Option<Outline> {
        let corners = plane.outline();
        let edge = Polyline {
            points: corners.iter().chain(corners.first()).copied().collect(),
            colour: with_alpha(ink, OUTLINE),
        };
        (corners.len() >= 3).then(|| Outline {
            plane,
            ink,
            buffer: gpu.points(&corners),
            strip: self.ribbons.upload(gpu, &[edge], Ribbon::EDGE),
            corners,
        })
    }

    /// Computes the heat map of a pane; the uniform must be up to date.
    fn map(&self, gpu: &Gpu, pane: &Pane, outline: &Outline, size: u32) -> wgpu::BindGroup {
        let views = [MAP, CELLS].map(|format| {
            let usage = wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING;
            let texture = texture(&gpu.device, "field", [size; 2], 1, format, usage);
            texture.create_view(&Default::default())
        });
        let [map, cells] = views.each_ref().map(wgpu::BindingResource::TextureView);
        let [uniform, corners] = whole([&self.uniform, &outline.buffer]);
        let filled = [uniform.clone(), map.clone(), cells.clone()];
        let filled = self.kernel.bind(gpu, &filled);
        let groups = [size.div_ceil(8); 2];
        self.kernel.run(gpu, [&pane.group, &filled], groups);
        self.pipeline.bind(gpu, &[uniform, map, cells, corners])
    }
}

impl Layer for SliceLayer {
    type Settings = Slice;

    const WGSL: &'static str = wgsl!(scene, potential, bilinear => slice);

    fn prepare(&mut self, settings: &Slice, frame: &Frame<'_>) -> Result<(), GpuError> {
        let Frame {
            gpu, globals, view, ..
        } = frame;
        let ink = view.style.ink;
        let known = self.outline.take();
        self.outline = view.plane.and_then(|plane| {
            let known = known.filter(|known| known.plane == plane && known.ink == ink);
            known.or_else(|| self.outline(gpu, plane, ink))
        });
        let Some(outline) = &self.outline else {
            return Ok(());
        };
        gpu.write(&self.uniform, &[content(settings, outline, globals.ranges)]);
        let key = Key {
            fields: globals.version,
            colours: globals.colours,
            plane: outline.plane,
            resolution: view.resolution,
        };
        if self.maps.as_ref().is_none_or(|(known, _)| *known != key) {
            let map = |pane| self.map(gpu, pane, outline, view.resolution);
            self.maps = Some((key, globals.panes.iter().map(map).collect()));
        }
        Ok(())
    }

    fn draw(&self, _: &Slice, draw: &mut Draw<'_, '_>) {
        if draw.phase == Phase::Blended
            && let Some(outline) = &self.outline
            && let Some((_, maps)) = &self.maps
            && let Some(map) = maps.get(draw.pane)
        {
            if let Some(strip) = &outline.strip {
                self.ribbons.draw(draw, strip, u32::MAX);
            }
            let triangles = outline.corners.len() as u32 - 2;
            draw.vertices(&self.pipeline, map, 3 * triangles);
        }
    }
}

fn content(settings: &Slice, outline: &Outline, ranges: Ranges) -> gpu_data::Slice {
    let plane = &outline.plane;
    let [centre, half] = plane.bounds(&outline.corners);
    let (quantity, iso_spacing, ramp_end) = match settings.quantity {
        Quantity::Potential => (0, round_step(f64::from(ranges.phi) / 12.0), ranges.phi),
        Quantity::Probability => (1, 0.1, 1.0),
        Quantity::Cells => (2, 1.0, 1.0),
        Quantity::Magnitude => (3, 0.25, 1.0),
    };
    gpu_data::Slice {
        origin: plane.point(centre),
        quantity,
        u: half.x * plane.u,
        marks: gpu_data::BOUNDARIES * u32::from(settings.boundaries)
            + gpu_data::ISO_LINES * u32::from(settings.iso_lines)
            + gpu_data::NEIGHBOURHOOD * u32::from(settings.neighbourhood),
        v: half.y * plane.v,
        iso_spacing: iso_spacing as f32,
        opacity: settings.opacity,
        ramp_end,
        padding: [0; 2],
    }
}
