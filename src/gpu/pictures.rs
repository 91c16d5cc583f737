//! Photos and label maps in graphics memory.

use super::canvas::Pipelines;
use super::textures::{LabelTexture, Photo, label_texture, write_texture};
use super::{GpuError, guarded};
use image::RgbImage;
use std::ops::Range;

impl Pipelines {
    /// The maximum side of a photo's texture, in pixels.
    pub fn longest_side(&self) -> u32 {
        self.device.limits().max_texture_dimension_2d
    }

    /// Uploads a photo with its mip levels. Its sides must not exceed [`Self::longest_side`].
    ///
    /// # Errors
    /// If graphics memory runs out.
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
    /// If graphics memory runs out.
    pub fn labels(
        &self,
        [height, width]: [usize; 2],
        labels: &[u16],
    ) -> Result<LabelTexture, GpuError> {
        guarded(&self.device, "uploading labels", || {
            label_texture(
                &self.device,
                &self.queue,
                [width as u32, height as u32],
                labels,
            )
        })
    }

    /// Uploads the classes `[height, width]` of a state, and keeps them: a software adapter draws their outlines in
    /// less time from a mask that the program scales.
    ///
    /// # Errors
    /// If graphics memory runs out.
    pub fn decoded(&self, size: [usize; 2], labels: Vec<u16>) -> Result<LabelTexture, GpuError> {
        let uploaded = self.labels(size, &labels)?;
        Ok(LabelTexture {
            host: Some(labels),
            ..uploaded
        })
    }
}

impl Pipelines {
    /// Replaces a part of a label map: columns and rows, and its labels row by row.
    ///
    /// A part that is not within the map, or has another number of labels, is left as it is.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn replace_labels(
        &self,
        map: &LabelTexture,
        x: Range<usize>,
        y: Range<usize>,
        labels: &[u16],
    ) -> Result<(), GpuError> {
        guarded(&self.device, "uploading corrected labels", || {
            let [width, height] = map.size.map(|side| side as usize);
            let fits = x.end <= width && y.end <= height && labels.len() == x.len() * y.len();
            if !fits || labels.is_empty() {
                return;
            }
            let size = [x.len() as u32, y.len() as u32];
            self.queue.write_texture(
                wgpu::TexelCopyTextureInfo {
                    texture: map.view.texture(),
                    mip_level: 0,
                    origin: wgpu::Origin3d {
                        x: x.start as u32,
                        y: y.start as u32,
                        z: 0,
                    },
                    aspect: wgpu::TextureAspect::All,
                },
                bytemuck::cast_slice(labels),
                wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(2 * size[0]),
                    rows_per_image: Some(size[1]),
                },
                wgpu::Extent3d {
                    width: size[0],
                    height: size[1],
                    depth_or_array_layers: 1,
                },
            );
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
