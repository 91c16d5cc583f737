//! Masks and measures of uncertainty as NumPy arrays, in version 1.0 `.npy` files.

use super::mask::Mask;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The byte at which the data of a file begins: a multiple of 64, as the format wants. Such a file cannot name
/// the program that wrote it, but others begin the data of so few axes at byte 128 at the latest.
const START: usize = 256;
/// Magic number, version and the length of the header, which fills the file up to [`START`].
const HEAD: &[u8] = b"\x93NUMPY\x01\x00\xf6\x00";

/// A mask of shape `[height, width]`: `uint8` with 255 for pixels without a class if there are at most
/// 255 classes, else `uint16` with 65535 for them.
pub(super) fn encode(mask: &Mask) -> Vec<u8> {
    let [width, height] = mask.size().map(|side| side as usize);
    if mask.is_narrow() {
        let bytes = mask.labels.iter().map(|&label| label as u8);
        return array("|u1", [height, width], bytes);
    }
    let bytes = mask.labels.iter().flat_map(|label| label.to_le_bytes());
    array("<u2", [height, width], bytes)
}

/// Values `[height, width]` as `float32`.
pub(super) fn floats(values: &[f32], size: [usize; 2]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    array("<f4", size, bytes)
}

fn array(kind: &str, [height, width]: [usize; 2], data: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({height}, {width}), }}");
    // A newline ends the header.
    header.extend(std::iter::repeat_n(
        ' ',
        START - HEAD.len() - 1 - header.len(),
    ));
    header.push('\n');
    let mut bytes = HEAD.to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// Whether a file is an array that this program wrote.
pub(super) fn is_own(path: &Path) -> bool {
    header(path).is_some()
}

/// Width and height of an array that this program wrote.
pub(super) fn size(path: &Path) -> Option<[u32; 2]> {
    let header = header(path)?;
    let text = std::str::from_utf8(header.get(HEAD.len()..)?).ok()?;
    let (_, shape) = text.split_once("'shape': (")?;
    let (shape, _) = shape.split_once(')')?;
    let (height, width) = shape.split_once(", ")?;
    Some([width.parse().ok()?, height.parse().ok()?])
}

/// The bytes before the data of an array that this program wrote.
fn header(path: &Path) -> Option<[u8; START]> {
    let mut start = [0; START];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut start).ok()?;
    let is_own = start.starts_with(HEAD) && start.ends_with(b" \n");
    is_own.then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_where_it_says() {
        assert_eq!(
            HEAD.len() + usize::from(u16::from_le_bytes([HEAD[8], HEAD[9]])),
            START
        );
        for size in [[2, 3], [u32::MAX; 2]] {
            let sides = size.map(|side| side as usize);
            let bytes = array("<f4", sides, [7; 24].into_iter());
            assert_eq!((bytes.len(), bytes[START - 1]), (START + 24, b'\n'));
            assert_eq!(bytes[START..], [7; 24]);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            assert!(is_own(file.path()));
            assert_eq!(super::size(file.path()), Some([size[1], size[0]]));
        }
    }
}
