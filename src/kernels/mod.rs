//! The project's own tensor operations, forward and backward.
//!
//! On the CPU every hot piece of the network is one fused operation ([`CpuOps`]); elsewhere the
//! same functions compose ordinary tensor operations, which Burn fuses. The pixel neural field and
//! the potential's gradient have their own kernels on every local device ([`FieldOps`]).
//!
//! [`plain`] and [`plain_potential`] hold each operation's formula in ordinary tensor operations:
//! what devices without the kernel run (a device of another machine has none of them), and what the
//! tests hold the kernels against.

pub mod adamw;
mod attention;
mod autodiff;
mod cpu;
mod cross_entropy;
mod cube;
mod cube_potential;
mod flex;
mod gelu;
mod largest;
mod neural_field;
mod norm;
pub mod plain;
pub mod plain_potential;
mod potential;
pub mod simd;
mod swiglu;
mod target;
#[cfg(test)]
mod tests;
pub use plain::permute;
pub use plain_potential::value as potential_value;
pub(crate) use target::backend_of;
pub use target::{has_field_kernels, on_cpu};

use crate::encoding::Centroids;
use crate::potential::Potential;
use adamw::AdamWUpdate;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor, TensorData};

type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// Fused operations of the CPU backend. Shapes are those of the functions of the same name below.
#[backend_extension(Flex, Autodiff)]
pub trait CpuOps: Backend {
    /// See [`rms_norm`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`modulated_norm`].
    fn modulated_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`gated_residual`].
    fn gated_residual(
        x: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`swiglu`].
    fn swiglu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`attention`].
    fn attention(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`plain_attention`].
    fn plain_attention(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self>;
    /// See [`layer_norm`].
    fn layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`gelu`](fn@gelu).
    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`cross_entropy`].
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Updates in place, outside any graph.
#[backend_extension(Flex)]
trait UpdateOps: Backend {
    fn adamw(
        update: AdamWUpdate,
        number: FloatTensor<Self>,
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moment1: FloatTensor<Self>,
        moment2: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn average(
        keep: FloatTensor<Self>,
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Decisions, outside any graph.
#[backend_extension(Flex)]
trait DecisionOps: Backend {
    fn largest(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shares: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The operations with kernels of their own on every local device.
#[backend_extension(Flex, Cube, Fusion, Autodiff)]
pub trait FieldOps: Backend {
    /// See [`neural_field`].
    #[fusion(dtype = z, shape = z)]
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// Gradients of the three inputs of [`neural_field`], given that of its output.
    #[fusion(meta = gradients_like_inputs)]
    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// See [`potential_gradient`].
    #[fusion(dtype = x, shape = x)]
    fn potential_gradient(
        x: FloatTensor<Self>,
        labels: IntTensor<Self>,
        centroids: FloatTensor<Self>,
        potential: Potential,
    ) -> FloatTensor<Self>;
}

fn gradients_like_inputs(
    z: &TensorSpec,
    weights: &TensorSpec,
    norm: &TensorSpec,
    _grad: &TensorSpec,
) -> (TensorSpec, TensorSpec, TensorSpec) {
    (z.clone(), weights.clone(), norm.clone())
}

/// `x / sqrt(mean(x^2) + 1e-6) * weight` over the last axis: `x: [.., D]`, `weight: [D]`.
pub fn rms_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>) -> Tensor<R> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::rms_norm(
            x.into_dispatch(),
            weight.into_dispatch(),
        ))
    } else {
        plain::rms_norm(x, weight)
    }
}

/// `rms_norm(x) * (1 + scale) + shift`: `x: [B, L, D]`, `shift` and `scale: [B, 1, D]`.
pub fn modulated_norm(
    x: Tensor<3>,
    weight: Tensor<1>,
    shift: Tensor<3>,
    scale: Tensor<3>,
) -> Tensor<3> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::modulated_norm(
            x.into_dispatch(),
            weight.into_dispatch(),
            shift.into_dispatch(),
            scale.into_dispatch(),
        ))
    } else {
        plain::modulated_norm(x, weight, shift, scale)
    }
}

/// `x + gate * y`: `x, y: [B, L, D]`, `gate: [B, 1, D]`.
pub fn gated_residual(x: Tensor<3>, gate: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::gated_residual(
            x.into_dispatch(),
            gate.into_dispatch(),
            y.into_dispatch(),
        ))
    } else {
        x + gate * y
    }
}

/// `SiLU(a) * b` for tensors of one shape.
pub fn swiglu<const R: usize>(a: Tensor<R>, b: Tensor<R>) -> Tensor<R> {
    if on_cpu(&a.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::swiglu(
            a.into_dispatch(),
            b.into_dispatch(),
        ))
    } else {
        plain::swiglu(a, b)
    }
}

/// Rotary self-attention with normed queries and keys: `qkv: [B, L, 3 D]` to `[B, L, D]`, with
/// `q_norm, k_norm: [d]` (d the head width) and the rotation's `cos, sin: [L, d / 2]`.
pub fn attention(
    qkv: Tensor<3>,
    q_norm: Tensor<1>,
    k_norm: Tensor<1>,
    cos: Tensor<2>,
    sin: Tensor<2>,
) -> Tensor<3> {
    if on_cpu(&qkv.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::attention(
            qkv.into_dispatch(),
            q_norm.into_dispatch(),
            k_norm.into_dispatch(),
            cos.into_dispatch(),
            sin.into_dispatch(),
        ))
    } else {
        plain::attention(qkv, q_norm, k_norm, cos, sin)
    }
}

/// Self-attention as it is, without norms or rotation: `qkv: [B, L, 3 D]` to `[B, L, D]`.
pub fn plain_attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    if on_cpu(&qkv.device()) {
        let qkv = qkv.into_dispatch();
        Tensor::from_dispatch(<Dispatch as CpuOps>::plain_attention(qkv, heads))
    } else {
        plain::plain_attention(qkv, heads)
    }
}

/// `(x - mean) / sqrt(variance + 1e-6) * weight + bias` over the last axis: `x: [.., D]`,
/// `weight, bias: [D]`.
pub fn layer_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<R> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::layer_norm(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
        ))
    } else {
        plain::layer_norm(x, weight, bias)
    }
}

/// `x Phi(x)` with the normal distribution Phi, element by element.
pub fn gelu<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::gelu(x.into_dispatch()))
    } else {
        burn::tensor::activation::gelu(x)
    }
}

/// The cross-entropy `sum_p w_p (ln sum_n exp(l_pn) - l_p,label)`, `[1]`, of `logits: [P, N]` for
/// `labels: [P]` with class indices, those outside `0..N` with weight 0, and `weights: [P]`, which are
/// constants.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, weights: Tensor<1>) -> Tensor<1> {
    if on_cpu(&logits.device()) {
        Tensor::from_dispatch(<Dispatch as CpuOps>::cross_entropy(
            logits.into_dispatch(),
            labels.into_dispatch(),
            weights.into_dispatch(),
        ))
    } else {
        plain::cross_entropy(logits, labels, weights)
    }
}

/// The index of the largest of the outputs `z W + shares values` in every pixel, the first of equals,
/// outside any graph: `z: [patches, P, E]`, `weight: [E, N]`, `shares: [P, K]`,
/// `values: [patches, K, N]` to `[patches, P]`.
pub fn largest(
    z: Tensor<3>,
    weight: Tensor<2>,
    shares: Tensor<2>,
    values: Tensor<3>,
) -> Tensor<2, Int> {
    let [z, values] = [z, values].map(Tensor::without_autodiff);
    let [weight, shares] = [weight, shares].map(Tensor::without_autodiff);
    if on_cpu(&z.device()) {
        let indices = Tensor::<2>::from_dispatch(<Dispatch as DecisionOps>::largest(
            z.into_dispatch(),
            weight.into_dispatch(),
            shares.into_dispatch(),
            values.into_dispatch(),
        ));
        indices.int()
    } else {
        plain::largest(z, weight, shares, values)
    }
}

/// The pixel neural field: `z: [patches, P, E]`, `weights: [patches, 2 E M]`, `norm: [E]` to
/// `z + SiLU(RMS(z) W1) W2`, the weight matrices `[E, M]` and `[M, E]` normalised by column.
pub fn neural_field(z: Tensor<3>, weights: Tensor<2>, norm: Tensor<1>) -> Tensor<3> {
    if !has_field_kernels(&z.device()) {
        return plain::neural_field(z, weights, norm);
    }
    Tensor::from_dispatch(<Dispatch as FieldOps>::neural_field(
        z.into_dispatch(),
        weights.into_dispatch(),
        norm.into_dispatch(),
    ))
}

/// `grad Phi` (equation 11) at every pixel: `x: [B, 3, H, W]`, `labels: [B, H, W]` with class
/// indices, anything outside `0..N` ignored (zero gradient). Not differentiable: the result is
/// outside any graph, which is the `sg` of equation 13.
///
/// Takes no memory beyond its output where the device has a kernel: centroids are streamed.
pub fn potential_gradient(
    x: Tensor<4>,
    labels: Tensor<3, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<4> {
    let x = x.without_autodiff();
    let device = x.device();
    if !has_field_kernels(&device) {
        return plain_potential::gradient(x, labels, centroids, potential);
    }
    let points = TensorData::new(centroids.split_f32(), [centroids.len(), 6]);
    let points = Tensor::<2>::from_data(points, (&device, DType::F32));
    Tensor::from_dispatch(<Dispatch as FieldOps>::potential_gradient(
        x.into_dispatch(),
        labels.into_dispatch(),
        points.into_dispatch(),
        potential,
    ))
}

/// One AdamW update of a parameter and its two moments, all of one shape and outside any graph.
/// `number: [1]` counts the updates from 1. `scale: [1]` multiplies the gradient first; 0 leaves
/// parameter and moments as they are, even where the gradient is no number. Both are on the device,
/// so that nobody waits for them.
pub fn adamw_update<const R: usize>(
    u: AdamWUpdate,
    number: Tensor<1>,
    parameter: Tensor<R>,
    gradient: Tensor<R>,
    scale: Tensor<1>,
    moment1: Tensor<R>,
    moment2: Tensor<R>,
) -> (Tensor<R>, Tensor<R>, Tensor<R>) {
    if on_cpu(&parameter.device()) {
        let (p, m, v) = <Dispatch as UpdateOps>::adamw(
            u,
            number.into_dispatch(),
            parameter.into_dispatch(),
            gradient.into_dispatch(),
            scale.into_dispatch(),
            moment1.into_dispatch(),
            moment2.into_dispatch(),
        );
        (
            Tensor::from_dispatch(p),
            Tensor::from_dispatch(m),
            Tensor::from_dispatch(v),
        )
    } else {
        plain::adamw_update(u, number, parameter, gradient, scale, moment1, moment2)
    }
}

/// `average * keep + value * (1 - keep)`, `keep: [1]`, outside any graph.
pub fn moving_average<const R: usize>(
    keep: Tensor<1>,
    average: Tensor<R>,
    value: Tensor<R>,
) -> Tensor<R> {
    if on_cpu(&average.device()) {
        Tensor::from_dispatch(<Dispatch as UpdateOps>::average(
            keep.into_dispatch(),
            average.into_dispatch(),
            value.into_dispatch(),
        ))
    } else {
        let keep = keep.reshape([1; R]);
        average * keep.clone() + value * (keep.neg() + 1.0)
    }
}

/// The sum of squares of all elements, outside any graph.
pub fn square_sum<const R: usize>(x: Tensor<R>) -> Tensor<1> {
    if on_cpu(&x.device()) {
        Tensor::from_dispatch(<Dispatch as UpdateOps>::square_sum(x.into_dispatch()))
    } else {
        x.square().sum()
    }
}
