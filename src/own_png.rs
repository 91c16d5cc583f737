//! PNG files that say that this program wrote them, so that no other is replaced.

use std::fs::File;
use std::io::{BufReader, Write};
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

/// Whether a file is a PNG that this program wrote, as [`own_png`] marks them. One that somebody drew by hand
/// is not, nor one that another program saved again.
pub(crate) fn is_own_png(path: &Path) -> bool {
    says(path, SOFTWARE, PROGRAM)
}

/// Whether a file is a PNG that [`mark_by_hand`] has marked.
pub(crate) fn is_by_hand(path: &Path) -> bool {
    says(path, COMMENT, BY_HAND)
}

/// Whether a file is a PNG with this text.
fn says(path: &Path, keyword: &str, wanted: &str) -> bool {
    let Some(reader) = reader(path) else {
        return false;
    };
    let mut texts = reader.info().uncompressed_latin1_text.iter();
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
