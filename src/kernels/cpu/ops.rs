//! The CPU backend's implementation of the operations: each calls the module of its name.

use super::{self as cpu, argmax, attention, cross_entropy, gelu, linear, neural_field, norm};
use super::{optim, patches, planes, potential, swiglu};
use crate::kernels::ops::{CpuOps, DecisionOps, FieldOps, RecordOps, UpdateOps};
use crate::kernels::{AdamWUpdate, MatmulPrecision};
use crate::potential::Potential;
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};

impl CpuOps for Flex {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        norm::forward(x, weight)
    }
    fn modulated_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        norm::modulated_forward(x, weight, shift, scale)
    }
    fn gated_residual(
        x: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        norm::gated_forward(x, gate, y)
    }
    fn swiglu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::forward(a, b)
    }
    fn rotary_attention(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        let heads = heads(&qkv, &q_norm);
        let norms = [q_norm, k_norm];
        let rotary = attention::Rotary { norms, cos, sin };
        attention::forward(qkv, Some(rotary), heads, precision)
    }
    fn self_attention(
        qkv: FloatTensor<Self>,
        heads: usize,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        attention::forward(qkv, None, heads, precision)
    }
    fn layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        norm::layer_forward(x, weight, bias)
    }
    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        gelu::forward(x)
    }
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        precision: MatmulPrecision,
        packed: Option<linear::PackedWeight>,
    ) -> FloatTensor<Self> {
        linear::forward(x, weight, bias, precision, packed)
    }
    fn doubled(x: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::doubled(x)
    }
    fn neighbourhoods(x: FloatTensor<Self>) -> FloatTensor<Self> {
        planes::neighbourhoods(x)
    }
    fn from_patches(pixels: FloatTensor<Self>, grid: [usize; 2]) -> FloatTensor<Self> {
        patches::from_patches(pixels, grid)
    }
    fn add_image(pixels: FloatTensor<Self>, image: FloatTensor<Self>) -> FloatTensor<Self> {
        patches::add_image(pixels, image)
    }
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let loss = of_pixels(logits, labels, weights, cross_entropy::forward);
        cpu::tensor(vec![loss], [1])
    }
}

/// The gradient of [`CpuOps::cross_entropy`] with respect to the logits, given that of its result.
pub(in crate::kernels) fn cross_entropy_backward(
    logits: FloatTensor<Flex>,
    labels: IntTensor<Flex>,
    weights: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
) -> FloatTensor<Flex> {
    let gradient = cpu::slice(&cpu::contiguous(gradient))[0];
    let shape = logits.shape();
    let out = of_pixels(logits, labels, weights, |pixels| {
        cross_entropy::backward(pixels, gradient)
    });
    cpu::tensor(out, shape)
}

fn of_pixels<R>(
    logits: FloatTensor<Flex>,
    labels: IntTensor<Flex>,
    weights: FloatTensor<Flex>,
    work: impl FnOnce(&cross_entropy::Pixels<'_>) -> R,
) -> R {
    let (logits, weights) = (cpu::contiguous(logits), cpu::contiguous(weights));
    let labels = indices(labels);
    work(&cross_entropy::Pixels {
        logits: cpu::slice(&logits),
        labels: int_slice(&labels),
        weights: cpu::slice(&weights),
    })
}

/// Indices contiguous in memory, for [`int_slice`].
fn indices(x: IntTensor<Flex>) -> IntTensor<Flex> {
    Flex::int_cast(x, burn::tensor::IntDType::I32).to_contiguous()
}

/// The elements of [`indices`].
fn int_slice(indices: &IntTensor<Flex>) -> &[i32] {
    indices
        .as_slice::<i32>()
        .expect("indices were just cast and laid out")
}

/// The number of heads of `qkv: [B, L, 3 D]`, given a norm `[d]` over the width of one.
pub(in crate::kernels) fn heads(qkv: &FloatTensor<Flex>, norm: &FloatTensor<Flex>) -> usize {
    cpu::width(qkv) / 3 / cpu::width(norm)
}

impl DecisionOps for Flex {
    fn argmax(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shares: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [features, weight, shares, values] =
            [features, weight, shares, values].map(cpu::contiguous);
        let shape = features.shape();
        let outputs = argmax::Outputs {
            features: cpu::slice(&features),
            weight: cpu::slice(&weight),
            shares: cpu::slice(&shares),
            values: cpu::slice(&values),
        };
        let [patches, pixels, width] = [shape[0], shape[1], shape[2]];
        let out = argmax::forward(&outputs, [patches, pixels, width]);
        cpu::tensor(out, [patches, pixels])
    }
}

impl RecordOps for Flex {
    fn rotary_attention_row(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        token: usize,
    ) -> FloatTensor<Self> {
        let heads = heads(&qkv, &q_norm);
        let norms = [q_norm, k_norm];
        let rotary = attention::Rotary { norms, cos, sin };
        attention::row(qkv, Some(rotary), heads, token)
    }
    fn self_attention_row(qkv: FloatTensor<Self>, heads: usize, token: usize) -> FloatTensor<Self> {
        attention::row(qkv, None, heads, token)
    }
}

impl UpdateOps for Flex {
    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moment1: FloatTensor<Self>,
        moment2: FloatTensor<Self>,
        number: FloatTensor<Self>,
        update: AdamWUpdate,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        optim::update(parameter, gradient, scale, moment1, moment2, number, update)
    }
    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        optim::average(average, value, keep)
    }
    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self> {
        optim::square_sum(x)
    }
}

impl FieldOps for Flex {
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        neural_field::forward(z, weights, norm, precision)
    }
    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        neural_field::backward(z, weights, norm, grad)
    }
    fn potential_gradient(
        x: FloatTensor<Self>,
        labels: IntTensor<Self>,
        centroids: FloatTensor<Self>,
        potential: Potential,
    ) -> FloatTensor<Self> {
        let (x, centroids) = (cpu::contiguous(x), cpu::contiguous(centroids));
        let labels = indices(labels);
        let batch = x.shape()[0];
        let out = potential::gradient(
            potential,
            cpu::slice(&x),
            int_slice(&labels),
            batch,
            cpu::slice(&centroids),
            x.shape()[1],
        );
        cpu::tensor(out, x.shape())
    }
}
