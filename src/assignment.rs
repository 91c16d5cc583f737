//! Which class gets which centroid.
//!
//! A regression that hesitates between classes predicts their mean. If a third class's centroid is
//! nearest to that mean, the mask shows a class that is not there: a third cell. Assigning the same
//! points (equation 8) to the classes in another order reduces their number.

use crate::encoding::Centroids;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The classes that an undecided network hesitates between, with their shares, which sum to 1.
pub type Mixture = Vec<(u16, f32)>;

/// Upper limit on the multiplications of a search: seconds on a small machine.
const BUDGET: f64 = 2e10;
/// Sweeps over all pairs of classes; later ones are not expected to improve anything.
const SWEEPS: usize = 4;

/// The share of mixtures, 0 to 1, whose mean code decodes to a class that is not in the mixture; 0
/// if there are no mixtures.
pub fn third_cells(centroids: &Centroids, mixtures: &[Mixture]) -> f64 {
    let order: Vec<usize> = (0..centroids.len()).collect();
    let foreign = count(centroids, &order, mixtures);
    foreign as f64 / mixtures.len().max(1) as f64
}

/// The order (see [`Centroids::ordered`]) of the points with the fewest third cells found among
/// `mixtures`. The search exchanges pairs, starting from the points' own order, and keeps every
/// exchange that helps. It is deterministic; with many classes only some pairs are tried.
pub fn assign(centroids: &Centroids, mixtures: &[Mixture]) -> Vec<usize> {
    let classes = centroids.len();
    let mut order: Vec<usize> = (0..classes).collect();
    let mut pairs: Vec<(usize, usize)> = (0..classes)
        .flat_map(|a| (0..a).map(move |b| (b, a)))
        .collect();
    let cost = (mixtures.len() * classes * centroids.dims()) as f64;
    let mut left = (BUDGET / cost.max(1.0)) as usize;
    let mut least = count(centroids, &order, mixtures);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for _ in 0..SWEEPS {
        let before = least;
        // In index order the first classes would get the best points.
        pairs.shuffle(&mut rng);
        for &(a, b) in &pairs {
            if left == 0 || least == 0 {
                return order;
            }
            left -= 1;
            order.swap(a, b);
            let found = count(centroids, &order, mixtures);
            if found < least {
                least = found;
            } else {
                order.swap(a, b);
            }
        }
        if least == before {
            break;
        }
    }
    order
}

/// The number of mixtures whose mean decodes to a class that is not in the mixture.
fn count(centroids: &Centroids, order: &[usize], mixtures: &[Mixture]) -> usize {
    let dims = centroids.dims();
    let foreign = |mean: &mut Vec<f32>, mixture: &Mixture| {
        mean.clear();
        mean.resize(dims, 0.0);
        for &(class, share) in mixture {
            let code = centroids.code(order[usize::from(class)]);
            for (mean, &value) in mean.iter_mut().zip(code) {
                *mean += share * value as f32;
            }
        }
        let point = centroids.nearest(mean);
        !mixture
            .iter()
            .any(|&(class, _)| order[usize::from(class)] == point)
    };
    mixtures
        .par_chunks(256)
        .map(|some| {
            let mut mean = Vec::with_capacity(dims);
            some.iter()
                .filter(|mixture| foreign(&mut mean, mixture))
                .count()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::is_permutation;

    /// Every pair of classes, mixed in three proportions.
    fn pairs(classes: u16) -> Vec<Mixture> {
        let both = (0..classes).flat_map(|a| (0..a).map(move |b| (a, b)));
        both.flat_map(|(a, b)| [0.25f32, 0.5, 0.75].map(|share| vec![(a, share), (b, 1.0 - share)]))
            .collect()
    }

    #[test]
    fn a_third_class_on_the_segment_of_two_is_counted() {
        // Three points of the sequence: class 0 is at a corner of the cube, and so is one other.
        let centroids = Centroids::kronecker(11);
        let mixtures = pairs(11);
        let share = third_cells(&centroids, &mixtures);
        assert!((0.2..0.9).contains(&share), "{share}");
        assert_eq!(third_cells(&centroids, &[vec![(3, 1.0)]]), 0.0);
        assert_eq!(third_cells(&centroids, &[]), 0.0);
        // With more dimensions there are fewer.
        let wide = third_cells(&Centroids::kronecker_in(11, 8), &mixtures);
        assert!(wide < share, "{wide} {share}");
    }

    #[test]
    fn an_assignment_is_a_permutation_with_fewer_third_cells() {
        // Only classes with consecutive indices ever mix.
        let mixtures: Vec<Mixture> = (1..11).map(|a| vec![(a, 0.5), (a - 1, 0.5)]).collect();
        for dims in [3, 6] {
            let centroids = Centroids::kronecker_in(11, dims);
            let order = assign(&centroids, &mixtures);
            assert!(is_permutation(&order, 11));
            let before = third_cells(&centroids, &mixtures);
            let after = third_cells(&centroids.clone().ordered(&order), &mixtures);
            assert!(after < before || before == 0.0, "{after} {before}");
            assert_eq!(order, assign(&centroids, &mixtures));
        }
    }
}
