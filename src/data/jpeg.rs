//! Whether a JPEG stream is whole.
//!
//! The decoder behind the `image` crate runs in its lenient mode, which turns a half-copied file
//! into a photo whose lower part is grey. Such a photo would quietly spoil a training set, so the
//! end-of-image marker is looked for before decoding.

/// Walks the segments of a JPEG stream and says whether its own end-of-image marker is there.
///
/// Searching the bytes for `FF D9` would not do: an embedded thumbnail ends in one too, and phones
/// append whole further images after the first.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2; // past the start-of-image marker
    let mut in_scan = false;
    loop {
        let Some(found) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|&b| b == 0xFF))
        else {
            return false;
        };
        at += found + 1;
        // Any number of fill bytes may stand before a marker.
        while bytes.get(at) == Some(&0xFF) {
            at += 1;
        }
        let Some(&marker) = bytes.get(at) else {
            return false;
        };
        at += 1;
        match marker {
            0xD9 => return true,
            // A stuffed zero, a restart marker, and markers that carry no length.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            // Inside entropy-coded data other values are damage that the decoder judges.
            0x02..=0xBF if in_scan => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([high, low])).max(2);
                in_scan = marker == 0xDA;
            }
        }
    }
}
