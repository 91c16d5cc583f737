//! Photos reduced to the size of their pictures on the screen, for software adapters: filtering the photo anew for every
//! frame takes such an adapter longer than the rest of a pane.

use super::canvas::{Classes, Layer, Look, Pipelines, Sources, lock};
use super::textures::{Photo, Reduced, texture};
use super::{GpuError, guarded};
use std::sync::Arc;

/// Pixels of the largest picture for which a photo is reduced.
const MOST_PIXELS: u32 = 1 << 22;

/// Reduced photos kept: as many as there are panes.
const KEPT: usize = 4;

/// What such photos are drawn on, and read from.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Pipelines {
    /// The photo at the size of its picture, drawn when it is first needed; `None` where its pixels are not smaller
    /// than the framebuffer's, or the picture is large.
    ///
    /// # Errors
    /// If the driver reports an error.
    pub(super) fn reduced(
        &self,
        classes: &Classes,
        sources: &Sources,
        look: &Look,
    ) -> Result<Option<Arc<Photo>>, GpuError> {
        // Rounded down, so that no pixel of the reduced photo is smaller than the framebuffer's.
        let size = look.extent.map(|side| side as u32);
        let pixels = size[0].saturating_mul(size[1]);
        if sources.photo.level(look.extent) <= 0.0 || !(1..=MOST_PIXELS).contains(&pixels) {
            return Ok(None);
        }
        let mut kept = lock(&self.reduced);
        let original = Arc::downgrade(&sources.photo);
        let is_it = |kept: &Reduced| kept.original.ptr_eq(&original) && kept.photo.size == size;
        let photo = match kept.iter().position(is_it) {
            // The one that was used last is the last.
            Some(at) => kept.remove(at).photo,
            None => Arc::new(self.reduce(classes, sources, size)?),
        };
        kept.retain(|reduced| reduced.original.strong_count() > 0);
        let surplus = (kept.len() + 1).saturating_sub(KEPT);
        kept.drain(..surplus);
        kept.push(Reduced {
            original,
            photo: photo.clone(),
        });
        Ok(Some(photo))
    }

    /// Draws the photo at a width and height.
    fn reduce(
        &self,
        classes: &Classes,
        sources: &Sources,
        size: [u32; 2],
    ) -> Result<Photo, GpuError> {
        let look = Look {
            layer: Layer::Photo,
            origin: [0.0; 2],
            extent: size.map(|side| side as f32),
            fine: false,
            opacity: 1.0,
            lit: None,
        };
        let pane = self.pane_on(FORMAT, classes, sources, &sources.photo, &look)?;
        guarded(&self.device, "reducing the photo", || {
            let usage =
                wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING;
            let texture = texture(&self.device, "reduced photo", size, 1, FORMAT, usage);
            let view = texture.create_view(&Default::default());
            let mut encoder = self.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                    color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                        view: &view,
                        depth_slice: None,
                        resolve_target: None,
                        ops: wgpu::Operations::default(),
                    })],
                    ..Default::default()
                });
                self.draw(&mut pass, &pane);
            }
            self.queue.submit([encoder.finish()]);
            Photo { view, size }
        })
    }
}
