//! Copying the off-screen picture into a window's pass.
//!
//! A general user-interface shader would do, but a software adapter spends more time in it on a
//! picture as large as the window than on the whole scene.

use super::pipelines::bind;
use super::shaders;
use crate::gpu::{GpuError, guarded};

/// The pipeline for one format of window.
pub struct Show {
    /// For pictures of other sizes than their place in the window, and of the same.
    smooth: wgpu::RenderPipeline,
    exact: wgpu::RenderPipeline,
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
            let pipeline = |exact: bool| {
                device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
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
                        entry_point: Some("fragment"),
                        compilation_options: wgpu::PipelineCompilationOptions {
                            constants: &[
                                ("exact", f64::from(u8::from(exact))),
                                ("linear", f64::from(u8::from(format.is_srgb()))),
                            ],
                            ..Default::default()
                        },
                        targets: &[Some(format.into())],
                    }),
                    multiview_mask: None,
                    cache: None,
                })
            };
            Self {
                smooth: pipeline(false),
                exact: pipeline(true),
            }
        })
    }

    /// Makes a picture ready; `exact` where it has a pixel for every one of its place.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn picture(
        &self,
        device: &wgpu::Device,
        view: &wgpu::TextureView,
        exact: bool,
    ) -> Result<Shown, GpuError> {
        let resources = [wgpu::BindingResource::TextureView(view)];
        let pipeline = if exact { &self.exact } else { &self.smooth };
        let layout = pipeline.get_bind_group_layout(0);
        let group = guarded(device, "showing the field", || {
            bind(device, &layout, &resources)
        })?;
        Ok(Shown {
            pipeline: pipeline.clone(),
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
