//! The potential's gradient (equation 11) for every GPU: one unit per pixel, streaming the centroids.

use super::launch::{clamp_min, grid, like};
use crate::potential::{NORM_FLOOR as GRADIENT_FLOOR, Operator, Potential};
use burn::backend::{TensorMetadata, ops::IntTensorOps};
use burn::tensor::IntDType;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// `exp((T(d) - T(nearest)) / tau)` for `e = d + eps`.
#[cube]
fn softmax_weight(e: f32, nearest: f32, inverse_tau: f32, #[comptime] operator: u32) -> f32 {
    if comptime!(operator == LINEAR) {
        (inverse_tau * (nearest - e)).exp()
    } else if comptime!(operator == SQRT) {
        (inverse_tau * (nearest.sqrt() - e.sqrt())).exp()
    } else {
        (inverse_tau * (nearest / e).ln()).exp()
    }
}

/// `-T'(d)` for `e = d + eps`.
#[cube]
fn operator_slope(e: f32, #[comptime] operator: u32) -> f32 {
    if comptime!(operator == LINEAR) {
        1.0f32.runtime()
    } else if comptime!(operator == SQRT) {
        0.5f32 / e.sqrt()
    } else {
        1.0f32 / e
    }
}

/// The potential's gradient, one unit per pixel, streaming the centroids twice.
#[cube(launch_unchecked)]
fn potential_gradient_kernel(
    x: &Tensor<f32>,
    labels: &Tensor<i32>,
    centroids: &Tensor<f32>,
    out: &mut Tensor<f32>,
    inverse_tau: f32,
    epsilon: f32,
    pixels: usize,
    classes: usize,
    #[comptime] operator: u32,
) {
    if ABSOLUTE_POS >= labels.len() {
        terminate!();
    }
    let entry = ABSOLUTE_POS / pixels;
    let first = entry * 3 * pixels + ABSOLUTE_POS % pixels;
    let label = labels[ABSOLUTE_POS];
    let r = x[first];
    let g = x[first + pixels];
    let b = x[first + 2 * pixels];
    let mut nearest = 1.0e30f32;
    for k in 0..classes {
        let dr = (r - centroids[6 * k]) - centroids[6 * k + 3];
        let dg = (g - centroids[6 * k + 1]) - centroids[6 * k + 4];
        let db = (b - centroids[6 * k + 2]) - centroids[6 * k + 5];
        let e = dr * dr + dg * dg + db * db + epsilon;
        nearest = select(e < nearest, e, nearest);
    }
    let mut others = 0.0f32;
    let mut own = 0.0f32;
    let mut pull_r = 0.0f32;
    let mut pull_g = 0.0f32;
    let mut pull_b = 0.0f32;
    let mut push_r = 0.0f32;
    let mut push_g = 0.0f32;
    let mut push_b = 0.0f32;
    for k in 0..classes {
        let dr = (r - centroids[6 * k]) - centroids[6 * k + 3];
        let dg = (g - centroids[6 * k + 1]) - centroids[6 * k + 4];
        let db = (b - centroids[6 * k + 2]) - centroids[6 * k + 5];
        let e = dr * dr + dg * dg + db * db + epsilon;
        let weight = softmax_weight(e, nearest, inverse_tau, operator);
        let slope = operator_slope(e, operator);
        if label == k as i32 {
            own += weight;
            pull_r = dr * slope;
            pull_g = dg * slope;
            pull_b = db * slope;
        } else {
            others += weight;
            push_r += dr * slope * weight;
            push_g += dg * slope * weight;
            push_b += db * slope * weight;
        }
    }
    let mut grad_r = 0.0f32;
    let mut grad_g = 0.0f32;
    let mut grad_b = 0.0f32;
    if label >= 0 && label < classes as i32 {
        let scale = 2.0f32 * inverse_tau / (others + own);
        grad_r = scale * (others * pull_r - push_r);
        grad_g = scale * (others * pull_g - push_g);
        grad_b = scale * (others * pull_b - push_b);
        if comptime!(operator == NORMALIZED) {
            let norm = (grad_r * grad_r + grad_g * grad_g + grad_b * grad_b).sqrt();
            let norm = clamp_min(norm, GRADIENT_FLOOR as f32);
            grad_r /= norm;
            grad_g /= norm;
            grad_b /= norm;
        }
    }
    out[first] = grad_r;
    out[first + pixels] = grad_g;
    out[first + 2 * pixels] = grad_b;
}

const LOG: u32 = 0;
const SQRT: u32 = 1;
const LINEAR: u32 = 2;
const NORMALIZED: u32 = 3;

/// See [`potential_gradient`](crate::kernels::potential_gradient).
pub fn gradient(
    x: CubeTensor,
    labels: CubeTensor,
    centroids: CubeTensor,
    potential: Potential,
) -> CubeTensor {
    let (x, centroids) = (into_contiguous(x), into_contiguous(centroids));
    let labels = into_contiguous(CubeBackend::int_cast(labels, IntDType::I32));
    let units = labels.shape().num_elements();
    let pixels = units / x.shape()[0].max(1);
    let classes = centroids.shape()[0];
    let out = like(&x, x.shape());
    let (count, dim) = grid(units);
    let operator = match potential.operator {
        Operator::Log => LOG,
        Operator::Sqrt => SQRT,
        Operator::Linear => LINEAR,
        Operator::NormalizedGradient => NORMALIZED,
    };
    // SAFETY: a unit past the labels stops at once; `x` holds three values a label, and the
    // loops run over the rows of `centroids`.
    unsafe {
        potential_gradient_kernel::launch_unchecked(
            &out.client,
            count,
            dim,
            x.into_tensor_arg(),
            labels.into_tensor_arg(),
            centroids.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            (1.0 / potential.temperature) as f32,
            potential.epsilon as f32,
            pixels,
            classes,
            operator,
        );
    }
    out
}
