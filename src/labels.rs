//! Label maps: a class index for every pixel.

mod bilinear;
mod render;

pub use bilinear::bilinear;
pub(crate) use bilinear::{Taps, taps};
pub use render::{errors, mask};

/// The label of a pixel that has no class: it is neither trained on nor scored.
pub const IGNORE: u16 = u16::MAX;

/// The labels of one photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    pub width: usize,
    pub height: usize,
    /// `[height, width]`, row-major: a class index or [`IGNORE`].
    pub data: Vec<u16>,
}

/// Classes in ascending order, each with its pixel count.
pub(crate) type ClassPixels = Vec<(u16, u64)>;

impl LabelMap {
    /// Those of the first `classes` classes that occur, with their pixel counts.
    pub(crate) fn present_classes(&self, classes: usize) -> ClassPixels {
        let counts = counts(&self.data, classes);
        let present = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
        present
            .map(|(class, count)| (class, count as u64))
            .collect()
    }

    /// The labels resampled to `[height, width]`: each pixel takes the label under its centre.
    pub fn scaled(&self, size: [usize; 2]) -> Vec<u16> {
        let nearest = |from: usize, to: usize| {
            let step = from as f32 / to as f32;
            let under = move |i| ((i as f32 + 0.5) * step) as usize;
            (0..to).map(move |i| under(i).min(from - 1))
        };
        let columns: Vec<usize> = nearest(self.width, size[1]).collect();
        let rows = nearest(self.height, size[0]);
        rows.flat_map(|y| columns.iter().map(move |x| self.data[y * self.width + x]))
            .collect()
    }
}

/// The number of pixels of each class: `[classes]`. Labels outside the table (such as ignored
/// pixels) are not counted.
pub fn counts(labels: &[u16], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(usize::from(label)) {
            *count += 1;
        }
    }
    counts
}

/// Each class's share of the pixels, in `[0, 1]`: `[classes]`. The shares sum to less than 1 if
/// some labels are outside the table, and to 0 for an empty map.
pub fn shares(labels: &[u16], classes: usize) -> Vec<f32> {
    let total = labels.len().max(1) as f32;
    let counts = counts(labels, classes);
    counts.iter().map(|&count| count as f32 / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_classes_and_no_others() {
        assert_eq!(shares(&[0, 2, 2, u16::MAX], 3), [0.25, 0.0, 0.5]);
        assert_eq!(shares(&[], 2), [0.0, 0.0]);
    }

    #[test]
    fn present_classes_leave_out_absent_and_ignored_ones() {
        let map = LabelMap {
            width: 2,
            height: 2,
            data: vec![3, IGNORE, 1, 3],
        };
        assert_eq!(map.present_classes(5), [(1, 1), (3, 2)]);
    }

    #[test]
    fn scaling_takes_the_label_under_each_centre() {
        let map = LabelMap {
            width: 4,
            height: 2,
            data: vec![0, 1, 2, 3, 4, 5, 6, IGNORE],
        };
        assert_eq!(map.scaled([2, 4]), map.data);
        // Two columns have their centres at 1 and 3, one row at 1.
        assert_eq!(map.scaled([1, 2]), [5, IGNORE]);
        assert_eq!(
            map.scaled([2, 8]),
            [
                0, 0, 1, 1, 2, 2, 3, 3, //
                4, 4, 5, 5, 6, 6, IGNORE, IGNORE
            ]
        );
    }
}
