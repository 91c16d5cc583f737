//! The layers that a network is made of.

use super::compute::Compute;
use crate::kernels;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// `y = x W + b` over the last axis, `W: [in, out]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`: the transpose of PyTorch's.
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Applies the layer. All leading axes are folded into one product.
    pub fn forward<const R: usize>(&self, x: Tensor<R>, compute: Compute) -> Tensor<R> {
        let mut shape = x.dims();
        let [from, to] = self.weight.dims();
        let rows = shape.iter().product::<usize>() / from;
        let mut y = compute.matmul(x.reshape([rows, from]), self.weight.val());
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        shape[R - 1] = to;
        y.reshape(shape)
    }
}

/// The embedding of the time t.
#[derive(Module, Debug)]
pub struct TimeEmbedder {
    /// From the 256 features of [`super::positions::time`].
    pub linear1: Linear,
    /// To the width D.
    pub linear2: Linear,
}

/// Rotary self-attention with normed queries and keys.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[D, 3 D]`, no bias.
    pub qkv: Linear,
    /// RMS weight over the head width.
    pub q_norm: Param<Tensor<1>>,
    /// RMS weight over the head width.
    pub k_norm: Param<Tensor<1>>,
    /// `[D, D]`
    pub proj: Linear,
}

/// `w2(SiLU(w1 x) * w3 x)`, no biases.
#[derive(Module, Debug)]
pub struct SwiGlu {
    /// The gate.
    pub w1: Linear,
    /// Back to D.
    pub w2: Linear,
    /// The value.
    pub w3: Linear,
}

/// A transformer block (DiT): attention and MLP, each shifted, scaled and gated by the time.
#[derive(Module, Debug)]
pub struct Block {
    /// `[D, 6 D]`: shift, scale and gate, for attention and then for the MLP.
    pub modulation: Linear,
    /// RMS weight before attention.
    pub norm1: Param<Tensor<1>>,
    /// Attention.
    pub attn: Attention,
    /// RMS weight before the MLP.
    pub norm2: Param<Tensor<1>>,
    /// MLP.
    pub mlp: SwiGlu,
}

impl Block {
    /// `s: [B, L, D]` to the same, under the condition `c: [B, 1, D]`.
    pub(crate) fn forward(&self, s: Tensor<3>, c: &Tensor<3>, on: &Setting) -> Tensor<3> {
        let compute = on.compute;
        let modulation = self.modulation.forward(c.clone(), compute);
        let [batch, _, six] = modulation.dims();
        let d = six / 6;
        let chunk = |i: usize| {
            modulation
                .clone()
                .slice([0..batch, 0..1, i * d..(i + 1) * d])
        };
        let h = kernels::modulated_norm(s.clone(), self.norm1.val(), chunk(0), chunk(1));
        let h = kernels::rotary_attention(
            self.attn.qkv.forward(h, compute),
            self.attn.q_norm.val(),
            self.attn.k_norm.val(),
            on.cos.clone(),
            on.sin.clone(),
        );
        let s = kernels::gated_residual(s, chunk(2), self.attn.proj.forward(h, compute));
        let h = kernels::modulated_norm(s.clone(), self.norm2.val(), chunk(3), chunk(4));
        let (gate, value) = (
            self.mlp.w1.forward(h.clone(), compute),
            self.mlp.w3.forward(h, compute),
        );
        let h = kernels::swiglu(gate, value);
        kernels::gated_residual(s, chunk(5), self.mlp.w2.forward(h, compute))
    }
}

/// What all blocks of one evaluation share.
pub(crate) struct Setting {
    /// Cosines of the rotary embedding, `[L, d / 2]`.
    pub(super) cos: Tensor<2>,
    /// Its sines.
    pub(super) sin: Tensor<2>,
    /// The precision of products.
    pub(super) compute: Compute,
}

/// A neural field block: generates a patch's MLP from its token and applies it to the pixels.
#[derive(Module, Debug)]
pub struct FieldBlock {
    /// `[D, 2 m E^2]`
    pub generator: Linear,
    /// RMS weight over the pixel width.
    pub norm: Param<Tensor<1>>,
}

/// The output layer.
#[derive(Module, Debug)]
pub struct FinalLayer {
    /// RMS weight over the pixel width.
    pub norm: Param<Tensor<1>>,
    /// `[E, outputs]`
    pub linear: Linear,
}
