//! Copies buffers and pictures from the device into memory.

use super::target::Target;
use crate::gpu::{GpuError, UPDATE, guarded};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

const READING: &str = "reading from the graphics device";
pub(super) const EXPORTING: &str = "exporting a picture";

/// A buffer to copy results into and map.
pub(super) fn staging(device: &wgpu::Device, size: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("field read-back"),
        size,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    })
}

type Mapped = Result<(), wgpu::BufferAsyncError>;

fn map(staging: &wgpu::Buffer) -> Receiver<Mapped> {
    let (sender, receiver) = sync_channel(1);
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // Without a receiver the contents are not needed any more.
        let _ = sender.send(result);
    });
    receiver
}

fn failed<E: ToString>(what: &'static str) -> impl Fn(E) -> GpuError {
    move |error| GpuError {
        what,
        reason: error.to_string(),
        remedy: UPDATE,
    }
}

/// Reads `size` bytes of a buffer, starting at `offset`. Blocks until the device has finished.
pub(super) fn read<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    buffer: &wgpu::Buffer,
    offset: u64,
    size: u64,
) -> Result<Vec<T>, GpuError> {
    let staging = guarded(device, READING, || {
        let staging = staging(device, size);
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, size);
        queue.submit([encoder.finish()]);
        staging
    })?;
    let mapped = map(&staging);
    let polled = device.poll(wgpu::PollType::wait_indefinitely());
    polled.map_err(failed(READING))?;
    let mapped = mapped.recv().map_err(failed(READING))?;
    mapped.map_err(failed(READING))?;
    let bytes = staging.get_mapped_range(..).map_err(failed(READING))?;
    Ok(bytemuck::pod_collect_to_vec(&bytes))
}

/// A picture that is being copied from the device. Another thread may wait for it.
pub(crate) struct PictureReadback {
    device: wgpu::Device,
    size: [u32; 2],
    /// Bytes per row of the copy, with the padding that copies require.
    padded: u32,
    staging: wgpu::Buffer,
    mapped: Receiver<Mapped>,
}

impl PictureReadback {
    /// Lets `over` draw on a finished picture, then starts copying it.
    pub(super) fn start(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        target: &Target,
        over: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::TextureView),
    ) -> Result<Self, GpuError> {
        let [width, height] = target.size;
        let padded = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = guarded(device, EXPORTING, || {
            let staging = staging(device, u64::from(padded) * u64::from(height));
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
            queue.submit([encoder.finish()]);
            staging
        })?;
        Ok(Self {
            device: device.clone(),
            size: target.size,
            padded,
            mapped: map(&staging),
            staging,
        })
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Waits for the picture: `[height, width, 4]` RGBA bytes, gamma-encoded and opaque.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn wait(self) -> Result<Vec<u8>, GpuError> {
        // Waiting in the driver would block other threads that draw in the meantime.
        while !self.arrived()? {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.pixels()
    }

    /// Whether the picture has arrived; to be called until it has.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn arrived(&self) -> Result<bool, GpuError> {
        let polled = self.device.poll(wgpu::PollType::Poll);
        polled.map_err(failed(EXPORTING))?;
        match self.mapped.try_recv() {
            Ok(mapped) => mapped.map(|()| true).map_err(failed(EXPORTING)),
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => Err(failed(EXPORTING)("the device is lost")),
        }
    }

    /// The picture that has arrived, as of [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn pixels(self) -> Result<Vec<u8>, GpuError> {
        let mapped = self.staging.get_mapped_range(..);
        let mapped = mapped.map_err(failed(EXPORTING))?;
        let row = 4 * self.size[0] as usize;
        let rows = mapped.chunks_exact(self.padded as usize);
        Ok(rows.flat_map(|bytes| &bytes[..row]).copied().collect())
    }
}
