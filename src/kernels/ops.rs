//! The operations as extensions of Burn's backends. The functions of the parent module choose
//! between them and the formulas, and document the shapes.

use super::cpu::linear::PackedWeight;
use super::matmul_precision::MatmulPrecision;
use super::optim::AdamWUpdate;
use crate::potential::Potential;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};

/// Fused operations of the CPU backend.
#[backend_extension(Flex, Autodiff)]
pub trait CpuOps: Backend {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    fn modulated_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn gated_residual(
        x: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn swiglu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
    fn rotary_attention(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self>;
    fn self_attention(
        qkv: FloatTensor<Self>,
        heads: usize,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self>;
    fn layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        precision: MatmulPrecision,
        packed: Option<PackedWeight>,
    ) -> FloatTensor<Self>;
    fn doubled(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn neighbourhoods(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn from_patches(pixels: FloatTensor<Self>, grid: [usize; 2]) -> FloatTensor<Self>;
    fn add_image(pixels: FloatTensor<Self>, image: FloatTensor<Self>) -> FloatTensor<Self>;
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Updates in place, outside any graph.
#[backend_extension(Flex)]
pub trait UpdateOps: Backend {
    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moment1: FloatTensor<Self>,
        moment2: FloatTensor<Self>,
        number: FloatTensor<Self>,
        update: AdamWUpdate,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Decisions, outside any graph.
#[backend_extension(Flex)]
pub trait DecisionOps: Backend {
    /// The classes as numbers, `[patches, P]`: `features: [patches, P, E]`, `weight: [E, N]`, `shares: [P, K]`,
    /// `values: [patches, K, N]`.
    fn argmax(
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shares: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Looks into a forward pass, outside any graph.
#[backend_extension(Flex)]
pub trait RecordOps: Backend {
    fn rotary_attention_row(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        token: usize,
    ) -> FloatTensor<Self>;
    fn self_attention_row(qkv: FloatTensor<Self>, heads: usize, token: usize) -> FloatTensor<Self>;
}

/// Operations with their own kernels on every local device.
#[backend_extension(Flex, Cube, Fusion, Autodiff)]
pub trait FieldOps: Backend {
    #[fusion(dtype = z, shape = z)]
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self>;
    /// The gradients of `z: [patches, P, E]`, `weights: [patches, 2 E M]` and `norm: [E]`, in this order and in their
    /// shapes, given that of the output, `grad: [patches, P, E]`.
    #[fusion(meta = gradients_like_inputs)]
    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
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
