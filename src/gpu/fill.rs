//! Plain areas.
//!
//! A general user-interface shader samples a texture at every pixel, even of a plain area, and a
//! software adapter spends fifty nanoseconds per pixel on that: with overlapping panel backgrounds,
//! more than on everything shown on them.

use super::draw::{cover, covering};
use super::{GpuError, guarded};

/// The pipeline for one framebuffer format.
pub struct Fill {
    pipeline: wgpu::RenderPipeline,
    /// Whether the format encodes linear colours itself.
    linear: bool,
}

impl Fill {
    /// Compiles the shader for passes with one attachment of this format, one sample per pixel and
    /// no depth.
    ///
    /// # Errors
    /// If the driver rejects it.
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Result<Self, GpuError> {
        guarded(device, "compiling the window's background", || {
            let module =
                device.create_shader_module(wgpu::include_wgsl!("../../shaders/fill.wgsl"));
            let constant = wgpu::BlendComponent {
                src_factor: wgpu::BlendFactor::Constant,
                dst_factor: wgpu::BlendFactor::Zero,
                operation: wgpu::BlendOperation::Add,
            };
            let target = wgpu::ColorTargetState {
                format,
                blend: Some(wgpu::BlendState {
                    color: constant,
                    alpha: constant,
                }),
                write_mask: wgpu::ColorWrites::ALL,
            };
            let pipeline = covering(device, "fill", &module, target, &[]);
            Self {
                pipeline,
                linear: format.is_srgb(),
            }
        })
    }

    /// Fills the pass's viewport with an opaque, gamma-encoded colour.
    pub fn paint(&self, pass: &mut wgpu::RenderPass<'_>, rgb: [u8; 3]) {
        let [r, g, b] = rgb.map(|v| {
            let v = f64::from(v) / 255.0;
            if !self.linear {
                v
            } else if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        });
        pass.set_blend_constant(wgpu::Color { r, g, b, a: 1.0 });
        cover(pass, &self.pipeline, None);
    }
}
