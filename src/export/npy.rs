//! Masks and measures of doubt as NumPy arrays, in version 1.0 `.npy` files.

use super::mask::Mask;

/// The data of a file begins at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

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
    // Magic number, version and length take ten bytes, and a newline ends the header.
    while !(10 + header.len() + 1).is_multiple_of(ALIGNMENT) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
