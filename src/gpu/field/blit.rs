//! Copies the off-screen picture into a window's pass.
//!
//! A general user-interface shader would do, but with a picture as large as the window, a software
//! adapter spends more time in it than on the whole scene.

use super::context::{module, wgsl};
use crate::gpu::draw::{bind, cover, covering, flag};
use crate::gpu::{GpuError, guarded};

pub(super) const WGSL: &str = wgsl!(bilinear => blit);

/// The pipelines for one framebuffer format.
pub(crate) struct Blit {
    /// For pictures that are scaled to their place in the window.
    filtered: wgpu::RenderPipeline,
    /// For pictures of the same size.
    exact: wgpu::RenderPipeline,
}

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
    /// If the driver rejects the shader.
    pub(crate) fn new(
        device: &wgpu::Device,
        format: wgpu::TextureFormat,
    ) -> Result<Self, GpuError> {
        guarded(device, "compiling the field's copy", || {
            let module = module(device, "field blit", WGSL);
            let pipeline = |exact: bool| {
                let constants = [("exact", exact), ("linear", format.is_srgb())]
                    .map(|(name, set)| (name, flag(set)));
                covering(device, "field blit", &module, format.into(), &constants)
            };
            Self {
                filtered: pipeline(false),
                exact: pipeline(true),
            }
        })
    }

    /// `exact` if the picture has exactly the pixels of its place in the window.
    ///
    /// # Errors
    /// If the driver rejects the picture.
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
        cover(pass, &self.pipeline, Some(&self.group));
    }
}
