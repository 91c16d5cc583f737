//! How certain the votes of a pixel are.

use super::{Row, Votes};
use rayon::prelude::*;

/// A measure of uncertainty, computed from the probabilities of a pixel's N classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// `p1`, the probability of the most probable class: 1 if certain, at least 1/N.
    #[default]
    Probability,
    /// `p1 - p2`, its lead over the second class: 1 if certain, 0 for a tie.
    Margin,
    /// `-sum(p ln p) / ln N`, the entropy relative to its maximum: 0 if certain, 1 if all classes are
    /// equally probable.
    Entropy,
}

impl Doubt {
    pub const ALL: [Self; 3] = [Self::Probability, Self::Margin, Self::Entropy];

    /// The measure for probabilities that add up to 1.
    pub fn of(self, probabilities: &[f32]) -> f32 {
        match self {
            Self::Probability => first_two(probabilities)[0],
            Self::Margin => {
                let [first, second] = first_two(probabilities);
                first - second
            }
            Self::Entropy => {
                // A single class has entropy 0; the divisor must not be 0.
                let greatest = (probabilities.len().max(2) as f32).ln();
                let present = probabilities.iter().filter(|p| **p > 0.0);
                let sum: f32 = present.map(|p| -p * p.ln()).sum();
                (sum / greatest).clamp(0.0, 1.0)
            }
        }
    }

    /// A value of this measure as uncertainty: 0 if certain, 1 at most.
    pub fn as_doubt(self, value: f32) -> f32 {
        match self {
            Self::Probability | Self::Margin => 1.0 - value,
            Self::Entropy => value,
        }
    }
}

/// The greatest and the second greatest probability; 0 if there is none.
fn first_two(probabilities: &[f32]) -> [f32; 2] {
    probabilities
        .iter()
        .fold([0.0, 0.0], |[first, second], &p| {
            if p > first {
                [p, first]
            } else {
                [first, second.max(p)]
            }
        })
}

impl Votes {
    /// A measure of uncertainty for every pixel at another size, `[height, width]`; probabilities are
    /// interpolated bilinearly.
    pub fn doubt(&self, doubt: Doubt, to: [usize; 2]) -> Vec<f32> {
        let (rows, looks) = (self.rows(), self.looks());
        let mut values = vec![0.0; to[0] * to[1]];
        values
            .par_chunks_exact_mut(to[1].max(1))
            .enumerate()
            .for_each_init(Vec::new, |probabilities, (row, values)| {
                let row = Row::new(&rows, row, to);
                for (column, value) in values.iter_mut().enumerate() {
                    probabilities.clear();
                    row.each(column, |_, share| probabilities.push(share / looks));
                    *value = doubt.of(probabilities);
                }
            });
        values
    }

    /// The mean entropy over the network's pixels, 0 to 1 (see [`Doubt::Entropy`]).
    pub fn mean_doubt(&self) -> f64 {
        let entropy = self.doubt(Doubt::Entropy, self.size);
        let sum: f64 = entropy.iter().copied().map(f64::from).sum();
        sum / entropy.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;

    #[track_caller]
    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
    }

    #[test]
    fn measures_of_known_probabilities() {
        let some = [0.25, 0.5, 0.125, 0.125];
        near(Doubt::Probability.of(&some), 0.5);
        near(Doubt::Margin.of(&some), 0.25);
        // 1/4 ln 4 + 1/2 ln 2 + 2/8 ln 8 = 7/4 ln 2, of 2 ln 2.
        near(Doubt::Entropy.of(&some), 0.875);
        for (doubt, certain, open) in [
            (Doubt::Probability, 1.0, 0.25),
            (Doubt::Margin, 1.0, 0.0),
            (Doubt::Entropy, 0.0, 1.0),
        ] {
            near(doubt.of(&[0.0, 0.0, 1.0, 0.0]), certain);
            near(doubt.of(&[0.25; 4]), open);
            near(doubt.as_doubt(certain), 0.0);
        }
        near(Doubt::Margin.of(&[0.4, 0.4, 0.2]), 0.0);
        // A single class is certain by every measure.
        for doubt in Doubt::ALL {
            near(doubt.as_doubt(doubt.of(&[1.0])), 0.0);
        }
    }

    #[test]
    fn maps_follow_the_votes_at_every_size_and_number_of_looks() {
        let centroids = Centroids::kronecker(3);
        // One pixel at a centroid, one half-way between two.
        let code = |class: usize, axis: usize| centroids.code(class)[axis] as f32;
        let state: Vec<f32> = (0..3)
            .flat_map(|axis| [code(2, axis), (code(0, axis) + code(1, axis)) / 2.0])
            .collect();
        let mut votes = Votes::of(&centroids, &state, [1, 2]);
        let maps = Doubt::ALL.map(|doubt| votes.doubt(doubt, [1, 2]));
        for (doubt, map) in Doubt::ALL.into_iter().zip(&maps) {
            for (pixel, value) in map.iter().enumerate() {
                near(*value, doubt.of(votes.at(pixel)));
            }
        }
        near(maps[1][1], 0.0);
        assert!(maps[1][0] > 0.9 && maps[2][0] < 0.2 && maps[2][1] > 0.5);
        let middle = maps[2].iter().map(|v| f64::from(*v)).sum::<f64>() / 2.0;
        assert!((votes.mean_doubt() - middle).abs() < 1e-6);
        // The middle of three pixels is half-way between the two.
        let between = votes.doubt(Doubt::Probability, [1, 3]);
        let half: Vec<f32> = (0..3)
            .map(|k| (votes.at(0)[k] + votes.at(1)[k]) / 2.0)
            .collect();
        near(between[1], Doubt::Probability.of(&half));
        // Adding the same look twice does not change the doubt.
        votes.add(&votes.clone());
        for (doubt, map) in Doubt::ALL.into_iter().zip(maps) {
            for (twice, once) in votes.doubt(doubt, [1, 2]).into_iter().zip(map) {
                near(twice, once);
            }
        }
    }
}
