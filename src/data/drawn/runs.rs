//! COCO's run lengths in text form.

/// Decodes runs from text: five bits per character, lowest first; from the third run on, the difference
/// from the run two before. `None` for text that pycocotools would not have written.
pub(super) fn expanded(text: &str) -> Option<Vec<u32>> {
    const LAST: u8 = b'0' + 0x3f;
    let mut runs: Vec<u32> = Vec::new();
    let (mut value, mut shift) = (0i64, 0u32);
    for byte in text.bytes() {
        if !(b'0'..=LAST).contains(&byte) || shift > 35 {
            return None;
        }
        let bits = i64::from(byte - b'0');
        value |= (bits & 0x1f) << shift;
        shift += 5;
        if bits & 0x20 != 0 {
            continue;
        }
        if bits & 0x10 != 0 {
            value |= -1 << shift;
        }
        if let Some(before) = runs.len().checked_sub(2).filter(|before| *before > 0) {
            value += i64::from(runs[before]);
        }
        runs.push(u32::try_from(value).ok()?);
        (value, shift) = (0, 0);
    }
    (shift == 0).then_some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_as_pycocotools_writes_it() {
        // pycocotools' encoding of a 5x4 picture with ones in rows 1..3 and columns 1..4.
        assert_eq!(expanded("623000O"), Some(vec![6, 2, 3, 2, 3, 2, 2]));
        // The start of that of a 100x100 picture with ones in rows 10..30 and columns 40..60.
        assert_eq!(expanded("Zm3d0`20"), Some(vec![4010, 20, 80, 20]));
        assert_eq!(expanded(""), Some(Vec::new()));
        for wrong in ["Z", " ", "\u{e9}", "ooooooooooooooooo0", "J"] {
            assert_eq!(expanded(wrong), None, "{wrong}");
        }
    }
}
