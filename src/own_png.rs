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
    let Ok(file) = File::open(path) else {
        return false;
    };
    let Ok(reader) = png::Decoder::new(BufReader::new(file)).read_info() else {
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
