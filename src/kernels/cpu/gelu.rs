//! The encoder's activation on the CPU: `GELU(x) = x Phi(x)` with the exact normal distribution
//! Phi, not the tanh approximation.

use super::{self as cpu, CpuTensor, contiguous, slice};
use crate::simd::{exp, wide};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

const BLOCK: usize = 8192;

/// `GELU(x)`, element by element.
pub(crate) fn forward(x: CpuTensor) -> CpuTensor {
    cpu::in_place(x, BLOCK, |_, values| {
        wide!({
            for v in values.iter_mut() {
                let x = *v;
                *v = x * normal(x, exp(-0.5 * x * x));
            }
        });
    })
}

/// Gradient of `x`.
pub(crate) fn backward(x: CpuTensor, grad: CpuTensor) -> CpuTensor {
    let (x, grad) = (contiguous(x), contiguous(grad));
    let mut dx = vec![0.0; slice(&x).len()];
    dx.par_chunks_mut(BLOCK)
        .zip(slice(&x).par_chunks(BLOCK))
        .zip(slice(&grad).par_chunks(BLOCK))
        .for_each(|((dx, x), g)| {
            wide!({
                for ((dx, &x), g) in dx.iter_mut().zip(x).zip(g) {
                    let bell = exp(-0.5 * x * x);
                    *dx = g * (normal(x, bell) + x * bell * DENSITY);
                }
            });
        });
    cpu::tensor(dx, x.shape())
}

/// `1 / sqrt(2 pi)`
const DENSITY: f32 = 0.398_942_3;

/// Phi(x), given `bell = e^(-x^2 / 2)`: Abramowitz and Stegun, Handbook of Mathematical Functions,
/// 7.1.26, within 1e-7.
#[inline(always)]
fn normal(x: f32, bell: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_74;
    let p = (p * t + 0.254_829_6) * t;
    let tail = 0.5 * p * bell;
    if x < 0.0 { tail } else { 1.0 - tail }
}
