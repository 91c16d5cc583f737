//! One AdamW update and one moving average on the CPU, each in a single pass over memory.

use super::{self as cpu, CpuTensor, contiguous, slice};
use crate::kernels::optim::AdamWUpdate;
use crate::simd::{sum2, wide};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

const BLOCK: usize = 16 * 1024;

/// Updates the parameter and its moments; all four tensors have the same shape. `number: [1]`
/// counts the updates from 1; the gradient is multiplied by `scale: [1]`, and 0 skips the update.
pub(super) fn update(
    parameter: CpuTensor,
    gradient: CpuTensor,
    scale: CpuTensor,
    mut moment1: CpuTensor,
    mut moment2: CpuTensor,
    number: CpuTensor,
    u: AdamWUpdate,
) -> (CpuTensor, CpuTensor, CpuTensor) {
    let scale = slice(&contiguous(scale))[0];
    if scale == 0.0 {
        return (parameter, moment1, moment2);
    }
    let gradient = contiguous(gradient);
    let mut parameter = contiguous(parameter);
    let number = slice(&contiguous(number))[0];
    let (correct1, correct2) = u.bias_corrections(number);
    parameter
        .storage_mut::<f32>()
        .par_chunks_mut(BLOCK)
        .zip(moment1.storage_mut::<f32>().par_chunks_mut(BLOCK))
        .zip(moment2.storage_mut::<f32>().par_chunks_mut(BLOCK))
        .zip(slice(&gradient).par_chunks(BLOCK))
        .for_each(|(((p, m), v), g)| {
            wide!({
                for i in 0..g.len() {
                    let g = g[i] * scale;
                    m[i] = u.beta1 * m[i] + (1.0 - u.beta1) * g;
                    v[i] = u.beta2 * v[i] + (1.0 - u.beta2) * g * g;
                    let delta = m[i] * correct1 / ((v[i] * correct2).sqrt() + u.epsilon);
                    p[i] = p[i] * (1.0 - u.rate * u.decay) - u.rate * delta;
                }
            });
        });
    (parameter, moment1, moment2)
}

/// `average * keep + value * (1 - keep)`, `keep: [1]`.
pub(super) fn average(average: CpuTensor, value: CpuTensor, keep: CpuTensor) -> CpuTensor {
    let keep = slice(&contiguous(keep))[0];
    let value = contiguous(value);
    let mut average = contiguous(average);
    average
        .storage_mut::<f32>()
        .par_chunks_mut(BLOCK)
        .zip(slice(&value).par_chunks(BLOCK))
        .for_each(|(a, v)| {
            wide!({
                for (a, v) in a.iter_mut().zip(v) {
                    *a = *a * keep + v * (1.0 - keep);
                }
            });
        });
    average
}

/// The sum of squares, as a tensor of one element.
pub(super) fn square_sum(x: CpuTensor) -> CpuTensor {
    let x = contiguous(x);
    let partials: Vec<f64> = slice(&x)
        .par_chunks(BLOCK)
        .map(|x| f64::from(wide!(sum2(x, x, |a, b| a * b))))
        .collect();
    debug_assert!(x.shape().num_elements() > 0);
    cpu::tensor(vec![partials.iter().sum::<f64>() as f32], [1])
}
