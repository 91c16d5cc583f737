//! Masks as TIFF, for maps: the mask of a georeferenced photo has the same georeference.

use super::error::ExportError;
use super::mask::Mask;
use crate::files;
use crate::labels::IGNORE;
use crate::own_digest;
use crate::own_png::PROGRAM;
use ::tiff::TiffResult;
use ::tiff::decoder::Decoder;
use ::tiff::encoder::colortype::{ColorType, Gray8, Gray16};
use ::tiff::encoder::compression::DeflateLevel;
use ::tiff::encoder::{Compression, TiffEncoder, TiffValue};
use ::tiff::tags::{ByteOrder, Tag, Type, ValueBuffer};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
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
    /// In whatever encoding: some programs write more than ASCII.
    text: Option<ValueBuffer>,
}

/// Writes a single-channel TIFF with one class index per pixel: 8 bits with 255 for pixels without a
/// class if there are at most 255 classes, else 16 bits with 65535 for them. The georeference tags
/// (GeoTIFF) of the file `photo` are kept. Its description is the digest of its bytes.
pub(super) fn write(mask: &Mask, photo: &Path, path: &Path) -> Result<(), ExportError> {
    let place = place_of(photo, mask.size()).unwrap_or_else(|| Place {
        numbers: Vec::new(),
        keys: None,
        text: None,
    });
    let description = own_digest::blank();
    let mut file = Cursor::new(Vec::new());
    let written = if mask.is_narrow() {
        let labels: Vec<u8> = mask.labels.iter().map(|&label| label as u8).collect();
        encode::<Gray8, _>(&mut file, mask, &place, &description, &labels)
    } else {
        encode::<Gray16, _>(&mut file, mask, &place, &description, mask.labels)
    };
    written.map_err(|error| ExportError::write(path, error))?;
    let mut bytes = file.into_inner();
    own_digest::fill(&mut bytes);
    Ok(files::write_atomic(path, &bytes)?)
}

fn encode<C: ColorType, W: Write + Seek>(
    to: W,
    mask: &Mask,
    place: &Place,
    description: &str,
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
    tags.write_tag(Tag::Software, PROGRAM)?;
    tags.write_tag(Tag::ImageDescription, description)?;
    for (tag, numbers) in &place.numbers {
        tags.write_tag(*tag, numbers.as_slice())?;
    }
    if let Some(keys) = &place.keys {
        tags.write_tag(Tag::GeoKeyDirectoryTag, keys.as_slice())?;
    }
    if let Some(text) = &place.text {
        tags.write_tag_buf(Tag::GeoAsciiParamsTag, text)?;
    }
    if mask.labels.contains(&IGNORE) {
        let none = if mask.is_narrow() { "255" } else { "65535" };
        tags.write_tag(Tag::GdalNodata, none)?;
    }
    image.write_data(labels)
}

/// Whether a file is a TIFF that this program wrote and no other has changed. Programs for maps change labels in place,
/// and keep the other tags.
pub(super) fn is_unchanged(path: &Path) -> bool {
    files::read(path)
        .is_ok_and(|bytes| names_program(Cursor::new(&bytes)) && own_digest::is_unchanged(&bytes))
}

/// Whether a file is a TIFF that says that this program wrote it.
pub(super) fn is_own(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| names_program(BufReader::new(file)))
}

fn names_program(file: impl Read + Seek) -> bool {
    let program = || -> Option<String> {
        let mut reader = Decoder::new(file).ok()?;
        reader.find_tag(Tag::Software).ok()??.into_string().ok()
    };
    program().as_deref() == Some(PROGRAM)
}

/// Width and height of the first page of a TIFF.
pub(super) fn size(path: &Path) -> Option<[u32; 2]> {
    let mut reader = Decoder::new(BufReader::new(File::open(path).ok()?)).ok()?;
    let (width, height) = reader.dimensions().ok()?;
    Some([width, height])
}

/// The georeference of the page of this size; `None` if the file is not a TIFF, has no such page among its first
/// [`PAGES`], or stores its pixels rotated, for which the tags are not defined.
fn place_of(photo: &Path, size: [u32; 2]) -> Option<Place> {
    let mut reader = Decoder::new(BufReader::new(File::open(photo).ok()?)).ok()?;
    let mut others = 0;
    while reader.dimensions().ok()? != (size[0], size[1]) {
        others += 1;
        if others == PAGES {
            return None;
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
    Some(Place {
        numbers,
        keys,
        text: text_of(&mut reader),
    })
}

/// The text that keys of the current page refer to, byte for byte.
fn text_of<R: Read + Seek>(reader: &mut Decoder<R>) -> Option<ValueBuffer> {
    let mut text = ValueBuffer::empty(Type::ASCII);
    let mut page = reader.image_ifd();
    page.find_tag_buf(Tag::GeoAsciiParamsTag, &mut text)
        .ok()??;
    // The encoder writes values in the machine's own order only, which bytes do not have.
    text.set_byte_order(ByteOrder::native());
    (text.count() > 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Format;
    use image::{GrayImage, ImageBuffer, Luma, RgbImage};
    use std::borrow::Cow;

    /// A text in any encoding.
    struct Text(&'static [u8]);

    impl TiffValue for Text {
        const BYTE_LEN: u8 = 1;
        const FIELD_TYPE: Type = Type::ASCII;

        fn count(&self) -> usize {
            self.0.len()
        }

        fn data(&self) -> Cow<'_, [u8]> {
            Cow::Borrowed(self.0)
        }
    }

    /// A TIFF whose last page has 3 x 2 pixels and a georeference, and whose others have one pixel.
    fn map(path: &Path, pages: usize, citation: &'static [u8]) {
        let mut encoder = TiffEncoder::new(File::create(path).unwrap()).unwrap();
        for _ in 1..pages {
            let image = encoder.new_image::<Gray8>(1, 1).unwrap();
            image.write_data(&[0]).unwrap();
        }
        let mut image = encoder.new_image::<Gray8>(3, 2).unwrap();
        let tags = image.encoder();
        let scale = [2.0, 2.0, 0.0];
        tags.write_tag(Tag::ModelPixelScaleTag, &scale[..]).unwrap();
        tags.write_tag(Tag::GeoAsciiParamsTag, Text(citation))
            .unwrap();
        image.write_data(&[0; 6]).unwrap();
    }

    #[test]
    fn a_citation_in_any_encoding_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let [photo, out] = ["photo.tif", "mask.tif"].map(|name| folder.path().join(name));
        let mask = Mask {
            photo: &RgbImage::new(3, 2),
            labels: &[0, 1, IGNORE, 0, 1, 0],
            classes: &["a", "b"].map(str::to_owned),
            colours: &[],
        };
        let citations: [&'static [u8]; 3] = [
            b"WGS 84|\0",
            "CH1903 / Z\u{fc}rich|\0".as_bytes(),
            b"CH1903 / Z\xfcrich|\0",
        ];
        for citation in citations {
            map(&photo, 1, citation);
            write(&mask, &photo, &out).unwrap();
            let mut reader = Decoder::new(File::open(&out).unwrap()).unwrap();
            assert_eq!(text_of(&mut reader).unwrap().as_bytes(), citation);
            let scale = reader.find_tag(Tag::ModelPixelScaleTag).unwrap().unwrap();
            assert_eq!(scale.into_f64_vec().unwrap(), [2.0, 2.0, 0.0]);
            assert!(is_own(&out) && !is_own(&photo));
        }
    }

    #[test]
    fn labels_that_were_changed_in_place_are_told_although_the_tags_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let [photo, path] = ["photo.png", "mask.tif"].map(|name| folder.path().join(name));
        RgbImage::new(3, 2).save(&photo).unwrap();
        let mask = Mask {
            photo: &RgbImage::new(3, 2),
            labels: &[0, 1, 0, 0, 1, 0],
            classes: &["a", "b"].map(str::to_owned),
            colours: &[],
        };
        write(&mask, &photo, &path).unwrap();
        assert!(is_unchanged(&path) && Format::Tiff.keep_foreign(&path).is_ok());
        let mut reader = Decoder::new(File::open(&path).unwrap()).unwrap();
        let description = reader.find_tag(Tag::ImageDescription).unwrap().unwrap();
        let description = description.into_string().unwrap();
        assert_eq!(description.len(), own_digest::blank().len());
        let none = Place {
            numbers: Vec::new(),
            keys: None,
            text: None,
        };
        let file = File::create(&path).unwrap();
        encode::<Gray8, _>(file, &mask, &none, &description, &[0, 1, 1, 0, 1, 0]).unwrap();
        assert!(is_own(&path) && !is_unchanged(&path));
        let error = Format::Tiff.keep_foreign(&path).unwrap_err().to_string();
        assert!(error.contains("saved by another program"), "{error}");
        assert!(Format::Tiff.is_corrected(&path, &photo, 2));
    }

    #[test]
    fn masks_that_another_program_saved_are_told_from_other_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let [photo, path] = ["photo.png", "mask.tif"].map(|name| folder.path().join(name));
        RgbImage::new(3, 2).save(&photo).unwrap();
        let is_corrected = |classes| Format::Tiff.is_corrected(&path, &photo, classes);
        let grey = |values: [u8; 6]| GrayImage::from_vec(3, 2, values.to_vec()).unwrap();
        grey([0, 1, 255, 0, 1, 2]).save(&path).unwrap();
        assert!(!is_own(&path) && is_corrected(3) && !is_corrected(2));
        let wide = vec![0, 1, IGNORE, 0, 1, 2];
        let wide = ImageBuffer::<Luma<u16>, _>::from_vec(3, 2, wide).unwrap();
        wide.save(&path).unwrap();
        assert!(is_corrected(3));
        RgbImage::new(3, 2).save(&path).unwrap();
        assert!(!is_corrected(3));
        GrayImage::new(3, 1).save(&path).unwrap();
        assert!(!is_corrected(3));
        std::fs::write(&path, "II*\0 mine").unwrap();
        assert!(!is_corrected(3));
    }

    #[test]
    fn a_page_is_searched_among_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("photo.tif");
        for (pages, is_found) in [(1, true), (PAGES, true), (PAGES + 1, false)] {
            map(&photo, pages, b"WGS 84|\0");
            assert_eq!(place_of(&photo, [3, 2]).is_some(), is_found, "{pages}");
        }
        assert!(place_of(&photo, [5, 5]).is_none());
    }
}
