//! HEIC, the format of phones. AVIF has the same container and is not supported.

use std::path::Path;

use heifer::heifer_isobmff::HeifFile;
use heifer::{Error, Image, Options};
use image::metadata::Orientation;

use super::super::error::DataError;
use super::super::input::check_size;
use super::super::limits::MAX_PIXELS;
use super::decoded::Decoded;
use super::samples::{Channels, Raster, from_bytes};

/// Width and height by the header; `None` if it does not tell.
pub(super) fn size(bytes: &[u8]) -> Option<[u32; 2]> {
    let file = HeifFile::parse(bytes).ok()?;
    let size = file.image_size(file.primary_id).ok()?;
    size.map(|(width, height)| [width, height])
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Decoded, DataError> {
    let failed = |error: Error| {
        DataError::unsupported(
            path,
            &format!("a HEIC picture that is damaged or of a rare kind ({error})"),
            "copy it again, or convert it to JPEG, for example with `heif-convert IN.heic OUT.jpg`",
        )
    };
    let file = HeifFile::parse(bytes).map_err(|error| failed(error.into()))?;
    if let Ok(Some((width, height))) = file.image_size(file.primary_id) {
        check_size(path, u64::from(width), u64::from(height))?;
    }
    let profile = file.icc_profile(file.primary_id).ok().flatten();
    let options = Options {
        max_pixels: MAX_PIXELS,
        ..Options::default()
    };
    let picture: Image<u8> = heifer::decode_rgba8(bytes, &options).map_err(failed)?;
    let raster = Raster::interleaved(
        [picture.width, picture.height],
        &picture.data,
        Channels::RGB.with_alpha(),
    );
    Ok(Decoded {
        image: from_bytes(&raster),
        // The decoder has already applied the orientation in the container, which EXIF only repeats.
        orientation: Orientation::NoTransforms,
        profile: profile.map(<[u8]>::to_vec),
    })
}
