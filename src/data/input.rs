//! Reads image files within limits and recognises their formats by content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::error::DataError;
use super::file_kind;
use super::limits::{MAX_PIXELS, MAX_SIDE};
use crate::files;

/// Maximum bytes of a file: 16 bytes per pixel, the most that any format stores.
const MAX_FILE_BYTES: u64 = 16 * MAX_PIXELS;

/// Checks that an image has pixels, and not too many.
///
/// # Errors
/// A side is 0 or over [`MAX_SIDE`], or the area is over [`MAX_PIXELS`].
pub(super) fn check_size(path: &Path, width: u64, height: u64) -> Result<(), DataError> {
    if width == 0 || height == 0 {
        return Err(DataError::decode(path, &"it has no pixels"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(DataError::TooLarge {
            path: path.to_path_buf(),
            width,
            height,
        });
    }
    Ok(())
}

/// Reads a whole file. The file type is checked first: opening a pipe would block for ever.
///
/// # Errors
/// The path is not a regular file, the file is empty or larger than 4 GB, or it cannot be read.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let metadata = std::fs::metadata(path).map_err(DataError::read(path))?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    if metadata.len() == 0 {
        return Err(DataError::EmptyFile {
            path: path.to_path_buf(),
        });
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(DataError::NotAnImage {
            path: path.to_path_buf(),
        });
    }
    let file = File::open(path).map_err(DataError::read(path))?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The file may have grown since the check.
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(DataError::read(path))?;
    Ok(bytes)
}

/// Reads a whole file of the page.
///
/// # Errors
/// The page does not have it, or it is empty.
#[cfg(target_arch = "wasm32")]
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let read = files::read(path).map_err(|error| std::io::Error::other(error.to_string()));
    let bytes = read.map_err(DataError::read(path))?;
    if bytes.is_empty() {
        return Err(DataError::EmptyFile {
            path: path.to_path_buf(),
        });
    }
    Ok(bytes)
}

/// A supported format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Tiff,
    Heic,
    /// Decoded by `image`.
    Other(ImageFormat),
}

/// The format by content, except for TGA, which has no signature and is recognised by name.
///
/// # Errors
/// An unsupported format; the error names it if it is known.
pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Result<Format, DataError> {
    if file_kind::is_heic(bytes) {
        return Ok(Format::Heic);
    }
    let foreign = files::foreign(bytes).or_else(|| file_kind::undecodable(bytes));
    if let Some(kind) = foreign {
        return Err(DataError::unsupported(path, kind.name, kind.remedy));
    }
    // `image` does not recognise BigTIFF.
    if bytes.starts_with(b"II\x2B\0") || bytes.starts_with(b"MM\0\x2B") {
        return Ok(Format::Tiff);
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => return Ok(Format::Jpeg),
        Ok(ImageFormat::Png) => return Ok(Format::Png),
        Ok(ImageFormat::Tiff) => return Ok(Format::Tiff),
        Ok(format) if format.reading_enabled() => return Ok(Format::Other(format)),
        _ => {}
    }
    match ImageFormat::from_path(path) {
        Ok(ImageFormat::Tga) => Ok(Format::Other(ImageFormat::Tga)),
        _ => Err(DataError::NotAnImage {
            path: path.to_path_buf(),
        }),
    }
}
