//! The formats that `image` decodes: WebP, BMP, GIF, PNM and TGA.

use std::io::Cursor;
use std::path::Path;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};

use super::super::error::DataError;
use super::super::input::check_size;
use super::decoded::Decoded;
use super::exif;
use super::samples::{Channels, Raster, from_bytes, from_words};

/// Bytes of a frame that every GIF may have: 16 million pixels.
const LARGEST_FRAME: u64 = 64 << 20;

/// A decoder that has read the header. Its default memory limit would be too low for large photos: the
/// caller checks the size.
fn decoder(bytes: &[u8], format: ImageFormat) -> ImageResult<impl ImageDecoder> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.no_limits();
    reader.into_decoder()
}

/// Width and height by the header; `None` if it is damaged.
pub(super) fn size(bytes: &[u8], format: ImageFormat) -> Option<[u32; 2]> {
    let decoder = decoder(bytes, format).ok()?;
    Some(decoder.dimensions().into())
}

pub(super) fn decode(path: &Path, bytes: &[u8], format: ImageFormat) -> Result<Decoded, DataError> {
    let failed = |error: image::ImageError| DataError::decode(path, &error);
    let mut decoder = decoder(bytes, format).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(path, u64::from(width), u64::from(height))?;
    if format == ImageFormat::Gif {
        let limits = gif_limits([width, height]);
        decoder.set_limits(limits).map_err(failed)?;
    }
    let profile = decoder.icc_profile().ok().flatten();
    let block = decoder.exif_metadata().ok().flatten();
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    if format == ImageFormat::Bmp {
        make_opaque(&mut image);
    }
    Ok(Decoded {
        image: to_rgb(path, image),
        orientation: exif::orientation(&block.unwrap_or_default()),
        profile,
    })
}

/// Limits for a GIF of so many pixels. A frame may be larger than the picture that it is a part of, up to 65,535
/// pixels along each side whatever the file's length: those that are much larger are refused.
pub(super) fn gif_limits(size: [u32; 2]) -> Limits {
    let picture = 4 * size.map(u64::from).iter().product::<u64>();
    let mut limits = Limits::no_limits();
    // An animation needs two pictures besides the frame.
    limits.max_alloc = Some(2 * picture + (2 * picture).max(LARGEST_FRAME));
    limits
}

/// The fourth byte of 32-bit bitmaps is usually unused and then 0 in every pixel; a fully transparent
/// picture is not intended.
fn make_opaque(image: &mut DynamicImage) {
    if let DynamicImage::ImageRgba8(image) = image
        && image.pixels().all(|pixel| pixel.0[3] == 0)
    {
        image.pixels_mut().for_each(|pixel| pixel.0[3] = u8::MAX);
    }
}

fn to_rgb(path: &Path, image: DynamicImage) -> image::RgbImage {
    let size = [image.width(), image.height()];
    let mut channels = if image.color().has_color() {
        Channels::RGB
    } else {
        Channels::GREY
    };
    if image.color().has_alpha() {
        channels = channels.with_alpha();
    }
    match image.color() {
        ColorType::Rgb8 => image.into_rgb8(),
        ColorType::L8 | ColorType::La8 | ColorType::Rgba8 => {
            from_bytes(&Raster::interleaved(size, image.as_bytes(), channels))
        }
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => {
            let words = image.as_bytes().as_chunks::<2>().0;
            let raster = Raster::interleaved(size, words, channels);
            from_words(path, &raster, u16::from_ne_bytes)
        }
        // None of these formats has floating-point samples.
        _ => image.into_rgb8(),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::decode_photo;
    use std::path::Path;

    /// A GIF of 12 x 10 pixels whose only frame is so large.
    fn gif(frame: [u16; 2]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let palette = [0, 0, 0, 255, 0, 0];
        let mut encoder = gif::Encoder::new(&mut bytes, 12, 10, &palette).unwrap();
        let pixels = vec![1; 16];
        let mut picture = gif::Frame::from_indexed_pixels(4, 4, pixels, None);
        picture.make_lzw_pre_encoded();
        [picture.width, picture.height] = frame;
        encoder.write_lzw_pre_encoded_frame(&picture).unwrap();
        drop(encoder);
        bytes
    }

    #[test]
    fn frames_beyond_the_memory_of_their_picture_are_refused() {
        let decoded = |frame| decode_photo(Path::new("a.gif"), gif(frame));
        decoded([4, 4]).unwrap();
        for frame in [[65_524, 65_525], [65_535, 300], [300, 65_535]] {
            let error = decoded(frame).unwrap_err().to_string();
            assert!(error.contains("a.gif"), "{error}");
        }
    }
}
