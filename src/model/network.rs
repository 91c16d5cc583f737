//! The network `v_theta(x_t, t, I)`: a transformer over patches that generates, for every patch,
//! the weights of a small neural field over its pixels (PixNerd, section 4.3 of the paper).

use super::blocks::{Block, BlockContext, FieldBlock, FinalLayer, TimeEmbedder};
use super::config::{Condition, NetworkConfig, POSITION_FEATURES};
use super::init::Initializer;
use super::interpolate;
use super::linear::Linear;
use super::positions;
use super::record::{BlockTokens, Layer, Recorder, Unrecorded};
use super::stem::Stem;
use super::vit::Vit;
use crate::kernels::{self, MatmulPrecision};
use crate::patches::Patches;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

/// Separates the encoder's random stream: the other weights are the same with and without an
/// encoder.
const ENCODER_SEED: u64 = 0x656e_636f_6465_7200;

/// The velocity network: state `[B, d, H, W]`, photo and t to `[B, outputs, H, W]`.
#[derive(Module, Debug)]
pub struct Network {
    /// Patches to tokens, `[C p p, D]`.
    pub patch_embedder: Linear,
    /// Pixels and their position features, `[C + 64, E]`.
    pub pixel_embedder: Linear,
    pub time_embedder: TimeEmbedder,
    /// `[class_conditions + 1, D]`; the last row is the null class.
    pub class_table: Param<Tensor<2>>,
    pub blocks: Vec<Block>,
    pub fields: Vec<FieldBlock>,
    pub final_layer: FinalLayer,
    /// Coarse outputs per patch, `[D, outputs]`, interpolated between patch centres and added to the
    /// neural field's output.
    pub patch_output: Option<Linear>,
    /// Features of each pixel's neighbourhood, for the neural field.
    pub stem: Option<Stem>,
    /// Frozen or fine-tuned image encoder (a DINOv2 ViT).
    pub encoder: Option<Vit>,
    /// From the encoder's tokens to the transformer's, `[W, D]`, W being the total width of the
    /// concatenated layers.
    pub encoder_projection: Option<Linear>,
    #[module(skip)]
    config: NetworkConfig,
    #[module(skip)]
    precision: MatmulPrecision,
}

/// The inputs of one evaluation.
pub struct Query {
    /// The state `x_t: [B, d, H, W]`.
    pub state: Tensor<4>,
    /// The time of every batch entry, `[B]`, in `[0, 1]`.
    pub times: Vec<f32>,
    /// The photo `I: [B, 3, H, W]` in `[-1, 1]`; not used by a network without image condition.
    pub image: Option<Tensor<4>>,
    /// The photo's encoding by [`Network::encode`], `[B, L, W]`; with `None` it is computed if the
    /// network has an encoder.
    pub features: Option<Tensor<3>>,
    /// Class conditions, `[B]`; `None` is the null class.
    pub classes: Option<Vec<usize>>,
}

/// Intermediate values of one forward pass.
pub(crate) struct Evaluation {
    /// Input tokens of the transformer, `[B, L, D]`.
    pub(crate) tokens: Tensor<3>,
    /// The embedding of the time, `[B, 1, D]`.
    pub(crate) time: Tensor<3>,
    /// Conditions the blocks' modulation, `[B, 1, D]`.
    pub(crate) condition: Tensor<3>,
    pub(crate) context: BlockContext,
    /// `[B L, C, p p]`
    patches: Tensor<3>,
    /// The photo, if the stem needs it.
    photo: Option<Tensor<4>>,
    /// How the state is cut into patches.
    pub(crate) cut: Patches,
}

impl Network {
    /// A network with fresh weights drawn from `seed`, the same on every device. As in PixNerd the
    /// modulation and the output are initialised to zero, so that every block starts as the
    /// identity.
    pub fn new(config: &NetworkConfig, seed: u64, device: &Device) -> Self {
        let fresh = Initializer::new(seed, device);
        let of_encoder = Initializer::new(seed ^ ENCODER_SEED, device);
        Self::init(config, fresh, of_encoder)
    }

    /// A network of placeholders, to be overwritten by loaded weights.
    pub fn uninit(config: &NetworkConfig, device: &Device) -> Self {
        let placeholders = || Initializer::placeholders(device);
        Self::init(config, placeholders(), placeholders())
    }

    fn init(
        config: &NetworkConfig,
        mut init: Initializer<'_>,
        mut encoder_init: Initializer<'_>,
    ) -> Self {
        let encoder = config.encoder.as_ref();
        let (d, e) = (config.hidden_size, config.pixel_width);
        let patch = config.in_channels() * config.patch_size * config.patch_size;
        Self {
            patch_embedder: init.linear(patch, d, true),
            pixel_embedder: init.linear(config.in_channels() + POSITION_FEATURES, e, true),
            time_embedder: TimeEmbedder::init(d, &mut init),
            class_table: init.normal([config.class_conditions + 1, d], 0.02),
            blocks: (0..config.transformer_blocks)
                .map(|_| Block::init(config, &mut init))
                .collect(),
            fields: (0..config.field_blocks)
                .map(|_| FieldBlock::init(config, &mut init))
                .collect(),
            final_layer: FinalLayer::init(config, &mut init),
            patch_output: config
                .patch_output
                .then(|| init.zero_linear(d, config.outputs)),
            stem: (config.stem_width > 0).then(|| Stem::init(config.stem_width, e, &mut init)),
            encoder: encoder.map(|vit| Vit::init(vit, &mut encoder_init)),
            encoder_projection: encoder.map(|vit| encoder_init.linear(vit.tokens_width(), d, true)),
            config: config.clone(),
            precision: MatmulPrecision::Single,
        }
    }

    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The precision of its products, except those of its encoder.
    pub fn precision(&self) -> MatmulPrecision {
        self.precision
    }

    /// The same network with its products in another precision, but not those of its encoder.
    pub fn with_precision(self, precision: MatmulPrecision) -> Self {
        Self { precision, ..self }
    }

    /// The same network with the products of its encoder, if any, in another precision.
    pub fn with_encoder_precision(self, precision: MatmulPrecision) -> Self {
        let encoder = self
            .encoder
            .map(|encoder| encoder.with_precision(precision));
        Self { encoder, ..self }
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.class_table.val().device()
    }

    /// Evaluates the network: `[B, outputs, H, W]`, a velocity, a target or logits, depending on
    /// how the model was trained. Heights and widths that are not multiples of the patch are padded
    /// with the border's pixels, and the output is cropped.
    pub fn forward(&self, query: Query) -> Tensor<4> {
        self.forward_recorded(query, &mut Unrecorded)
    }

    /// Encodes photos `[B, 3, H, W]` in [-1, 1] to `[B, L, W]`: one token per patch of the network,
    /// both covering the same part of the photo. `None` without an encoder.
    pub fn encode(&self, image: &Tensor<4>) -> Option<Tensor<3>> {
        self.encode_recorded(image, &mut Unrecorded)
    }

    /// Like [`encode`](Self::encode), and passes the values of the encoder's blocks to `recorder`.
    pub fn encode_recorded(
        &self,
        image: &Tensor<4>,
        recorder: &mut impl Recorder,
    ) -> Option<Tensor<3>> {
        let encoder = self.encoder.as_ref()?;
        let [_, _, height, width] = image.dims();
        let cut = self.config.patches([height, width]);
        let photos = (cut.continued(image.clone()) + 1.0) * 0.5;
        let prepared = encoder.prepare(photos, cut.grid());
        Some(encoder.patch_tokens_recorded(prepared, recorder))
    }

    /// Like [`forward`](Self::forward), and passes each transformer block's index and output tokens
    /// `[B, L, D]` to `observe`.
    pub fn forward_observed(
        &self,
        query: Query,
        observe: impl FnMut(usize, &Tensor<3>),
    ) -> Tensor<4> {
        self.forward_recorded(query, &mut BlockTokens(observe))
    }

    /// Like [`forward`](Self::forward), and passes the values of the transformer's blocks to
    /// `recorder`.
    pub fn forward_recorded(&self, query: Query, recorder: &mut impl Recorder) -> Tensor<4> {
        let [_, _, height, width] = query.state.dims();
        let cut = self.config.patches([height, width]);
        let evaluation = self.begin(query);
        let tokens = self.transform(&evaluation, recorder);
        cut.image(self.finish(&evaluation, evaluation.time.clone(), tokens))
    }

    /// The attention of a token in a block, given the recorded queries, keys and values
    /// `qkv: [B, L, 3 W]` on a grid of `[rows, columns]` patches: `[B, heads, L]`, each row of which
    /// sums to 1. `None` if there is no such block. `token` must be below L.
    pub fn attention(
        &self,
        layer: Layer,
        qkv: Tensor<3>,
        grid: [usize; 2],
        token: usize,
    ) -> Option<Tensor<3>> {
        match layer {
            Layer::Transformer(index) => {
                let context = self.block_context(grid, &qkv.device());
                Some(self.blocks.get(index)?.attn.row(qkv, &context, token))
            }
            Layer::Encoder(index) => {
                let encoder = self.encoder.as_ref()?;
                encoder.blocks.get(index)?;
                let heads = encoder.config().heads;
                Some(kernels::self_attention_row(qkv, heads, token))
            }
        }
    }

    /// Like [`forward_observed`](Self::forward_observed), patch by patch: `[B L, p p, outputs]`.
    /// With many classes, reordering their outputs as an image costs more than computing them.
    pub fn forward_in_patches(
        &self,
        query: Query,
        observe: impl FnMut(usize, &Tensor<3>),
    ) -> Tensor<3> {
        let evaluation = self.begin(query);
        let tokens = self.transform(&evaluation, &mut BlockTokens(observe));
        self.finish(&evaluation, evaluation.time.clone(), tokens)
    }

    /// The index of the largest output in every pixel, `[B, H, W]`: the class, if the network has
    /// one output per class; the number of outputs where one of them is not finite.
    pub fn largest_output(&self, query: Query) -> Tensor<3, Int> {
        let evaluation = self.begin(query);
        let tokens = self.transform(&evaluation, &mut Unrecorded);
        let (z, s) = self.features(&evaluation, evaluation.time.clone(), tokens);
        let (linear, cut) = (&self.final_layer.linear, evaluation.cut);
        let [patches, pixels, _] = z.dims();
        // Shares sum to 1, so a bias may be added to the values that they weigh.
        let (mut values, shares) = match &self.patch_output {
            Some(output) => {
                let values = output.forward(s, self.precision);
                let shares = interpolate::shares(cut.side, &z.device());
                (interpolate::around(values, cut), shares)
            }
            None => {
                let nothing = Tensor::zeros([patches, 1, self.config.outputs], &z.device());
                (nothing, Tensor::ones([pixels, 1], &z.device()))
            }
        };
        if let Some(bias) = &linear.bias {
            values = values + bias.val().unsqueeze();
        }
        cut.map(kernels::argmax(z, linear.weight.val(), shares, values))
    }

    /// Runs the transformer. Returns the output tokens of the last block, `[B, L, D]`.
    fn transform(&self, evaluation: &Evaluation, recorder: &mut impl Recorder) -> Tensor<3> {
        let mut tokens = evaluation.tokens.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            let layer = Layer::Transformer(index);
            let (condition, context) = (&evaluation.condition, &evaluation.context);
            let record = |qkv: &Tensor<3>| recorder.attention(layer, qkv);
            tokens = block.forward_recorded(tokens, condition, context, record);
            recorder.tokens(layer, &tokens);
        }
        tokens
    }

    /// Everything before the transformer: patches, tokens and embeddings.
    pub(crate) fn begin(&self, query: Query) -> Evaluation {
        let config = &self.config;
        let [batch, _, height, width] = query.state.dims();
        let device = query.state.device();
        let features = match query.features {
            Some(features) => Some(features),
            None => query.image.as_ref().and_then(|image| self.encode(image)),
        };
        let cut = config.patches([height, width]);
        let photo = self.stem.as_ref().and(query.image.clone());
        let photo = photo.map(|image| cut.continued(image));
        let input = match (config.condition, query.image) {
            (Condition::Concat, Some(image)) => Tensor::cat(vec![query.state, image], 1),
            (Condition::Concat, None) => panic!("a network conditioned on the photo needs one"),
            (Condition::None, _) => query.state,
        };
        let patches = cut.cut(input);
        let [rows, columns] = cut.grid();
        let (tokens, channels) = (rows * columns, config.in_channels());
        let time = self.time(&query.times, &device);
        let class = self.class(query.classes.as_deref(), batch, &device);
        let flat = patches
            .clone()
            .reshape([batch, tokens, channels * config.patch_size.pow(2)]);
        let embedded = self.patch_embedder.forward(flat, self.precision);
        let tokens = match (&self.encoder_projection, features) {
            (Some(projection), Some(features)) => {
                embedded + projection.forward(features, self.precision)
            }
            _ => embedded,
        };
        Evaluation {
            tokens,
            condition: activation::silu(time.clone() + class),
            time,
            context: self.block_context([rows, columns], &device),
            patches,
            photo,
            cut,
        }
    }

    /// What all blocks share on a grid of `[rows, columns]`, on the device of their tokens.
    pub(crate) fn block_context(
        &self,
        [rows, columns]: [usize; 2],
        device: &Device,
    ) -> BlockContext {
        let d = self.config.head_width();
        let (cos, sin) = positions::rotary(rows, columns, d);
        let shape = [rows * columns, d / 2];
        let table = |v| Tensor::<2>::from_data(TensorData::new(v, shape), device);
        BlockContext {
            cos: table(cos),
            sin: table(sin),
            precision: self.precision,
        }
    }

    /// The head: the neural field over each patch, `[B L, p p, outputs]`. `time: [B, 1, D]` is the
    /// evaluation's, `tokens: [B, L, D]` are the last block's.
    pub(crate) fn finish(
        &self,
        evaluation: &Evaluation,
        time: Tensor<3>,
        tokens: Tensor<3>,
    ) -> Tensor<3> {
        let (z, s) = self.features(evaluation, time, tokens);
        let output = self.final_layer.linear.forward(z, self.precision);
        match &self.patch_output {
            Some(linear) => {
                let values = linear.forward(s, self.precision);
                output + interpolate::to_pixels(values, evaluation.cut)
            }
            None => output,
        }
    }

    /// Features before the output layers: those of the pixels, `[B L, p p, E]`, and of the tokens,
    /// `[B, L, D]`.
    fn features(
        &self,
        evaluation: &Evaluation,
        time: Tensor<3>,
        tokens: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let [batch, count, hidden] = tokens.dims();
        let s = activation::silu(tokens + time);
        let flat = s.clone().reshape([batch * count, hidden]);
        let mut z = self.embed_pixels(evaluation.patches.clone().swap_dims(1, 2));
        if let (Some(stem), Some(photo)) = (&self.stem, &evaluation.photo) {
            let around = stem.forward(photo.clone(), self.precision);
            z = kernels::add_image(z, around);
        }
        for field in &self.fields {
            let weights = field.generator.forward(flat.clone(), self.precision);
            z = kernels::neural_field(z, weights, field.norm.val(), self.precision);
        }
        (kernels::rms_norm(z, self.final_layer.norm.val()), s)
    }

    /// `[B, 1, D]`
    fn time(&self, times: &[f32], device: &Device) -> Tensor<3> {
        let features = TensorData::new(positions::time(times), [times.len(), 1, 256]);
        let features = Tensor::<3>::from_data(features, device);
        let hidden = self.time_embedder.linear1.forward(features, self.precision);
        let hidden = activation::silu(hidden);
        self.time_embedder.linear2.forward(hidden, self.precision)
    }

    /// `[B, 1, D]`
    fn class(&self, classes: Option<&[usize]>, batch: usize, device: &Device) -> Tensor<3> {
        let table = self.class_table.val();
        let d = self.config.hidden_size;
        match classes {
            None => {
                let null = self.config.class_conditions;
                table.slice([null..null + 1, 0..d]).unsqueeze()
            }
            Some(classes) => {
                let rows: Vec<i32> = classes.iter().map(|&c| c as i32).collect();
                let rows = Tensor::from_data(TensorData::new(rows, [batch]), device);
                table.select(0, rows).unsqueeze_dim(1)
            }
        }
    }

    /// Pixels `[B L, p p, C]` to features `[B L, p p, E]`. The position features are the same in
    /// every patch, so their part of the product is computed once.
    fn embed_pixels(&self, pixels: Tensor<3>) -> Tensor<3> {
        let [patches, count, channels] = pixels.dims();
        let e = self.config.pixel_width;
        let weight = self.pixel_embedder.weight.val();
        let of_channels = weight.clone().slice([0..channels, 0..e]);
        let of_position = weight.slice([channels..channels + POSITION_FEATURES, 0..e]);
        let cosines = TensorData::new(
            positions::cosines(self.config.patch_size),
            [count, POSITION_FEATURES],
        );
        let mut position = Tensor::<2>::from_data(cosines, &pixels.device()).matmul(of_position);
        if let Some(bias) = &self.pixel_embedder.bias {
            position = position + bias.val().unsqueeze();
        }
        let pixels = pixels.reshape([patches * count, channels]);
        // The state that the fields add to is not rounded: outlines follow small differences between pixels.
        let precision = MatmulPrecision::Single;
        let features = kernels::linear(pixels, of_channels, Some(position), precision, None);
        features.reshape([patches, count, e])
    }
}

#[cfg(test)]
mod tests;
