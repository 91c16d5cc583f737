//! The operations on the CPU backend: each hands over to its own module.

use super::adamw::{self, AdamWUpdate};
use super::{CpuOps, FieldOps, Three, UpdateOps};
use super::{attention, cpu, gelu, neural_field, norm, potential, swiglu};
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
    fn attention(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let heads = heads(&qkv, &q_norm);
        let norms = [q_norm, k_norm];
        attention::forward(qkv, Some(attention::Rotary { norms, cos, sin }), heads)
    }
    fn plain_attention(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        attention::forward(qkv, None, heads)
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
}

/// Heads of `qkv: [B, L, 3 D]`, given a norm `[d]` over the width of one.
pub(super) fn heads(qkv: &FloatTensor<Flex>, norm: &FloatTensor<Flex>) -> usize {
    cpu::width(qkv) / 3 / cpu::width(norm)
}

impl UpdateOps for Flex {
    fn adamw(
        update: AdamWUpdate,
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moment1: FloatTensor<Self>,
        moment2: FloatTensor<Self>,
    ) -> Three<Self> {
        adamw::update(update, parameter, gradient, scale, moment1, moment2)
    }
    fn average(
        keep: f32,
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        adamw::average(keep, average, value)
    }
    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self> {
        adamw::square_sum(x)
    }
}

impl FieldOps for Flex {
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        neural_field::forward(z, weights, norm)
    }
    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> Three<Self> {
        neural_field::backward(z, weights, norm, grad)
    }
    fn potential_gradient(
        x: FloatTensor<Self>,
        labels: IntTensor<Self>,
        centroids: FloatTensor<Self>,
        potential: Potential,
    ) -> FloatTensor<Self> {
        let (x, centroids) = (cpu::contiguous(x), cpu::contiguous(centroids));
        let labels = Self::int_cast(labels, burn::tensor::IntDType::I32).to_contiguous();
        let batch = x.shape()[0];
        let labels = labels
            .as_slice::<i32>()
            .expect("labels were just cast and laid out");
        let out = potential::gradient(
            potential,
            cpu::slice(&x),
            labels,
            batch,
            cpu::slice(&centroids),
        );
        cpu::tensor(out, x.shape())
    }
}
