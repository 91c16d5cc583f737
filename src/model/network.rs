//! The network `v_theta(x_t, t, I)`: a transformer over patches that generates, for every patch,
//! the weights of a small neural field over its pixels (PixNerd, section 4.3 of the paper).

use super::blocks::{
    Attention, Block, FieldBlock, FinalLayer, Linear, Setting, SwiGlu, TimeEmbedder,
};
use super::compute::Compute;
use super::config::{NetworkConfig, POSITION_FEATURES, STATE_CHANNELS};
use super::init::Initializer;
use super::positions;
use super::vit::Vit;
use crate::kernels;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation, ops::PadMode};

/// Keeps the encoder's random stream apart: the rest of a network is the same with and without.
const ENCODER_SEED: u64 = 0x656e_636f_6465_7200;

/// The whole network.
#[derive(Module, Debug)]
pub struct Network {
    /// Patches to tokens, `[C p p, D]`.
    pub patch_embedder: Linear,
    /// Pixels and their position features, `[C + 64, E]`.
    pub pixel_embedder: Linear,
    /// The time.
    pub time_embedder: TimeEmbedder,
    /// `[class_conditions + 1, D]`; the last row is the null class.
    pub class_table: Param<Tensor<2>>,
    /// The transformer.
    pub blocks: Vec<Block>,
    /// The pixel neural field.
    pub fields: Vec<FieldBlock>,
    /// The output.
    pub final_layer: FinalLayer,
    /// What every token says of all pixels of its patch at once, `[D, outputs]`.
    pub patch_output: Option<Linear>,
    /// What a photo is looked at with beforehand.
    pub encoder: Option<Vit>,
    /// From the encoder's tokens to the transformer's, `[W, D]`.
    pub encoder_projection: Option<Linear>,
    #[module(skip)]
    config: NetworkConfig,
    #[module(skip)]
    compute: Compute,
}

/// The inputs of one evaluation.
pub struct Query {
    /// The state `x_t: [B, 3, H, W]`.
    pub state: Tensor<4>,
    /// The time of every batch entry, `[B]`, in `[0, 1]`.
    pub times: Vec<f32>,
    /// The photo `I: [B, 3, H, W]` in `[-1, 1]`; not used by a network without image condition.
    pub image: Option<Tensor<4>>,
    /// What [`Network::encode`] makes of the photo, `[B, L, W]`; without, a network with an encoder
    /// computes it.
    pub features: Option<Tensor<3>>,
    /// Class conditions, `[B]`; none means the null class.
    pub classes: Option<Vec<usize>>,
}

/// An evaluation on its way through the network.
pub(crate) struct Evaluation {
    /// What the transformer starts from, `[B, L, D]`.
    pub(crate) tokens: Tensor<3>,
    /// The embedding of the time, `[B, 1, D]`.
    pub(crate) time: Tensor<3>,
    /// What modulates the blocks, `[B, 1, D]`.
    pub(crate) condition: Tensor<3>,
    /// What the blocks share.
    pub(crate) setting: Setting,
    /// `[B L, C, p p]`
    patches: Tensor<3>,
    /// `[height, width]` of the state.
    size: [usize; 2],
}

impl Network {
    /// A network with fresh weights drawn from `seed`, the same on every device. As in PixNerd the
    /// modulation and the output start at zero, so that every block starts as the identity.
    pub fn new(config: &NetworkConfig, seed: u64, device: &Device) -> Self {
        let mut init = Initializer::new(seed, device);
        let mut encoder_init = Initializer::new(seed ^ ENCODER_SEED, device);
        let encoder = config.encoder.as_ref();
        let (d, e) = (config.hidden_size, config.pixel_width);
        let patch = config.in_channels() * config.patch_size * config.patch_size;
        Self {
            patch_embedder: init.linear(patch, d, true),
            pixel_embedder: init.linear(config.in_channels() + POSITION_FEATURES, e, true),
            time_embedder: TimeEmbedder {
                linear1: init.linear(256, d, true),
                linear2: init.linear(d, d, true),
            },
            class_table: init.normal([config.class_conditions + 1, d], 0.02),
            blocks: (0..config.transformer_blocks)
                .map(|_| Block {
                    modulation: init.zero_linear(d, 6 * d),
                    norm1: init.ones(d),
                    attn: Attention {
                        qkv: init.linear(d, 3 * d, false),
                        q_norm: init.ones(config.head_width()),
                        k_norm: init.ones(config.head_width()),
                        proj: init.linear(d, d, true),
                    },
                    norm2: init.ones(d),
                    mlp: SwiGlu {
                        w1: init.linear(d, config.mlp_width(), false),
                        w2: init.linear(config.mlp_width(), d, false),
                        w3: init.linear(d, config.mlp_width(), false),
                    },
                })
                .collect(),
            fields: (0..config.field_blocks)
                .map(|_| FieldBlock {
                    generator: init.linear(d, config.field_weights(), true),
                    norm: init.ones(e),
                })
                .collect(),
            final_layer: FinalLayer {
                norm: init.ones(e),
                linear: init.zero_linear(e, config.outputs),
            },
            patch_output: config
                .patch_output
                .then(|| init.zero_linear(d, config.outputs)),
            encoder: encoder.map(|vit| Vit::new(vit, &mut encoder_init)),
            encoder_projection: encoder.map(|vit| encoder_init.linear(vit.width, d, true)),
            config: config.clone(),
            compute: Compute::Single,
        }
    }

    /// The sizes.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The same network with its products in another precision.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.class_table.val().device()
    }

    /// Evaluates the network: `[B, outputs, H, W]`, a velocity, a target or logits as the model was
    /// trained.
    /// Heights and widths that are no multiple of the patch are padded with their border's
    /// pixels and cropped back.
    pub fn forward(&self, query: Query) -> Tensor<4> {
        self.forward_observed(query, |_, _| ())
    }

    /// What the encoder makes of photos `[B, 3, H, W]` in [-1, 1]: `[B, L, W]`, a token for each of
    /// the network's own patches. None without an encoder.
    pub fn encode(&self, image: &Tensor<4>) -> Option<Tensor<3>> {
        let encoder = self.encoder.as_ref()?;
        let [_, _, height, width] = image.dims();
        let photos = (image.clone() + 1.0) * 0.5;
        let prepared = encoder.prepare(photos, self.config.grid([height, width]));
        Some(encoder.patch_tokens(prepared))
    }

    /// As [`forward`](Self::forward), handing each transformer block's index and output tokens
    /// `[B, L, D]` to `observe`.
    pub fn forward_observed(
        &self,
        query: Query,
        mut observe: impl FnMut(usize, &Tensor<3>),
    ) -> Tensor<4> {
        let evaluation = self.begin(query);
        let mut tokens = evaluation.tokens.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            tokens = block.forward(tokens, &evaluation.condition, &evaluation.setting);
            observe(index, &tokens);
        }
        self.finish(&evaluation, evaluation.time.clone(), tokens)
    }

    /// Everything before the transformer: patches, tokens and embeddings.
    pub(crate) fn begin(&self, query: Query) -> Evaluation {
        let config = &self.config;
        let p = config.patch_size;
        let [batch, _, height, width] = query.state.dims();
        let device = query.state.device();
        let features = match query.features {
            Some(features) => Some(features),
            None => query.image.as_ref().and_then(|image| self.encode(image)),
        };
        let input = match (config.in_channels() > STATE_CHANNELS, query.image) {
            (true, Some(image)) => Tensor::cat(vec![query.state, image], 1),
            (true, None) => panic!("a network conditioned on the photo needs one"),
            (false, _) => query.state,
        };
        let input = pad_to_multiple(input, p);
        let channels = config.in_channels();
        let [rows, columns] = config.grid([height, width]);
        let tokens = rows * columns;

        // [B, C, rows, p, columns, p] -> [B, rows, columns, C, p, p]
        let patches = input.reshape([batch, channels, rows, p, columns, p]);
        let patches = kernels::permute(patches, [0, 2, 4, 1, 3, 5]);
        let patches = patches.reshape([batch * tokens, channels, p * p]);
        let time = self.time(&query.times, &device);
        let class = self.class(query.classes.as_deref(), batch, &device);
        let flat = patches.clone().reshape([batch, tokens, channels * p * p]);
        let embedded = self.patch_embedder.forward(flat, self.compute);
        let tokens = match (&self.encoder_projection, features) {
            (Some(projection), Some(features)) => {
                embedded + projection.forward(features, self.compute)
            }
            _ => embedded,
        };
        Evaluation {
            tokens,
            condition: activation::silu(time.clone() + class),
            time,
            setting: self.setting([rows, columns], &device),
            patches,
            size: [height, width],
        }
    }

    /// What the blocks share on a grid of `[rows, columns]`, on the device of their tokens.
    pub(crate) fn setting(&self, [rows, columns]: [usize; 2], device: &Device) -> Setting {
        let d = self.config.head_width();
        let (cos, sin) = positions::rotary(rows, columns, d);
        let shape = [rows * columns, d / 2];
        let table = |v| Tensor::<2>::from_data(TensorData::new(v, shape), device);
        Setting {
            cos: table(cos),
            sin: table(sin),
            compute: self.compute,
        }
    }

    /// Everything behind the transformer: the neural field of every patch. `time: [B, 1, D]` is
    /// the evaluation's, `tokens: [B, L, D]` the last block's.
    pub(crate) fn finish(
        &self,
        evaluation: &Evaluation,
        time: Tensor<3>,
        tokens: Tensor<3>,
    ) -> Tensor<4> {
        let config = &self.config;
        let p = config.patch_size;
        let [height, width] = evaluation.size;
        let [rows, columns] = config.grid(evaluation.size);
        let [batch, count, hidden] = tokens.dims();
        let s = activation::silu(tokens + time).reshape([batch * count, hidden]);
        let mut z = self.embed_pixels(evaluation.patches.clone().swap_dims(1, 2));
        for field in &self.fields {
            let weights = field.generator.forward(s.clone(), self.compute);
            z = kernels::neural_field(z, weights, field.norm.val());
        }
        let z = kernels::rms_norm(z, self.final_layer.norm.val());
        let mut output = self.final_layer.linear.forward(z, self.compute);
        if let Some(linear) = &self.patch_output {
            output = output + linear.forward(s, self.compute).unsqueeze_dim(1);
        }
        let output = output.reshape([batch, rows, columns, p, p, config.outputs]);
        kernels::permute(output, [0, 5, 1, 3, 2, 4])
            .reshape([batch, config.outputs, rows * p, columns * p])
            .slice([0..batch, 0..config.outputs, 0..height, 0..width])
    }

    /// `[B, 1, D]`
    fn time(&self, times: &[f32], device: &Device) -> Tensor<3> {
        let features = TensorData::new(positions::time(times), [times.len(), 1, 256]);
        let features = Tensor::<3>::from_data(features, device);
        let hidden = self.time_embedder.linear1.forward(features, self.compute);
        let hidden = activation::silu(hidden);
        self.time_embedder.linear2.forward(hidden, self.compute)
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
    /// every patch, so that their part of the product is computed once.
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
        let z = pixels
            .reshape([patches * count, channels])
            .matmul(of_channels);
        z.reshape([patches, count, e]) + position.unsqueeze()
    }
}

fn pad_to_multiple(x: Tensor<4>, p: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (bottom, right) = (
        height.next_multiple_of(p) - height,
        width.next_multiple_of(p) - width,
    );
    if bottom == 0 && right == 0 {
        x
    } else {
        x.pad((0, right, 0, bottom), PadMode::Edge)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{Condition, Preset};
    use super::super::tensors::read;
    use super::super::vit::VitConfig;
    use super::*;
    use crate::model::noise;

    fn run(network: &Network, size: [usize; 2]) -> Tensor<4> {
        let image = noise([1, 3, size[0], size[1]], 1, &Device::flex());
        let query = Query {
            state: image.clone(),
            times: vec![0.3],
            image: Some(image),
            features: None,
            classes: None,
        };
        network.forward(query)
    }

    #[test]
    fn the_count_of_parameters_is_that_of_the_network() {
        let with_encoder = NetworkConfig {
            encoder: Some(VitConfig {
                width: 12,
                heads: 2,
                blocks: 2,
                mlp_width: 20,
                patch_size: 3,
                side: 4,
                registers: 2,
            }),
            ..NetworkConfig::miniature()
        };
        let with_patch_output = NetworkConfig {
            patch_output: true,
            outputs: 7,
            ..NetworkConfig::miniature()
        };
        for config in [
            NetworkConfig::miniature(),
            Preset::Tiny.network(),
            with_encoder,
            with_patch_output,
        ] {
            let network = Network::new(&config, 0, &Device::flex());
            assert_eq!(network.num_params(), config.parameters());
        }
    }

    #[test]
    fn large_and_xlarge_are_the_published_networks() {
        // Class-conditional ImageNet networks without a photo, as published: 458 M and 700 M,
        // the REPA projector of three linear layers counted in.
        for (preset, expected, published) in [
            (Preset::Large, 452_113_795, 458e6),
            (Preset::Xlarge, 700_589_219, 700e6),
        ] {
            let config = NetworkConfig {
                condition: Condition::None,
                class_conditions: 1000,
                ..preset.network()
            };
            assert_eq!(config.parameters(), expected, "{preset:?}");
            assert!((expected as f64 / published - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn any_size_comes_back_in_its_own_shape() {
        let mut network = Network::new(&NetworkConfig::miniature(), 3, &Device::flex());
        // The output layer starts at zero; give it something to say.
        network.final_layer.linear = Initializer::new(5, &Device::flex()).linear(8, 3, true);
        for size in [[4, 4], [8, 12], [9, 5], [1, 1], [7, 16]] {
            let out = run(&network, size);
            assert_eq!(out.dims(), [1, 3, size[0], size[1]]);
            assert!(read(out).iter().all(|v| v.is_finite() && *v != 0.0));
        }
    }

    #[test]
    fn a_patch_output_is_the_same_all_over_its_patch() {
        let config = NetworkConfig {
            patch_output: true,
            ..NetworkConfig::miniature()
        };
        let mut network = Network::new(&config, 3, &Device::flex());
        let linear = Initializer::new(5, &Device::flex()).linear(32, 3, true);
        network.patch_output = Some(linear);
        let out = read(run(&network, [8, 8]));
        let at = |row: usize, column: usize| out[8 * row + column];
        for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            assert_eq!(at(row, column), at(row + 3, column + 3));
        }
        assert!(at(0, 0) != at(0, 4) && at(0, 0) != at(4, 0));
    }

    #[test]
    fn a_fresh_network_stands_still() {
        let network = Network::new(&NetworkConfig::miniature(), 3, &Device::flex());
        assert!(read(run(&network, [8, 8])).iter().all(|v| *v == 0.0));
    }
}
