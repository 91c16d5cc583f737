//! Reads photos as 8-bit sRGB.

mod colour;
mod decoded;
mod exif;
mod frames;
mod heic;
mod jpeg;
mod jpeg_stream;
mod other;
mod png;
mod samples;
mod tiff;
mod tiff_header;
mod tiles;
mod webp;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

pub use frames::{Frame, Frames, frame_count, frame_name, read_frames};

use decoded::{Told, guarded};

use super::error::DataError;
use super::input::{Format, check_size, read_bytes, recognise};
use super::limits::MAX_PIXELS;

/// `[height, width]` of a photo, in pixels.
pub fn size_of(photo: &RgbImage) -> [usize; 2] {
    [photo.height(), photo.width()].map(|side| side as usize)
}

/// Bytes at the start of a file that mostly hold its size, and that nearly always do: profiles and previews may come
/// before it.
const START: u64 = 64 << 10;
const HEADER: u64 = 1 << 20;

/// File extensions of photos, in lower case. They select files in folders; the format is recognised by
/// content.
pub const PHOTO_EXTENSIONS: [&str; 19] = [
    "jpg", "jpeg", "jpe", "jfif", "jif", "png", "webp", "heic", "heif", "hif", "bmp", "gif", "tif",
    "tiff", "ppm", "pgm", "pnm", "pbm", "tga",
];

/// Whether a file has a photo's extension, in any letter case.
pub fn has_photo_ending(path: &Path) -> bool {
    let named = |known: &&str| {
        path.extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case(known))
    };
    PHOTO_EXTENSIONS.iter().any(named)
}

/// Reads a photo as 8-bit sRGB, upright.
///
/// The format is recognised by content, not by name: JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF and PNM; only TGA is
/// recognised by name. Grey, palette, CMYK, 16-bit and floating-point pixels are converted, transparency is composited
/// on white, and an embedded colour profile and the EXIF orientation are applied. The result is the first frame of an
/// animation (see [`read_frames`]) and the first full-size page of a file of several pages. The log warns of doubtful
/// cases: a partial range of samples, unnamed bands, skipped pages, a missing end.
///
/// Peak memory, besides the file: 3 bytes per pixel of the result, and the decoder's memory: up to 3
/// bytes per pixel for a baseline JPEG, up to 9 for a progressive one, 1 to 16 for the other formats, depending on the
/// width of their samples, and more for a TIFF of many bands, all of which are unpacked: up to 4 GB.
///
/// # Errors
/// `path` is a folder, cannot be read, is empty, is of an unsupported kind, is damaged or cut short, or
/// has more than [`MAX_PIXELS`](super::MAX_PIXELS) or a side over [`MAX_SIDE`](super::MAX_SIDE).
pub fn read_photo(path: impl AsRef<Path>) -> Result<RgbImage, DataError> {
    Ok(read_stored(path.as_ref())?.upright())
}

/// [`read_photo`] of a file's bytes; `name` is for errors, and tells a TGA.
///
/// # Errors
/// As of [`read_photo`].
pub fn decode_photo(name: &Path, bytes: Vec<u8>) -> Result<RgbImage, DataError> {
    Ok(decode_stored(name, bytes)?.upright())
}

/// How many pixels [`decode_photo`] decodes, by the file's header: 0 if the header is damaged, so that
/// the decoder refuses it at once, and [`MAX_PIXELS`] if only the decoder can tell.
///
/// # Errors
/// A file that is not a photo, is of an unsupported kind or is too large.
pub(crate) fn pixels_of(name: &Path, bytes: &[u8]) -> Result<u64, DataError> {
    of_header(name, bytes, Told::pixels)
}

/// How many pixels a photo counts as while [`decode_photo`] decodes it: as [`pixels_of`], and more if its samples take
/// the memory of more.
///
/// # Errors
/// As of [`pixels_of`].
pub(crate) fn weight_of(name: &Path, bytes: &[u8]) -> Result<u64, DataError> {
    of_header(name, bytes, |told| told.weight)
}

fn of_header(name: &Path, bytes: &[u8], number: fn(&Told) -> u64) -> Result<u64, DataError> {
    let format = recognise(name, bytes)?;
    let told = guarded(name, || Ok(told_in(bytes, format)))?;
    if told.is_none() && format == Format::Heic {
        return Ok(MAX_PIXELS);
    }
    let Some(told) = told else {
        return Ok(0);
    };
    let [width, height] = told.size.map(u64::from);
    check_size(name, width, height)?;
    Ok(number(&told))
}

/// What the bytes of a file tell; its decoder may panic.
fn told_in(bytes: &[u8], format: Format) -> Option<Told> {
    let size = match format {
        Format::Jpeg => jpeg::size(bytes),
        Format::Png => png::size(bytes),
        Format::Tiff => return tiff::told(Cursor::new(bytes)),
        Format::Heic => heic::size(bytes),
        Format::Other(format) => other::size(bytes, format),
    };
    size.map(Told::usual)
}

/// Width and height of a photo as its file stores it, which may be turned, by the file's header; `None` if only the
/// decoder can tell, or the header is long.
pub fn stored_size(path: &Path) -> Option<[u32; 2]> {
    told(path).map(|told| told.size)
}

/// [`weight_of`] a file, whose size is not checked; `None` as of [`stored_size`].
pub(super) fn stored_weight(path: &Path) -> Option<u64> {
    told(path).map(|told| told.weight)
}

fn told(path: &Path) -> Option<Told> {
    // Opening a pipe would block.
    if !path.is_file() {
        return None;
    }
    guarded(path, || Ok(told_by_start(path))).ok().flatten()
}

/// [`told`], whose decoders may panic.
fn told_by_start(path: &Path) -> Option<Told> {
    let mut file = File::open(path).ok()?;
    let mut start = Vec::new();
    for limit in [START, HEADER] {
        let missing = limit.saturating_sub(start.len() as u64);
        (&mut file).take(missing).read_to_end(&mut start).ok()?;
        let told = match recognise(path, &start).ok()? {
            // Its pages may be described anywhere in the file.
            Format::Tiff => {
                file.rewind().ok()?;
                return tiff::told(BufReader::new(file));
            }
            // A part of it may be shown only.
            Format::Heic => return None,
            format => told_in(&start, format),
        };
        if told.is_some() || (start.len() as u64) < limit {
            return told;
        }
    }
    None
}

/// A photo as it is stored, in sRGB.
pub(super) struct Stored {
    pub image: RgbImage,
    /// The transformation that makes them upright.
    pub orientation: Orientation,
}

impl Stored {
    /// Width and height of the upright photo.
    pub(super) fn upright_size(&self) -> (usize, usize) {
        let (width, height) = self.size();
        let turned = [
            Orientation::Rotate90,
            Orientation::Rotate270,
            Orientation::Rotate90FlipH,
            Orientation::Rotate270FlipH,
        ];
        if turned.contains(&self.orientation) {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Width and height of the stored pixels.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.image.width() as usize, self.image.height() as usize)
    }

    /// Whether the photo is transformed without a change of size, so that label sizes don't show if
    /// they were made upright.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.orientation != Orientation::NoTransforms && self.size() == self.upright_size()
    }

    /// The upright photo.
    pub(super) fn upright(self) -> RgbImage {
        let mut image = DynamicImage::ImageRgb8(self.image);
        image.apply_orientation(self.orientation);
        image.into_rgb8()
    }
}

/// Width and height, bits per pixel, and values of the pixels of a TIFF of labels; `path` is the file to name in errors.
///
/// # Errors
/// Pixels that are not single unsigned integers of up to 8 or of 16 bits, a size over the limits, damage, or a
/// compression that is not supported.
pub(super) fn tiff_values(
    path: &Path,
    bytes: Vec<u8>,
) -> Result<([usize; 2], u8, Vec<u16>), DataError> {
    guarded(path, || tiff::values(path, bytes))
}

/// [`read_photo`] without applying the orientation.
pub(super) fn read_stored(path: &Path) -> Result<Stored, DataError> {
    decode_stored(path, read_bytes(path)?)
}

fn decode_stored(path: &Path, bytes: Vec<u8>) -> Result<Stored, DataError> {
    let format = recognise(path, &bytes)?;
    guarded(path, || {
        let mut decoded = match format {
            Format::Jpeg => jpeg::decode(path, &bytes)?,
            Format::Png => png::decode(path, &bytes)?,
            Format::Tiff => tiff::decode(path, bytes)?,
            Format::Heic => heic::decode(path, &bytes)?,
            Format::Other(format) => other::decode(path, &bytes, format)?,
        };
        if let Some(profile) = decoded.profile.take() {
            colour::to_srgb(path, &mut decoded.image, &profile);
        }
        Ok(Stored {
            image: decoded.image,
            orientation: decoded.orientation,
        })
    })
}
