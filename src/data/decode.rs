//! Reads and writes label maps.
//!
//! The size in the header is checked before anything is allocated, because a few bytes can claim
//! gigabytes.

use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use image::ImageFormat;

use super::error::DataError;
use super::input::{Format, check_size, read_bytes, recognise};
use super::photo::tiff_values;
use crate::files::{self, FileError};
use crate::labels::IGNORE;
use crate::own_png::{mark_by_hand, say_made_with, write_with_digest};

/// Maximum bytes that a decoder may keep besides the pixels.
const BESIDE: usize = 256 << 20;

/// Raw labels of one file, with their bits per pixel in it.
pub(super) struct RawLabels {
    pub width: usize,
    pub height: usize,
    pub bits: u8,
    pub data: Vec<u16>,
}

impl RawLabels {
    /// Class indices instead of raw labels. They have 16 bits, so that 255 is a class like any other.
    pub(super) fn of_classes([width, height]: [usize; 2], data: Vec<u16>) -> Self {
        Self {
            width,
            height,
            bits: 16,
            data,
        }
    }
}

/// Reads a label map: `(width, height, labels)`, row-major, with values exactly as stored: grey values
/// are never scaled to 8 bits, and in a palette image the index is the label.
///
/// # Errors
/// The file is neither a PNG nor a TIFF, has colour or alpha channels, is damaged or cut short, is too large, or
/// cannot be read.
pub fn read_labels(path: impl AsRef<Path>) -> Result<(usize, usize, Vec<u16>), DataError> {
    let labels = read_raw_labels(path.as_ref())?;
    Ok((labels.width, labels.height, labels.data))
}

/// [`read_labels`] with the bit depth, which determines the value of "ignore" in the file.
pub(super) fn read_raw_labels(path: &Path) -> Result<RawLabels, DataError> {
    let refused = |found, are_grey| DataError::LabelsNotSingleChannel {
        path: path.to_path_buf(),
        found,
        are_grey,
    };
    let bytes = match read_file(path)? {
        File::Png(bytes) => bytes,
        File::Tiff(bytes) => return of_tiff(path, bytes),
        File::Other(found) => return Err(refused(found, false)),
    };
    let packed = unpacked(path, &bytes, |_, _| Ok(()))?;
    let found = match packed.colour {
        png::ColorType::Grayscale | png::ColorType::Indexed => {
            return Ok(RawLabels {
                width: packed.width,
                height: packed.height,
                bits: packed.bits,
                data: packed.values(),
            });
        }
        png::ColorType::Rgb => "RGB",
        png::ColorType::Rgba => "RGBA",
        png::ColorType::GrayscaleAlpha => "grey+alpha",
    };
    Err(refused(found, packed.is_grey()))
}

/// The values of a TIFF.
fn of_tiff(path: &Path, bytes: Vec<u8>) -> Result<RawLabels, DataError> {
    let ([width, height], bits, data) = tiff_values(path, bytes)?;
    Ok(RawLabels {
        width,
        height,
        bits,
        data,
    })
}

/// Labels as values, as indices of a palette, or as the colours of pixels.
pub(super) enum Painted {
    Values(RawLabels),
    /// The indices, and the colour of every index.
    Palette(RawLabels, Vec<[u8; 3]>),
    Colours {
        width: usize,
        height: usize,
        data: Vec<[u8; 3]>,
    },
}

/// Reads a label file whose pixels may have colours: the values of a grey PNG or of a TIFF, the indices and the palette
/// of a palette PNG, or the colours of an 8-bit RGB one. An alpha channel without a transparent pixel is accepted.
///
/// # Errors
/// The file is not such a PNG or TIFF, is damaged or cut short, is too large, or cannot be read.
pub(super) fn read_painted(path: &Path) -> Result<Painted, DataError> {
    let refused = |found| {
        let reason =
            format!("has {found} pixels, but labels must be a grey, palette or 8-bit RGB PNG");
        DataError::description(path, reason)
    };
    let accepts = |colour, depth| match (colour, depth) {
        (png::ColorType::Rgb | png::ColorType::Rgba, png::BitDepth::Sixteen) => {
            Err(refused("16-bit RGB"))
        }
        _ => Ok(()),
    };
    let bytes = match read_file(path)? {
        File::Png(bytes) => bytes,
        File::Tiff(bytes) => return Ok(Painted::Values(of_tiff(path, bytes)?)),
        File::Other(found) => return Err(refused(found)),
    };
    let packed = unpacked(path, &bytes, accepts)?;
    let packed = packed.opaque().ok_or_else(|| refused("transparent"))?;
    let (width, height) = (packed.width, packed.height);
    if packed.colour == png::ColorType::Rgb {
        let (pixels, _) = packed.bytes.as_chunks::<3>();
        return Ok(Painted::Colours {
            width,
            height,
            data: pixels.to_vec(),
        });
    }
    let raw = RawLabels {
        width,
        height,
        bits: packed.bits,
        data: packed.values(),
    };
    Ok(if packed.colour == png::ColorType::Indexed {
        let (palette, _) = packed.palette.as_chunks::<3>();
        Painted::Palette(raw, palette.to_vec())
    } else {
        Painted::Values(raw)
    })
}

/// Reads the segment ids of a COCO panoptic PNG file, red + 256 green + 65536 blue: `(width, height,
/// ids)`, row-major.
///
/// # Errors
/// The file is not a PNG with 8 bits of red, green and blue, is damaged or cut short, is too large, or
/// cannot be read.
pub(super) fn read_ids(path: &Path) -> Result<(usize, usize, Vec<u32>), DataError> {
    let refused = |found| {
        let reason = format!(
            "has {found} pixels, but segment ids are stored as the colours of an 8-bit RGB PNG"
        );
        DataError::description(path, reason)
    };
    let accepts = |colour, depth| match (colour, depth) {
        (png::ColorType::Rgb, png::BitDepth::Eight) => Ok(()),
        (png::ColorType::Rgb, _) => Err(refused("16-bit")),
        (png::ColorType::Rgba, _) => Err(refused("RGBA")),
        _ => Err(refused("grey or palette")),
    };
    let bytes = match read_file(path)? {
        File::Png(bytes) => bytes,
        File::Tiff(_) => return Err(refused("TIFF")),
        File::Other(found) => return Err(refused(found)),
    };
    let packed = unpacked(path, &bytes, accepts)?;
    let pixels = packed.bytes.chunks_exact(3);
    let ids = pixels.map(|rgb| u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]));
    Ok((packed.width, packed.height, ids.collect()))
}

/// Decodes a mask from the bytes of a PNG file: width, height, and whether each pixel is set,
/// row-major. `path` is the file to name in errors.
///
/// # Errors
/// As for [`read_labels`].
pub(super) fn decode_mask(
    path: &Path,
    bytes: &[u8],
) -> Result<(usize, usize, Vec<bool>), DataError> {
    let accepts = |colour, _| match colour {
        png::ColorType::Grayscale | png::ColorType::Indexed => Ok(()),
        _ => Err(DataError::description(
            path,
            "holds a mask with colours: a mask must be a grey PNG",
        )),
    };
    let packed = unpacked(path, bytes, accepts)?;
    let set = packed.values().into_iter().map(|value| value > 0);
    Ok((packed.width, packed.height, set.collect()))
}

/// The pixels of a PNG file as stored.
struct Packed {
    width: usize,
    height: usize,
    bits: u8,
    colour: png::ColorType,
    /// Red, green and blue of every index; empty if there is none.
    palette: Vec<u8>,
    bytes: Vec<u8>,
}

impl Packed {
    /// The values of pixels with one sample each.
    fn values(&self) -> Vec<u16> {
        let mut values = Vec::with_capacity(self.width * self.height);
        let row_bytes = (self.width * usize::from(self.bits)).div_ceil(8);
        for row in self.bytes.chunks_exact(row_bytes) {
            unpack(row, self.width, self.bits, &mut values);
        }
        values
    }

    /// Whether these are grey values of 8 bits that are stored as colours or with an alpha channel. Black pixels alone
    /// may also be those of a file of colours.
    fn is_grey(&self) -> bool {
        let samples = match self.colour {
            _ if self.bits != 8 => return false,
            png::ColorType::Rgb => 3,
            png::ColorType::Rgba => 4,
            png::ColorType::GrayscaleAlpha => return true,
            png::ColorType::Grayscale | png::ColorType::Indexed => return false,
        };
        let mut is_black = true;
        let mut pixels = self.bytes.chunks_exact(samples);
        let are_grey = pixels.all(|pixel| {
            is_black &= pixel[0] == 0;
            pixel[1] == pixel[0] && pixel[2] == pixel[0]
        });
        are_grey && !is_black
    }

    /// The same without its alpha channel; `None` if a pixel is transparent.
    fn opaque(self) -> Option<Self> {
        let (colour, colours) = match self.colour {
            png::ColorType::GrayscaleAlpha => (png::ColorType::Grayscale, 1),
            png::ColorType::Rgba => (png::ColorType::Rgb, 3),
            _ => return Some(self),
        };
        // With an alpha channel, a sample has one byte or two.
        let of_colours = colours * usize::from(self.bits) / 8;
        let of_pixel = of_colours + usize::from(self.bits) / 8;
        let mut bytes = Vec::with_capacity(self.bytes.len() / of_pixel * of_colours);
        for pixel in self.bytes.chunks_exact(of_pixel) {
            let (colours, alpha) = pixel.split_at(of_colours);
            if alpha.iter().any(|byte| *byte < u8::MAX) {
                return None;
            }
            bytes.extend_from_slice(colours);
        }
        Some(Self {
            colour,
            bytes,
            ..self
        })
    }
}

/// A file by its content; of other formats, the name.
enum File {
    Png(Vec<u8>),
    Tiff(Vec<u8>),
    Other(&'static str),
}

fn read_file(path: &Path) -> Result<File, DataError> {
    let bytes = read_bytes(path)?;
    Ok(match recognise(path, &bytes)? {
        Format::Png => File::Png(bytes),
        Format::Tiff => File::Tiff(bytes),
        Format::Jpeg => File::Other("JPEG"),
        Format::Other(ImageFormat::Bmp) => File::Other("BMP"),
        Format::Heic | Format::Other(_) => File::Other("non-PNG"),
    })
}

/// Decodes a PNG; the size is checked before anything is allocated.
fn unpacked(
    path: &Path,
    bytes: &[u8],
    accepts: impl Fn(png::ColorType, png::BitDepth) -> Result<(), DataError>,
) -> Result<Packed, DataError> {
    let failed = |error: png::DecodingError| DataError::decode(path, &error);
    let limits = png::Limits { bytes: BESIDE };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(failed)?;
    let (width, height) = (header.width, header.height);
    let (colour, depth) = (header.color_type, header.bit_depth);
    check_size(path, u64::from(width), u64::from(height))?;
    accepts(colour, depth)?;
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height, bits) = (width as usize, height as usize, depth as u8);
    let row_bytes = (width * usize::from(bits) * colour.samples()).div_ceil(8);
    let palette = reader.info().palette.as_deref().unwrap_or_default();
    let palette = palette.to_vec();
    let mut bytes = vec![0; row_bytes * height];
    reader.next_frame(&mut bytes).map_err(failed)?;
    Ok(Packed {
        width,
        height,
        bits,
        colour,
        palette,
        bytes,
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

/// Whether label maps with so many classes have 16 bits: a byte holds 255 classes and [`IGNORE`].
fn is_wide(classes: usize) -> bool {
    classes > 255
}

/// Writes a label map as a single-channel PNG: 8-bit with [`IGNORE`] as 255 if the class table has at most
/// 255 classes, else 16-bit with [`IGNORE`] as 65535, so that all files with one table have the same
/// depth. The file appears whole or not at all.
///
/// # Errors
/// `labels` does not have `width * height` elements, a side is 0 or over [`MAX_SIDE`](super::MAX_SIDE), or
/// the write fails.
pub fn write_labels(
    path: impl AsRef<Path>,
    width: usize,
    height: usize,
    labels: &[u16],
    classes: usize,
) -> Result<(), DataError> {
    let (path, size) = (path.as_ref(), [width, height]);
    write_mask(path, size, labels, classes, Origin::Unstated)
}

/// What a file of labels says about where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    Unstated,
    /// A model made them: which one, and with which settings.
    MadeWith(&'a str),
    /// A person has corrected them in the window.
    ByHand,
}

impl Origin<'_> {
    /// Makes a PNG say it.
    ///
    /// # Errors
    /// None for short texts.
    pub(crate) fn mark<W: Write>(
        self,
        encoder: &mut png::Encoder<'static, W>,
    ) -> Result<(), png::EncodingError> {
        match self {
            Self::Unstated => Ok(()),
            Self::MadeWith(text) => say_made_with(encoder, text),
            Self::ByHand => mark_by_hand(encoder),
        }
    }
}

/// [`write_labels`] of a mask, whose file says where its labels come from; `size` is width and height.
///
/// # Errors
/// As of [`write_labels`].
pub fn write_mask(
    path: &Path,
    size: [usize; 2],
    labels: &[u16],
    classes: usize,
    origin: Origin,
) -> Result<(), DataError> {
    let [width, height] = size;
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
    // A label that no class has is not cut to a byte.
    let wide = is_wide(classes) || labels.iter().any(|&label| label >= 255 && label != IGNORE);
    let (depth, bytes): (_, Vec<u8>) = if wide {
        (
            png::BitDepth::Sixteen,
            labels
                .iter()
                .flat_map(|label| label.to_be_bytes())
                .collect(),
        )
    } else {
        // IGNORE is all ones, so its low byte is 255.
        (
            png::BitDepth::Eight,
            labels.iter().map(|&label| label as u8).collect(),
        )
    };
    files::write_with(path, |file| {
        let mut file = BufWriter::new(file);
        let size = [width as u32, height as u32];
        let written = write_grey(&mut file, size, depth, &bytes, origin);
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

fn write_grey(
    to: impl Write,
    size: [u32; 2],
    depth: png::BitDepth,
    bytes: &[u8],
    origin: Origin,
) -> Result<(), png::EncodingError> {
    write_with_digest(
        to,
        size,
        |encoder| {
            origin.mark(encoder)?;
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(depth);
            Ok(())
        },
        bytes,
    )
}
