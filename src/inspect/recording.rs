//! A recorded forward pass, of which attention and tokens are computed on demand.

use super::components::{Components, principal_components};
use crate::model::Model;
use crate::model::config::NetworkConfig;
use crate::model::network::Query;
use crate::model::record::{Layer, Recorder};
use crate::model::tensors::read;
use burn::tensor::Tensor;

/// Limit on the memory of a recording, in bytes.
const MOST_BYTES: usize = 512 << 20;

/// Why a pass is not recorded.
#[derive(Debug, thiserror::Error)]
#[error(
    "recording the network at this size takes {} MiB, and at most {} MiB are used: choose a smaller \
     scale of the input",
    .0 >> 20, MOST_BYTES >> 20
)]
pub struct TooLarge(usize);

/// The values of one pass over one photo. Instead of the attention itself, which takes L² numbers for
/// every head, it holds the queries, keys and values, 3 W numbers for each of the L tokens of a block,
/// and the block's output, W more.
pub struct Recording {
    /// Rows and columns of patches.
    grid: [usize; 2],
    /// Tokens of the encoder before those of the patches.
    extra: usize,
    layers: Vec<Recorded>,
}

struct Recorded {
    layer: Layer,
    /// `[1, L, 3 W]`
    qkv: Tensor<3>,
    /// `[1, L, W]`
    tokens: Tensor<3>,
}

/// What one patch attends to in one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// For every head the weights of the class token and the registers (of which there are `extra`) and
    /// of the patches, which sum to 1.
    heads: Vec<Vec<f32>>,
    extra: usize,
}

impl Attention {
    /// The number of heads.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// The weights of the patches, row by row, in one head or averaged over all.
    pub fn of_patches(&self, head: Option<usize>) -> Vec<f32> {
        self.weights(head).split_off(self.extra)
    }

    /// The share of the attention that goes to the class token and the registers, 0 to 1.
    pub fn beside(&self, head: Option<usize>) -> f32 {
        self.weights(head)[..self.extra].iter().sum()
    }

    fn weights(&self, head: Option<usize>) -> Vec<f32> {
        let chosen = match head.and_then(|head| self.heads.get(head..=head)) {
            Some(one) => one,
            None => &self.heads,
        };
        let share = 1.0 / chosen.len().max(1) as f32;
        let mut mean = vec![0.0; chosen.first().map_or(self.extra, Vec::len)];
        for weights in chosen {
            for (mean, weight) in mean.iter_mut().zip(weights) {
                *mean += share * weight;
            }
        }
        mean
    }
}

/// Collects the values of every block.
#[derive(Default)]
struct Collector {
    attention: Vec<Tensor<3>>,
    layers: Vec<Recorded>,
}

impl Recorder for Collector {
    fn attention(&mut self, _: Layer, qkv: &Tensor<3>) {
        self.attention.push(qkv.clone());
    }

    fn tokens(&mut self, layer: Layer, tokens: &Tensor<3>) {
        let qkv = self.attention.pop();
        self.layers.extend(qkv.map(|qkv| Recorded {
            layer,
            qkv,
            tokens: tokens.clone(),
        }));
    }
}

impl Recording {
    /// The bytes that a recording at `[height, width]` takes.
    pub fn bytes(network: &NetworkConfig, size: [usize; 2]) -> usize {
        let patches = network.patches(size).grid().iter().product::<usize>();
        let of_encoder = network.encoder.as_ref().map_or(0, |vit| {
            vit.blocks * (patches + 1 + vit.registers) * 4 * vit.width
        });
        let of_blocks = network.transformer_blocks * patches * 4 * network.hidden_size;
        (of_encoder + of_blocks) * size_of::<f32>()
    }

    /// Evaluates a network at the state `x: [1, d, H, W]` and time `t` of a photo `[1, 3, H, W]` in
    /// [-1, 1], and records every block.
    ///
    /// # Errors
    /// The recording would take too much memory.
    pub fn of(model: &Model, photo: &Tensor<4>, x: Tensor<4>, t: f32) -> Result<Self, TooLarge> {
        let [_, _, height, width] = photo.dims();
        let network = &model.network;
        let bytes = Self::bytes(network.config(), [height, width]);
        if bytes > MOST_BYTES {
            return Err(TooLarge(bytes));
        }
        let mut collector = Collector::default();
        let features = network.encode_recorded(photo, &mut collector);
        let query = Query {
            state: x,
            times: vec![t],
            image: Some(photo.clone()),
            features,
            classes: None,
        };
        network.forward_recorded(query, &mut collector);
        Ok(Self {
            grid: network.config().patches([height, width]).grid(),
            extra: network.encoder.as_ref().map_or(0, |vit| vit.extra_tokens()),
            layers: collector.layers,
        })
    }

    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        self.grid
    }

    /// The recorded blocks, in the order of the pass.
    pub fn layers(&self) -> Vec<Layer> {
        self.layers.iter().map(|recorded| recorded.layer).collect()
    }

    fn layer(&self, layer: Layer) -> Option<&Recorded> {
        self.layers.iter().find(|recorded| recorded.layer == layer)
    }

    /// The number of tokens before those of the patches.
    fn extra(&self, layer: Layer) -> usize {
        match layer {
            Layer::Encoder(_) => self.extra,
            Layer::Transformer(_) => 0,
        }
    }

    /// What a patch attends to, its number being `row * columns + column`. `None` if there is no such
    /// block or patch. `model` must be the recorded one.
    pub fn attention(&self, model: &Model, layer: Layer, patch: usize) -> Option<Attention> {
        if patch >= self.grid[0] * self.grid[1] {
            return None;
        }
        let (recorded, extra) = (self.layer(layer)?, self.extra(layer));
        let network = &model.network;
        let row = network.attention(layer, recorded.qkv.clone(), self.grid, extra + patch)?;
        let [_, _, tokens] = row.dims();
        let heads = read(row)
            .chunks_exact(tokens.max(1))
            .map(<[f32]>::to_vec)
            .collect();
        Some(Attention { heads, extra })
    }

    /// The principal components of the patches' output tokens. `None` if there is no such block.
    pub fn components(&self, layer: Layer) -> Option<Components> {
        let (recorded, extra) = (self.layer(layer)?, self.extra(layer));
        let [_, count, width] = recorded.tokens.dims();
        let patches = recorded.tokens.clone().narrow(1, extra, count - extra);
        Some(principal_components(&read(patches), width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::vit::VitConfig;
    use burn::tensor::{Device, TensorData};

    /// A small model with an encoder, its photo and a state.
    fn model() -> (Model, Tensor<4>, Tensor<4>) {
        let vit = VitConfig {
            width: 12,
            heads: 3,
            blocks: 2,
            mlp_width: 16,
            patch_size: 2,
            side: 3,
            registers: 2,
            layers: Vec::new(),
            int8: false,
        };
        let model = testing::tiny(&["a", "b"], [8, 12], |card| {
            card.network.encoder = Some(vit);
            card.network.transformer_blocks = 2;
        });
        let wave = |by: f32| {
            let values: Vec<f32> = (0..3 * 8 * 12).map(|i| (i as f32 * by).sin()).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, 3, 8, 12]), &Device::flex())
        };
        (model, wave(0.37), wave(0.11))
    }

    #[test]
    fn every_block_is_recorded_and_the_output_stays_the_same() {
        let (model, photo, x) = model();
        let recording = Recording::of(&model, &photo, x.clone(), 0.5).unwrap();
        use Layer::{Encoder, Transformer};
        let layers = [Encoder(0), Encoder(1), Transformer(0), Transformer(1)];
        assert_eq!(
            (recording.layers(), recording.grid()),
            (layers.to_vec(), [2, 3])
        );
        let held: usize = recording
            .layers
            .iter()
            .map(|r| 4 * (r.qkv.shape().num_elements() + r.tokens.shape().num_elements()))
            .sum();
        assert_eq!(held, Recording::bytes(model.network.config(), [8, 12]));
        let query = || Query {
            state: x.clone(),
            times: vec![0.5],
            image: Some(photo.clone()),
            features: None,
            classes: None,
        };
        let plain = read(model.network.forward(query()));
        let mut collector = Collector::default();
        let recorded = read(model.network.forward_recorded(query(), &mut collector));
        assert_eq!(plain, recorded);
    }

    /// Rows of attention against `softmax(q k^T / sqrt(d))`, written out.
    #[test]
    fn attention_is_its_definition_and_sums_to_one() {
        let (model, photo, x) = model();
        let recording = Recording::of(&model, &photo, x, 0.25).unwrap();
        for (layer, heads, extra) in [
            (Layer::Encoder(1), 3, 3),
            (Layer::Transformer(0), 2, 0),
            (Layer::Transformer(1), 2, 0),
        ] {
            let recorded = recording.layer(layer).unwrap();
            let [_, tokens, triple] = recorded.qkv.dims();
            let (width, d) = (triple / 3, triple / 3 / heads);
            let qkv = read(recorded.qkv.clone());
            let part = |part: usize, head: usize, token: usize| -> Vec<f64> {
                let at = token * triple + part * width + head * d;
                let row: Vec<f64> = qkv[at..at + d].iter().map(|x| f64::from(*x)).collect();
                entering(&model, layer, recording.grid, row, part, token)
            };
            for patch in [0, 4] {
                let found = recording.attention(&model, layer, patch).unwrap();
                assert_eq!(found.heads(), heads);
                for head in 0..heads {
                    let q = part(0, head, extra + patch);
                    let scores: Vec<f64> = (0..tokens)
                        .map(|token| {
                            let k = part(1, head, token);
                            q.iter().zip(&k).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt()
                        })
                        .collect();
                    let sum: f64 = scores.iter().map(|score| score.exp()).sum();
                    for (token, score) in scores.iter().enumerate() {
                        let weight = f64::from(found.heads[head][token]);
                        assert!(
                            (weight - score.exp() / sum).abs() < 1e-5,
                            "{layer:?} {token}"
                        );
                    }
                    let all =
                        found.of_patches(Some(head)).iter().sum::<f32>() + found.beside(Some(head));
                    assert!((all - 1.0).abs() < 1e-5);
                }
                let mean = found.of_patches(None);
                assert_eq!(mean.len(), 6);
                let of_heads = (0..heads).map(|head| found.of_patches(Some(head))[2]);
                let expected = of_heads.sum::<f32>() / heads as f32;
                assert!((mean[2] - expected).abs() < 1e-6);
            }
            assert_eq!(recording.attention(&model, layer, 6), None);
        }
        assert_eq!(recording.attention(&model, Layer::Encoder(2), 0), None);
    }

    /// A query or key as it enters the product: in the transformer, normalised and rotated.
    fn entering(
        model: &Model,
        layer: Layer,
        [rows, columns]: [usize; 2],
        row: Vec<f64>,
        part: usize,
        token: usize,
    ) -> Vec<f64> {
        let Layer::Transformer(index) = layer else {
            return row;
        };
        let d = row.len();
        let attention = &model.network.blocks[index].attn;
        let norm = [&attention.q_norm, &attention.k_norm][part].val();
        let norm = norm.into_data().try_to_vec::<f32>().unwrap();
        let (cos, sin) = crate::model::positions::rotary(rows, columns, d);
        let scale = (row.iter().map(|x| x * x).sum::<f64>() / d as f64 + 1e-6).sqrt();
        let row: Vec<f64> = row
            .iter()
            .zip(norm)
            .map(|(x, w)| x / scale * f64::from(w))
            .collect();
        let pairs = row.chunks_exact(2).enumerate();
        let turned = pairs.flat_map(|(pair, x)| {
            let at = token * d / 2 + pair;
            let (c, s) = (f64::from(cos[at]), f64::from(sin[at]));
            [x[0] * c - x[1] * s, x[0] * s + x[1] * c]
        });
        turned.collect()
    }

    #[test]
    fn components_are_those_of_the_patches_alone() {
        let (model, photo, x) = model();
        let recording = Recording::of(&model, &photo, x, 0.0).unwrap();
        for layer in recording.layers() {
            let components = recording.components(layer).unwrap();
            assert_eq!(components.scores.len(), 6, "{layer:?}");
            assert!(components.shares[0] >= components.shares[1]);
        }
    }

    #[test]
    fn a_recording_that_is_too_large_is_refused_before_the_work() {
        let (model, ..) = model();
        let bytes = Recording::bytes(model.network.config(), [8, 12]);
        // 6 patches: two blocks of 9 tokens 12 wide and two of 6 tokens 16 wide.
        assert_eq!(bytes, 4 * (2 * 9 * 4 * 12 + 2 * 6 * 4 * 16));
        let error = TooLarge(900 << 20).to_string();
        assert!(
            error.contains("900 MiB") && error.contains("512 MiB"),
            "{error}"
        );
    }
}
