//! The centroids: spheres in their classes' colours, ray-cast in a quad each, with exact depth. The
//! target has a ring; the target and a highlighted class are larger.

use super::context::{Gpu, Phase, Pipeline, Slot, wgsl};
use super::layer::{Draw, Frame, Layer};
use crate::gpu::GpuError;

/// The spheres' settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spheres {
    /// Radius in world units.
    pub radius: f32,
    /// A class that is drawn larger.
    pub highlighted: Option<usize>,
}

/// Factor by which the target and a highlighted class are larger.
pub(crate) const EMPHASIS: f32 = 1.5;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};

    /// `Spheres` of field/centroids.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Spheres {
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
    count: u32,
}

impl CentroidLayer {
    pub fn new(gpu: &Gpu) -> Self {
        let slots = [Slot::Uniform];
        let pipeline = Pipeline::new(gpu, "field spheres", Self::WGSL, &slots, Phase::Opaque);
        let empty: gpu_data::Spheres = bytemuck::Zeroable::zeroed();
        let uniform = gpu.uniform(&empty);
        Self {
            group: pipeline.bind(gpu, &[uniform.as_entire_binding()]),
            pipeline,
            uniform,
            count: 0,
        }
    }
}

impl Layer for CentroidLayer {
    type Settings = Spheres;

    const WGSL: &'static str = wgsl!("common/scene", "common/potential", "field/centroids");

    fn prepare(&mut self, settings: Option<&Spheres>, frame: &Frame<'_>) -> Result<(), GpuError> {
        self.count = settings.map_or(0, |_| frame.view.table.len() as u32);
        if let Some(settings) = settings {
            let spheres = gpu_data::Spheres {
                radius: settings.radius,
                emphasis: EMPHASIS,
                highlighted: settings.highlighted.map_or(u32::MAX, |k| k as u32),
            };
            frame.gpu.write(&self.uniform, &[spheres]);
        }
        Ok(())
    }

    fn draw(&self, draw: &Draw<'_>, pass: &mut wgpu::RenderPass<'_>) {
        if draw.phase == Phase::Opaque && self.count > 0 {
            self.pipeline
                .draw(pass, draw.detail.fine, &self.group, 6 * self.count);
        }
    }
}
