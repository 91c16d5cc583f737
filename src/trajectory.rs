//! Statistics of a trajectory: when pixels settle, and how fast states move.
//!

use crate::labels::counts;

/// The state at which every pixel settles: the first from which it keeps the class that it has in
/// the last state. `labels` holds one map `[pixels]` per state, all of the same length; the result
/// is `[pixels]` in `[0, states - 1]`, and empty if there are no states.
pub fn settle_steps(labels: &[&[u16]]) -> Vec<u16> {
    let Some((last, earlier)) = labels.split_last() else {
        return Vec::new();
    };
    let mut settled = vec![earlier.len() as u16; last.len()];
    // Backwards, so that a pixel's result decreases only while it has its final class without a
    // break.
    for (step, map) in earlier.iter().enumerate().rev() {
        let after = step as u16 + 1;
        for ((settled, label), end) in settled.iter_mut().zip(*map).zip(*last) {
            if *settled == after && label == end {
                *settled = step as u16;
            }
        }
    }
    settled
}

/// The share of pixels that have settled by each of `states` states, `[states]` in `[0, 1]`,
/// non-decreasing, from the result of [`settle_steps`].
pub fn settled_share(settle: &[u16], states: usize) -> Vec<f32> {
    let total = settle.len().max(1) as f32;
    counts(settle, states)
        .iter()
        .scan(0, |sum, count| {
            *sum += count;
            Some(*sum as f32 / total)
        })
        .collect()
}

/// The predicted target (equation 4), `x_t + (1 - t) v`, of the step from a state `a` at `t` to `b` at `later`.
pub fn target(a: &[f32], t: f32, b: &[f32], later: f32) -> Vec<f32> {
    let ahead = (1.0 - t) / (later - t).max(f32::EPSILON);
    a.iter().zip(b).map(|(a, b)| a + (b - a) * ahead).collect()
}

/// The share of the pixels, 0 to 1, that have the same class in two maps.
pub fn agreement(one: &[u16], other: &[u16]) -> f32 {
    let same = one.iter().zip(other).filter(|(a, b)| a == b).count();
    same as f32 / one.len().max(1) as f32
}

/// The mean speed `|v|` between two states `[d, pixels]` that are `dt` apart: the Euclidean
/// distance that each pixel moves, divided by `dt`, averaged over the pixels. 0 if there are no
/// pixels or `dt` is 0.
pub fn mean_speed(a: &[f32], b: &[f32], pixels: usize, dt: f32) -> f32 {
    if pixels == 0 || dt <= 0.0 {
        return 0.0;
    }
    let mut squares = vec![0.0f64; pixels];
    for (a, b) in a.chunks_exact(pixels).zip(b.chunks_exact(pixels)) {
        for ((square, a), b) in squares.iter_mut().zip(a).zip(b) {
            *square += f64::from(b - a).powi(2);
        }
    }
    let sum: f64 = squares.into_iter().map(f64::sqrt).sum();
    (sum / pixels as f64) as f32 / dt
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pixel_that_leaves_its_final_class_has_not_settled() {
        let labels: [&[u16]; 4] = [&[1, 1, 0], &[1, 0, 0], &[1, 1, 0], &[1, 1, 2]];
        let settle = settle_steps(&labels);
        assert_eq!(settle, [0, 2, 3]);
        let third = 1.0 / 3.0;
        assert_eq!(
            settled_share(&settle, 4),
            [third, third, 2.0 * third, 3.0 * third]
        );
        assert!(settle_steps(&[]).is_empty());
        assert_eq!(settled_share(&[], 2), [0.0, 0.0]);
    }

    #[test]
    fn speed_is_the_length_of_the_move_over_time() {
        // One pixel moves by (2, 3, 6); the other does not move.
        let a = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
        let b = [2.0, 1.0, 3.0, 1.0, 6.0, 1.0];
        assert_eq!(mean_speed(&a, &b, 2, 0.5), 7.0);
        assert_eq!(mean_speed(&a, &b, 2, 0.0), 0.0);
        assert_eq!(mean_speed(&[], &[], 0, 1.0), 0.0);
    }

    proptest! {
        /// The definition, pixel by pixel, agrees with the sweep over states.
        #[test]
        fn settling_is_what_it_says(maps in prop::collection::vec(prop::array::uniform8(0u16..3), 1..12)) {
            let labels: Vec<&[u16]> = maps.iter().map(|map| map.as_slice()).collect();
            let settle = settle_steps(&labels);
            for pixel in 0..8 {
                let end = maps[maps.len() - 1][pixel];
                let first = (0..maps.len()).find(|&s| maps[s..].iter().all(|map| map[pixel] == end));
                prop_assert_eq!(Some(usize::from(settle[pixel])), first);
            }
            let share = settled_share(&settle, maps.len());
            prop_assert!(share.windows(2).all(|w| w[0] <= w[1]));
            prop_assert_eq!(share[maps.len() - 1], 1.0);
        }
    }

    #[test]
    fn a_step_points_at_its_target() {
        // From 0.25 to 0.5 a third of the way is left behind.
        assert_eq!(target(&[1.0, -2.0], 0.25, &[2.0, -2.0], 0.5), [4.0, -2.0]);
        assert_eq!(target(&[1.0], 0.0, &[3.0], 1.0), [3.0]);
        assert_eq!(agreement(&[1, 2, 3, 4], &[1, 2, 0, 4]), 0.75);
        assert_eq!(agreement(&[], &[]), 0.0);
    }
}
