//! Boundary IoU (Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation"):
//! the IoU of the bands along the outlines, which a large interior cannot dominate.

use crate::labels::IGNORE;

/// Width of a band, as a fraction of the picture's diagonal.
const BAND: f64 = 0.02;

/// Pixels in the bands of truth and prediction, per class.
#[derive(Clone, Debug, PartialEq)]
pub struct Boundary {
    both: Vec<u64>,
    either: Vec<u64>,
    /// Which classes labels can have, as in [`Confusion::of`](super::Confusion::of).
    known: Vec<bool>,
}

impl Boundary {
    /// No pixels yet, for classes of which labels can have those that are `known`.
    pub fn of(known: Vec<bool>) -> Self {
        Self {
            both: vec![0; known.len()],
            either: vec![0; known.len()],
            known,
        }
    }

    /// Counts a photo of `size`, `[height, width]`. Pixels whose truth is not a class (ignored ones)
    /// belong to no region of either map.
    pub fn add(&mut self, truth: &[u16], prediction: &[u16], size: [usize; 2]) {
        let classes = self.both.len();
        let labelled = |label: u16| usize::from(label) < classes;
        let known = |(&truth, &label): (&u16, &u16)| if labelled(truth) { label } else { IGNORE };
        let truth: Vec<u16> = truth.iter().zip(truth).map(known).collect();
        let prediction: Vec<u16> = truth.iter().zip(prediction).map(known).collect();
        let [height, width] = size.map(|side| side as f64);
        let distance = ((BAND * height.hypot(width)).round() as usize).max(1);
        let bands = [&truth, &prediction].map(|labels| band(labels, size, distance));
        for i in 0..truth.len() {
            let of = |map: usize, label: u16| {
                (bands[map][i] && labelled(label)).then_some(usize::from(label))
            };
            let (a, b) = (of(0, truth[i]), of(1, prediction[i]));
            if a == b {
                if let Some(class) = a {
                    self.both[class] += 1;
                    self.either[class] += 1;
                }
            } else {
                for class in a.into_iter().chain(b) {
                    self.either[class] += 1;
                }
            }
        }
    }

    /// The boundary IoU of every class; `None` for a class without a band.
    pub fn iou(&self) -> Vec<Option<f64>> {
        let pairs = self.both.iter().zip(&self.either).zip(&self.known);
        pairs
            .map(|((&both, &either), &known)| {
                (known && either > 0).then(|| both as f64 / either as f64)
            })
            .collect()
    }

    /// The mean over the classes that have one, 0 to 1.
    pub fn mean(&self) -> Option<f64> {
        let found: Vec<f64> = self.iou().into_iter().flatten().collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }
}

/// Which pixels are within `distance` (in the maximum norm) of a pixel of another label or of the
/// picture's border.
fn band(labels: &[u16], [height, width]: [usize; 2], distance: usize) -> Vec<bool> {
    // A pixel is in the interior if the square around it has one label: first along rows, then columns.
    let rows = inner(labels, width, height, [1, width], distance, |_| true);
    let inside = inner(labels, height, width, [width, 1], distance, |at| rows[at]);
    inside.into_iter().map(|inside| !inside).collect()
}

/// For `lines` lines of `length` pixels, with stride `step` within a line and `next` between lines:
/// whether all pixels within `distance` along the line have the same label and pass `also`.
fn inner(
    labels: &[u16],
    length: usize,
    lines: usize,
    [step, next]: [usize; 2],
    distance: usize,
    also: impl Fn(usize) -> bool,
) -> Vec<bool> {
    let mut inside = vec![false; labels.len()];
    for line in 0..lines {
        let at = |i: usize| line * next + i * step;
        let mut start = 0;
        while start < length {
            let label = labels[at(start)];
            let same = |&i: &usize| labels[at(i)] == label && also(at(i));
            let end = start + (start..length).take_while(same).count();
            for i in start + distance..end.saturating_sub(distance) {
                inside[at(i)] = true;
            }
            start = end.max(start + 1);
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The definition: erosion of each class's mask by a square, with an empty outside.
        #[test]
        fn bands_are_what_erosion_takes_away(
            (width, height) in (1usize..12, 1usize..12),
            distance in 1usize..4,
            seed in any::<u64>(),
        ) {
            let mut random = seed;
            let labels: Vec<u16> = (0..width * height)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    u16::from(random >> 62 == 0)
                })
                .collect();
            let found = band(&labels, [height, width], distance);
            let d = distance as isize;
            for (i, &found) in found.iter().enumerate() {
                let (x, y) = ((i % width) as isize, (i / width) as isize);
                let inside = (y - d..=y + d).all(|v| {
                    (x - d..=x + d).all(|u| {
                        (0..width as isize).contains(&u)
                            && (0..height as isize).contains(&v)
                            && labels[v as usize * width + u as usize] == labels[i]
                    })
                });
                prop_assert_eq!(found, !inside);
            }
        }
    }

    #[test]
    fn a_shifted_square_keeps_its_inside_and_loses_its_outline() {
        let size = [100, 100];
        let square = |from: usize| -> Vec<u16> {
            let covers =
                |i: usize| (from..from + 40).contains(&(i % 100)) && (30..70).contains(&(i / 100));
            (0..10_000).map(|i| u16::from(covers(i))).collect()
        };
        let (truth, shifted) = (square(30), square(33));
        let score = |prediction: &[u16]| {
            let mut boundary = Boundary::of(vec![true; 2]);
            boundary.add(&truth, prediction, size);
            boundary.iou()[1].unwrap()
        };
        assert_eq!(score(&truth), 1.0);
        let mut confusion = crate::eval::Confusion::new(2);
        confusion.add(&truth, &shifted);
        let whole = confusion.scores().iou[1].unwrap();
        assert!(
            score(&shifted) < 0.7 && whole > 0.85,
            "{} {whole}",
            score(&shifted)
        );
    }

    #[test]
    fn ignored_pixels_are_in_no_band() {
        let truth = vec![IGNORE; 25];
        let mut boundary = Boundary::of(vec![true; 2]);
        boundary.add(&truth, &[1; 25], [5, 5]);
        assert_eq!((boundary.mean(), boundary.iou()), (None, vec![None, None]));
    }
}
