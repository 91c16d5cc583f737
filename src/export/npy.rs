//! Masks as NumPy arrays.

use super::mask::Mask;

/// Bytes that the data of a file has to begin at a multiple of.
const ALIGNMENT: usize = 64;

/// A version 1.0 `.npy` file of shape `[height, width]`: `uint8` with pixels without a class as 255
/// for up to 255 classes, else `uint16` with those as 65535.
pub(super) fn encode(mask: &Mask) -> Vec<u8> {
    let [width, height] = mask.size();
    let kind = if mask.is_narrow() { "|u1" } else { "<u2" };
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({height}, {width}), }}");
    // Magic number, version and length take ten bytes, and a line end closes the header.
    while !(10 + header.len() + 1).is_multiple_of(ALIGNMENT) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    if mask.is_narrow() {
        bytes.extend(mask.labels.iter().map(|&label| label as u8))
    } else {
        bytes.extend(mask.labels.iter().flat_map(|label| label.to_le_bytes()))
    }
    bytes
}
