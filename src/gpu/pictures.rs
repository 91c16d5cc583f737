//! Photos and label maps in graphics memory.

use super::canvas::Pipelines;
use super::{GpuError, guarded};
use image::RgbImage;

/// A photo in graphics memory, with halved copies of itself for drawing it small.
pub struct Photo {
    pub(super) view: wgpu::TextureView,
    /// Width and height.
    pub(super) size: [u32; 2],
}

/// A label map in graphics memory.
pub struct Truth {
    pub(super) view: wgpu::TextureView,
    pub(super) size: [u32; 2],
}

impl Pipelines {
    /// The longest side that a photo's texture can have, in pixels.
    pub fn longest_side(&self) -> u32 {
        self.device.limits().max_texture_dimension_2d
    }

    /// Uploads a photo with its halved copies. It may be no longer than [`Self::longest_side`].
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub fn photo(&self, photo: &RgbImage) -> Result<Photo, GpuError> {
        let (width, height) = photo.dimensions();
        guarded(&self.device, "uploading the photo", || {
            let size = wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            };
            let levels = size.max_mips(wgpu::TextureDimension::D2);
            let texture = self.device.create_texture(&wgpu::TextureDescriptor {
                label: Some("photo"),
                size,
                mip_level_count: levels,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            });
            let mut level = std::borrow::Cow::Borrowed(photo);
            for number in 0..levels {
                if number > 0 {
                    level = std::borrow::Cow::Owned(halved(&level));
                }
                let (width, height) = level.dimensions();
                let rgba: Vec<u8> = level
                    .pixels()
                    .flat_map(|p| [p[0], p[1], p[2], 255])
                    .collect();
                write_texture(&self.queue, &texture, number, [width, height], &rgba, 4);
            }
            Photo {
                view: texture.create_view(&Default::default()),
                size: [width, height],
            }
        })
    }

    /// Uploads a label map `[height, width]`; labels outside the table are ignored pixels.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub fn truth(&self, [height, width]: [usize; 2], labels: &[u16]) -> Result<Truth, GpuError> {
        guarded(&self.device, "uploading the label file", || {
            truth_texture(
                &self.device,
                &self.queue,
                [width as u32, height as u32],
                labels,
            )
        })
    }
}

/// A photo at half its size, each pixel the mean of up to four.
fn halved(photo: &RgbImage) -> RgbImage {
    let (width, height) = photo.dimensions();
    RgbImage::from_fn((width / 2).max(1), (height / 2).max(1), |x, y| {
        let (right, below) = ((2 * x + 1).min(width - 1), (2 * y + 1).min(height - 1));
        let (left, above) = ((2 * x).min(right), (2 * y).min(below));
        let corners = [(left, above), (right, above), (left, below), (right, below)]
            .map(|(x, y)| photo.get_pixel(x, y).0.map(u16::from));
        image::Rgb([0, 1, 2].map(|c| ((corners.iter().map(|p| p[c]).sum::<u16>() + 2) / 4) as u8))
    })
}

pub(super) fn truth_texture(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    size: [u32; 2],
    labels: &[u16],
) -> Truth {
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("truth"),
        size: wgpu::Extent3d {
            width: size[0],
            height: size[1],
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R16Uint,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    write_texture(queue, &texture, 0, size, bytemuck::cast_slice(labels), 2);
    Truth {
        view: texture.create_view(&Default::default()),
        size,
    }
}

fn write_texture(
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
