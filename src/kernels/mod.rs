//! The project's own tensor operations, forward and backward.
//!
//! On the CPU every performance-critical part of the network is one fused operation ([`CpuOps`]);
//! elsewhere the same functions are composed of ordinary tensor operations, which Burn fuses. The
//! pixel neural field and the potential's gradient have their own kernels on every local device
//! ([`FieldOps`]).
//!
//! | folder | contents |
//! |---|---|
//! | [`reference`](mod@reference) | each operation's formula in ordinary tensor operations: what devices without the kernel run (remote devices have none), and what the tests compare the kernels with |
//! | `cpu` | the fused operations of the CPU backend |
//! | `cube` | the GPU kernels, written once for CubeCL |
//! | `autodiff` | the backward passes, registered in Burn's graph |

mod autodiff;
mod constants;
mod cpu;
mod cube;
mod field_shape;
mod matmul_precision;
pub mod ops;
mod optim;
pub mod reference;
#[cfg(test)]
mod tests;

pub(crate) use constants::{LAYER_EPSILON, NORM_FLOOR, RMS_EPSILON};
pub use cpu::linear::PackedWeight;
pub use matmul_precision::MatmulPrecision;
pub use optim::{AdamWUpdate, weight_of};

use crate::device::{has_field_kernels, on_cpu};
use crate::encoding::Centroids;
use crate::potential::Potential;
use burn::backend::Dispatch;
use burn::tensor::{DType, Int, Tensor, TensorData};
use ops::{CpuOps, DecisionOps, FieldOps, RecordOps, UpdateOps};

/// The fused operation if the first tensor is on the CPU, otherwise the formula of the same name in
/// [`reference`](mod@reference). Arguments after the semicolon are not tensors; a precision after `in` is only for the
/// fused operation.
macro_rules! fused {
    ($ops:ident::$name:ident($first:ident $(, $tensor:ident)* $(; $($plain:ident),+)?) $(in $precision:ident)?) => {
        if on_cpu(&$first.device()) {
            Tensor::from_dispatch(<Dispatch as $ops>::$name(
                $first.into_dispatch(),
                $($tensor.into_dispatch(),)*
                $($($plain,)+)?
                $($precision)?
            ))
        } else {
            reference::$name($first $(, $tensor)* $($(, $plain)+)?)
        }
    };
}

/// `x / sqrt(mean(x^2) + 1e-6) * weight` over the last axis: `x: [.., D]`, `weight: [D]`.
pub fn rms_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>) -> Tensor<R> {
    fused!(CpuOps::rms_norm(x, weight))
}

/// `rms_norm(x) * (1 + scale) + shift`: `x: [B, L, D]`, `shift` and `scale: [B, 1, D]`.
pub fn modulated_norm(
    x: Tensor<3>,
    weight: Tensor<1>,
    shift: Tensor<3>,
    scale: Tensor<3>,
) -> Tensor<3> {
    fused!(CpuOps::modulated_norm(x, weight, shift, scale))
}

/// `x + gate * y`: `x, y: [B, L, D]`, `gate: [B, 1, D]`.
pub fn gated_residual(x: Tensor<3>, gate: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    fused!(CpuOps::gated_residual(x, gate, y))
}

/// `SiLU(a) * b` for tensors of one shape.
pub fn swiglu<const R: usize>(a: Tensor<R>, b: Tensor<R>) -> Tensor<R> {
    fused!(CpuOps::swiglu(a, b))
}

/// Self-attention with RMS-normalised, rotated queries and keys: `qkv: [B, L, 3 D]` to
/// `[B, L, D]`, with `q_norm, k_norm: [d]` (d the width of a head) and the rotation's
/// `cos, sin: [L, d / 2]`. Only the CPU rounds: to bfloat16, in the forward pass.
pub fn rotary_attention(
    qkv: Tensor<3>,
    q_norm: Tensor<1>,
    k_norm: Tensor<1>,
    cos: Tensor<2>,
    sin: Tensor<2>,
    precision: MatmulPrecision,
) -> Tensor<3> {
    fused!(CpuOps::rotary_attention(qkv, q_norm, k_norm, cos, sin) in precision)
}

/// Self-attention without norms or rotation: `qkv: [B, L, 3 D]` to `[B, L, D]`; otherwise like
/// [`rotary_attention`].
pub fn self_attention(qkv: Tensor<3>, heads: usize, precision: MatmulPrecision) -> Tensor<3> {
    fused!(CpuOps::self_attention(qkv; heads) in precision)
}

/// What `token`, below L, attends to in [`rotary_attention`]: `softmax(q k^T / sqrt(d))` of its query
/// and all keys, `[B, heads, L]`, outside any graph.
pub fn rotary_attention_row(
    qkv: Tensor<3>,
    q_norm: Tensor<1>,
    k_norm: Tensor<1>,
    cos: Tensor<2>,
    sin: Tensor<2>,
    token: usize,
) -> Tensor<3> {
    let qkv = qkv.without_autodiff();
    let [q_norm, k_norm] = [q_norm, k_norm].map(Tensor::without_autodiff);
    let [cos, sin] = [cos, sin].map(Tensor::without_autodiff);
    fused!(RecordOps::rotary_attention_row(qkv, q_norm, k_norm, cos, sin; token))
}

/// What `token`, below L, attends to in [`self_attention`]; otherwise like [`rotary_attention_row`].
pub fn self_attention_row(qkv: Tensor<3>, heads: usize, token: usize) -> Tensor<3> {
    let qkv = qkv.without_autodiff();
    fused!(RecordOps::self_attention_row(qkv; heads, token))
}

/// `(x - mean) / sqrt(variance + 1e-6) * weight + bias` over the last axis: `x: [.., D]`,
/// `weight, bias: [D]`.
pub fn layer_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<R> {
    fused!(CpuOps::layer_norm(x, weight, bias))
}

/// `x Phi(x)` with the normal distribution Phi, element by element.
pub fn gelu<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    fused!(CpuOps::gelu(x))
}

/// The linear layer `x W + b`: `x: [rows, from]`, `weight: [from, to]`, `bias: [R, to]` with row
/// `i mod R` for row i, R a divisor of the number of rows; without one, `x W`. The CPU keeps a rounded
/// weight in `packed`, if given, outside any graph.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<2>>,
    precision: MatmulPrecision,
    packed: Option<&PackedWeight>,
) -> Tensor<2> {
    if !on_cpu(&x.device()) || precision == MatmulPrecision::Half {
        return reference::linear(x, weight, bias, precision);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([1, weight.dims()[1]], &x.device()));
    Tensor::from_dispatch(<Dispatch as CpuOps>::linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        precision,
        packed.cloned(),
    ))
}

/// Planes `[B, C, H, W]` with twice as many rows and columns, interpolated linearly: each new sample
/// lies a quarter of the way from an old one to a neighbour, and the border is repeated.
pub fn doubled(x: Tensor<4>) -> Tensor<4> {
    fused!(CpuOps::doubled(x))
}

/// Blocks of 2 x 2 pixels, each with its eight neighbours, as channels: `[B, C, H, W]` with even
/// sides to `[B, 9 * 4 C, H / 2, W / 2]`. Channels are ordered by neighbour, then channel of `x`,
/// then pixel of the block; the border is repeated.
pub fn neighbourhoods(x: Tensor<4>) -> Tensor<4> {
    fused!(CpuOps::neighbourhoods(x))
}

/// Pixels in the order of the patches of a grid of `[rows, columns]`, `[B rows columns, p p, C]`, as an
/// image, `[B, C, rows p, columns p]`.
pub fn from_patches(pixels: Tensor<3>, grid: [usize; 2]) -> Tensor<4> {
    fused!(CpuOps::from_patches(pixels; grid))
}

/// Pixels in the order of patches, as [`from_patches`] takes them, plus those of `image: [B, C, H, W]`.
pub fn add_image(pixels: Tensor<3>, image: Tensor<4>) -> Tensor<3> {
    fused!(CpuOps::add_image(pixels, image))
}

/// The cross-entropy `sum_p w_p (ln sum_n exp(l_pn) - l_p,label)`, `[1]`, of `logits: [P, N]` for
/// class indices `labels: [P]` (those outside `0..N` must have weight 0) and constant
/// `weights: [P]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, weights: Tensor<1>) -> Tensor<1> {
    fused!(CpuOps::cross_entropy(logits, labels, weights))
}

/// The index of the largest of the outputs `z W + shares values` in every pixel, the first among
/// equals, outside any graph: `z: [patches, P, E]`, `weight: [E, N]`, `shares: [P, K]`,
/// `values: [patches, K, N]` to `[patches, P]`. It is N where one of the outputs is not finite.
pub fn argmax(
    z: Tensor<3>,
    weight: Tensor<2>,
    shares: Tensor<2>,
    values: Tensor<3>,
) -> Tensor<2, Int> {
    let [z, values] = [z, values].map(Tensor::without_autodiff);
    let [weight, shares] = [weight, shares].map(Tensor::without_autodiff);
    if !on_cpu(&z.device()) {
        return reference::argmax(z, weight, shares, values);
    }
    Tensor::<2>::from_dispatch(<Dispatch as DecisionOps>::argmax(
        z.into_dispatch(),
        weight.into_dispatch(),
        shares.into_dispatch(),
        values.into_dispatch(),
    ))
    .int()
}

/// The pixel neural field: `z: [patches, P, E]`, `weights: [patches, 2 E M]`, `norm: [E]` to
/// `z + SiLU(RMS(z) W1) W2`, where the columns of the weight matrices `[E, M]` and `[M, E]` are
/// normalised. Only the CPU rounds: to bfloat16, in the forward pass.
pub fn neural_field(
    z: Tensor<3>,
    weights: Tensor<2>,
    norm: Tensor<1>,
    precision: MatmulPrecision,
) -> Tensor<3> {
    if !has_field_kernels(&z.device()) {
        return reference::neural_field(z, weights, norm);
    }
    Tensor::from_dispatch(<Dispatch as FieldOps>::neural_field(
        z.into_dispatch(),
        weights.into_dispatch(),
        norm.into_dispatch(),
        precision,
    ))
}

/// `grad Phi` (equation 11) at every pixel: `x: [B, d, H, W]`, `labels: [B, H, W]` with class
/// indices, where anything outside `0..N` is ignored (zero gradient). Not differentiable: the result
/// is outside any graph, which is the `sg` of equation 13.
///
/// Needs no memory beyond its output if the device has a kernel: centroids are streamed.
pub fn potential_gradient(
    x: Tensor<4>,
    labels: Tensor<3, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<4> {
    let x = x.without_autodiff();
    let device = x.device();
    if !has_field_kernels(&device) {
        return reference::potential::gradient(x, labels, centroids, potential);
    }
    let points = TensorData::new(
        centroids.split_f32(),
        [centroids.len(), 2 * centroids.dims()],
    );
    let points = Tensor::<2>::from_data(points, (&device, DType::F32));
    Tensor::from_dispatch(<Dispatch as FieldOps>::potential_gradient(
        x.into_dispatch(),
        labels.into_dispatch(),
        points.into_dispatch(),
        potential,
    ))
}

/// One AdamW update of a parameter and its two moments, all of the same shape and outside any
/// graph. `number: [1]` counts the updates from 1. The gradient is multiplied by `scale: [1]`; 0
/// skips the update, even if the gradient is NaN. Both stay on the device to avoid a
/// synchronisation. Returns the parameter and its moments, the mean and the mean square of gradients.
pub fn adamw_update<const R: usize>(
    parameter: Tensor<R>,
    gradient: Tensor<R>,
    scale: Tensor<1>,
    moment1: Tensor<R>,
    moment2: Tensor<R>,
    number: Tensor<1>,
    update: AdamWUpdate,
) -> (Tensor<R>, Tensor<R>, Tensor<R>) {
    if !on_cpu(&parameter.device()) {
        return reference::adamw_update(
            parameter, gradient, scale, moment1, moment2, number, update,
        );
    }
    let (parameter, moment1, moment2) = <Dispatch as UpdateOps>::adamw_update(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        scale.into_dispatch(),
        moment1.into_dispatch(),
        moment2.into_dispatch(),
        number.into_dispatch(),
        update,
    );
    (
        Tensor::from_dispatch(parameter),
        Tensor::from_dispatch(moment1),
        Tensor::from_dispatch(moment2),
    )
}

/// `average * keep + value * (1 - keep)`, `keep: [1]`, outside any graph.
pub fn moving_average<const R: usize>(
    average: Tensor<R>,
    value: Tensor<R>,
    keep: Tensor<1>,
) -> Tensor<R> {
    fused!(UpdateOps::moving_average(average, value, keep))
}

/// The sum of squares of all elements, `[1]`, outside any graph.
pub fn square_sum<const R: usize>(x: Tensor<R>) -> Tensor<1> {
    fused!(UpdateOps::square_sum(x))
}
