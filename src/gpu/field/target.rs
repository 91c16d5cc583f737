//! The off-screen picture: colour and depth, with several samples a pixel or one.

use super::pipelines::{COLOUR, DEPTH};

/// The textures of one size.
pub(super) struct Target {
    pub size: [u32; 2],
    pub samples: u32,
    /// The finished picture.
    pub colour: wgpu::Texture,
    pub view: wgpu::TextureView,
    /// Several samples a pixel, resolved into the picture.
    many: Option<wgpu::TextureView>,
    depth: wgpu::TextureView,
}

impl Target {
    /// Allocates them.
    pub fn new(device: &wgpu::Device, size: [u32; 2], samples: u32) -> Self {
        let attachment = wgpu::TextureUsages::RENDER_ATTACHMENT;
        let texture = |label, format, samples, usage| {
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size: wgpu::Extent3d {
                    width: size[0],
                    height: size[1],
                    depth_or_array_layers: 1,
                },
                mip_level_count: 1,
                sample_count: samples,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage,
                view_formats: &[],
            })
        };
        let seen =
            attachment | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC;
        let colour = texture("field picture", COLOUR, 1, seen);
        let whole = wgpu::TextureViewDescriptor::default();
        Self {
            size,
            samples,
            view: colour.create_view(&whole),
            colour,
            many: (samples > 1)
                .then(|| texture("field samples", COLOUR, samples, attachment).create_view(&whole)),
            depth: texture("field depth", DEPTH, samples, attachment).create_view(&whole),
        }
    }

    /// Starts a pass that clears to a gamma-encoded colour.
    pub fn begin<'a>(
        &self,
        encoder: &'a mut wgpu::CommandEncoder,
        background: [u8; 3],
    ) -> wgpu::RenderPass<'a> {
        let [r, g, b] = background.map(|v| f64::from(v) / 255.0);
        encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("field"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: self.many.as_ref().unwrap_or(&self.view),
                depth_slice: None,
                resolve_target: self.many.as_ref().map(|_| &self.view),
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: if self.many.is_some() {
                        wgpu::StoreOp::Discard
                    } else {
                        wgpu::StoreOp::Store
                    },
                },
            })],
            depth_stencil_attachment: Some(wgpu::RenderPassDepthStencilAttachment {
                view: &self.depth,
                depth_ops: Some(wgpu::Operations {
                    load: wgpu::LoadOp::Clear(1.0),
                    store: wgpu::StoreOp::Discard,
                }),
                stencil_ops: None,
            }),
            timestamp_writes: None,
            occlusion_query_set: None,
            multiview_mask: None,
        })
    }
}
