//! TIFF. The `tiff` crate unpacks the samples; their meaning is determined here.
//!
//! The crate always reads a fourth channel as opacity and does not support palettes. Every page is
//! therefore presented as unnamed channels, by overwriting the tag that names them in the in-memory
//! copy of the file. A page of tiles is presented with the size of all its tiles (see [`Tiles`]).

use std::io::{Cursor, ErrorKind, Read, Seek};
use std::path::Path;

use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::{CompressionMethod, Tag};
use ::tiff::{TiffError, TiffResult, TiffUnsupportedError};
use image::RgbImage;
use image::metadata::Orientation;

use super::super::error::DataError;
use super::super::input::check_size;
use super::super::limits::MAX_PIXELS;
use super::decoded::{Decoded, Told, area, warn};
use super::jpeg::on_paper;
use super::samples::{Alpha, Channels, Raster, from_bytes, from_floats, from_words};
use super::tiff_header::{Header, INTERPRETATION};
use super::tiles::Tiles;

/// Bytes of the samples of a pixel, four floating-point numbers: a page of more counts as one of more pixels.
const PIXEL: u64 = 16;
/// Maximum bytes of all samples.
const SAMPLES: u64 = PIXEL * MAX_PIXELS;
/// Maximum bytes of a tag's value, such as a colour profile.
const TAG: usize = 64 << 20;
/// Maximum number of pages examined.
const PAGES: usize = 64;
/// `ImageWidth` and `ImageLength`
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
/// The value of `PlanarConfiguration` for channels in planes of their own.
const PLANAR: u16 = 2;
/// The values of `ExtraSamples` for two unnamed bands.
const UNNAMED: [u16; 2] = [0; 2];

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

pub(super) fn decode(path: &Path, bytes: Vec<u8>) -> Result<Decoded, DataError> {
    let (page, samples) = unpacked(path, bytes, |page| {
        page.take_bands_for_colours(path);
        page.check(path)
    })?;
    let image = page.colours(path, samples)?;
    Ok(Decoded {
        image,
        orientation: page.orientation,
        profile: page.profile,
    })
}

/// Width and height, bits per pixel, and the values of the pixels as they are stored: grey values, or indices of a
/// palette.
///
/// # Errors
/// A page with several samples per pixel, or with others than unsigned integers of up to 8 or of 16 bits.
pub(super) fn values(path: &Path, bytes: Vec<u8>) -> Result<([usize; 2], u8, Vec<u16>), DataError> {
    let (page, samples) = unpacked(path, bytes, |page| page.check_values(path))?;
    let values = match samples {
        DecodingResult::U8(samples) if page.bits < 8 => {
            page.unpack(&samples).into_iter().map(u16::from).collect()
        }
        DecodingResult::U8(samples) => samples.into_iter().map(u16::from).collect(),
        DecodingResult::U16(samples) => samples,
        _ => {
            return Err(no_labels(
                path,
                "other samples than unsigned integers",
                ONE_BAND,
            ));
        }
    };
    let bits = if page.bits > 8 { 16 } else { page.bits as u8 };
    Ok((page.size.map(|side| side as usize), bits, values))
}

/// The page that is used, which `check` may refuse or change, and its samples.
fn unpacked(
    path: &Path,
    mut bytes: Vec<u8>,
    check: impl FnOnce(&mut Page) -> Result<(), DataError>,
) -> Result<(Page, DecodingResult), DataError> {
    let header =
        Header::of(&bytes).ok_or_else(|| DataError::decode(path, &"its header is damaged"))?;
    if header.is_raw(&bytes) {
        return Err(DataError::unsupported(
            path,
            "a raw camera file (DNG, NEF, ARW or the like)",
            "develop it to JPEG, PNG or TIFF, for example with `darktable-cli IN OUT.png`",
        ));
    }
    let failed = |error: TiffError| refusal(path, error);
    let number = best_page(path, &bytes)?;
    let (mut page, tiles) = {
        let mut reader = open(Cursor::new(bytes.as_slice()), number).map_err(failed)?;
        let (width, height) = reader.dimensions().map_err(failed)?;
        check_size(path, u64::from(width), u64::from(height))?;
        let page = Page::read(&mut reader, [width, height]).map_err(failed)?;
        (page, Tiles::of(&reader, [width, height]))
    };
    check(&mut page)?;
    let present = |bytes: &mut [u8], tags: &[(u16, u32)]| {
        let mut tags = tags.iter();
        tags.try_for_each(|(tag, value)| header.overwrite(bytes, page.directory, *tag, *value))
            .ok_or_else(|| DataError::decode(path, &"its directory is damaged"))
    };
    let sides = |[width, height]: [u32; 2]| [(WIDTH, width), (HEIGHT, height)];
    present(&mut bytes, &[(INTERPRETATION, 1)])?;
    let samples = match tiles {
        None => whole(path, &bytes, number)?,
        Some(tiles) => {
            present(&mut bytes, &sides(tiles.extent(path)?))?;
            let mut reader = open(Cursor::new(bytes.as_slice()), number).map_err(failed)?;
            let joined = tiles.join(&mut reader, &limits(), page.planes(), page.pixel_bits());
            drop(reader);
            match joined {
                // Some programs leave out the rows of the last tiles that are below the picture. At planar pages of
                // its size the decoder would panic.
                Err(error) if is_cut_short(&error) && !page.planar => {
                    present(&mut bytes, &sides(page.size))?;
                    whole(path, &bytes, number).map_err(|_| failed(error))?
                }
                joined => joined.map_err(failed)?,
            }
        }
    };
    Ok((page, samples))
}

/// The samples of a page, as the decoder joins them.
fn whole(path: &Path, bytes: &[u8], page: usize) -> Result<DecodingResult, DataError> {
    let failed = |error: TiffError| refusal(path, error);
    let mut reader = open(Cursor::new(bytes), page).map_err(failed)?;
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = reader.read_image_to_buffer(&mut samples).map_err(failed)?;
    if samples.as_buffer(0).byte_len() < layout.complete_len {
        return Err(DataError::decode(path, &"it has too many samples"));
    }
    Ok(samples)
}

fn is_cut_short(error: &TiffError) -> bool {
    matches!(error, TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

/// Memory limited by the size of a page only.
fn limits() -> Limits {
    let mut limits = Limits::unlimited();
    limits.ifd_value_size = TAG;
    limits.decoding_buffer_size = usize::try_from(SAMPLES).unwrap_or(usize::MAX);
    limits
}

/// A decoder positioned at one page.
fn open<R: Read + Seek>(from: R, page: usize) -> TiffResult<Decoder<R>> {
    let mut reader = Decoder::new(from)?.with_limits(limits());
    if page > 0 {
        reader.seek_to_image(page)?;
    }
    Ok(reader)
}

/// What the choice of a page depends on.
struct Candidate {
    number: usize,
    reduced_or_mask: bool,
    /// Width and height; 0 if its directory does not tell.
    size: [u32; 2],
    /// Pixels that are unpacked: its own, and those of a tile.
    unpacked: u64,
    /// Bits of the samples of a pixel.
    bits: u64,
}

impl Candidate {
    fn told(&self) -> Told {
        let bytes = self.unpacked.saturating_mul(self.bits) / 8;
        Told {
            size: self.size,
            weight: area(self.size).max(bytes / PIXEL),
        }
    }
}

/// The pages of a file. Only its directories are read.
fn candidates(from: impl Read + Seek) -> TiffResult<Vec<Candidate>> {
    let mut reader = open(from, 0)?;
    let mut pages = Vec::new();
    for number in 0..PAGES {
        let kind = reader.find_tag_unsigned::<u32>(Tag::NewSubfileType);
        let size: [u32; 2] = reader.dimensions().unwrap_or_default().into();
        let bits = reader.find_tag_unsigned_vec::<u16>(Tag::BitsPerSample);
        let bits = bits.ok().flatten().unwrap_or_default();
        let samples = reader.find_tag_unsigned::<u16>(Tag::SamplesPerPixel);
        let tile = [Tag::TileWidth, Tag::TileLength]
            .map(|tag| reader.find_tag_unsigned::<u32>(tag).ok().flatten());
        let tile = tile.map(Option::unwrap_or_default);
        pages.push(Candidate {
            number,
            reduced_or_mask: kind.ok().flatten().unwrap_or(0) & 0b101 != 0,
            size,
            unpacked: area(size).saturating_add(area(tile)),
            bits: u64::from(bits.first().copied().unwrap_or(1))
                * u64::from(samples.ok().flatten().unwrap_or(1)),
        });
        // An unreadable page ends the list; earlier ones may be sufficient.
        if !reader.more_images() || reader.next_image().is_err() {
            break;
        }
    }
    Ok(pages)
}

/// The largest page that is neither a thumbnail nor a mask, if there is one that is not.
fn best(pages: &[Candidate]) -> Option<&Candidate> {
    let order = |page: &&Candidate| {
        (
            page.reduced_or_mask,
            u64::MAX - area(page.size),
            page.number,
        )
    };
    pages.iter().min_by_key(order)
}

/// What the directory of the page that is decoded tells; `None` if it is damaged.
pub(super) fn told(from: impl Read + Seek) -> Option<Told> {
    let pages = candidates(from).ok()?;
    let best = best(&pages)?;
    (area(best.size) > 0).then(|| best.told())
}

/// The number of the [`best`] page, with a warning if there are several of full size.
fn best_page(path: &Path, bytes: &[u8]) -> Result<usize, DataError> {
    let pages = candidates(Cursor::new(bytes)).map_err(|error| refusal(path, error))?;
    let best = best(&pages).map_or(0, |page| page.number);
    let full = pages.iter().filter(|page| !page.reduced_or_mask).count();
    if full > 1 {
        warn(
            path,
            &format!("it has {full} pages: page {} is used", best + 1),
        );
    }
    Ok(best)
}

/// The tags of one page that describe its samples.
struct Page {
    size: [u32; 2],
    /// Offset of its directory in the file.
    directory: u64,
    interpretation: u16,
    bits: u16,
    samples: u16,
    /// Whether each channel is a plane of its own, one whole channel after the other.
    planar: bool,
    extra: Vec<u16>,
    /// All red values of the palette, then the green and the blue ones, 16 bits each.
    palette: Vec<u16>,
    /// Whether chroma is subsampled in an unsupported way.
    subsampled: bool,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
}

impl Page {
    fn read(reader: &mut Reader, size: [u32; 2]) -> TiffResult<Self> {
        let compression = number(reader, Tag::Compression, 1)?;
        let subsampling = numbers(reader, Tag::ChromaSubsampling)?;
        let orientation = number(reader, Tag::Orientation, 1)?;
        Ok(Self {
            size,
            directory: reader.ifd_pointer().map_or(0, |pointer| pointer.0),
            interpretation: number(reader, Tag::PhotometricInterpretation, 1)?,
            bits: numbers(reader, Tag::BitsPerSample)?
                .first()
                .copied()
                .unwrap_or(1),
            samples: number(reader, Tag::SamplesPerPixel, 1)?,
            planar: number(reader, Tag::PlanarConfiguration, 1)? == PLANAR,
            extra: numbers(reader, Tag::ExtraSamples)?,
            palette: numbers(reader, Tag::ColorMap)?,
            subsampled: subsampling != [1, 1]
                && compression != CompressionMethod::ModernJPEG.to_u16(),
            orientation: u8::try_from(orientation)
                .ok()
                .and_then(Orientation::from_exif)
                .unwrap_or(Orientation::NoTransforms),
            profile: reader.get_tag_u8_vec(Tag::IccProfile).ok(),
        })
    }

    /// Takes the first three bands for red, green and blue, with a warning, where a page has grey and at least two bands
    /// without a meaning. That is how GDAL writes colours of 16 bits and the bands of satellites if it is not told what
    /// they are, and how programs for maps show them.
    fn take_bands_for_colours(&mut self, path: &Path) {
        let is_whole = self.extra.len() + 1 == usize::from(self.samples);
        if self.interpretation == 1 && is_whole && self.extra.starts_with(&UNNAMED) {
            let bands = self.samples;
            warn(
                path,
                &format!(
                    "its {bands} bands are not named: the first three are read as red, green and blue"
                ),
            );
            self.interpretation = 2;
            self.extra.drain(..UNNAMED.len());
        }
    }

    /// Rejects samples whose meaning is unknown or unsupported.
    fn check(&self, path: &Path) -> Result<(), DataError> {
        let kind = match (self.interpretation, self.samples) {
            _ if self.bits == 0 => "a TIFF of samples without bits".to_owned(),
            (0 | 1, bands @ 3..)
                if self.extra.len() + 1 != usize::from(bands)
                    || self.extra.starts_with(&UNNAMED) =>
            {
                format!("a TIFF of {bands} bands that are not named as colours")
            }
            (6, _) if self.subsampled => {
                "a TIFF of subsampled YCbCr colours without JPEG compression".to_owned()
            }
            (0 | 1 | 3, _) | (2 | 6, 3..) | (5, 4..) => return Ok(()),
            (8..=10, _) => "a TIFF of Lab colours".to_owned(),
            (kind, bands) => format!("a TIFF of {bands} bands and the interpretation {kind}"),
        };
        Err(unsupported(path, &kind))
    }

    /// Rejects pages that are not labels.
    fn check_values(&self, path: &Path) -> Result<(), DataError> {
        match (self.interpretation, self.samples, self.bits) {
            (1 | 3, 1, 1..=8 | 16) => Ok(()),
            (1 | 3, 1, bits) => Err(no_labels(path, &format!("{bits}-bit samples"), ONE_BAND)),
            (0, 1, _) => Err(no_labels(path, "samples of which 0 is white", ONE_BAND)),
            (_, 1, _) => Err(no_labels(
                path,
                "samples that are neither grey values nor indices of a palette",
                ONE_BAND,
            )),
            // One band of colours would be labels that look right and are wrong.
            (_, samples, _) => Err(no_labels(
                path,
                &format!("{samples} samples per pixel"),
                "save it as a PNG, for example with `gdal_translate -of PNG IN.tif OUT.png`; colours of classes can then \
                 be listed in labelmap.txt (see flowseg data --help)",
            )),
        }
    }

    fn planes(&self) -> usize {
        if self.planar {
            usize::from(self.samples)
        } else {
            1
        }
    }

    /// Bits of a pixel in a plane.
    fn pixel_bits(&self) -> u64 {
        let samples = if self.planar { 1 } else { self.samples };
        u64::from(self.bits) * u64::from(samples)
    }

    /// The meaning of grey and RGB channels. Bands not marked as opacity, such as near infrared, are
    /// ignored.
    fn channels(&self) -> Channels {
        Channels {
            rgb: self.interpretation == 2,
            alpha: match self.extra.first() {
                Some(1) => Some(Alpha::Premultiplied),
                Some(2) => Some(Alpha::Straight),
                _ => None,
            },
        }
    }

    /// The samples of a page.
    fn raster<'a, T>(&self, samples: &'a [T]) -> Raster<'a, T> {
        let plane = self.size[0] as usize * self.size[1] as usize;
        let (pixel, channel) = if self.planar {
            (1, plane)
        } else {
            (usize::from(self.samples), 1)
        };
        Raster {
            size: self.size,
            samples,
            pixel,
            channel,
            channels: self.channels(),
        }
    }

    fn colours(&self, path: &Path, samples: DecodingResult) -> Result<RgbImage, DataError> {
        let numbers = match samples {
            DecodingResult::U8(samples) if self.bits < 8 => {
                let bytes = self.unpack(&samples);
                return Ok(self.rgb_of_bytes(&self.raster(&bytes)));
            }
            DecodingResult::U8(samples) => {
                return Ok(self.rgb_of_bytes(&self.raster(&samples)));
            }
            DecodingResult::U16(samples) => {
                return self.rgb_of_words(path, &self.raster(&samples));
            }
            DecodingResult::F16(samples) if self.is_plain() => {
                return from_floats(path, &self.raster(&samples), |v| v.to_f32());
            }
            DecodingResult::F32(samples) if self.is_plain() => {
                return from_floats(path, &self.raster(&samples), |v| v);
            }
            DecodingResult::F64(samples) if self.is_plain() => {
                return from_floats(path, &self.raster(&samples), |v| v as f32);
            }
            DecodingResult::F16(_) | DecodingResult::F32(_) | DecodingResult::F64(_) => {
                "floating-point numbers that are neither grey nor RGB"
            }
            DecodingResult::U32(_) | DecodingResult::U64(_) => "32-bit or 64-bit integers",
            _ => "signed integers",
        };
        Err(unsupported(path, &format!("a TIFF of {numbers}")))
    }

    /// Whether samples are grey or RGB intensities.
    fn is_plain(&self) -> bool {
        matches!(self.interpretation, 1 | 2)
    }

    fn rgb_of_bytes(&self, raster: &Raster<u8>) -> RgbImage {
        // Fewer than 8 bits were not scaled, since they may be indices.
        let most = (1u32 << self.bits.min(8)) - 1;
        let scaled = |v: u8| (u32::from(v) * 255 / most).min(255) as u8;
        match self.interpretation {
            0 => raster.mapped(|[v, ..]| [255 - scaled(v); 3]),
            3 => raster.mapped(|[index, ..]| self.entry(index)),
            5 => raster.mapped(on_paper),
            6 => raster.mapped(from_ycbcr),
            _ if self.bits < 8 => raster.mapped(|[v, ..]| [scaled(v); 3]),
            _ => from_bytes(raster),
        }
    }

    fn rgb_of_words(&self, path: &Path, raster: &Raster<u16>) -> Result<RgbImage, DataError> {
        let byte = |v: u16| (v >> 8) as u8;
        match self.interpretation {
            // White is zero, and black is the end of the range in use.
            0 => {
                let most = raster.samples.iter().copied().max().unwrap_or(0);
                let black = (u32::from(most) + 1).next_power_of_two() - 1;
                Ok(from_words(path, raster, |v| black as u16 - v))
            }
            1 | 2 => Ok(from_words(path, raster, |v| v)),
            5 => Ok(raster.mapped(|inks| on_paper(inks.map(byte)))),
            _ => Err(unsupported(
                path,
                "a TIFF of 16-bit palette or YCbCr colours",
            )),
        }
    }

    fn entry(&self, index: u8) -> [u8; 3] {
        let entries = self.palette.len() / 3;
        let at = usize::from(index).min(entries.saturating_sub(1));
        let value = |c: usize| self.palette.get(c * entries + at).map_or(0, |v| v >> 8);
        [0, 1, 2].map(|c| value(c) as u8)
    }

    /// Unpacks samples of 1 to 7 bits to bytes of the same value. Rows begin at a whole byte, and a
    /// sample may begin in one byte and end in the next.
    fn unpack(&self, packed: &[u8]) -> Vec<u8> {
        let bits = usize::from(self.bits);
        let samples = if self.planar {
            1
        } else {
            usize::from(self.samples)
        };
        let width = self.size[0] as usize * samples;
        let mask = ((1u16 << bits) - 1) as u8;
        packed
            .chunks((width * bits).div_ceil(8).max(1))
            .flat_map(|row| {
                (0..width).map(move |x| {
                    let (byte, bit) = (x * bits / 8, x * bits % 8);
                    let [high, low] = [byte, byte + 1].map(|at| row.get(at).copied().unwrap_or(0));
                    (u16::from_be_bytes([high, low]) >> (16 - bits - bit)) as u8 & mask
                })
            })
            .collect()
    }
}

fn number(reader: &mut Reader, tag: Tag, default: u16) -> TiffResult<u16> {
    Ok(reader.find_tag_unsigned(tag)?.unwrap_or(default))
}

fn numbers(reader: &mut Reader, tag: Tag) -> TiffResult<Vec<u16>> {
    Ok(reader.find_tag_unsigned_vec(tag)?.unwrap_or_default())
}

/// Converts full-range YCbCr, as in JPEG files, to RGB.
fn from_ycbcr([y, cb, cr, _]: [u8; 4]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let rgb = [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ];
    rgb.map(|v| (v + 0.5).clamp(0.0, 255.0) as u8)
}

fn unsupported(path: &Path, kind: &str) -> DataError {
    let remedy = "save it as RGB or grey with 8 or 16 bits, for example with `magick IN OUT.png`";
    DataError::unsupported(path, kind, remedy)
}

/// What makes a label file of a TIFF with one band.
const ONE_BAND: &str = "convert it so that a pixel's value is its label, for example with `gdal_translate -b 1 -ot Byte IN.tif OUT.tif`";

/// The error for a label file with such samples.
fn no_labels(path: &Path, samples: &str, remedy: &'static str) -> DataError {
    DataError::unsupported(
        path,
        &format!(
            "a TIFF of {samples}, but a label file has one grey or palette sample of 8 or 16 bits"
        ),
        remedy,
    )
}

/// The error for an unsupported feature, by its usual name.
fn refusal(path: &Path, error: TiffError) -> DataError {
    use TiffUnsupportedError::{UnsupportedColorType, UnsupportedCompressionMethod};
    match error {
        TiffError::UnsupportedError(UnsupportedCompressionMethod(method)) => {
            DataError::unsupported(
                path,
                &format!("a TIFF with {} compression", compression(method)),
                "write it again with another one, for example with \
             `gdal_translate -co COMPRESS=DEFLATE IN.tif OUT.tif`, which keeps the georeference of a map",
            )
        }
        TiffError::UnsupportedError(UnsupportedColorType(colours)) => unsupported(
            path,
            &format!("a TIFF of {}-bit samples", colours.bit_depth()),
        ),
        TiffError::UnsupportedError(feature) => {
            unsupported(path, &format!("a TIFF of a rare kind ({feature})"))
        }
        error => DataError::decode(path, &error),
    }
}

/// The usual name of a compression, of which the crate does not name all.
fn compression(method: CompressionMethod) -> String {
    let name = match method.to_u16() {
        6 => "old-style JPEG",
        33003 | 33005 | 34712 => "JPEG 2000",
        34887 => "LERC",
        34925 => "LZMA",
        50000 => "ZSTD",
        50001 => "WebP",
        50002 => "JPEG XL",
        _ => return format!("{method:?}"),
    };
    name.to_owned()
}
