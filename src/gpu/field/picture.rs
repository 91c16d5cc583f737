//! Pictures of a scene that leave the device, at any size.

use super::Renderer;
use super::buffers::mappable;
use super::renderer::{Detail, SAMPLES};
use super::target::Target;
use crate::gpu::{GpuError, guarded};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

const WHAT: &str = "exporting a picture";

/// A picture on its way back from the device. It may be waited for on another thread.
pub struct Picturing {
    device: wgpu::Device,
    size: [u32; 2],
    /// Bytes a row; copies pad them.
    padded: u32,
    staging: wgpu::Buffer,
    told: Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Picturing {
    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Waits for it: `[height, width, 4]` RGBA bytes, gamma-encoded and opaque.
    ///
    /// # Errors
    /// A device that fails.
    pub fn wait(self) -> Result<Vec<u8>, GpuError> {
        let refused = |reason: String| GpuError { what: WHAT, reason };
        loop {
            // A wait within the driver would hold up those who draw in the meantime.
            self.device
                .poll(wgpu::PollType::Poll)
                .map_err(|e| refused(e.to_string()))?;
            match self.told.try_recv() {
                Ok(mapped) => break mapped.map_err(|e| refused(e.to_string()))?,
                Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(2)),
                Err(TryRecvError::Disconnected) => {
                    return Err(refused("the device is gone".into()));
                }
            }
        }
        let mapped = self.staging.get_mapped_range(..);
        let mapped = mapped.map_err(|e| refused(e.to_string()))?;
        let row = 4 * self.size[0] as usize;
        let lines = mapped.chunks_exact(self.padded as usize);
        Ok(lines.flat_map(|line| &line[..row]).copied().collect())
    }
}

impl Renderer {
    /// Draws the scene at any size, lets `over` draw into the picture, and sends for it. `scale` is
    /// the pixels a point of the screen.
    ///
    /// # Errors
    /// A size that the device can't hold, or a driver that refuses.
    pub fn picture_with(
        &mut self,
        size: [u32; 2],
        scale: f32,
        over: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::TextureView),
    ) -> Result<Picturing, GpuError> {
        check_size(&self.device, size)?;
        let device = self.device.clone();
        let target = guarded(&device, WHAT, || Target::new(&device, size, SAMPLES))?;
        self.paint(&target, scale, Detail::FULL)?;
        let padded = (4 * size[0]).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = guarded(&device, WHAT, || {
            let staging = mappable(&device, u64::from(padded) * u64::from(size[1]));
            let mut encoder = device.create_command_encoder(&Default::default());
            over(&mut encoder, &target.view);
            encoder.copy_texture_to_buffer(
                target.colour.as_image_copy(),
                wgpu::TexelCopyBufferInfo {
                    buffer: &staging,
                    layout: wgpu::TexelCopyBufferLayout {
                        offset: 0,
                        bytes_per_row: Some(padded),
                        rows_per_image: None,
                    },
                },
                target.colour.size(),
            );
            self.queue.submit([encoder.finish()]);
            staging
        })?;
        let (tell, told) = sync_channel(1);
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // Without a receiver nobody wants the picture any more.
            let _ = tell.send(result);
        });
        Ok(Picturing {
            device,
            size,
            padded,
            staging,
            told,
        })
    }

    /// Draws the scene at any size and waits for it: `[height, width, 4]` RGBA bytes.
    ///
    /// # Errors
    /// A size that the device can't hold, or a driver that refuses.
    pub fn picture(&mut self, size: [u32; 2], scale: f32) -> Result<Vec<u8>, GpuError> {
        self.picture_with(size, scale, |_, _| ())?.wait()
    }
}

/// Pixels of the largest picture: with four samples each, about 2.5 GiB on the device.
const MOST_PIXELS: u64 = 1 << 26;

/// Whether a device can hold a picture of this size.
pub(super) fn check_size(device: &wgpu::Device, size: [u32; 2]) -> Result<(), GpuError> {
    let edge = device.limits().max_texture_dimension_2d;
    let pixels = u64::from(size[0]) * u64::from(size[1]);
    if size.contains(&0) || size.iter().any(|&s| s > edge) || pixels > MOST_PIXELS {
        return Err(GpuError {
            what: "making a picture",
            reason: format!(
                "{} x {} pixels; an edge holds 1 to {edge}, the whole at most {MOST_PIXELS}",
                size[0], size[1]
            ),
        });
    }
    Ok(())
}
