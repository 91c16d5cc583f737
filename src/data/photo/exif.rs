//! Reads the orientation from EXIF.

use image::metadata::Orientation;

/// The orientation tag.
const ORIENTATION: u16 = 0x112;

/// The orientation in a block, which has a prefix in JPEG files and some WebP files. No transformation
/// if it is damaged or states none.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    stated(block.strip_prefix(b"Exif\0\0").unwrap_or(block)).unwrap_or(Orientation::NoTransforms)
}

fn stated(tiff: &[u8]) -> Option<Orientation> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let word = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    for i in 0..usize::from(word(directory)?) {
        let entry = directory.checked_add(2 + 12 * i)?;
        if word(entry)? == ORIENTATION {
            // SHORT by the standard, LONG from some writers.
            let value = match word(entry + 2)? {
                3 => u32::from(word(entry + 8)?),
                4 => long(entry + 8)?,
                _ => return None,
            };
            return Orientation::from_exif(u8::try_from(value).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_and_kinds_of_number_are_read() {
        let little = |kind: u8| {
            let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
            block.extend([kind, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
            block
        };
        assert_eq!(orientation(&little(3)), Orientation::Rotate90);
        assert_eq!(orientation(&little(4)), Orientation::Rotate90);
        assert_eq!(orientation(&little(2)), Orientation::NoTransforms);
        let big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0";
        assert_eq!(orientation(big), Orientation::Rotate180);
        for end in 0..big.len() {
            orientation(&big[..end]);
        }
        assert_eq!(
            orientation(b"II*\0\xFF\xFF\xFF\xFF"),
            Orientation::NoTransforms
        );
    }
}
