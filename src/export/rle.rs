//! COCO's run-length encoding: column by column from the top left, the lengths of runs outside and
//! inside in turn.

use super::regions::Regions;

/// The runs of every region of a map, in the order of its list.
pub(super) fn counts(regions: &Regions) -> Vec<Vec<u32>> {
    let (width, height) = (regions.width, regions.height());
    let pixels = regions.map.len();
    let mut counts = vec![Vec::new(); regions.list.len()];
    // Where the last run of every region ended.
    let mut ends = vec![0; regions.list.len()];
    let mut at = 0;
    for x in 0..width {
        let mut y = 0;
        while y < height {
            let region = regions.map[y * width + x];
            let start = y;
            while y < height && regions.map[y * width + x] == region {
                y += 1;
            }
            let length = (y - start) as u32;
            let (counts, end) = (&mut counts[region as usize], &mut ends[region as usize]);
            match counts.last_mut() {
                // The run continues from the bottom of one column to the top of the next.
                Some(last) if *end == at => *last += length,
                _ => counts.extend([(at - *end) as u32, length]),
            }
            at += y - start;
            *end = at;
        }
    }
    for (counts, end) in counts.iter_mut().zip(ends) {
        if end < pixels {
            counts.push((pixels - end) as u32);
        }
    }
    counts
}

/// Runs as the printable string that COCO's own tools write: from the third run on, the difference from
/// the run two before, five bits per character, lowest first.
pub(super) fn compressed(counts: &[u32]) -> String {
    let mut text = String::new();
    for (at, &count) in counts.iter().enumerate() {
        let before = at.checked_sub(2).filter(|&before| before > 0);
        let mut rest = i64::from(count) - before.map_or(0, |before| i64::from(counts[before]));
        loop {
            let bits = rest & 0x1f;
            rest >>= 5;
            // The fifth bit is the sign of what is left.
            let more = if bits & 0x10 != 0 {
                rest != -1
            } else {
                rest != 0
            };
            let character = bits as u8 + if more { 0x20 } else { 0 } + b'0';
            text.push(char::from(character));
            if !more {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::regions::tests::{drawn, maps};
    use super::*;
    use proptest::prelude::*;

    /// The inverse of [`compressed`], after `rleFrString` of COCO's tools.
    fn expanded(text: &str) -> Vec<u32> {
        let mut counts: Vec<i64> = Vec::new();
        let mut bytes = text.bytes().map(|byte| i64::from(byte - b'0'));
        while let Some(mut byte) = bytes.next() {
            let (mut value, mut shift) = (byte & 0x1f, 5);
            while byte & 0x20 != 0 {
                byte = bytes.next().unwrap();
                value |= (byte & 0x1f) << shift;
                shift += 5;
            }
            if byte & 0x10 != 0 {
                value |= -1 << shift;
            }
            if counts.len() > 2 {
                value += counts[counts.len() - 2];
            }
            counts.push(value);
        }
        counts.into_iter().map(|count| count as u32).collect()
    }

    #[test]
    fn runs_go_down_the_columns() {
        let labels = drawn(&["110", "100"]);
        let counts = counts(&Regions::of(&labels, 3));
        assert_eq!(counts, [vec![0, 3, 3], vec![3, 3]]);
        // The result of pycocotools for a square of 20 pixels in a picture of 100 x 100.
        let mut labels = vec![0u16; 10_000];
        for y in 10..30 {
            labels[y * 100 + 40..y * 100 + 60].fill(1);
        }
        let counts = super::counts(&Regions::of(&labels, 100));
        assert_eq!(counts[1].len(), 41);
        assert_eq!(&counts[1][..4], [4010, 20, 80, 20]);
        assert_eq!(expanded(&compressed(&counts[1])), counts[1]);
    }

    proptest! {
        #[test]
        fn runs_decode_to_the_region((labels, width) in maps()) {
            let regions = Regions::of(&labels, width);
            let height = regions.height();
            for (id, counts) in counts(&regions).iter().enumerate() {
                prop_assert_eq!(&expanded(&compressed(counts)), counts);
                let flags = counts.iter().enumerate();
                let pixels: Vec<bool> = flags
                    .flat_map(|(i, &count)| vec![i % 2 == 1; count as usize])
                    .collect();
                prop_assert_eq!(pixels.len(), labels.len());
                for (at, inside) in pixels.iter().enumerate() {
                    let region = regions.map[at % height * width + at / height];
                    prop_assert_eq!(region as usize == id, *inside);
                }
            }
        }

        #[test]
        fn any_runs_survive(counts in proptest::collection::vec(0u32..300_000_000, 0..9)) {
            prop_assert_eq!(expanded(&compressed(&counts)), counts);
        }
    }
}
