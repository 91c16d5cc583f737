//! PNG. Chunks besides the pixels (texts of any size, private chunks) are skipped.

use std::io::Cursor;
use std::path::Path;

use ::png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::super::error::DataError;
use super::super::input::check_size;
use super::decoded::Decoded;
use super::exif;
use super::samples::{Channels, Raster, from_bytes, from_words};

/// Maximum bytes of a colour profile or an EXIF block.
const BESIDE: usize = 256 << 20;

fn decoder(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: BESIDE })
}

/// Width and height by the header; `None` if it is damaged.
pub(super) fn size(bytes: &[u8]) -> Option<[u32; 2]> {
    let mut decoder = decoder(bytes);
    let header = decoder.read_header_info().ok()?;
    Some([header.width, header.height])
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Decoded, DataError> {
    let failed = |error: ::png::DecodingError| DataError::decode(path, &error);
    let mut decoder = decoder(bytes);
    decoder.set_ignore_text_chunk(true);
    // Expands palettes to colours, transparent colours to opacity, and fewer bits to 8.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(failed)?;
    let size = [header.width, header.height];
    check_size(path, u64::from(size[0]), u64::from(size[1]))?;
    let mut reader = decoder.read_info().map_err(failed)?;
    let length = reader
        .output_buffer_size()
        .ok_or_else(|| DataError::decode(path, &"it has too many pixels"))?;
    let mut samples = vec![0; length];
    let output = reader.next_frame(&mut samples).map_err(failed)?;
    // Some writers put EXIF after the pixels. Errors there don't affect the pixels.
    let _ = reader.finish();
    let channels = match output.color_type {
        ColorType::Grayscale => Channels::GREY,
        ColorType::GrayscaleAlpha => Channels::GREY.with_alpha(),
        ColorType::Rgb | ColorType::Indexed => Channels::RGB,
        ColorType::Rgba => Channels::RGB.with_alpha(),
    };
    let image = match (output.bit_depth, output.color_type) {
        (BitDepth::Sixteen, _) => {
            let words = samples.as_chunks::<2>().0;
            let raster = Raster::interleaved(size, words, channels);
            from_words(path, &raster, u16::from_be_bytes)
        }
        (_, ColorType::Rgb) => {
            let whole = image::RgbImage::from_raw(size[0], size[1], samples);
            whole.ok_or_else(|| DataError::decode(path, &"it has too few pixels"))?
        }
        _ => from_bytes(&Raster::interleaved(size, &samples, channels)),
    };
    let info = reader.info();
    Ok(Decoded {
        image,
        orientation: exif::orientation(info.exif_metadata.as_deref().unwrap_or_default()),
        profile: info.icc_profile.as_deref().map(<[u8]>::to_vec),
    })
}
