//! A vision transformer like DINOv2's (Dosovitskiy et al., "An Image is Worth 16x16 Words"; Oquab
//! et al., "DINOv2"): layer norms, GELU, layer scales, a learnt table of positions, a class token
//! and optional registers. As REPA's teacher it is complete and frozen; as a network's encoder it
//! may be fine-tuned and have fewer blocks.

use super::init::Initializer;
use super::linear::Linear;
use super::record::{Layer, Recorder, Unrecorded};
use super::resize::{self, Filter};
use crate::kernels::{self, MatmulPrecision};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Mean and deviation by channel of the photos that DINOv2 was trained on, in [0, 1].
pub(crate) const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub(crate) const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// The sizes of a vision transformer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// W, width of a token.
    pub width: usize,
    pub heads: usize,
    pub blocks: usize,
    /// Inner width of an MLP.
    pub mlp_width: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Rows, and columns, of the table of positions.
    pub side: usize,
    /// Tokens besides those of patches and the class token.
    pub registers: usize,
    /// Blocks, counted from 1, whose output tokens are concatenated; empty for the last one only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<usize>,
    /// Whether model files store its matrices as int8 with one scale per row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub int8: bool,
}

impl VitConfig {
    /// Width of its output tokens: W for each concatenated layer.
    pub fn tokens_width(&self) -> usize {
        self.width * self.layers.len().max(1)
    }

    /// Total number of parameters.
    pub fn parameters(&self) -> usize {
        let (w, m) = (self.width, self.mlp_width);
        let linear = |from: usize, to: usize| from * to + to;
        let block = 4 * w + linear(w, 3 * w) + linear(w, w) + linear(w, m) + linear(m, w) + 2 * w;
        linear(3 * self.patch_size * self.patch_size, w)
            + (1 + self.registers + self.side * self.side) * w
            + self.blocks * block
            + 2 * w
    }
}

/// `(x - mean) / deviation * weight + bias` over the last axis.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[W]`
    pub weight: Param<Tensor<1>>,
    /// `[W]`
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Nothing is drawn: the weights are 1, the biases 0.
    fn init(width: usize, init: &mut Initializer) -> Self {
        Self {
            weight: init.ones(width),
            bias: init.zeros(width),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::layer_norm(x, self.weight.val(), self.bias.val())
    }
}

/// Attention and MLP, each with a norm before and a scale after it.
#[derive(Module, Debug)]
pub struct VitBlock {
    pub norm1: LayerNorm,
    /// `[W, 3 W]`: queries, keys and values.
    pub qkv: Linear,
    /// `[W, W]`
    pub projection: Linear,
    /// Layer scale of attention, `[W]`.
    pub scale1: Param<Tensor<1>>,
    pub norm2: LayerNorm,
    /// `[W, mlp]`
    pub up: Linear,
    /// `[mlp, W]`
    pub down: Linear,
    /// Layer scale of the MLP, `[W]`.
    pub scale2: Param<Tensor<1>>,
}

impl VitBlock {
    /// Weights are drawn in the order of the fields; norms and scales are 1.
    fn init(config: &VitConfig, init: &mut Initializer) -> Self {
        let w = config.width;
        Self {
            norm1: LayerNorm::init(w, init),
            qkv: init.linear(w, 3 * w, true),
            projection: init.linear(w, w, true),
            scale1: init.ones(w),
            norm2: LayerNorm::init(w, init),
            up: init.linear(w, config.mlp_width, true),
            down: init.linear(config.mlp_width, w, true),
            scale2: init.ones(w),
        }
    }

    /// Passes queries, keys and values `[B, L, 3 W]` to `record`.
    fn forward(
        &self,
        x: Tensor<3>,
        heads: usize,
        precision: MatmulPrecision,
        record: impl FnOnce(&Tensor<3>),
    ) -> Tensor<3> {
        let batch = x.dims()[0];
        let scaled = |x: Tensor<3>, scale: &Param<Tensor<1>>, y: Tensor<3>| {
            let width = scale.dims()[0];
            let gate = scale.val().reshape([1, 1, width]).expand([batch, 1, width]);
            kernels::gated_residual(x, gate, y)
        };
        let h = self.qkv.forward(self.norm1.forward(x.clone()), precision);
        record(&h);
        let h = self
            .projection
            .forward(kernels::self_attention(h, heads, precision), precision);
        let x = scaled(x, &self.scale1, h);
        let h = self.up.forward(self.norm2.forward(x.clone()), precision);
        scaled(
            x,
            &self.scale2,
            self.down.forward(kernels::gelu(h), precision),
        )
    }
}

#[derive(Module, Debug)]
pub struct Vit {
    /// `[3 p p, W]`
    pub patches: Linear,
    /// `[1, W]`, including its position.
    pub class_token: Param<Tensor<2>>,
    /// `[registers, W]`
    pub registers: Option<Param<Tensor<2>>>,
    /// `[side * side, W]`
    pub positions: Param<Tensor<2>>,
    pub blocks: Vec<VitBlock>,
    /// The final norm.
    pub norm: LayerNorm,
    #[module(skip)]
    config: VitConfig,
    #[module(skip)]
    precision: MatmulPrecision,
}

impl Vit {
    /// Weights are drawn in the order of the fields. The products are in single precision.
    pub fn init(config: &VitConfig, init: &mut Initializer) -> Self {
        let (w, p) = (config.width, config.patch_size);
        Self {
            patches: init.linear(3 * p * p, w, true),
            class_token: init.normal([1, w], 0.02),
            registers: (config.registers > 0).then(|| init.normal([config.registers, w], 0.02)),
            positions: init.normal([config.side * config.side, w], 0.02),
            blocks: (0..config.blocks)
                .map(|_| VitBlock::init(config, init))
                .collect(),
            norm: LayerNorm::init(w, init),
            config: config.clone(),
            precision: MatmulPrecision::Single,
        }
    }

    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// The same transformer with its products in another precision.
    pub fn with_precision(self, precision: MatmulPrecision) -> Self {
        Self { precision, ..self }
    }

    /// The transformer's input for photos `[B, 3, H, W]` in [0, 1] on a grid of `[rows, columns]`
    /// patches: normalised per channel and resized bicubically.
    pub fn prepare(&self, photos: Tensor<4>, grid: [usize; 2]) -> Tensor<4> {
        let device = photos.device();
        let channel = |values: [f32; 3]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        let normalized = (photos - channel(MEAN)) / channel(DEVIATION);
        let to = grid.map(|side| side * self.config.patch_size);
        resize::planes(normalized, to, Filter::Cubic)
    }

    /// The patch tokens after the final norm, given the output of [`prepare`](Self::prepare):
    /// `[B, rows * columns, W]`, row by row, with W for each of the concatenated
    /// [layers](VitConfig::layers). Class token and registers are dropped.
    pub fn patch_tokens(&self, prepared: Tensor<4>) -> Tensor<3> {
        self.patch_tokens_recorded(prepared, &mut Unrecorded)
    }

    /// The number of tokens before those of the patches: the class token and the registers.
    pub(crate) fn extra_tokens(&self) -> usize {
        1 + self.config.registers
    }

    /// Like [`patch_tokens`](Self::patch_tokens), and passes every block's values to `recorder`.
    pub(super) fn patch_tokens_recorded(
        &self,
        prepared: Tensor<4>,
        recorder: &mut impl Recorder,
    ) -> Tensor<3> {
        let [batch, channels, height, width] = prepared.dims();
        let VitConfig {
            width: w,
            patch_size: p,
            side,
            heads,
            blocks,
            ref layers,
            ..
        } = self.config;
        let (rows, columns) = (height / p, width / p);
        let patches = prepared.reshape([batch, channels, rows, p, columns, p]);
        let patches = crate::device::permute(patches, [0, 2, 4, 1, 3, 5]).reshape([
            batch,
            rows * columns,
            channels * p * p,
        ]);
        // The models with registers were published with an antialiased table.
        let filter = match self.registers {
            Some(_) => Filter::CubicAntialiased,
            None => Filter::Cubic,
        };
        let table = self.positions.val().unsqueeze();
        let positions = resize::tokens(table, [side; 2], [rows, columns], filter);
        let repeated = |x: &Param<Tensor<2>>| {
            let count = x.dims()[0];
            x.val().unsqueeze::<3>().expand([batch, count, w])
        };
        let mut tokens = vec![repeated(&self.class_token)];
        tokens.extend(self.registers.as_ref().map(repeated));
        let extra = self.extra_tokens();
        tokens.push(self.patches.forward(patches, self.precision) + positions);
        let mut x = Tensor::cat(tokens, 1);
        let mut joined = Vec::with_capacity(layers.len().max(1));
        for (index, block) in self.blocks.iter().enumerate() {
            let layer = Layer::Encoder(index);
            x = block.forward(x, heads, self.precision, |qkv| {
                recorder.attention(layer, qkv);
            });
            recorder.tokens(layer, &x);
            let number = index + 1;
            if layers.contains(&number) || layers.is_empty() && number == blocks {
                let patches = x.clone().narrow(1, extra, rows * columns);
                joined.push(self.norm.forward(patches));
            }
        }
        match joined.len() {
            1 => joined.remove(0),
            _ => Tensor::cat(joined, 2),
        }
    }
}
