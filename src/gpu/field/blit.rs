//! Copying the off-screen picture into a window's pass.
//!
//! A general user-interface shader would do, but for a picture as large as the window a software
//! adapter spends more time in it than on the whole scene.

use super::context::{bind, module, wgsl};
use crate::gpu::{GpuError, guarded};

pub(super) const WGSL: &str = wgsl!(bilinear => blit);

/// The pipelines for one format of window.
pub(crate) struct Blit {
    /// For pictures of another size than their place in the window.
    filtered: wgpu::RenderPipeline,
    /// For pictures of the same size.
    exact: wgpu::RenderPipeline,
}

/// A picture that is ready to be drawn.
#[derive(Clone)]
pub(crate) struct BlitPicture {
    pipeline: wgpu::RenderPipeline,
    group: wgpu::BindGroup,
}

impl Blit {
    /// Compiles the shader for passes with one attachment of this format, one sample per pixel and
    /// no depth.
    ///
    /// # Errors
    /// The driver rejects the shader.
    pub(crate) fn new(
        device: &wgpu::Device,
        format: wgpu::TextureFormat,
    ) -> Result<Self, GpuError> {
        guarded(device, "compiling the field's copy", || {
            let module = module(device, "field blit", WGSL);
            let pipeline = |exact: bool| {
                device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                    label: Some("field blit"),
                    layout: None,
                    vertex: wgpu::VertexState {
                        module: &module,
                        entry_point: Some("vs_main"),
                        compilation_options: Default::default(),
                        buffers: &[],
                    },
                    primitive: wgpu::PrimitiveState::default(),
                    depth_stencil: None,
                    multisample: wgpu::MultisampleState::default(),
                    fragment: Some(wgpu::FragmentState {
                        module: &module,
                        entry_point: Some("fs_main"),
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
                filtered: pipeline(false),
                exact: pipeline(true),
            }
        })
    }

    /// Prepares a picture; `exact` if it has exactly the pixels of its place in the window.
    ///
    /// # Errors
    /// The driver rejects the picture.
    pub(crate) fn picture(
        &self,
        device: &wgpu::Device,
        view: &wgpu::TextureView,
        exact: bool,
    ) -> Result<BlitPicture, GpuError> {
        let pipeline = if exact { &self.exact } else { &self.filtered };
        let layout = pipeline.get_bind_group_layout(0);
        let resources = [wgpu::BindingResource::TextureView(view)];
        let group = guarded(device, "copying the field into the window", || {
            bind(device, &layout, &resources)
        })?;
        Ok(BlitPicture {
            pipeline: pipeline.clone(),
            group,
        })
    }
}

impl BlitPicture {
    /// Fills the pass's viewport with the picture.
    pub(crate) fn draw(&self, pass: &mut wgpu::RenderPass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.draw(0..3, 0..1);
    }
}
