//! Photos and label maps as textures.

use std::sync::{Arc, Weak};

/// A photo in graphics memory, with mip levels.
pub struct Photo {
    pub(super) view: wgpu::TextureView,
    pub(super) size: [u32; 2],
}

impl Photo {
    /// Width and height of the texture.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Pixels of the photo that one pixel of a picture of this width and height covers, as a power of two; along the
    /// side that is drawn smaller, which for photos of one row or column is not that of the other.
    pub(super) fn level(&self, extent: [f32; 2]) -> f32 {
        let along = |side: usize| self.size[side] as f32 / extent[side].max(1.0);
        along(0).max(along(1)).log2()
    }
}

/// A photo or mask at the size of its picture on the screen.
pub(super) struct Fitted<T> {
    pub(super) original: Weak<T>,
    pub(super) size: [u32; 2],
    pub(super) fitted: Arc<T>,
}

/// A label map in graphics memory.
pub struct LabelTexture {
    pub(super) view: wgpu::TextureView,
    pub(super) size: [u32; 2],
    /// The same labels, `[height, width]`, where the program decoded them.
    pub(super) host: Option<Vec<u16>>,
}

/// The usage of a texture that is written from the host and read by shaders.
pub(super) const UPLOADED: wgpu::TextureUsages =
    wgpu::TextureUsages::TEXTURE_BINDING.union(wgpu::TextureUsages::COPY_DST);

/// A texture without mip levels.
pub(super) fn texture(
    device: &wgpu::Device,
    label: &str,
    [width, height]: [u32; 2],
    samples: u32,
    format: wgpu::TextureFormat,
    usage: wgpu::TextureUsages,
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: samples,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}

pub(super) fn label_texture(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    size: [u32; 2],
    labels: &[u16],
) -> LabelTexture {
    let format = wgpu::TextureFormat::R16Uint;
    let texture = texture(device, "labels", size, 1, format, UPLOADED);
    write_texture(queue, &texture, 0, size, bytemuck::cast_slice(labels), 2);
    LabelTexture {
        view: texture.create_view(&Default::default()),
        size,
        host: None,
    }
}

pub(super) fn write_texture(
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
    mip_level: u32,
    [width, height]: [u32; 2],
    bytes: &[u8],
    pixel: u32,
) {
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level,
            origin: wgpu::Origin3d::ZERO,
            aspect: wgpu::TextureAspect::All,
        },
        bytes,
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(pixel * width),
            rows_per_image: Some(height),
        },
        wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
    );
}
