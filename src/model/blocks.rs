//! The layers of the network, each with its `init` beside its `forward`.
//!
//! Burn's own layers are not used: here weights are drawn on the host, so that a seed gives the
//! same network on every device, products run in a selectable precision, and norms, attention and
//! activations are the fused operations of [`kernels`].

use super::config::NetworkConfig;
use super::init::Initializer;
use super::linear::Linear;
use crate::kernels::{self, MatmulPrecision};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// The embedding of time t.
#[derive(Module, Debug)]
pub struct TimeEmbedder {
    /// From the 256 features of [`super::positions::time`].
    pub linear1: Linear,
    /// To the width D.
    pub linear2: Linear,
}

impl TimeEmbedder {
    /// Weights are drawn in the order of the fields.
    pub(super) fn init(width: usize, init: &mut Initializer) -> Self {
        Self {
            linear1: init.linear(256, width, true),
            linear2: init.linear(width, width, true),
        }
    }
}

/// Rotary self-attention with RMS-normalised queries and keys.
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

impl Attention {
    /// Weights are drawn in the order of the fields, the norms' are 1.
    fn init(config: &NetworkConfig, init: &mut Initializer) -> Self {
        let d = config.hidden_size;
        Self {
            qkv: init.linear(d, 3 * d, false),
            q_norm: init.ones(config.head_width()),
            k_norm: init.ones(config.head_width()),
            proj: init.linear(d, d, true),
        }
    }

    /// What a token attends to, given the recorded `qkv: [B, L, 3 D]`: `[B, heads, L]`.
    pub(super) fn row(&self, qkv: Tensor<3>, context: &BlockContext, token: usize) -> Tensor<3> {
        let (cos, sin) = (context.cos.clone(), context.sin.clone());
        let [q_norm, k_norm] = [&self.q_norm, &self.k_norm].map(|norm| norm.val());
        kernels::rotary_attention_row(qkv, q_norm, k_norm, cos, sin, token)
    }
}

/// `w2(SiLU(w1 x) * w3 x)`, no biases.
#[derive(Module, Debug)]
pub struct SwiGlu {
    /// The gate, `[D, mlp]`.
    pub w1: Linear,
    /// Back to D, `[mlp, D]`.
    pub w2: Linear,
    /// The value, `[D, mlp]`.
    pub w3: Linear,
}

impl SwiGlu {
    /// Weights are drawn in the order of the fields.
    fn init(config: &NetworkConfig, init: &mut Initializer) -> Self {
        let (d, inner) = (config.hidden_size, config.mlp_width());
        Self {
            w1: init.linear(d, inner, false),
            w2: init.linear(inner, d, false),
            w3: init.linear(d, inner, false),
        }
    }
}

/// A transformer block (DiT): attention and MLP, each with shift, scale and gate from the time.
#[derive(Module, Debug)]
pub struct Block {
    /// `[D, 6 D]`: shift, scale and gate, for attention and then for the MLP.
    pub modulation: Linear,
    /// RMS weight before attention.
    pub norm1: Param<Tensor<1>>,
    pub attn: Attention,
    /// RMS weight before the MLP.
    pub norm2: Param<Tensor<1>>,
    pub mlp: SwiGlu,
}

impl Block {
    /// The modulation is initialised to zero, so that the block starts as the identity. The other weights are drawn in
    /// the order of the fields.
    pub(super) fn init(config: &NetworkConfig, init: &mut Initializer) -> Self {
        let d = config.hidden_size;
        Self {
            modulation: init.zero_linear(d, 6 * d),
            norm1: init.ones(d),
            attn: Attention::init(config, init),
            norm2: init.ones(d),
            mlp: SwiGlu::init(config, init),
        }
    }

    /// `s: [B, L, D]` to the same shape, under the condition `c: [B, 1, D]`.
    pub(crate) fn forward(&self, s: Tensor<3>, c: &Tensor<3>, context: &BlockContext) -> Tensor<3> {
        self.forward_recorded(s, c, context, |_| ())
    }

    /// Like [`forward`](Self::forward), and passes queries, keys and values `[B, L, 3 D]` to `record`.
    pub(super) fn forward_recorded(
        &self,
        s: Tensor<3>,
        c: &Tensor<3>,
        context: &BlockContext,
        record: impl FnOnce(&Tensor<3>),
    ) -> Tensor<3> {
        let precision = context.precision;
        let modulation = self.modulation.forward(c.clone(), precision);
        let [batch, _, six] = modulation.dims();
        let d = six / 6;
        let chunk = |i: usize| {
            modulation
                .clone()
                .slice([0..batch, 0..1, i * d..(i + 1) * d])
        };
        let h = kernels::modulated_norm(s.clone(), self.norm1.val(), chunk(0), chunk(1));
        let qkv = self.attn.qkv.forward(h, precision);
        record(&qkv);
        let h = kernels::rotary_attention(
            qkv,
            self.attn.q_norm.val(),
            self.attn.k_norm.val(),
            context.cos.clone(),
            context.sin.clone(),
            precision,
        );
        let s = kernels::gated_residual(s, chunk(2), self.attn.proj.forward(h, precision));
        let h = kernels::modulated_norm(s.clone(), self.norm2.val(), chunk(3), chunk(4));
        let (gate, value) = (
            self.mlp.w1.forward(h.clone(), precision),
            self.mlp.w3.forward(h, precision),
        );
        let h = kernels::swiglu(gate, value);
        kernels::gated_residual(s, chunk(5), self.mlp.w2.forward(h, precision))
    }
}

/// Inputs shared by all blocks of one evaluation.
pub(crate) struct BlockContext {
    /// Cosines of the rotary embedding, `[L, d / 2]`.
    pub(super) cos: Tensor<2>,
    pub(super) sin: Tensor<2>,
    pub(super) precision: MatmulPrecision,
}

/// A neural field block: generates a patch's MLP from its token and applies it to the pixels.
#[derive(Module, Debug)]
pub struct FieldBlock {
    /// `[D, 2 m E^2]`
    pub generator: Linear,
    /// RMS weight over the pixel width.
    pub norm: Param<Tensor<1>>,
}

impl FieldBlock {
    /// Only the generator's weights are drawn.
    pub(super) fn init(config: &NetworkConfig, init: &mut Initializer) -> Self {
        Self {
            generator: init.linear(config.hidden_size, config.field_weights(), true),
            norm: init.ones(config.pixel_width),
        }
    }
}

#[derive(Module, Debug)]
pub struct FinalLayer {
    /// RMS weight over the pixel width.
    pub norm: Param<Tensor<1>>,
    /// `[E, outputs]`
    pub linear: Linear,
}

impl FinalLayer {
    /// The weights are initialised to zero, so that the output starts at zero.
    pub(super) fn init(config: &NetworkConfig, init: &mut Initializer) -> Self {
        Self {
            norm: init.ones(config.pixel_width),
            linear: init.zero_linear(config.pixel_width, config.outputs),
        }
    }
}
