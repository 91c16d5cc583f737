//! PNG files that say that this program wrote them, so that no other is replaced.

use crate::own_digest::{self, DIGITS, Hash, Hashed};
use png::text_metadata::TEXtChunk;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Write};
use std::path::Path;

/// The keyword of PNG for the program that wrote a file.
const SOFTWARE: &str = "Software";
/// This program's name in the files that it writes.
pub(crate) const PROGRAM: &str = "FlowSeg";
/// The keyword of PNG for a remark, and the remark in labels that were corrected by hand.
const COMMENT: &str = "Comment";
const BY_HAND: &str = "corrected by hand";

/// The keyword of what a mask was made with.
const MADE_WITH: &str = "made_with";

/// The keyword of the digest of all bytes before it, which is the last chunk but the empty one at the end.
const DIGEST: &str = "sha256";
/// The empty chunk at the end of every PNG: its length, name and check sum.
pub(crate) const END: [u8; 12] = *b"\0\0\0\0IEND\xaeB`\x82";
/// Bytes of the length of a chunk, and of its check sum.
const FOUR: usize = 4;

/// Whether a file is a PNG that this program wrote, as [`own_png`] marks them. One that somebody drew by hand
/// is not, nor one that another program saved again.
pub(crate) fn is_own_png(path: &Path) -> bool {
    reader(path).is_some_and(|reader| says(reader.info(), SOFTWARE, PROGRAM))
}

/// Whether a file is one that [`write_with_digest`] wrote and no program has changed since, though it may have been cut
/// off.
pub(crate) fn is_unchanged(path: &Path) -> bool {
    unchanged(path).is_some()
}

/// Labels as [`write_with_digest`] wrote them.
pub(crate) struct Unchanged {
    /// Whether they say that they were corrected by hand, as [`mark_by_hand`] marks them.
    pub by_hand: bool,
}

/// What a file says that is [unchanged](is_unchanged), which is read once.
pub(crate) fn unchanged(path: &Path) -> Option<Unchanged> {
    let bytes = fs::read(path).ok()?;
    let reader = png::Decoder::new(Cursor::new(&bytes)).read_info().ok()?;
    let is_as_written = || !bytes.ends_with(&END) || has_its_digest(&bytes);
    (says(reader.info(), SOFTWARE, PROGRAM) && is_as_written()).then(|| Unchanged {
        by_hand: says(reader.info(), COMMENT, BY_HAND),
    })
}

fn has_its_digest(bytes: &[u8]) -> bool {
    let digits = bytes.len().checked_sub(DIGITS + FOUR + END.len());
    let Some((before, rest)) = digits.map(|at| bytes.split_at(at)) else {
        return false;
    };
    let chunk = format!("tEXt{DIGEST}\0");
    let before = before.strip_suffix(chunk.as_bytes());
    let hashed = before.and_then(|before| before.get(..before.len().checked_sub(FOUR)?));
    hashed.is_some_and(|hashed| own_digest::digest(hashed).as_bytes() == &rest[..DIGITS])
}

/// Whether a file is a PNG that [`mark_by_hand`] has marked.
pub(crate) fn is_by_hand(path: &Path) -> bool {
    reader(path).is_some_and(|reader| says(reader.info(), COMMENT, BY_HAND))
}

/// Whether a PNG has this text before its pixels.
fn says(info: &png::Info, keyword: &str, wanted: &str) -> bool {
    let mut texts = info.uncompressed_latin1_text.iter();
    texts.any(|text| text.keyword == keyword && text.text == wanted)
}

/// Makes a PNG say that its labels were corrected by hand.
///
/// # Errors
/// None with this text.
pub(crate) fn mark_by_hand<W: Write>(
    encoder: &mut png::Encoder<'static, W>,
) -> Result<(), png::EncodingError> {
    encoder.add_text_chunk(COMMENT.to_owned(), BY_HAND.to_owned())
}

/// What a mask says that it was made with, as [`say_made_with`] has written it.
pub(crate) fn made_with(path: &Path) -> Option<String> {
    let reader = reader(path)?;
    let mut texts = reader.info().utf8_text.iter();
    let text = texts.find(|text| text.keyword == MADE_WITH)?;
    text.get_text().ok()
}

fn reader(path: &Path) -> Option<png::Reader<BufReader<File>>> {
    let file = BufReader::new(File::open(path).ok()?);
    png::Decoder::new(file).read_info().ok()
}

/// Adds what a mask is made with to a PNG.
///
/// # Errors
/// None for short texts.
pub(crate) fn say_made_with<W: Write>(
    encoder: &mut png::Encoder<'static, W>,
    made_with: &str,
) -> Result<(), png::EncodingError> {
    encoder.add_itxt_chunk(MADE_WITH.to_owned(), made_with.to_owned())
}

/// An encoder of a PNG of so many pixels, `[width, height]`, that says which program wrote it.
///
/// # Errors
/// None for pictures with pixels.
pub(crate) fn own_png<W: Write>(
    to: W,
    [width, height]: [u32; 2],
) -> Result<png::Encoder<'static, W>, png::EncodingError> {
    let mut encoder = png::Encoder::new(to, width, height);
    encoder.add_text_chunk(SOFTWARE.to_owned(), PROGRAM.to_owned())?;
    Ok(encoder)
}

/// Writes a PNG of labels, as [`own_png`] marks them, with the digest of its bytes: labels are corrected, also by programs
/// that keep what a file says of itself. `set` gives it colour, depth and texts; `samples` are its pixels, row by row.
///
/// # Errors
/// If writing fails, no pixels, or another number of samples.
pub(crate) fn write_with_digest<W: Write>(
    to: W,
    size: [u32; 2],
    set: impl FnOnce(&mut png::Encoder<'static, Hashed<'_, W>>) -> Result<(), png::EncodingError>,
    samples: &[u8],
) -> Result<(), png::EncodingError> {
    let hash = Hash::default();
    let mut encoder = own_png(Hashed::new(to, &hash), size)?;
    set(&mut encoder)?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.write_text_chunk(&TEXtChunk::new(DIGEST, hash.digest()))?;
    writer.finish()
}

/// A PNG, marked as this program's, of a picture with 8 bits per channel: its samples, row by row.
///
/// # Errors
/// A picture without pixels, or another number of samples.
pub(crate) fn encoded(
    size: [u32; 2],
    colour: png::ColorType,
    samples: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = own_png(&mut bytes, size)?;
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    // Pictures are large, and their pixels seldom repeat.
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of 3 x 1 grey pixels with a digest.
    fn grey(samples: [u8; 3]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = write_with_digest(
            &mut bytes,
            [3, 1],
            |encoder| {
                encoder.set_color(png::ColorType::Grayscale);
                encoder.set_depth(png::BitDepth::Eight);
                Ok(())
            },
            &samples,
        );
        written.unwrap();
        bytes
    }

    #[test]
    fn labels_that_another_program_has_changed_are_told_although_it_kept_the_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let is_unchanged = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            is_unchanged(&path)
        };
        let own = grey([0, 1, 2]);
        assert!(is_unchanged(&own));
        // Cut off on a full disk, say.
        assert!(is_unchanged(&own[..own.len() - 12]));
        // The texts of one, and the pixels of another.
        let other = grey([0, 2, 2]);
        let pixels = |png: &[u8]| png.windows(4).position(|name| name == b"IDAT").unwrap();
        let texts = |png: &[u8]| {
            png.windows(10)
                .position(|name| name == b"tEXtsha256")
                .unwrap()
        };
        let mixed = [
            &own[..pixels(&own)],
            &other[pixels(&other)..texts(&other)],
            &own[texts(&own)..],
        ];
        assert!(!is_unchanged(&mixed.concat()));
        // Without the digest, as some keep only what they know.
        let without = [&own[..texts(&own) - FOUR], &END];
        assert!(!is_unchanged(&without.concat()));
        assert!(is_own_png(&path));
        assert!(!is_unchanged(b"mine"));
    }

    #[test]
    fn other_programs_read_them() {
        let read = image::load_from_memory(&grey([0, 1, 2])).unwrap();
        assert_eq!(read.into_luma8().into_raw(), [0, 1, 2]);
    }
}
