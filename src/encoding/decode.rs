//! The nearest classes of the pixels of a state.

use super::Centroids;
use crate::simd::wide;
use rayon::prelude::*;

impl Centroids {
    /// Decodes a state image `[d, pixels]` to the nearest class of each pixel.
    pub fn decode(&self, state: &[f32]) -> Vec<u16> {
        self.decode_with(state.len(), |at, values| {
            for (value, x) in values.iter_mut().zip(&state[at..]) {
                *value = f64::from(*x);
            }
        })
    }

    /// Decodes the interpolation at `share`, 0 to 1, between two state images `[d, pixels]`.
    pub fn decode_between(&self, before: &[f32], after: &[f32], share: f32) -> Vec<u16> {
        self.decode_with(before.len().min(after.len()), |at, values| {
            let states = before[at..].iter().zip(&after[at..]);
            for (value, (before, after)) in values.iter_mut().zip(states) {
                *value = f64::from(before + (after - before) * share);
            }
        })
    }

    /// Decodes an image of `values` numbers; `read` writes those from an index on. Loops over a few pixels are innermost,
    /// so that the compiler computes all of them at once and keeps their scores in registers.
    fn decode_with(&self, values: usize, read: impl Fn(usize, &mut [f64]) + Sync) -> Vec<u16> {
        const BLOCK: usize = 1024;
        const FEW: usize = 32;
        let pixels = values / self.dims;
        // The nearest code has the least |mu|^2 / 2 - x mu, which takes fewer operations than the distance.
        let codes = self.codes.chunks_exact(self.dims);
        let codes: Vec<(&[f64], f64)> = codes
            .map(|mu| (mu, mu.iter().map(|x| x * x).sum::<f64>() / 2.0))
            .collect();
        let mut labels = vec![0; pixels];
        let blocks = labels.par_chunks_mut(BLOCK).enumerate();
        blocks.for_each_init(
            || vec![[0.0; FEW]; self.dims],
            |state, (block, labels)| {
                wide!({
                    for (few, labels) in labels.chunks_mut(FEW).enumerate() {
                        let first = block * BLOCK + few * FEW;
                        for (axis, state) in state.iter_mut().enumerate() {
                            read(axis * pixels + first, &mut state[..labels.len()]);
                        }
                        let mut least = [f64::INFINITY; FEW];
                        let mut nearest = [0; FEW];
                        for (class, (mu, half_square)) in (0_u64..).zip(&codes) {
                            let mut scores = [*half_square; FEW];
                            for (mu, state) in mu.iter().zip(&*state) {
                                for (score, x) in scores.iter_mut().zip(state) {
                                    *score -= x * mu;
                                }
                            }
                            for ((nearest, least), score) in
                                nearest.iter_mut().zip(&mut least).zip(scores)
                            {
                                let nearer = score < *least;
                                // As wide as a score, so that it is chosen for several pixels at once.
                                *nearest = if nearer { class } else { *nearest };
                                *least = if nearer { score } else { *least };
                            }
                        }
                        for (label, nearest) in labels.iter_mut().zip(nearest) {
                            *label = nearest as u16;
                        }
                    }
                });
            },
        );
        labels
    }
}
