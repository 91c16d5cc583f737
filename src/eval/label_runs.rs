//! Masks as runs of equal labels: many of them fit into the memory.

/// Of each run of equal labels, the label and the number of pixels.
pub(super) type LabelRuns = Vec<(u16, u32)>;

pub(super) fn runs(labels: &[u16]) -> LabelRuns {
    let equal = labels.chunk_by(|a, b| a == b);
    equal.map(|run| (run[0], run.len() as u32)).collect()
}

/// The labels of [`runs`].
pub(super) fn from_runs(runs: &[(u16, u32)]) -> impl Iterator<Item = u16> {
    let each = runs.iter();
    each.flat_map(|&(label, pixels)| std::iter::repeat_n(label, pixels as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_come_back_from_their_runs() {
        assert_eq!(runs(&[3, 3, 3, 1, 3]), [(3, 3), (1, 1), (3, 1)]);
        for labels in [&[][..], &[7], &[0, 0, 2, 2, 2, 0]] {
            assert!(from_runs(&runs(labels)).eq(labels.iter().copied()));
        }
    }
}
