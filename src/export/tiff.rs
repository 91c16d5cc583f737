//! Masks as TIFF, for maps: the mask of a georeferenced photo has the same georeference.

use super::error::ExportError;
use super::mask::Mask;
use crate::files;
use crate::labels::IGNORE;
use ::tiff::TiffResult;
use ::tiff::decoder::Decoder;
use ::tiff::encoder::colortype::{ColorType, Gray8, Gray16};
use ::tiff::encoder::compression::DeflateLevel;
use ::tiff::encoder::{Compression, TiffEncoder, TiffValue};
use ::tiff::tags::Tag;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::Path;

/// The most pages of a photo's file that are searched.
const PAGES: usize = 64;
/// Numeric tags of the georeference.
const PLACES: [Tag; 4] = [
    Tag::ModelPixelScaleTag,
    Tag::ModelTiepointTag,
    Tag::ModelTransformationTag,
    Tag::GeoDoubleParamsTag,
];

/// The georeference in a photo's file.
struct Place {
    numbers: Vec<(Tag, Vec<f64>)>,
    keys: Option<Vec<u16>>,
    text: Option<String>,
}

/// Writes a single-channel TIFF with one class index per pixel: 8 bits with 255 for pixels without a
/// class if there are at most 255 classes, else 16 bits with 65535 for them. The georeference tags
/// (GeoTIFF) of the file `photo` are kept.
pub(super) fn write(mask: &Mask, photo: &Path, path: &Path) -> Result<(), ExportError> {
    let place = place_of(photo, mask.size()).unwrap_or_else(|| Place {
        numbers: Vec::new(),
        keys: None,
        text: None,
    });
    files::write_with(path, |file| {
        let mut file = BufWriter::new(file);
        let written = if mask.is_narrow() {
            let labels: Vec<u8> = mask.labels.iter().map(|&label| label as u8).collect();
            encode::<Gray8, _>(&mut file, mask, &place, &labels)
        } else {
            encode::<Gray16, _>(&mut file, mask, &place, mask.labels)
        };
        written.map_err(|error| match error {
            ::tiff::TiffError::IoError(source) => ExportError::write(path, source),
            other => ExportError::write(path, other),
        })?;
        file.flush()
            .map_err(|error| ExportError::write(path, error))
    })
}

fn encode<C: ColorType, W: Write + Seek>(
    to: W,
    mask: &Mask,
    place: &Place,
    labels: &[C::Inner],
) -> TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    let [width, height] = mask.size();
    let encoder = TiffEncoder::new(to)?;
    let mut encoder = encoder.with_compression(Compression::Deflate(DeflateLevel::default()));
    let mut image = encoder.new_image::<C>(width, height)?;
    let tags = image.encoder();
    for (tag, numbers) in &place.numbers {
        tags.write_tag(*tag, numbers.as_slice())?;
    }
    if let Some(keys) = &place.keys {
        tags.write_tag(Tag::GeoKeyDirectoryTag, keys.as_slice())?;
    }
    if let Some(text) = &place.text {
        tags.write_tag(Tag::GeoAsciiParamsTag, text.as_str())?;
    }
    if mask.labels.contains(&IGNORE) {
        let none = if mask.is_narrow() { "255" } else { "65535" };
        tags.write_tag(Tag::GdalNodata, none)?;
    }
    image.write_data(labels)
}

/// The georeference of the page of this size; `None` if the file is not a TIFF, has no such page, or
/// stores its pixels rotated, for which the tags are not defined.
fn place_of(photo: &Path, size: [u32; 2]) -> Option<Place> {
    let mut reader = Decoder::new(BufReader::new(File::open(photo).ok()?)).ok()?;
    for _ in 0..PAGES {
        let dimensions = reader.dimensions().ok()?;
        if [dimensions.0, dimensions.1] == size {
            break;
        }
        reader.next_image().ok()?;
    }
    let orientation = reader.find_tag_unsigned::<u16>(Tag::Orientation).ok()?;
    if orientation.is_some_and(|orientation| orientation != 1) {
        return None;
    }
    let mut value = |tag: Tag| reader.find_tag(tag).ok().flatten();
    let numbers = PLACES.into_iter().filter_map(|tag| {
        let numbers = value(tag)?.into_f64_vec().ok()?;
        Some((tag, numbers))
    });
    let numbers = numbers.collect();
    let keys = value(Tag::GeoKeyDirectoryTag).and_then(|keys| keys.into_u16_vec().ok());
    let text = value(Tag::GeoAsciiParamsTag).and_then(|text| text.into_string().ok());
    Some(Place {
        numbers,
        keys,
        text,
    })
}
