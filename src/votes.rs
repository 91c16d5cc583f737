//! Soft votes: the probability of every class in every pixel (equation 9), scaled before the decision.
//! Outlines between the network's pixels then run where two classes are equally probable, and several
//! looks at a photo can be added up.

mod doubt;

pub use doubt::Doubt;

mod blend;
mod guided;

pub use blend::{Blend, Strips};
pub use guided::Outlines;

use crate::encoding::Centroids;
use crate::labels::{IGNORE, Taps, taps};
use rayon::prelude::*;
use std::ops::Range;

/// Maximum bytes of the votes of a picture that are kept as they are. Larger ones are not filtered along
/// their photo, and windows are decided strip by strip.
pub const WHOLE: usize = 256 << 20;

/// What is added to every squared distance, as in training.
pub(crate) const EPSILON: f32 = 0.01;

/// The probabilities of all classes over a picture, summed over looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Votes {
    size: [usize; 2],
    classes: usize,
    /// `[H, W, N]`
    shares: Vec<f32>,
}

impl Votes {
    /// Votes of a state `[d, H, W]`: `p_k` of equation 9 with the logarithm at temperature 1.
    pub fn of(centroids: &Centroids, state: &[f32], size: [usize; 2]) -> Self {
        let (classes, dims, pixels) = (centroids.len(), centroids.dims(), size[0] * size[1]);
        let codes = centroids.flat_f32();
        // Axis by axis, so that the distances to all classes are computed side by side: `[d, N]`.
        let along: Vec<f32> = (0..dims)
            .flat_map(|axis| codes.iter().skip(axis).step_by(dims).copied())
            .collect();
        let mut shares = vec![0.0f32; pixels * classes];
        shares
            .par_chunks_exact_mut(classes.max(1))
            .enumerate()
            .for_each(|(pixel, shares)| {
                for (axis, along) in along.chunks_exact(classes.max(1)).enumerate() {
                    let value = state[axis * pixels + pixel];
                    for (distance, mu) in shares.iter_mut().zip(along) {
                        let offset = value - mu;
                        *distance += offset * offset;
                    }
                }
                let mut sum = 0.0;
                for share in shares.iter_mut() {
                    *share = 1.0 / (*share + EPSILON);
                    sum += *share;
                }
                shares.iter_mut().for_each(|share| *share /= sum);
            });
        Self {
            size,
            classes,
            shares,
        }
    }

    /// One-hot votes for given labels.
    #[cfg(test)]
    pub(crate) fn for_labels(labels: &[u16], classes: usize, size: [usize; 2]) -> Self {
        let centroids = Centroids::kronecker(classes);
        Self::of(&centroids, &centroids.encode(labels), size)
    }

    /// The sum over several looks, at the size of the first; `None` without any.
    pub fn sum(looks: impl IntoIterator<Item = Self>) -> Option<Self> {
        looks.into_iter().reduce(|mut sum, look| {
            sum.add(&look);
            sum
        })
    }

    /// The probabilities `[N]` of a pixel, by its index in reading order.
    pub fn at(&self, pixel: usize) -> &[f32] {
        &self.shares[pixel * self.classes..][..self.classes]
    }

    /// The same votes, flipped left to right.
    pub fn mirrored(mut self) -> Self {
        let (width, classes) = (self.size[1], self.classes);
        self.shares
            .par_chunks_exact_mut((width * classes).max(1))
            .for_each(|row| {
                for left in 0..width / 2 {
                    let (before, after) = row.split_at_mut((width - 1 - left) * classes);
                    before[left * classes..][..classes].swap_with_slice(&mut after[..classes]);
                }
            });
        self
    }

    /// Adds the votes of another look at the photo, scaled to this size.
    pub fn add(&mut self, other: &Votes) {
        let (to, classes) = (self.size, self.classes);
        self.shares
            .par_chunks_exact_mut((to[1] * classes).max(1))
            .enumerate()
            .for_each(|(row, sums)| {
                let row = Row::new(&other.rows(), row, to);
                for (column, sums) in sums.chunks_exact_mut(classes).enumerate() {
                    row.each(column, |class, share| sums[class] += share);
                }
            });
    }

    /// The most probable class of every pixel at another size, `[height, width]`, and its
    /// probability, 0 to 1. Probabilities are interpolated bilinearly. Ties go to the lower index.
    pub fn decide(&self, to: [usize; 2]) -> (Vec<u16>, Vec<f32>) {
        let (mut labels, mut probabilities) = (vec![0; to[0] * to[1]], vec![0.0; to[0] * to[1]]);
        let (rows, looks, width) = (self.rows(), self.looks(), to[1].max(1));
        labels
            .par_chunks_exact_mut(width)
            .zip(probabilities.par_chunks_exact_mut(width))
            .enumerate()
            .for_each(|(row, (labels, probabilities))| {
                let row = Row::new(&rows, row, to);
                for (column, (label, probability)) in
                    labels.iter_mut().zip(probabilities).enumerate()
                {
                    let (class, share) = row.best(column);
                    (*label, *probability) = (class, share / looks);
                }
            });
        (labels, probabilities)
    }

    /// The probability, 0 to 1, of the given label of every pixel at another size, `[height, width]`,
    /// interpolated as in [`decide`](Self::decide); 0 for a label that is not a class.
    pub fn probabilities(&self, labels: &[u16], to: [usize; 2]) -> Vec<f32> {
        let mut probabilities = vec![0.0; to[0] * to[1]];
        let (rows, looks, width) = (self.rows(), self.looks(), to[1].max(1));
        probabilities
            .par_chunks_exact_mut(width)
            .zip(labels.par_chunks_exact(width))
            .enumerate()
            .for_each(|(row, (probabilities, labels))| {
                let row = Row::new(&rows, row, to);
                for (column, (probability, label)) in
                    probabilities.iter_mut().zip(labels).enumerate()
                {
                    row.each(column, |class, share| {
                        if class == usize::from(*label) {
                            *probability = share / looks;
                        }
                    });
                }
            });
        probabilities
    }

    /// The labels that [`decide`](Self::decide) returns.
    pub fn labels(&self, to: [usize; 2]) -> Vec<u16> {
        self.labels_above(to, 0.0)
    }

    /// The labels of [`decide`](Self::decide), with [`IGNORE`] where the probability is below `least`.
    pub fn labels_above(&self, to: [usize; 2], least: f32) -> Vec<u16> {
        let mut labels = vec![0; to[0] * to[1]];
        let least = least * self.looks();
        self.rows().label(to, 0..to[0], least, &mut labels);
        labels
    }

    /// `[height, width]`
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            size: self.size,
            classes: self.classes,
            first: 0,
            shares: &self.shares,
        }
    }

    /// The number of looks that were added up: each adds 1 to the sum over the classes.
    fn looks(&self) -> f32 {
        let first = &self.shares[..self.classes.min(self.shares.len())];
        first.iter().sum::<f32>().max(f32::MIN_POSITIVE)
    }
}

/// Some rows of a picture's votes.
#[derive(Clone, Copy)]
struct Rows<'a> {
    /// `[height, width]` of the picture.
    size: [usize; 2],
    classes: usize,
    /// The index of the first of these rows.
    first: usize,
    /// `[rows, W, N]`
    shares: &'a [f32],
}

impl<'a> Rows<'a> {
    fn row(&self, row: usize) -> &'a [f32] {
        let length = self.size[1] * self.classes;
        &self.shares[(row - self.first) * length..][..length]
    }

    /// The most probable class of every pixel of rows `of` in a picture of size `to`, or [`IGNORE`] if
    /// its share is below `least`; `labels` are those of these rows.
    fn label(&self, to: [usize; 2], of: Range<usize>, least: f32, labels: &mut [u16]) {
        labels
            .par_chunks_exact_mut(to[1].max(1))
            .zip(of)
            .for_each(|(labels, row)| {
                let row = Row::new(self, row, to);
                for (column, label) in labels.iter_mut().enumerate() {
                    let (class, share) = row.best(column);
                    *label = if share < least { IGNORE } else { class };
                }
            });
    }
}

/// One row of votes at another size.
struct Row<'a> {
    /// The two rows to interpolate between, and the weight of the second.
    between: [&'a [f32]; 2],
    share: f32,
    classes: usize,
    /// The number of columns of the votes, and at the other size.
    widths: [usize; 2],
}

impl<'a> Row<'a> {
    fn new(rows: &Rows<'a>, row: usize, to: [usize; 2]) -> Self {
        let Taps { low, high, share } = taps(row, rows.size[0], to[0]);
        Self {
            between: [rows.row(low), rows.row(high)],
            share,
            classes: rows.classes,
            widths: [rows.size[1], to[1]],
        }
    }

    /// The class with the greatest share at a column, and that share.
    fn best(&self, column: usize) -> (u16, f32) {
        let mut best = (0, f32::NEG_INFINITY);
        self.each(column, |class, share| {
            if share > best.1 {
                best = (class as u16, share);
            }
        });
        best
    }

    /// Calls `f` with every class and its share at a column.
    fn each(&self, column: usize, mut f: impl FnMut(usize, f32)) {
        let [from, to] = self.widths;
        let ([top, bottom], fy) = (self.between, self.share);
        let across = taps(column, from, to);
        let (left, right, fx) = (across.low, across.high, across.share);
        let corner = |row: &'a [f32], column: usize| &row[column * self.classes..][..self.classes];
        let corners = [
            corner(top, left),
            corner(top, right),
            corner(bottom, left),
            corner(bottom, right),
        ];
        let weights = [
            (1.0 - fy) * (1.0 - fx),
            (1.0 - fy) * fx,
            fy * (1.0 - fx),
            fy * fx,
        ];
        let [a, b, c, d] = corners;
        let shares = a.iter().zip(b).zip(c).zip(d);
        for (class, (((a, b), c), d)) in shares.enumerate() {
            let share = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
            f(class, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(labels: &[u16], size: [usize; 2]) -> Votes {
        let centroids = Centroids::kronecker_in(4, 5);
        Votes::of(&centroids, &centroids.encode(labels), size)
    }

    #[test]
    fn probabilities_are_those_of_the_potential() {
        let centroids = Centroids::kronecker(5);
        let potential = crate::potential::Potential {
            operator: Default::default(),
            temperature: 1.0,
            epsilon: f64::from(EPSILON),
        };
        let state = [0.3f32, -0.2, 0.7];
        let votes = Votes::of(&centroids, &state, [1, 1]);
        let expected = potential.at(state.map(f64::from), centroids.points(), 0);
        for (found, expected) in votes.at(0).iter().zip(&expected.probability) {
            assert!((f64::from(*found) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn labels_come_back_and_scale_without_inventing_any() {
        let labels = [1, 1, 2, 2, 1, 1, 2, 2];
        let votes = votes(&labels, [2, 4]);
        assert_eq!(votes.labels([2, 4]), labels);
        let big = votes.labels([8, 16]);
        assert!(
            big.chunks(16)
                .all(|row| row[..8] == [1; 8] && row[8..] == [2; 8])
        );
    }

    #[test]
    fn doubtful_pixels_have_no_label() {
        let centroids = Centroids::kronecker(3);
        // One pixel at a centroid, one halfway between two.
        let codes = centroids.points();
        let middle: Vec<f64> = (0..3).map(|a| (codes[0][a] + codes[1][a]) / 2.0).collect();
        let state: Vec<f32> = (0..3)
            .flat_map(|a| [codes[2][a] as f32, middle[a] as f32])
            .collect();
        let mut votes = Votes::of(&centroids, &state, [1, 2]);
        let once = votes.decide([1, 2]).1;
        assert!(once[0] > 0.9 && once[1] < 0.6, "{once:?}");
        votes.add(&votes.clone());
        assert_eq!(votes.labels_above([1, 2], 0.7), [2, IGNORE]);
        for (twice, once) in votes.decide([1, 2]).1.iter().zip(once) {
            assert!((twice - once).abs() < 1e-6);
        }
        assert_ne!(votes.labels([1, 2])[1], IGNORE);
    }

    #[test]
    fn the_probability_of_what_was_decided_is_that_of_the_decision() {
        let mut votes = votes(&[0, 1, 2, 3], [2, 2]);
        votes.add(&votes.clone());
        let (labels, decided) = votes.decide([3, 5]);
        assert_eq!(votes.probabilities(&labels, [3, 5]), decided);
        let others: Vec<u16> = labels.iter().map(|label| (label + 1) % 4).collect();
        let others = votes.probabilities(&others, [3, 5]);
        assert!(
            others
                .iter()
                .zip(&decided)
                .all(|(other, best)| other <= best)
        );
        assert!(others[0] < decided[0]);
        assert_eq!(votes.probabilities(&[IGNORE; 15], [3, 5]), [0.0; 15]);
    }

    #[test]
    fn looks_add_up_and_mirrors_mirror() {
        let one = votes(&[0, 1, 2], [1, 3]);
        let mirrored = one.clone().mirrored();
        assert_eq!(mirrored.labels([1, 3]), [2, 1, 0]);
        // A second look at twice the size, certain of other classes at both ends.
        let mut sum = votes(&[0, 1, 2], [1, 3]);
        sum.add(&votes(&[3, 3, 1, 1, 2, 2], [1, 6]));
        sum.add(&votes(&[3, 3, 1, 1, 2, 2], [1, 6]));
        assert_eq!(sum.labels([1, 3]), [3, 1, 2]);
    }
}
