//! The gradient of the potential (equation 11) for whole images on the CPU.
//!
//! Centroids are streamed past blocks of pixels held in registers: nothing of size pixels x N is
//! ever stored. Differences are taken before squaring, and `1 - p_gt` is the sum of the other
//! probabilities; both keep the result accurate near a centroid.

use crate::encoding::MOST_DIMS;
use crate::potential::{GRADIENT_FLOOR, Operator, Potential};
use crate::simd::{exp, ln, wide};
use rayon::prelude::*;

/// Number of pixels processed together.
const LANES: usize = 16;
const BLOCK: usize = LANES * 64;

/// `grad Phi` (equation 11) at every pixel, for B (`batch`) images of d (`dims`) channels:
/// `x: [B, d, pixels]` flattened, `labels: [B, pixels]`, `centroids: [N, 2 d]` split as by
/// [`Centroids::split_f32`](crate::encoding::Centroids::split_f32); the result has the shape of
/// `x`. A label outside `0..N` (an ignored pixel) gives a zero gradient.
pub(super) fn gradient(
    potential: Potential,
    x: &[f32],
    labels: &[i32],
    batch: usize,
    centroids: &[f32],
    dims: usize,
) -> Vec<f32> {
    // One loop per width that is worth specialising; other sizes are padded with axes without
    // extent.
    let width = *[3, 4, 6, 8, 12]
        .iter()
        .find(|&&w| dims <= w)
        .unwrap_or(&MOST_DIMS);
    let padded: Vec<f32> = centroids
        .chunks_exact(dims)
        .flat_map(|half| {
            half.iter()
                .copied()
                .chain(std::iter::repeat_n(0.0, width - dims))
        })
        .collect();
    let centroids = padded.as_slice();
    let of_width = match width {
        3 => images::<3>,
        4 => images::<4>,
        6 => images::<6>,
        8 => images::<8>,
        12 => images::<12>,
        _ => images::<MOST_DIMS>,
    };
    of_width(potential, x, labels, batch, centroids, dims)
}

fn images<const D: usize>(
    potential: Potential,
    x: &[f32],
    labels: &[i32],
    batch: usize,
    centroids: &[f32],
    dims: usize,
) -> Vec<f32> {
    let pixels = labels.len() / batch.max(1);
    let mut out = vec![0.0; x.len()];
    for ((out, x), labels) in out
        .chunks_exact_mut((dims * pixels).max(1))
        .zip(x.chunks_exact((dims * pixels).max(1)))
        .zip(labels.chunks_exact(pixels.max(1)))
    {
        let mut blocks: Vec<Vec<&mut [f32]>> = Vec::new();
        blocks.resize_with(pixels.div_ceil(BLOCK), || Vec::with_capacity(dims));
        for axis in out.chunks_exact_mut(pixels) {
            for (block, part) in blocks.iter_mut().zip(axis.chunks_mut(BLOCK)) {
                block.push(part);
            }
        }
        blocks.par_iter_mut().enumerate().for_each(|(block, out)| {
            let first = block * BLOCK;
            let count = out.first().map_or(0, |axis| axis.len());
            let axis = |a: usize| &x[a * pixels + first..][..count];
            let x: Vec<&[f32]> = (0..dims).map(axis).collect();
            let labels = &labels[first..][..count];
            wide!(block_gradient::<D>(potential, &x, labels, centroids, out));
        });
    }
    out
}

#[inline(always)]
fn block_gradient<const D: usize>(
    potential: Potential,
    x: &[&[f32]],
    labels: &[i32],
    centroids: &[f32],
    out: &mut [&mut [f32]],
) {
    for first in (0..labels.len()).step_by(LANES) {
        let count = LANES.min(labels.len() - first);
        let mut points = [[0.0f32; LANES]; D];
        let mut target = [-1i32; LANES];
        for (point, x) in points.iter_mut().zip(x) {
            point[..count].copy_from_slice(&x[first..first + count]);
        }
        target[..count].copy_from_slice(&labels[first..first + count]);
        let gradient = match potential.operator {
            Operator::Log if potential.temperature == 1.0 => {
                lanes_gradient::<RECIPROCAL, D>(potential, &points, &target, centroids)
            }
            Operator::Log | Operator::NormalizedGradient => {
                lanes_gradient::<LOG, D>(potential, &points, &target, centroids)
            }
            Operator::Sqrt => lanes_gradient::<SQRT, D>(potential, &points, &target, centroids),
            Operator::Linear => lanes_gradient::<LINEAR, D>(potential, &points, &target, centroids),
        };
        for (out, gradient) in out.iter_mut().zip(&gradient) {
            out[first..first + count].copy_from_slice(&gradient[..count]);
        }
    }
}

const LOG: u8 = 0;
const SQRT: u8 = 1;
const LINEAR: u8 = 2;
/// The logarithm at temperature 1, whose softmax needs no exponential: `p ~ 1 / (d + eps)`.
const RECIPROCAL: u8 = 3;

type Lanes = [f32; LANES];

#[inline(always)]
fn lanes_gradient<const T: u8, const D: usize>(
    potential: Potential,
    x: &[Lanes; D],
    target: &[i32; LANES],
    centroids: &[f32],
) -> [Lanes; D] {
    let epsilon = potential.epsilon as f32;
    let inverse_tau = (1.0 / potential.temperature) as f32;
    let classes = (centroids.len() / (2 * D)) as i32;
    // The smallest d + eps of each pixel gives the largest logit, since every T decreases with d.
    let mut nearest = [f32::MAX; LANES];
    for mu in centroids.chunks_exact(2 * D) {
        for (lane, nearest) in nearest.iter_mut().enumerate() {
            let e = distance(x, mu, lane) + epsilon;
            *nearest = if e < *nearest { e } else { *nearest };
        }
    }
    let (mut others, mut own) = ([0.0f32; LANES], [0.0f32; LANES]);
    let mut pull = [[0.0f32; LANES]; D];
    let mut push = [[0.0f32; LANES]; D];
    for (k, mu) in centroids.chunks_exact(2 * D).enumerate() {
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
            for axis in 0..D {
                let term = offset(x, mu, lane, axis) * slope;
                pull[axis][lane] += term * is_target;
                push[axis][lane] += term * (weight * is_other);
            }
        }
    }
    let mut gradient = [[0.0f32; LANES]; D];
    for lane in 0..LANES {
        // An ignored pixel has no target, so its gradient is zero.
        let labelled = (0..classes).contains(&target[lane]);
        let scale = if labelled {
            2.0 * inverse_tau / (others[lane] + own[lane])
        } else {
            0.0
        };
        for axis in 0..D {
            gradient[axis][lane] = scale * (others[lane] * pull[axis][lane] - push[axis][lane]);
        }
        if potential.operator == Operator::NormalizedGradient {
            let square: f32 = gradient.iter().map(|g| g[lane] * g[lane]).sum();
            let norm = square.sqrt().max(GRADIENT_FLOOR as f32);
            for axis in &mut gradient {
                axis[lane] /= norm;
            }
        }
    }
    gradient
}

#[inline(always)]
fn distance<const D: usize>(x: &[Lanes; D], mu: &[f32], lane: usize) -> f32 {
    let first = offset(x, mu, lane, 0);
    (1..D).fold(first * first, |sum, axis| {
        let offset = offset(x, mu, lane, axis);
        sum + offset * offset
    })
}

#[inline(always)]
fn offset<const D: usize>(x: &[Lanes; D], mu: &[f32], lane: usize, axis: usize) -> f32 {
    (x[axis][lane] - mu[axis]) - mu[D + axis]
}
