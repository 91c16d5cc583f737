//! The potential's gradient (equation 11) for every GPU: one unit per pixel, streaming the centroids.

use super::launch::{clamp_min, grid, like};
use crate::potential::{GRADIENT_FLOOR, Operator, Potential};
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

/// The squared distance from a point `[d]` to centroid k; the offsets are written to `offset: [d]`.
#[cube]
fn distance(
    point: &Array<f32>,
    centroids: &Tensor<f32>,
    k: usize,
    offset: &mut Array<f32>,
    #[comptime] dims: usize,
) -> f32 {
    let mut sum = 0.0f32;
    #[unroll]
    for axis in 0..dims {
        let at = 2 * dims * k + axis;
        let along = (point[axis] - centroids[at]) - centroids[at + dims];
        offset[axis] = along;
        sum += along * along;
    }
    sum
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
    #[comptime] dims: usize,
) {
    if ABSOLUTE_POS >= labels.len() {
        terminate!();
    }
    let entry = ABSOLUTE_POS / pixels;
    let first = entry * dims * pixels + ABSOLUTE_POS % pixels;
    let label = labels[ABSOLUTE_POS];
    let mut point = Array::<f32>::new(dims);
    let mut offset = Array::<f32>::new(dims);
    let mut pull = Array::<f32>::new(dims);
    let mut push = Array::<f32>::new(dims);
    #[unroll]
    for axis in 0..dims {
        point[axis] = x[first + axis * pixels];
        pull[axis] = 0.0f32;
        push[axis] = 0.0f32;
    }
    let mut nearest = 1.0e30f32;
    for k in 0..classes {
        let e = distance(&point, centroids, k, &mut offset, dims) + epsilon;
        nearest = select(e < nearest, e, nearest);
    }
    let mut others = 0.0f32;
    let mut own = 0.0f32;
    for k in 0..classes {
        let e = distance(&point, centroids, k, &mut offset, dims) + epsilon;
        let weight = softmax_weight(e, nearest, inverse_tau, operator);
        let slope = operator_slope(e, operator);
        if label == k as i32 {
            own += weight;
            #[unroll]
            for axis in 0..dims {
                pull[axis] = offset[axis] * slope;
            }
        } else {
            others += weight;
            #[unroll]
            for axis in 0..dims {
                push[axis] += offset[axis] * slope * weight;
            }
        }
    }
    let mut scale = 0.0f32;
    if label >= 0 && label < classes as i32 {
        scale = 2.0f32 * inverse_tau / (others + own);
    }
    let mut square = 0.0f32;
    #[unroll]
    for axis in 0..dims {
        let along = scale * (others * pull[axis] - push[axis]);
        point[axis] = along;
        square += along * along;
    }
    let mut length = 1.0f32;
    if comptime!(operator == NORMALIZED) {
        length = clamp_min(square.sqrt(), GRADIENT_FLOOR as f32);
    }
    #[unroll]
    for axis in 0..dims {
        out[first + axis * pixels] = point[axis] / length;
    }
}

const LOG: u32 = 0;
const SQRT: u32 = 1;
const LINEAR: u32 = 2;
const NORMALIZED: u32 = 3;

/// See [`potential_gradient`](crate::kernels::potential_gradient).
pub(super) fn gradient(
    x: CubeTensor,
    labels: CubeTensor,
    centroids: CubeTensor,
    potential: Potential,
) -> CubeTensor {
    let (x, centroids) = (into_contiguous(x), into_contiguous(centroids));
    let labels = into_contiguous(CubeBackend::int_cast(labels, IntDType::I32));
    let units = labels.shape().num_elements();
    let pixels = units / x.shape()[0].max(1);
    let (classes, dims) = (centroids.shape()[0], x.shape()[1]);
    let out = like(&x, x.shape());
    let (count, dim) = grid(units);
    let operator = match potential.operator {
        Operator::Log => LOG,
        Operator::Sqrt => SQRT,
        Operator::Linear => LINEAR,
        Operator::NormalizedGradient => NORMALIZED,
    };
    // SAFETY: a unit past the labels returns at once; `x` holds d values per label, and the loops
    // run over the rows of `centroids`.
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
            dims,
        );
    }
    out
}
