//! JPEG, with the same pixels as libjpeg.

use std::path::Path;

use image::RgbImage;
use jpeg_decoder::UnsupportedFeature::SamplePrecision;
use jpeg_decoder::{Decoder, Error, PixelFormat};

use super::super::error::DataError;
use super::super::input::check_size;
use super::decoded::{Decoded, warn};
use super::exif;
use super::jpeg_stream::Stream;
use super::samples::{Channels, Raster, from_bytes, from_words};

/// Width and height by the header; `None` if it is damaged.
pub(super) fn size(bytes: &[u8]) -> Option<[u32; 2]> {
    let mut decoder = Decoder::new(bytes);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    Some([info.width.into(), info.height.into()])
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Decoded, DataError> {
    let stream = Stream::new(bytes);
    if let Some(hole) = &stream.hole {
        let reason = format!(
            "zeros replace its pixels from byte {} to {}",
            hole.start, hole.end
        );
        return Err(DataError::decode(path, &reason));
    }
    let (ended, scanned) = (stream.ended, stream.scanned);
    let cut = || DataError::Truncated {
        path: path.to_path_buf(),
        reason: "its end-of-image marker and some of its pixels are missing".to_owned(),
    };
    let failed = |error: Error| match error {
        Error::Unsupported(feature) => DataError::unsupported(
            path,
            &format!("a JPEG of a rare kind ({feature:?})"),
            "save it as an ordinary JPEG, for example with `magick IN OUT.jpg`",
        ),
        error if ended => DataError::decode(path, &error),
        _ => cut(),
    };
    let mut decoder = Decoder::new(stream.pieces);
    decoder.read_info().map_err(failed)?;
    let info = decoder
        .info()
        .ok_or_else(|| DataError::decode(path, &"it has no frame"))?;
    let size = [u32::from(info.width), u32::from(info.height)];
    check_size(path, u64::from(size[0]), u64::from(size[1]))?;
    let samples = decoder.decode().map_err(failed)?;
    match (ended, scanned) {
        (true, true) => {}
        (false, true) => warn(
            path,
            "its end-of-image marker is missing, but none of its pixels",
        ),
        (true, false) => warn(path, "its last scans are missing: it is blurred"),
        (false, false) => return Err(cut()),
    }
    let profile = decoder.icc_profile().filter(|_| {
        // An ink profile does not apply to the converted colours.
        info.pixel_format != PixelFormat::CMYK32
    });
    // Lossless files may have more than 8 bits per colour.
    let expected = size[0] as usize * size[1] as usize * info.pixel_format.pixel_bytes();
    if samples.len() != expected {
        return Err(failed(Error::Unsupported(SamplePrecision(16))));
    }
    let image = match info.pixel_format {
        PixelFormat::L8 => from_bytes(&Raster::interleaved(size, &samples, Channels::GREY)),
        PixelFormat::L16 => {
            let words = samples.as_chunks::<2>().0;
            let raster = Raster::interleaved(size, words, Channels::GREY);
            from_words(path, &raster, u16::from_ne_bytes)
        }
        PixelFormat::RGB24 => whole(path, size, samples)?,
        PixelFormat::CMYK32 => {
            let inks = samples.as_chunks::<4>().0.iter();
            whole(path, size, inks.flat_map(|inks| on_paper(*inks)).collect())?
        }
    };
    Ok(Decoded {
        image,
        orientation: exif::orientation(decoder.exif_data().unwrap_or_default()),
        profile,
    })
}

fn whole(path: &Path, [width, height]: [u32; 2], rgb: Vec<u8>) -> Result<RgbImage, DataError> {
    RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| DataError::decode(path, &"it has too few pixels"))
}

/// The colour of inks on white paper, without profiles.
pub(super) fn on_paper([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = |ink: u8| 255 - u32::from(ink);
    [cyan, magenta, yellow].map(|ink| ((light(ink) * light(black) + 127) / 255) as u8)
}
