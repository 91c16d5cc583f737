//! Photos and label maps from and to files.
//!
//! Both readers look at the announced size before they allocate anything, because a header of a
//! few bytes can claim gigabytes.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Write};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::IGNORE;
use super::error::DataError;
use super::jpeg;
use crate::files::{self, FileError};

/// Most pixels that a photo or a label map may have.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most pixels along one side.
pub const MAX_SIDE: u64 = 65_000;
/// Most bytes of a file; an image within [`MAX_PIXELS`] stays below it in every format.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// Reads a photo as 8-bit RGB, upright.
///
/// The format is told from the content, never from the name. Grey, palette and 16-bit images are
/// converted, transparency is composited on white, the EXIF orientation is applied, and of an
/// animation the first frame is taken.
///
/// # Errors
/// `path` is a folder, cannot be read, is empty, is no image, is damaged or cut short, or has more
/// than [`MAX_PIXELS`] or a side over [`MAX_SIDE`].
pub fn read_photo(path: impl AsRef<Path>) -> Result<RgbImage, DataError> {
    read_photo_turned(path.as_ref(), true)
}

/// [`read_photo`], leaving the pixels as they are stored where `upright` is false.
pub(super) fn read_photo_turned(path: &Path, upright: bool) -> Result<RgbImage, DataError> {
    let bytes = read_bytes(path)?;
    let format = sniff(path, &bytes)?;
    let failed = |error: image::ImageError| DataError::decode(path, &error);
    let mut decoder = ImageReader::with_format(Cursor::new(bytes.as_slice()), format)
        .into_decoder()
        .map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(path, u64::from(width), u64::from(height))?;
    if format == ImageFormat::Jpeg && !jpeg::is_complete(&bytes) {
        let reason = "its end-of-image marker is missing".to_owned();
        return Err(DataError::Truncated {
            path: path.to_path_buf(),
            reason,
        });
    }
    // A photo whose EXIF block is damaged is still a photo.
    let orientation = match upright {
        true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        false => Orientation::NoTransforms,
    };
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    decoded.apply_orientation(orientation);
    Ok(if decoded.color().has_alpha() {
        over_white(decoded)
    } else {
        decoded.into_rgb8()
    })
}

/// Composites on white, the paper that pictures with transparency are drawn for.
fn over_white(image: DynamicImage) -> RgbImage {
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, a] = image.get_pixel(x, y).0;
        let blend = |c: u8| {
            let (c, a) = (u32::from(c), u32::from(a));
            ((c * a + 255 * (255 - a) + 127) / 255) as u8
        };
        image::Rgb([r, g, b].map(blend))
    })
}

/// Raw labels of one file, with the bits a pixel had there.
pub(super) struct RawLabels {
    pub width: usize,
    pub height: usize,
    pub bits: u8,
    pub data: Vec<u16>,
}

/// Reads a label map: `(width, height, labels)`, row-major, the values exactly as stored. A grey
/// value is never scaled up to 8 bits, and of a palette image the index is the label.
///
/// # Errors
/// The file is not a PNG, has colour or alpha channels, is damaged or cut short, is too large, or
/// cannot be read.
pub fn read_labels(path: impl AsRef<Path>) -> Result<(usize, usize, Vec<u16>), DataError> {
    let labels = read_raw_labels(path.as_ref())?;
    Ok((labels.width, labels.height, labels.data))
}

/// [`read_labels`], with the bit depth that says how "ignore" is spelled in the file.
pub(super) fn read_raw_labels(path: &Path) -> Result<RawLabels, DataError> {
    let bytes = read_bytes(path)?;
    let format = sniff(path, &bytes)?;
    if format != ImageFormat::Png {
        let found = if format == ImageFormat::Jpeg {
            "JPEG"
        } else {
            "non-PNG"
        };
        return Err(DataError::LabelsNotSingleChannel {
            path: path.to_path_buf(),
            found,
        });
    }
    let failed = |error: png::DecodingError| DataError::decode(path, &error);
    let mut decoder = png::Decoder::new(Cursor::new(bytes.as_slice()));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(failed)?;
    let (width, height) = (header.width, header.height);
    let (colour, bits) = (header.color_type, header.bit_depth as u8);
    check_size(path, u64::from(width), u64::from(height))?;
    let found = match colour {
        png::ColorType::Grayscale | png::ColorType::Indexed => None,
        png::ColorType::Rgb => Some("RGB"),
        png::ColorType::Rgba => Some("RGBA"),
        png::ColorType::GrayscaleAlpha => Some("grey+alpha"),
    };
    if let Some(found) = found {
        return Err(DataError::LabelsNotSingleChannel {
            path: path.to_path_buf(),
            found,
        });
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let row_bytes = (width * usize::from(bits)).div_ceil(8);
    let mut packed = vec![0; row_bytes * height];
    reader.next_frame(&mut packed).map_err(failed)?;
    let mut data = Vec::with_capacity(width * height);
    for row in packed.chunks_exact(row_bytes) {
        unpack(row, width, bits, &mut data);
    }
    Ok(RawLabels {
        width,
        height,
        bits,
        data,
    })
}

/// Appends the `width` values of one row whose pixels take `bits` each, most significant first.
fn unpack(row: &[u8], width: usize, bits: u8, out: &mut Vec<u16>) {
    match bits {
        16 => out.extend(
            row.chunks_exact(2)
                .map(|b| u16::from_be_bytes([b[0], b[1]])),
        ),
        8 => out.extend(row.iter().map(|&b| u16::from(b))),
        _ => {
            let bits = usize::from(bits);
            let mask = (1u16 << bits) - 1;
            out.extend((0..width).map(|x| {
                let bit = x * bits;
                let shift = 8 - bits - bit % 8;
                (u16::from(row[bit / 8]) >> shift) & mask
            }));
        }
    }
}

/// Writes a label map as a single-channel PNG: 8-bit with [`IGNORE`] as 255 where every class
/// index is below 255, else 16-bit with [`IGNORE`] as 65535. The file appears whole or not at all.
///
/// # Errors
/// `labels` has not `width * height` elements, a side is 0 or over [`MAX_SIDE`], or the disk
/// refuses.
pub fn write_labels(
    path: impl AsRef<Path>,
    width: usize,
    height: usize,
    labels: &[u16],
) -> Result<(), DataError> {
    let path = path.as_ref();
    if width.checked_mul(height) != Some(labels.len()) || labels.is_empty() {
        let path = path.to_path_buf();
        return Err(DataError::LabelCount {
            path,
            width,
            height,
            found: labels.len(),
        });
    }
    check_size(path, width as u64, height as u64)?;
    let wide = labels.iter().any(|&label| label >= 255 && label != IGNORE);
    let (depth, bytes): (_, Vec<u8>) = if wide {
        (
            png::BitDepth::Sixteen,
            labels
                .iter()
                .flat_map(|label| label.to_be_bytes())
                .collect(),
        )
    } else {
        // IGNORE is all ones, so its low byte is the 255 that it is written as.
        (
            png::BitDepth::Eight,
            labels.iter().map(|&label| label as u8).collect(),
        )
    };
    files::write_with(path, |file| {
        let mut file = BufWriter::new(file);
        let size = [width as u32, height as u32];
        let written = write_grey(&mut file, size, depth, &bytes);
        written
            .and_then(|()| Ok(file.flush()?))
            .map_err(|error| match error {
                png::EncodingError::IoError(source) => source,
                other => std::io::Error::other(other),
            })
            .map_err(FileError::write(path))
    })?;
    Ok(())
}

/// Writes a single-channel PNG.
fn write_grey(
    to: impl Write,
    [width, height]: [u32; 2],
    depth: png::BitDepth,
    bytes: &[u8],
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(to, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()
}

fn check_size(path: &Path, width: u64, height: u64) -> Result<(), DataError> {
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
fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
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
    BufReader::new(file.take(MAX_FILE_BYTES))
        .read_to_end(&mut bytes)
        .map_err(DataError::read(path))?;
    Ok(bytes)
}

/// The format by content. TGA alone has no signature, so there the name has to decide.
fn sniff(path: &Path, bytes: &[u8]) -> Result<ImageFormat, DataError> {
    let by_name = || {
        ImageFormat::from_path(path)
            .ok()
            .filter(|f| *f == ImageFormat::Tga)
    };
    image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .or_else(by_name)
        .ok_or_else(|| DataError::NotAnImage {
            path: path.to_path_buf(),
        })
}
