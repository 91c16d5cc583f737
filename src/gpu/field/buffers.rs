//! Small helpers around buffers, and reading them back.

use crate::gpu::{GpuError, guarded};
use wgpu::util::DeviceExt;

/// A storage buffer with these contents; it can be copied from.
pub(super) fn storage<T: bytemuck::Pod>(device: &wgpu::Device, contents: &[T]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("field"),
        contents: bytemuck::cast_slice(contents),
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC,
    })
}

/// An empty storage buffer for `count` structures.
pub(super) fn room<T>(device: &wgpu::Device, count: usize) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("field"),
        size: (count * size_of::<T>()) as u64,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

/// A uniform buffer with this content.
pub(super) fn uniform<T: bytemuck::Pod>(device: &wgpu::Device, content: &T) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("field"),
        contents: bytemuck::bytes_of(content),
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
    })
}

/// Reads `size` bytes from `offset` of a buffer; waits for the device.
pub(super) fn read(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    buffer: &wgpu::Buffer,
    offset: u64,
    size: u64,
) -> Result<Vec<u8>, GpuError> {
    let what = "reading from the graphics device";
    let staging = guarded(device, what, || {
        let staging = mappable(device, size);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, size);
        queue.submit([encoder.finish()]);
        staging
    })?;
    take(device, &staging, what)
}

/// A buffer that results are copied to in order to be read.
pub(super) fn mappable(device: &wgpu::Device, size: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("field read-back"),
        size,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    })
}

/// Maps a buffer and takes its bytes; waits for the device.
pub(super) fn take(
    device: &wgpu::Device,
    staging: &wgpu::Buffer,
    what: &'static str,
) -> Result<Vec<u8>, GpuError> {
    let refused = |reason: String| GpuError { what, reason };
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver waits below; it is gone only where this function failed already.
        let _ = tell.send(result);
    });
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .map_err(|e| refused(e.to_string()))?;
    told.recv()
        .map_err(|e| refused(e.to_string()))?
        .map_err(|e| refused(e.to_string()))?;
    let bytes = staging
        .get_mapped_range(..)
        .map_err(|e| refused(e.to_string()))?
        .to_vec();
    staging.unmap();
    Ok(bytes)
}
