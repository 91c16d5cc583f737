//! States that are wrong on purpose.
//!
//! On the path of equation 1 the state already contains the answer, and a network that also sees
//! the photo learns to read it off: it confirms whatever mask the state shows. A state that leads
//! to a wrong mask x~, `x_t = (1 - t) x0 + t x~`, with the target velocity `(x1 - x_t) / (1 - t)`
//! towards the right one, teaches it to correct. For x~ = x1 this is equation 2: it equals
//! `x1 - x0 + t (x1 - x~) / (1 - t)`, in which `1 - t` has a lower bound in training.

use crate::random::{self, Draw};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The states that the network sees in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum States {
    /// States on the path to the true mask: the paper's.
    #[default]
    Truth,
    /// Some lead to a mask in which regions have other classes.
    Corrupted,
    /// Some lead to the network's own decision at t = 0.
    Rollout,
}

/// Number of rectangles per sample whose classes are exchanged, and their sides as shares of the
/// sample's.
const RECTANGLES: std::ops::RangeInclusive<usize> = 1..=4;
const SIDES: std::ops::Range<f32> = 0.15..0.7;

/// Which of a batch's `len` samples have a wrong state, each with probability `share`.
pub(super) fn chosen(seed: u64, step: u64, len: usize, share: f64) -> Vec<bool> {
    let mut rng = random::stream(seed, Draw::WrongStates { step });
    (0..len).map(|_| rng.random::<f64>() < share).collect()
}

/// Labels `[H, W]` with every class inside some rectangles exchanged for another.
pub(super) fn corrupted(
    labels: &[u16],
    width: usize,
    classes: usize,
    [seed, step, sample]: [u64; 3],
) -> Vec<u16> {
    let mut rng = random::stream(seed, Draw::Corruption { step, sample });
    let mut wrong = labels.to_vec();
    let height = labels.len() / width.max(1);
    for _ in 0..rng.random_range(RECTANGLES) {
        // Sattolo's algorithm: no class stays.
        let mut others: Vec<u16> = (0..classes as u16).collect();
        for last in (1..others.len()).rev() {
            others.swap(last, rng.random_range(0..last));
        }
        let mut along = |length: usize| {
            let side = ((rng.random_range(SIDES) * length as f32) as usize).clamp(1, length);
            let first = rng.random_range(0..=length - side);
            first..first + side
        };
        let (rows, columns) = (along(height), along(width));
        for row in rows {
            for label in &mut wrong[row * width..][columns.clone()] {
                if let Some(&other) = others.get(usize::from(*label)) {
                    *label = other;
                }
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;

    #[test]
    fn corruption_keeps_outlines_and_ignored_pixels_and_repeats() {
        let labels: Vec<u16> = (0..40 * 30)
            .map(|i| match (i % 40, i / 40) {
                (_, 0) => IGNORE,
                (0..20, _) => 1,
                _ => 4,
            })
            .collect();
        let once = corrupted(&labels, 40, 6, [1, 2, 3]);
        assert_eq!(once, corrupted(&labels, 40, 6, [1, 2, 3]));
        assert_ne!(once, corrupted(&labels, 40, 6, [1, 2, 4]));
        assert!(once[..40].iter().all(|&label| label == IGNORE));
        let changed = once.iter().zip(&labels).filter(|(a, b)| a != b).count();
        assert!((20..1200).contains(&changed), "{changed}");
        // Two classes change places.
        let one_class = vec![0; 40 * 30];
        for sample in 0..20 {
            let wrong = corrupted(&one_class, 40, 2, [1, 2, sample]);
            assert!(wrong.contains(&1), "sample {sample}");
        }
        assert!(once.iter().all(|&label| label < 6 || label == IGNORE));
    }

    #[test]
    fn about_the_asked_share_is_chosen() {
        let count = (0..100)
            .flat_map(|step| chosen(7, step, 8, 0.25))
            .filter(|&c| c)
            .count();
        assert!((140..260).contains(&count), "{count}");
        assert!(chosen(7, 1, 8, 0.0).iter().all(|&c| !c));
    }
}
