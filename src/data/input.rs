//! Image files as bytes: read within limits, and recognised by their content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::error::DataError;
use super::file_kind;
use super::limits::{MAX_PIXELS, MAX_SIDE};
use crate::files;

/// Most bytes of a file; 16 bytes a pixel, the most that any format stores, fit within.
const MAX_FILE_BYTES: u64 = 16 * MAX_PIXELS;

/// Refuses what has no pixels or too many.
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

/// The whole file. What a path leads to is asked first: opening a pipe would wait for ever.
///
/// # Errors
/// The path leads to something else than a file, to an empty file or to one of more than 4 GB, or
/// it cannot be read.
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
    // The file may have grown since it was measured.
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(DataError::read(path))?;
    Ok(bytes)
}

/// A format that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Tiff,
    Heic,
    /// One of those that `image` decodes.
    Other(ImageFormat),
}

/// The format by content. TGA alone has no signature, so there the name has to decide.
///
/// # Errors
/// No decoder here reads the content; where it is of a known kind, the error names it.
pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Result<Format, DataError> {
    if file_kind::is_heic(bytes) {
        return Ok(Format::Heic);
    }
    let foreign = files::foreign(bytes).or_else(|| file_kind::undecodable(bytes));
    if let Some(kind) = foreign {
        return Err(DataError::unsupported(path, kind.name, kind.remedy));
    }
    // `image` does not know the variant of TIFF with 64-bit offsets.
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
