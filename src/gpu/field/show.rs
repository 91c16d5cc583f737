//! Copying the off-screen picture into a window's pass.
//!
//! A general user-interface shader would do, but a software adapter spends more time in it on a
//! picture as large as the window than on the whole scene.

use super::pipelines::bind;
use super::shaders;
use crate::gpu::{GpuError, guarded};

/// The pipeline for one format of window.
pub struct Show {
    pipeline: wgpu::RenderPipeline,
    sampler: wgpu::Sampler,
}

/// A picture that is ready to be shown.
#[derive(Clone)]
pub struct Shown {
    pipeline: wgpu::RenderPipeline,
    group: wgpu::BindGroup,
}

impl Show {
    /// Compiles the shader for passes with one attachment of this format, one sample a pixel and
    /// no depth.
    ///
    /// # Errors
    /// A driver that refuses it.
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Result<Self, GpuError> {
        guarded(device, "compiling the field's copy", || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some("field show"),
                source: wgpu::ShaderSource::Wgsl(shaders::SHOW.into()),
            });
            let entry = if format.is_srgb() {
                "linear"
            } else {
                "encoded"
            };
            let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some("field show"),
                layout: None,
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("vertex"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(entry),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(format.into())],
                }),
                multiview_mask: None,
                cache: None,
            });
            let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
                label: Some("field show"),
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                ..Default::default()
            });
            Self { pipeline, sampler }
        })
    }

    /// Makes a picture ready.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn picture(
        &self,
        device: &wgpu::Device,
        view: &wgpu::TextureView,
    ) -> Result<Shown, GpuError> {
        let resources = [
            wgpu::BindingResource::TextureView(view),
            wgpu::BindingResource::Sampler(&self.sampler),
        ];
        let layout = self.pipeline.get_bind_group_layout(0);
        let group = guarded(device, "showing the field", || {
            bind(device, &layout, &resources)
        })?;
        Ok(Shown {
            pipeline: self.pipeline.clone(),
            group,
        })
    }
}

impl Shown {
    /// Fills the pass's viewport with the picture.
    pub fn paint(&self, pass: &mut wgpu::RenderPass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.draw(0..3, 0..1);
    }
}
