//! The centroids: spheres in their classes' colours, each ray-cast in a quad with exact depth. The
//! target has a ring; the target and the highlighted class are larger.

use super::context::{Gpu, Phase, Pipeline, Slot, wgsl, whole};
use super::layer::{Draw, Frame, Layer};
use crate::gpu::GpuError;
use bytemuck::Zeroable;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spheres {
    /// Radius in world units.
    pub radius: f32,
    pub highlighted: Option<usize>,
}

/// Factor by which the target and the highlighted class are larger.
pub(crate) const EMPHASIS: f32 = 1.5;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};

    /// `Spheres` of field/centroids.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Spheres {
        pub radius: f32,
        pub emphasis: f32,
        pub highlighted: u32,
    }
    const _: () = assert!(size_of::<Spheres>() == 12);
}

pub(super) struct CentroidLayer {
    pipeline: Pipeline,
    uniform: wgpu::Buffer,
    group: wgpu::BindGroup,
}

impl CentroidLayer {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let slots = [Slot::Uniform];
        let pipeline = Pipeline::new(gpu, "field spheres", Self::WGSL, &slots, Phase::Opaque);
        let uniform = gpu.uniform(&gpu_data::Spheres::zeroed());
        Self {
            group: pipeline.bind(gpu, &whole([&uniform])),
            pipeline,
            uniform,
        }
    }
}

impl Layer for CentroidLayer {
    type Settings = Spheres;

    const WGSL: &'static str = wgsl!(scene, potential => centroids);

    fn prepare(&mut self, settings: &Spheres, frame: &Frame<'_>) -> Result<(), GpuError> {
        let spheres = gpu_data::Spheres {
            radius: settings.radius,
            emphasis: EMPHASIS,
            highlighted: settings.highlighted.map_or(u32::MAX, |k| k as u32),
        };
        frame.gpu.write(&self.uniform, &[spheres]);
        Ok(())
    }

    fn draw(&self, _: &Spheres, draw: &mut Draw<'_, '_>) {
        if draw.phase == Phase::Opaque {
            let vertices = 6 * draw.view.table.len() as u32;
            draw.vertices(&self.pipeline, &self.group, vertices);
        }
    }
}
