//! The off-screen picture: colour and depth, with several samples per pixel or one.

use super::context::{COLOUR, DEPTH};
use crate::gpu::textures::texture;
use crate::gpu::{GpuError, guarded};

/// Largest number of pixels of a picture: with four samples each, about 2.5 GiB on the device.
const MOST_PIXELS: u64 = 1 << 26;

pub(super) struct Target {
    pub size: [u32; 2],
    pub samples: u32,
    pub colour: wgpu::Texture,
    pub view: wgpu::TextureView,
    /// Several samples per pixel, resolved into the picture.
    multisampled: Option<wgpu::TextureView>,
    depth: wgpu::TextureView,
}

impl Target {
    /// Allocates the textures if the device can hold them.
    pub(super) fn new(
        device: &wgpu::Device,
        size: [u32; 2],
        samples: u32,
    ) -> Result<Self, GpuError> {
        let what = "allocating a picture";
        let edge = device.limits().max_texture_dimension_2d;
        let [width, height] = size;
        let pixels = u64::from(width) * u64::from(height);
        if size.contains(&0) || size.iter().any(|&s| s > edge) || pixels > MOST_PIXELS {
            let reason = format!(
                "{width} x {height} pixels: sides must be 1 to {edge}, the area at most \
                 {MOST_PIXELS}"
            );
            let remedy = "choose a smaller size";
            return Err(GpuError {
                what,
                reason,
                remedy,
            });
        }
        guarded(device, what, || Self::allocate(device, size, samples))
    }

    fn allocate(device: &wgpu::Device, size: [u32; 2], samples: u32) -> Self {
        let attachment = wgpu::TextureUsages::RENDER_ATTACHMENT;
        let finished =
            attachment | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC;
        let colour = texture(device, "field", size, 1, COLOUR, finished);
        let view = |format| {
            let texture = texture(device, "field", size, samples, format, attachment);
            texture.create_view(&Default::default())
        };
        Self {
            size,
            samples,
            view: colour.create_view(&Default::default()),
            colour,
            multisampled: (samples > 1).then(|| view(COLOUR)),
            depth: view(DEPTH),
        }
    }

    /// Starts a pass that clears to a gamma-encoded colour.
    pub(super) fn begin<'a>(
        &self,
        encoder: &'a mut wgpu::CommandEncoder,
        background: [u8; 3],
    ) -> wgpu::RenderPass<'a> {
        let [r, g, b] = background.map(|v| f64::from(v) / 255.0);
        encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("field"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: self.multisampled.as_ref().unwrap_or(&self.view),
                depth_slice: None,
                resolve_target: self.multisampled.as_ref().map(|_| &self.view),
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: if self.multisampled.is_some() {
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
