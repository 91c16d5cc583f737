//! The cross-entropy of class logits on the CPU, one row of classes per pixel. The probabilities of
//! all classes are never stored.

use crate::simd::{exp, max, sum2, wide};
use rayon::prelude::*;

/// Number of pixels per task; fixed, so that sums do not depend on the number of threads.
const PIXELS_PER_TASK: usize = 1024;

/// The inputs of the loss; a label outside `0..N` must have weight 0.
pub(super) struct Pixels<'a> {
    /// `[P, N]`
    pub logits: &'a [f32],
    /// `[P]`
    pub labels: &'a [i32],
    /// `[P]`
    pub weights: &'a [f32],
}

impl Pixels<'_> {
    fn classes(&self) -> usize {
        self.logits.len() / self.labels.len().max(1)
    }
}

/// `ln sum exp(l)`
#[inline(always)]
fn log_sum(logits: &[f32]) -> f32 {
    let max = max(logits);
    let sum = sum2(logits, logits, |logit, _| exp(logit - max));
    max + sum.ln()
}

#[inline(always)]
fn class(label: i32, classes: usize) -> usize {
    usize::try_from(label).unwrap_or(0).min(classes - 1)
}

/// `sum_p w_p (ln sum_n exp(l_pn) - l_p,label)`
pub(super) fn forward(pixels: &Pixels<'_>) -> f32 {
    let n = pixels.classes();
    if n == 0 {
        return 0.0;
    }
    let partials: Vec<f64> = (pixels.logits.par_chunks(n * PIXELS_PER_TASK))
        .zip(pixels.labels.par_chunks(PIXELS_PER_TASK))
        .zip(pixels.weights.par_chunks(PIXELS_PER_TASK))
        .map(|((logits, labels), weights)| {
            wide!({
                let rows = logits.chunks_exact(n).zip(labels).zip(weights);
                let losses = rows.map(|((logits, &label), &weight)| {
                    f64::from((log_sum(logits) - logits[class(label, n)]) * weight)
                });
                losses.sum()
            })
        })
        .collect();
    partials.iter().sum::<f64>() as f32
}

/// The gradient of `gradient * forward` with respect to the logits:
/// `gradient w_p (softmax(l_p) - onehot(label))`.
pub(super) fn backward(pixels: &Pixels<'_>, gradient: f32) -> Vec<f32> {
    let n = pixels.classes();
    let mut out = vec![0.0; pixels.logits.len()];
    if n == 0 {
        return out;
    }
    out.par_chunks_mut(n * PIXELS_PER_TASK)
        .zip(pixels.logits.par_chunks(n * PIXELS_PER_TASK))
        .zip(pixels.labels.par_chunks(PIXELS_PER_TASK))
        .zip(pixels.weights.par_chunks(PIXELS_PER_TASK))
        .for_each(|(((out, logits), labels), weights)| {
            wide!({
                let rows = out.chunks_exact_mut(n).zip(logits.chunks_exact(n));
                for (((out, logits), &label), &weight) in rows.zip(labels).zip(weights) {
                    let log_sum = log_sum(logits);
                    let scale = gradient * weight;
                    for (out, logit) in out.iter_mut().zip(logits) {
                        *out = scale * exp(logit - log_sum);
                    }
                    out[class(label, n)] -= scale;
                }
            });
        });
    out
}
