//! The pixel neural field on the GPU.
//!
//! One unit per pixel runs the forward pass and the state's gradient, and one unit per hidden
//! feature the weights' gradient, so no element is written by two units. All in single precision.

use super::launch::{clamp_min, grid, like};
use crate::kernels::constants::{NORM_FLOOR, RMS_EPSILON};
use crate::kernels::field_shape::FieldShape;
use burn::backend::{TensorMetadata, ops::FloatTensorOps};
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// `1 / sqrt(mean(z^2) + eps)` of the pixel whose features start at index `first`.
#[cube]
fn rms_scale(z: &Tensor<f32>, first: usize, #[comptime] width: usize) -> f32 {
    let mut sum = 0.0f32;
    for e in 0..width {
        let v = z[first + e];
        sum += v * v;
    }
    1.0f32 / (sum / (width as f32) + RMS_EPSILON).sqrt()
}

/// One over the norm of every column of W1 (`hidden` of them), then of W2 (`width`).
#[cube(launch_unchecked)]
fn column_norms(
    weights: &Tensor<f32>,
    inverse: &mut Tensor<f32>,
    #[comptime] width: usize,
    #[comptime] hidden: usize,
) {
    if ABSOLUTE_POS >= inverse.len() {
        terminate!();
    }
    let columns = width + hidden;
    let patch = ABSOLUTE_POS / columns;
    let column = ABSOLUTE_POS % columns;
    let first = patch * (2 * width * hidden);
    let mut sum = 0.0f32;
    if column < hidden {
        for e in 0..width {
            let w = weights[first + e * hidden + column];
            sum += w * w;
        }
    } else {
        for m in 0..hidden {
            let w = weights[first + width * hidden + m * width + (column - hidden)];
            sum += w * w;
        }
    }
    inverse[ABSOLUTE_POS] = 1.0f32 / clamp_min(sum.sqrt(), NORM_FLOOR);
}

#[cube(launch_unchecked)]
fn field_forward(
    z: &Tensor<f32>,
    weights: &Tensor<f32>,
    norm: &Tensor<f32>,
    inverse: &Tensor<f32>,
    out: &mut Tensor<f32>,
    rows: usize,
    #[comptime] pixels: usize,
    #[comptime] width: usize,
    #[comptime] hidden: usize,
) {
    if ABSOLUTE_POS >= rows {
        terminate!();
    }
    let patch = ABSOLUTE_POS / pixels;
    let first = ABSOLUTE_POS * width;
    let w1 = patch * (2 * width * hidden);
    let w2 = w1 + width * hidden;
    let norms = patch * (width + hidden);
    let scale = rms_scale(z, first, width);
    let mut r = Array::<f32>::new(width);
    let mut sum = Array::<f32>::new(width);
    for e in 0..width {
        r[e] = z[first + e] * scale * norm[e];
        sum[e] = 0.0f32;
    }
    for m in 0..hidden {
        let mut u = 0.0f32;
        for e in 0..width {
            u += r[e] * weights[w1 + e * hidden + m];
        }
        u *= inverse[norms + m];
        let a = u / (1.0f32 + (-u).exp());
        for e in 0..width {
            sum[e] += a * weights[w2 + m * width + e];
        }
    }
    for e in 0..width {
        out[first + e] = z[first + e] + sum[e] * inverse[norms + hidden + e];
    }
}

/// Gradient of the state, and per pixel that of the norm's weight (summed afterwards). Stores every
/// pixel's scale for the gradient of the weights.
#[cube(launch_unchecked)]
fn field_backward_state(
    z: &Tensor<f32>,
    weights: &Tensor<f32>,
    norm: &Tensor<f32>,
    inverse: &Tensor<f32>,
    grad: &Tensor<f32>,
    dz: &mut Tensor<f32>,
    dnorm: &mut Tensor<f32>,
    scales: &mut Tensor<f32>,
    rows: usize,
    #[comptime] pixels: usize,
    #[comptime] width: usize,
    #[comptime] hidden: usize,
) {
    if ABSOLUTE_POS >= rows {
        terminate!();
    }
    let patch = ABSOLUTE_POS / pixels;
    let first = ABSOLUTE_POS * width;
    let w1 = patch * (2 * width * hidden);
    let w2 = w1 + width * hidden;
    let norms = patch * (width + hidden);
    let scale = rms_scale(z, first, width);
    scales[ABSOLUTE_POS] = scale;
    let mut r = Array::<f32>::new(width);
    let mut g = Array::<f32>::new(width);
    let mut dr = Array::<f32>::new(width);
    for e in 0..width {
        r[e] = z[first + e] * scale * norm[e];
        g[e] = grad[first + e] * inverse[norms + hidden + e];
        dr[e] = 0.0f32;
    }
    for m in 0..hidden {
        let mut u = 0.0f32;
        let mut da = 0.0f32;
        for e in 0..width {
            u += r[e] * weights[w1 + e * hidden + m];
            da += g[e] * weights[w2 + m * width + e];
        }
        u *= inverse[norms + m];
        let sigmoid = 1.0f32 / (1.0f32 + (-u).exp());
        let du = da * sigmoid * (1.0f32 + u * (1.0f32 - sigmoid)) * inverse[norms + m];
        for e in 0..width {
            dr[e] += du * weights[w1 + e * hidden + m];
        }
    }
    let mut dot = 0.0f32;
    for e in 0..width {
        dnorm[first + e] = dr[e] * z[first + e] * scale;
        dot += dr[e] * norm[e] * z[first + e];
    }
    let pull = dot / (width as f32) * scale * scale;
    for e in 0..width {
        let inner = dr[e] * norm[e] - z[first + e] * pull;
        dz[first + e] = grad[first + e] + inner * scale;
    }
}

/// Gradient of the weights: final for W1, still with respect to the normalised columns for W2.
#[cube(launch_unchecked)]
fn field_backward_weights(
    z: &Tensor<f32>,
    weights: &Tensor<f32>,
    norm: &Tensor<f32>,
    inverse: &Tensor<f32>,
    grad: &Tensor<f32>,
    scales: &Tensor<f32>,
    dw: &mut Tensor<f32>,
    units: usize,
    #[comptime] pixels: usize,
    #[comptime] width: usize,
    #[comptime] hidden: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let patch = ABSOLUTE_POS / hidden;
    let m = ABSOLUTE_POS % hidden;
    let w1 = patch * (2 * width * hidden);
    let w2 = w1 + width * hidden;
    let norms = patch * (width + hidden);
    let mut dw1 = Array::<f32>::new(width);
    let mut dw2 = Array::<f32>::new(width);
    for e in 0..width {
        dw1[e] = 0.0f32;
        dw2[e] = 0.0f32;
    }
    for pixel in 0..pixels {
        let row = patch * pixels + pixel;
        let first = row * width;
        let scale = scales[row];
        let mut u = 0.0f32;
        let mut da = 0.0f32;
        for e in 0..width {
            u += z[first + e] * norm[e] * weights[w1 + e * hidden + m];
            da += grad[first + e] * inverse[norms + hidden + e] * weights[w2 + m * width + e];
        }
        u *= scale * inverse[norms + m];
        let sigmoid = 1.0f32 / (1.0f32 + (-u).exp());
        let a = u * sigmoid;
        let du = da * sigmoid * (1.0f32 + u * (1.0f32 - sigmoid)) * scale;
        for e in 0..width {
            dw1[e] += z[first + e] * du;
            dw2[e] += grad[first + e] * a;
        }
    }
    let i = inverse[norms + m];
    let mut dot = 0.0f32;
    for e in 0..width {
        // Factors that are the same for all pixels.
        dw1[e] *= norm[e];
        dot += weights[w1 + e * hidden + m] * i * dw1[e];
    }
    for e in 0..width {
        dw[w1 + e * hidden + m] = (dw1[e] - weights[w1 + e * hidden + m] * i * dot) * i;
        dw[w2 + m * width + e] = dw2[e];
    }
}

/// Converts the gradient of W2's normalised columns to that of W2, in place.
#[cube(launch_unchecked)]
fn field_backward_columns(
    weights: &Tensor<f32>,
    inverse: &Tensor<f32>,
    dw: &mut Tensor<f32>,
    units: usize,
    #[comptime] width: usize,
    #[comptime] hidden: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let patch = ABSOLUTE_POS / width;
    let e = ABSOLUTE_POS % width;
    let first = patch * (2 * width * hidden) + width * hidden + e;
    let i = inverse[patch * (width + hidden) + hidden + e];
    let mut dot = 0.0f32;
    for m in 0..hidden {
        dot += weights[first + m * width] * i * dw[first + m * width];
    }
    for m in 0..hidden {
        let at = first + m * width;
        dw[at] = (dw[at] - weights[at] * i * dot) * i;
    }
}

fn inverse_norms(s: FieldShape, weights: &CubeTensor) -> CubeTensor {
    let inverse = like(weights, Shape::new([s.patches, s.width + s.hidden]));
    let (count, dim) = grid(s.patches * (s.width + s.hidden));
    // SAFETY: the kernel checks its position against the output's length, and every index is
    // derived from the sizes that `FieldShape::new` checked against the inputs.
    unsafe {
        column_norms::launch_unchecked(
            &inverse.client,
            count,
            dim,
            weights.clone().into_tensor_arg(),
            inverse.clone().into_tensor_arg(),
            s.width,
            s.hidden,
        );
    }
    inverse
}

/// See [`neural_field`](crate::kernels::neural_field).
pub(super) fn forward(z: CubeTensor, weights: CubeTensor, norm: CubeTensor) -> CubeTensor {
    let s = FieldShape::new(&z.shape(), &weights.shape());
    let (z, weights) = (into_contiguous(z), into_contiguous(weights));
    let norm = into_contiguous(norm);
    let inverse = inverse_norms(s, &weights);
    let out = like(&z, z.shape());
    let rows = s.patches * s.pixels;
    let (count, dim) = grid(rows);
    // SAFETY: as in `inverse_norms`; a unit past `rows` returns at once.
    unsafe {
        field_forward::launch_unchecked(
            &out.client,
            count,
            dim,
            z.into_tensor_arg(),
            weights.into_tensor_arg(),
            norm.into_tensor_arg(),
            inverse.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            rows,
            s.pixels,
            s.width,
            s.hidden,
        );
    }
    out
}

/// Gradients of the three inputs of [`forward`], given that of its output.
pub(super) fn backward(
    z: CubeTensor,
    weights: CubeTensor,
    norm: CubeTensor,
    grad: CubeTensor,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let s = FieldShape::new(&z.shape(), &weights.shape());
    let (z, weights) = (into_contiguous(z), into_contiguous(weights));
    let (norm, grad) = (into_contiguous(norm), into_contiguous(grad));
    let inverse = inverse_norms(s, &weights);
    let (dz, dw) = (like(&z, z.shape()), like(&weights, weights.shape()));
    let rows = s.patches * s.pixels;
    let dnorm = like(&z, Shape::new([rows, s.width]));
    let scales = like(&z, Shape::new([rows]));
    let client = dz.client.clone();
    // SAFETY: as in `inverse_norms`; units past the count return at once, and no two units
    // write the same element.
    unsafe {
        let (count, dim) = grid(rows);
        field_backward_state::launch_unchecked(
            &client,
            count,
            dim,
            z.clone().into_tensor_arg(),
            weights.clone().into_tensor_arg(),
            norm.clone().into_tensor_arg(),
            inverse.clone().into_tensor_arg(),
            grad.clone().into_tensor_arg(),
            dz.clone().into_tensor_arg(),
            dnorm.clone().into_tensor_arg(),
            scales.clone().into_tensor_arg(),
            rows,
            s.pixels,
            s.width,
            s.hidden,
        );
        let units = s.patches * s.hidden;
        let (count, dim) = grid(units);
        field_backward_weights::launch_unchecked(
            &client,
            count,
            dim,
            z.into_tensor_arg(),
            weights.clone().into_tensor_arg(),
            norm.into_tensor_arg(),
            inverse.clone().into_tensor_arg(),
            grad.into_tensor_arg(),
            scales.into_tensor_arg(),
            dw.clone().into_tensor_arg(),
            units,
            s.pixels,
            s.width,
            s.hidden,
        );
        let units = s.patches * s.width;
        let (count, dim) = grid(units);
        field_backward_columns::launch_unchecked(
            &client,
            count,
            dim,
            weights.into_tensor_arg(),
            inverse.into_tensor_arg(),
            dw.clone().into_tensor_arg(),
            units,
            s.width,
            s.hidden,
        );
    }
    let dnorm =
        CubeBackend::float_reshape(CubeBackend::float_sum_dim(dnorm, 0), Shape::new([s.width]));
    (dz, dw, dnorm)
}
