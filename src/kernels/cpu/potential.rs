//! The gradient of the potential (equation 11) for whole images on the CPU.
//!
//! Centroids are streamed past blocks of pixels held in registers: nothing of size pixels x N is
//! ever stored. Differences are taken before squaring, and `1 - p_gt` is the sum of the other
//! probabilities; both keep the result exact near a centroid.

use super::simd::{exp, ln, wide};
use crate::potential::{NORM_FLOOR, Operator, Potential};
use rayon::prelude::*;

/// Pixels that are treated together.
const LANES: usize = 16;
/// Pixels a task.
const BLOCK: usize = LANES * 64;

/// `x: [B, 3, pixels]` flattened, `labels: [B, pixels]`, `centroids: [N, 6]` as
/// [`Centroids::split_f32`](crate::encoding::Centroids::split_f32) splits them; the result has the
/// shape of `x`. A label outside `0..N` (an ignored pixel) gives a zero gradient.
pub fn gradient(
    potential: Potential,
    x: &[f32],
    labels: &[i32],
    batch: usize,
    centroids: &[f32],
) -> Vec<f32> {
    let pixels = labels.len() / batch.max(1);
    let mut out = vec![0.0; x.len()];
    for ((out, x), labels) in out
        .chunks_exact_mut(3 * pixels)
        .zip(x.chunks_exact(3 * pixels))
        .zip(labels.chunks_exact(pixels))
    {
        let (out_r, rest) = out.split_at_mut(pixels);
        let (out_g, out_b) = rest.split_at_mut(pixels);
        out_r
            .par_chunks_mut(BLOCK)
            .zip(out_g.par_chunks_mut(BLOCK))
            .zip(out_b.par_chunks_mut(BLOCK))
            .enumerate()
            .for_each(|(block, ((r, g), b))| {
                let first = block * BLOCK;
                let axis = |a: usize| &x[a * pixels + first..][..r.len()];
                let x = [axis(0), axis(1), axis(2)];
                let labels = &labels[first..][..r.len()];
                wide(|| block_gradient(potential, x, labels, centroids, [r, g, b]));
            });
    }
    out
}

#[inline(always)]
fn block_gradient(
    potential: Potential,
    x: [&[f32]; 3],
    labels: &[i32],
    centroids: &[f32],
    out: [&mut [f32]; 3],
) {
    for first in (0..labels.len()).step_by(LANES) {
        let count = LANES.min(labels.len() - first);
        let mut points = [[0.0f32; LANES]; 3];
        let mut target = [-1i32; LANES];
        for axis in 0..3 {
            points[axis][..count].copy_from_slice(&x[axis][first..first + count]);
        }
        target[..count].copy_from_slice(&labels[first..first + count]);
        let gradient = match potential.operator {
            Operator::Log if potential.temperature == 1.0 => {
                lanes_gradient::<RECIPROCAL>(potential, &points, &target, centroids)
            }
            Operator::Log | Operator::NormalizedGradient => {
                lanes_gradient::<LOG>(potential, &points, &target, centroids)
            }
            Operator::Sqrt => lanes_gradient::<SQRT>(potential, &points, &target, centroids),
            Operator::Linear => lanes_gradient::<LINEAR>(potential, &points, &target, centroids),
        };
        for axis in 0..3 {
            for lane in 0..count {
                out[axis][first + lane] = gradient[axis][lane];
            }
        }
    }
}

const LOG: u8 = 0;
const SQRT: u8 = 1;
const LINEAR: u8 = 2;
/// The logarithm at temperature 1, where the softmax needs no exponential: `p ~ 1 / (d + eps)`.
const RECIPROCAL: u8 = 3;

type Lanes = [f32; LANES];

#[inline(always)]
fn lanes_gradient<const T: u8>(
    potential: Potential,
    x: &[Lanes; 3],
    target: &[i32; LANES],
    centroids: &[f32],
) -> [Lanes; 3] {
    let epsilon = potential.epsilon as f32;
    let inverse_tau = (1.0 / potential.temperature) as f32;
    let classes = (centroids.len() / 6) as i32;
    // The least d + eps of each pixel: the largest logit, since every T falls with d.
    let mut nearest = [f32::MAX; LANES];
    for mu in centroids.chunks_exact(6) {
        for (lane, nearest) in nearest.iter_mut().enumerate() {
            let e = distance(x, mu, lane) + epsilon;
            *nearest = if e < *nearest { e } else { *nearest };
        }
    }
    let (mut others, mut own) = ([0.0f32; LANES], [0.0f32; LANES]);
    let mut pull = [[0.0f32; LANES]; 3];
    let mut push = [[0.0f32; LANES]; 3];
    for (k, mu) in centroids.chunks_exact(6).enumerate() {
        for lane in 0..LANES {
            let e = distance(x, mu, lane) + epsilon;
            let (weight, slope) = match T {
                RECIPROCAL => (nearest[lane] / e, 1.0 / e),
                LOG => (exp(inverse_tau * (ln(nearest[lane]) - ln(e))), 1.0 / e),
                SQRT => {
                    let root = e.sqrt();
                    (exp(inverse_tau * (nearest[lane].sqrt() - root)), 0.5 / root)
                }
                _ => (exp(inverse_tau * (nearest[lane] - e)), 1.0),
            };
            let is_target = if target[lane] == k as i32 { 1.0 } else { 0.0 };
            let is_other = 1.0 - is_target;
            others[lane] += weight * is_other;
            own[lane] += weight * is_target;
            for axis in 0..3 {
                let term = offset(x, mu, lane, axis) * slope;
                pull[axis][lane] += term * is_target;
                push[axis][lane] += term * (weight * is_other);
            }
        }
    }
    let mut gradient = [[0.0f32; LANES]; 3];
    for lane in 0..LANES {
        // An ignored pixel has no target: it belongs to no class, and nothing pulls or pushes it.
        let labelled = (0..classes).contains(&target[lane]);
        let scale = if labelled {
            2.0 * inverse_tau / (others[lane] + own[lane])
        } else {
            0.0
        };
        for axis in 0..3 {
            gradient[axis][lane] = scale * (others[lane] * pull[axis][lane] - push[axis][lane]);
        }
        if potential.operator == Operator::NormalizedGradient {
            let square: f32 = gradient.iter().map(|g| g[lane] * g[lane]).sum();
            let norm = square.sqrt().max(NORM_FLOOR as f32);
            for axis in &mut gradient {
                axis[lane] /= norm;
            }
        }
    }
    gradient
}

#[inline(always)]
fn distance(x: &[Lanes; 3], mu: &[f32], lane: usize) -> f32 {
    let [r, g, b] = [0, 1, 2].map(|axis| offset(x, mu, lane, axis));
    r * r + g * g + b * b
}

#[inline(always)]
fn offset(x: &[Lanes; 3], mu: &[f32], lane: usize, axis: usize) -> f32 {
    (x[axis][lane] - mu[axis]) - mu[3 + axis]
}
