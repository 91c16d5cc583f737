//! GIF files that say that this program wrote them, so that no other is replaced.

use crate::own_png::PROGRAM;
use gif::{Encoder, EncodingError, Extension};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Bytes of the header and of the description of the screen.
const HEADER: usize = 13;
/// Maximum bytes of a palette of all pictures, which follows.
const PALETTE: usize = 3 * 256;
/// The comment behind them: its kind, its length, this program's name, and its end.
const MARK: &[u8; 11] = b"!\xfe\x07FlowSeg\0";

/// Whether a file is a GIF that this program wrote, as [`own_gif`] marks them.
pub(crate) fn is_own_gif(path: &Path) -> bool {
    let mut start = Vec::new();
    let most = (HEADER + PALETTE + MARK.len()) as u64;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut start));
    read.is_ok() && is_marked(&start)
}

fn is_marked(start: &[u8]) -> bool {
    let Some((header, rest)) = start.split_first_chunk::<HEADER>() else {
        return false;
    };
    let [.., flags, _, _] = *header;
    let has_palette = flags & 0x80 != 0;
    let palette = if has_palette {
        3 << ((flags & 7) + 1)
    } else {
        0
    };
    let behind = rest.get(palette..);
    header.starts_with(b"GIF89a") && behind.is_some_and(|behind| behind.starts_with(MARK))
}

/// An encoder of a GIF of so many pixels, `[width, height]`, that says which program wrote it. Every frame has a
/// palette of its own.
///
/// # Errors
/// If writing fails.
pub(crate) fn own_gif<W: Write>(
    to: W,
    [width, height]: [u16; 2],
) -> Result<Encoder<W>, EncodingError> {
    let mut encoder = Encoder::new(to, width, height, &[])?;
    let name = PROGRAM.as_bytes();
    encoder.write_raw_extension(Extension::Comment.into(), &[name])?;
    Ok(encoder)
}
