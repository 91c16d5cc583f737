//! Votes of overlapping windows, blended into those of the whole picture from top to bottom.
//!
//! The weights of all windows at a pixel add up to 1, so that votes on which windows agree are
//! unchanged. Rows that no later window reaches are final: [`Strips`] decides and drops them, so that
//! memory holds only the height of one row of windows, whatever the height of the picture.

use super::{Rows, Votes};
use crate::labels::taps;

/// The sum of weighted windows over some rows of a picture.
#[derive(Clone, Debug)]
pub struct Blend {
    size: [usize; 2],
    classes: usize,
    /// The first row in memory.
    first: usize,
    /// `[rows, W, N]`
    shares: Vec<f32>,
}

impl Blend {
    /// No votes yet, for a picture of `size`, `[height, width]`.
    pub fn new(size: [usize; 2], classes: usize) -> Self {
        Self {
            size,
            classes,
            first: 0,
            shares: Vec::new(),
        }
    }

    /// Adds a window whose first pixel is at `at`, `[row, column]`, multiplied by the weights of its
    /// rows and columns. Its rows must not have been dropped yet.
    pub fn add(&mut self, window: &Votes, at: [usize; 2], weights: [&[f32]; 2]) {
        let ([height, width], classes) = (window.size, self.classes);
        let length = self.size[1] * classes;
        let below = (at[0] + height).min(self.size[0]) - self.first;
        if self.shares.len() < below * length {
            self.shares.resize(below * length, 0.0);
        }
        let rows = window.shares.chunks_exact((width * classes).max(1));
        for (row, (shares, down)) in rows.zip(weights[0]).enumerate() {
            let first = (at[0] + row - self.first) * length + at[1] * classes;
            let sums = &mut self.shares[first..first + width * classes];
            let pixels = sums
                .chunks_exact_mut(classes)
                .zip(shares.chunks_exact(classes));
            for ((sums, shares), across) in pixels.zip(weights[1]) {
                let weight = down * across;
                for (sum, share) in sums.iter_mut().zip(shares) {
                    *sum += weight * share;
                }
            }
        }
    }

    /// The votes of the whole picture; 0 where no window was added.
    pub fn whole(mut self) -> Votes {
        let [height, width] = self.size;
        self.shares.resize(height * width * self.classes, 0.0);
        Votes {
            size: self.size,
            classes: self.classes,
            shares: self.shares,
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            size: self.size,
            classes: self.classes,
            first: self.first,
            shares: &self.shares,
        }
    }

    fn drop_above(&mut self, row: usize) {
        let rows = row.saturating_sub(self.first);
        let length = rows * self.size[1] * self.classes;
        self.shares.drain(..length.min(self.shares.len()));
        self.first += rows;
    }
}

/// A picture that is decided strip by strip while windows are blended.
pub struct Strips {
    blend: Blend,
    to: [usize; 2],
    /// Pixels whose greatest share is below this stay undecided.
    least: f32,
    /// `[height, width]` of the other size.
    labels: Vec<u16>,
    /// Number of decided rows.
    decided: usize,
    coarse: Votes,
    /// Number of rows that the coarse votes contain.
    gathered: usize,
}

impl Strips {
    /// Decides at size `to`, `[height, width]`. Pixels whose class has a share below `least` are
    /// [`IGNORE`](crate::labels::IGNORE) (the sum over the classes is the number of looks). The votes
    /// themselves are kept at size `coarse`.
    pub fn new(blend: Blend, to: [usize; 2], least: f32, coarse: [usize; 2]) -> Self {
        let coarse = [0, 1].map(|axis| coarse[axis].clamp(1, blend.size[axis].max(1)));
        Self {
            to,
            least,
            labels: vec![0; to[0] * to[1]],
            decided: 0,
            coarse: Votes {
                size: coarse,
                classes: blend.classes,
                shares: vec![0.0; coarse[0] * coarse[1] * blend.classes],
            },
            gathered: 0,
            blend,
        }
    }

    /// Where windows are added.
    pub fn blend(&mut self) -> &mut Blend {
        &mut self.blend
    }

    /// Decides the pixels that depend only on rows above `row`, which no later window may reach.
    pub fn decide_above(&mut self, row: usize) {
        self.gather(row);
        let [height, width] = self.to;
        let from = self.blend.size[0];
        let mut end = self.decided;
        while end < height && taps(end, from, height).high < row {
            end += 1;
        }
        let rows = self.decided..end;
        let labels = &mut self.labels[rows.start * width..rows.end * width];
        self.blend.rows().label(self.to, rows, self.least, labels);
        self.decided = end;
        // Interpolation of the next row also needs the row above.
        let needed = if end < height {
            taps(end, from, height).low
        } else {
            row
        };
        self.blend.drop_above(needed.min(row));
    }

    /// The labels `[height, width]`, and the votes at the coarse size.
    pub fn finish(mut self) -> (Vec<u16>, Votes) {
        self.decide_above(self.blend.size[0]);
        (self.labels, self.coarse)
    }

    /// Adds final rows to the coarse votes: every coarse pixel is the mean of those that fall into it.
    fn gather(&mut self, row: usize) {
        let ([height, width], [rows, columns]) = (self.blend.size, self.coarse.size);
        let classes = self.blend.classes;
        let row_of = |row: usize| row * rows / height;
        let columns_of: Vec<usize> = (0..width).map(|column| column * columns / width).collect();
        let mut counts = vec![0.0f32; columns];
        columns_of.iter().for_each(|&column| counts[column] += 1.0);
        let votes = self.blend.rows();
        for row in self.gathered..row {
            let into = row_of(row);
            // Rows of the same target: from its first row to the first of the next target.
            let first = (into * height).div_ceil(rows);
            let after = ((into + 1) * height).div_ceil(rows);
            let sums = &mut self.coarse.shares[into * columns * classes..][..columns * classes];
            let pixels = votes.row(row).chunks_exact(classes.max(1));
            for (pixel, &column) in pixels.zip(&columns_of) {
                let weight = 1.0 / (counts[column] * (after - first) as f32);
                let sums = &mut sums[column * classes..][..classes];
                for (sum, share) in sums.iter_mut().zip(pixel) {
                    *sum += weight * share;
                }
            }
        }
        self.gathered = self.gathered.max(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes that differ from pixel to pixel.
    fn votes([height, width]: [usize; 2], classes: usize) -> Votes {
        let share = |i: usize| ((i * 7919 + i / 3) % 101) as f32 / 101.0;
        Votes {
            size: [height, width],
            classes,
            shares: (0..height * width * classes).map(share).collect(),
        }
    }

    /// Some rows of votes as a window.
    fn part(votes: &Votes, rows: std::ops::Range<usize>) -> Votes {
        let length = votes.size[1] * votes.classes;
        Votes {
            size: [rows.len(), votes.size[1]],
            classes: votes.classes,
            shares: votes.shares[rows.start * length..rows.end * length].to_vec(),
        }
    }

    #[test]
    fn strips_decide_as_the_whole_does() {
        let whole = votes([23, 9], 4);
        let one = [1.0; 23];
        for to in [[23, 9], [61, 40], [7, 5], [24, 9]] {
            let mut strips = Strips::new(Blend::new([23, 9], 4), to, 0.7, [23, 9]);
            for rows in [0..5, 5..6, 6..14, 14..23] {
                let window = part(&whole, rows.clone());
                let weights = [&one[..rows.len()], &one[..9]];
                strips.blend().add(&window, [rows.start, 0], weights);
                strips.decide_above(rows.end);
                assert!(strips.blend.shares.len() <= 10 * 9 * 4);
            }
            let (labels, votes) = strips.finish();
            let mut expected = vec![0; to[0] * to[1]];
            whole.rows().label(to, 0..to[0], 0.7, &mut expected);
            assert_eq!(labels, expected, "{to:?}");
            assert_eq!(votes, whole);
        }
    }

    #[test]
    fn coarse_votes_are_means() {
        let whole = votes([4, 6], 2);
        let mut strips = Strips::new(Blend::new([4, 6], 2), [4, 6], 0.0, [2, 3]);
        strips.blend().add(&whole, [0, 0], [&[1.0; 4], &[1.0; 6]]);
        let (_, coarse) = strips.finish();
        for (row, column, class) in [(0, 0, 0), (1, 2, 1)] {
            let fine = [0, 1].map(|down| {
                [0, 1].map(|right| whole.at((2 * row + down) * 6 + 2 * column + right)[class])
            });
            let mean = fine.concat().iter().sum::<f32>() / 4.0;
            assert!((coarse.at(row * 3 + column)[class] - mean).abs() < 1e-6);
        }
    }

    #[test]
    fn windows_add_up_to_the_whole() {
        let whole = votes([5, 4], 3);
        let mut blend = Blend::new([5, 4], 3);
        // Rows 2 and 3 are in both windows.
        let (first, second) = (part(&whole, 0..4), part(&whole, 2..5));
        blend.add(&first, [0, 0], [&[1.0, 1.0, 0.75, 0.25], &[1.0; 4]]);
        blend.add(&second, [2, 0], [&[0.25, 0.75, 1.0], &[1.0; 4]]);
        let blended = blend.whole();
        for (found, expected) in blended.shares.iter().zip(&whole.shares) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
