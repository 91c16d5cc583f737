//! Patches of several classes, as a model for an undecided network.

use super::dataset::Dataset;
use super::error::DataError;
use crate::assignment::Mixture;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Side of a patch in pixels of the training size.
const SIDE: usize = 8;
/// Maximum number of photos examined, spread over the data set.
const PHOTOS: usize = 400;
const MIXTURES: usize = 4000;

/// The mixed patches of a data set's labels at `size`, `[height, width]`: up to 4000, evenly spread.
/// Pixels without a class are left out.
///
/// # Errors
/// A label file that cannot be read.
pub fn mixtures(data: &Dataset, size: [usize; 2]) -> Result<Vec<Mixture>, DataError> {
    let step = data.len().div_ceil(PHOTOS).max(1);
    let indices: Vec<usize> = (0..data.len()).step_by(step).collect();
    let found = indices
        .into_par_iter()
        .map(|i| {
            Ok(mixed(
                &data.load_labels(i)?.scaled(size),
                size,
                data.classes().len(),
            ))
        })
        .collect::<Result<Vec<_>, DataError>>()?
        .concat();
    let step = found.len().div_ceil(MIXTURES).max(1);
    Ok(found.into_iter().step_by(step).collect())
}

fn mixed(labels: &[u16], [height, width]: [usize; 2], classes: usize) -> Vec<Mixture> {
    let mut found = Vec::new();
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
            for row in top..(top + SIDE).min(height) {
                for &label in &labels[row * width + left..row * width + (left + SIDE).min(width)] {
                    if usize::from(label) < classes {
                        *counts.entry(label).or_default() += 1;
                    }
                }
            }
            let all: usize = counts.values().sum();
            if counts.len() > 1 {
                let share = |(class, count)| (class, count as f32 / all as f32);
                found.push(counts.into_iter().map(share).collect());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;

    #[test]
    fn only_patches_of_several_classes_are_mixtures() {
        // Two adjacent patches: one of class 0 only, one of three quarters 1 and one quarter 2.
        let labels: Vec<u16> = (0..128)
            .map(|i| match (i % 16, i / 16) {
                (0, 0) => IGNORE,
                (0..8, _) => 0,
                (_, 0..6) => 1,
                _ => 2,
            })
            .collect();
        let found = mixed(&labels, [8, 16], 3);
        assert_eq!(found, [vec![(1, 0.75), (2, 0.25)]]);
    }
}
