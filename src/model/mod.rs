//! The network, its configuration, its file format, and the import of public checkpoints.

pub mod blocks;
mod card;
pub mod config;
pub mod dinov2;
pub mod file;
pub mod init;
pub(crate) mod interpolate;
pub mod linear;
pub mod network;
pub mod pixnerd;
pub mod positions;
pub mod record;
pub mod resize;
pub(crate) mod stem;
pub mod tensors;
#[cfg(test)]
pub(crate) mod testing;
pub mod vit;
pub mod warm_start;

pub use card::{
    Card, FORMAT_VERSION, Fit, METADATA_KEY, MOST_SOLVER_STEPS, Quality, SCALES, STEPS, Score,
};

use crate::encoding::Centroids;
use crate::flow::{self, Prediction, Source};
use crate::kernels::MatmulPrecision;
use crate::random;
use burn::tensor::{Device, Tensor, TensorData};
use config::InvalidNetwork;
use network::{Network, Query};
use std::collections::HashMap;
use tensors::{Precision, Tensors, TensorsError};

/// A network with its card: everything needed to use it.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network with its weights, on one device.
    pub network: Network,
    /// How it was trained and how it is used.
    pub card: Card,
}

/// Why bytes are not a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The tensors can't be read or don't fit.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// An invalid network configuration.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
    /// A safetensors file without the metadata.
    #[error(
        "a safetensors file without FlowSeg's metadata: use `flowseg import` for a public PixNerd checkpoint"
    )]
    Foreign,
    /// Metadata that can't be read.
    #[error(
        "its FlowSeg metadata cannot be used ({0}): it was written by another version or is damaged"
    )]
    Metadata(String),
    /// A change that no card can hold.
    #[error("{0}")]
    Change(String),
    /// A change of an entry that no card has.
    #[error("a card has no entry {name}: its entries are {known}")]
    UnknownEntry { name: String, known: String },
    #[error(
        "it has format version {0}, but this program reads up to {FORMAT_VERSION}: update the program"
    )]
    Newer(u32),
}

impl Model {
    /// The class centroids.
    pub fn centroids(&self) -> Centroids {
        self.card.centroids()
    }

    /// The same model with its products in another precision. An encoder stays in single precision
    /// instead of half: some of its values may exceed the range.
    pub fn with_precision(self, precision: MatmulPrecision) -> Self {
        let of_encoder = match precision {
            MatmulPrecision::Half => MatmulPrecision::Single,
            MatmulPrecision::Single | MatmulPrecision::Bfloat16 => precision,
        };
        let network = self.network.with_precision(precision);
        let network = network.with_encoder_precision(of_encoder);
        Self { network, ..self }
    }

    /// Reads a model file's bytes onto a device.
    ///
    /// # Errors
    /// Bytes that are not a model, or tensors that do not match the metadata.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, ModelError> {
        // A large file that is no model is refused before its tensors are converted.
        let card = Card::read(bytes)?;
        let (held, expected) = (tensors::elements(bytes)?, card.network.parameters());
        if held != expected {
            return Err(ModelError::Metadata(format!(
                "it describes {expected} parameters, but the file holds {held}"
            )));
        }
        let (tensors, _) = tensors::from_safetensors(bytes)?;
        let network = tensors::import(Network::uninit(&card.network, device), tensors)?;
        Ok(Self { network, card })
    }

    /// The bytes of a model file.
    ///
    /// # Errors
    /// None for a network of this crate.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, ModelError> {
        self.bytes_with(&tensors::export(&self.network), precision)
    }

    /// [`to_bytes`](Self::to_bytes) with weights that were copied from the device before.
    fn bytes_with(&self, weights: &Tensors, precision: Precision) -> Result<Vec<u8>, ModelError> {
        let card =
            serde_json::to_string(&self.card).map_err(|e| ModelError::Metadata(e.to_string()))?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), card)]);
        let int8 = self
            .network
            .config()
            .encoder
            .as_ref()
            .is_some_and(|vit| vit.int8);
        let precision = match precision {
            Precision::Half if int8 => Precision::BytesIn("encoder."),
            precision => precision,
        };
        Ok(tensors::to_safetensors(weights, metadata, precision)?)
    }

    /// The velocity `v_theta(x, t, I)` at `x: [B, d, H, W]` for photos `image: [B, 3, H, W]` and, if
    /// the network has an encoder, their [features](Network::encode) (computed here if `None`). A
    /// predicted target is reached in the remaining time, `1 - t`, but at least in `least` > 0, the
    /// length of a solver step.
    pub fn velocity(
        &self,
        x: Tensor<4>,
        t: f32,
        least: f32,
        image: &Tensor<4>,
        features: Option<&Tensor<3>>,
    ) -> Tensor<4> {
        let batch = x.dims()[0];
        let query = Query {
            state: x.clone(),
            times: vec![t; batch],
            image: Some(image.clone()),
            features: features.cloned(),
            classes: None,
        };
        let target = match self.card.prediction {
            Prediction::Velocity => return self.network.forward(query),
            Prediction::Target => self.network.forward(query),
            Prediction::Logits | Prediction::Posterior => {
                let classes = self.network.largest_output(query);
                flow::centroid_image(classes, &self.centroids())
            }
        };
        let t = TensorData::new(vec![t], [1, 1, 1, 1]);
        let t = Tensor::<4>::from_data(t, &x.device());
        flow::velocity_towards(target, x, t, least)
    }

    /// The state `[B, d, H, W]` that a flow starts from, for photos `[B, 3, H, W]`: the photos
    /// themselves, or noise drawn from `seed`; by default what the model was trained with.
    pub fn source(&self, source: Option<Source>, image: &Tensor<4>, seed: u64) -> Tensor<4> {
        match source.unwrap_or(self.card.source) {
            Source::Image => flow::photo_state(image, self.card.network.state_channels),
            Source::Noise => {
                let [batch, _, height, width] = image.dims();
                let shape = [batch, self.card.network.state_channels, height, width];
                random::noise(shape, seed, &image.device())
            }
        }
    }

    /// The [`source`](Self::source) of each photo of a batch, noise from a seed of its own: it depends on no other
    /// photo.
    pub fn sources(
        &self,
        source: Option<Source>,
        images: &Tensor<4>,
        seeds: impl Iterator<Item = u64>,
    ) -> Tensor<4> {
        match source.unwrap_or(self.card.source) {
            Source::Image => flow::photo_state(images, self.card.network.state_channels),
            Source::Noise => {
                let [_, _, height, width] = images.dims();
                let shape = [1, self.card.network.state_channels, height, width];
                let noise = seeds.map(|seed| random::noise(shape, seed, &images.device()));
                Tensor::cat(noise.collect(), 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::config::NetworkConfig;
    use super::vit::VitConfig;
    use super::*;
    use crate::encoding::Encoding;
    use safetensors::tensor::{Dtype, TensorView};

    /// The file of a small model with a modified card.
    fn file(change: impl FnOnce(&mut Card)) -> Vec<u8> {
        let network = NetworkConfig::miniature();
        let mut card = Card::of_network(&network);
        card.classes = ["a", "b"].map(str::to_owned).to_vec();
        change(&mut card);
        let network = Network::uninit(&network, &Device::flex());
        let model = Model { network, card };
        model.to_bytes(Precision::Single).unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        Model::from_bytes(bytes, &Device::flex())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn absurd_cards_are_refused_when_they_are_read() {
        Model::from_bytes(&file(|_| ()), &Device::flex()).unwrap();
        let names = |count: usize| (0..count).map(|i| i.to_string()).collect();
        let looks = |scales: &[f64]| {
            Some(Quality {
                scales: scales.to_vec(),
                flip: true,
                fast: 0.5,
                best: 0.6,
                on: "a test".into(),
            })
        };
        type Change = Box<dyn FnOnce(&mut Card)>;
        let changes: [(&str, Change); 10] = [
            ("0 x 0", Box::new(|card| card.size = [0, 0])),
            ("16 x 100000", Box::new(|card| card.size = [16, 100_000])),
            (
                "70000 classes",
                Box::new(move |card| card.classes = names(70_000)),
            ),
            ("patch_size", Box::new(|card| card.network.patch_size = 0)),
            ("outputs", Box::new(|card| card.network.outputs = 7)),
            ("version 99", Box::new(|card| card.format = 99)),
            ("scales []", Box::new(move |card| card.quality = looks(&[]))),
            (
                "[1.0, 50.0]",
                Box::new(move |card| card.quality = looks(&[1.0, 50.0])),
            ),
            (
                "encoder.layers",
                Box::new(|card| {
                    card.network.encoder = Some(VitConfig {
                        width: 4,
                        heads: 1,
                        blocks: 2,
                        mlp_width: 4,
                        patch_size: 4,
                        side: 2,
                        registers: 0,
                        layers: vec![1, 1],
                        int8: false,
                    });
                }),
            ),
            (
                "4 dimensions",
                Box::new(|card| {
                    card.encoding = Encoding::FarthestPoint;
                    card.network.state_channels = 4;
                    card.network.outputs = 4;
                }),
            ),
        ];
        for (word, change) in changes {
            let error = refusal(&file(change));
            assert!(error.contains(word) && !error.contains('\n'), "{error}");
        }
    }

    /// Tensors that can't be converted stand for tensors of which there are too many.
    #[test]
    fn a_file_is_refused_before_its_tensors_are_converted() {
        let bytes = |card: Option<&Card>| {
            let view = TensorView::new(Dtype::BOOL, vec![3], &[0; 3]).unwrap();
            let card = card.map(|card| serde_json::to_string(card).unwrap());
            let metadata = card.map(|card| HashMap::from([(METADATA_KEY.to_owned(), card)]));
            safetensors::serialize([("weight", view)], metadata).unwrap()
        };
        let refused = Model::from_bytes(&bytes(None), &Device::flex());
        assert!(matches!(refused, Err(ModelError::Foreign)), "{refused:?}");
        let mut card = Card::of_network(&NetworkConfig::miniature());
        card.classes = ["a", "b"].map(str::to_owned).to_vec();
        let error = refusal(&bytes(Some(&card)));
        assert!(error.contains("the file holds 3"), "{error}");
    }

    #[test]
    fn weights_that_are_not_finite_are_named() {
        let mut bytes = file(|_| ());
        // The last value in the file.
        let end = bytes.len() - 4;
        for value in [f32::NAN, f32::INFINITY] {
            bytes[end..].copy_from_slice(&value.to_le_bytes());
            let error = refusal(&bytes);
            assert!(
                error.contains("finite") && error.contains("tensor "),
                "{error}"
            );
        }
    }
}
