//! One AdamW update and one moving average on the CPU, each in a single pass over memory.

use super::cpu::{self, CpuTensor, contiguous, slice};
use super::simd::{sum2, wide};
use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use rayon::prelude::*;

const BLOCK: usize = 16 * 1024;

/// The numbers of one AdamW update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWUpdate {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay.
    pub decay: f32,
}

impl AdamWUpdate {
    /// `1 / (1 - beta^number)` for both moments: `number` counts the updates from 1.
    fn bias_corrections(&self, number: f32) -> (f32, f32) {
        let correct = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(number as i32)) as f32;
        (correct(self.beta1), correct(self.beta2))
    }
}

/// `1 - beta^number`, `[1]`: the weight that the first `number: [1]` numbers have in an average of
/// decay `beta`, on the device.
pub fn weight_of(beta: f32, number: Tensor<1>) -> Tensor<1> {
    // A decay of 0 has no logarithm.
    let logarithm = f64::from(beta).max(1e-30).ln();
    (number * logarithm).exp().neg() + 1.0
}

/// Updates parameter and moments; all four tensors have one shape. `number: [1]` counts the updates
/// from 1; `scale: [1]` multiplies the gradient first, and 0 leaves everything as it is.
pub fn update(
    u: AdamWUpdate,
    number: CpuTensor,
    parameter: CpuTensor,
    gradient: CpuTensor,
    scale: CpuTensor,
    mut moment1: CpuTensor,
    mut moment2: CpuTensor,
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
            wide(|| {
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
pub fn average(keep: CpuTensor, average: CpuTensor, value: CpuTensor) -> CpuTensor {
    let keep = slice(&contiguous(keep))[0];
    let value = contiguous(value);
    let mut average = contiguous(average);
    average
        .storage_mut::<f32>()
        .par_chunks_mut(BLOCK)
        .zip(slice(&value).par_chunks(BLOCK))
        .for_each(|(a, v)| {
            wide(|| {
                for (a, v) in a.iter_mut().zip(v) {
                    *a = *a * keep + v * (1.0 - keep);
                }
            });
        });
    average
}

/// The sum of squares, as a tensor of one element.
pub fn square_sum(x: CpuTensor) -> CpuTensor {
    let x = contiguous(x);
    let partials: Vec<f64> = slice(&x)
        .par_chunks(BLOCK)
        .map(|x| f64::from(wide(|| sum2(x, x, |a, b| a * b))))
        .collect();
    debug_assert!(x.shape().num_elements() > 0);
    cpu::tensor(vec![partials.iter().sum::<f64>() as f32], [1])
}
