//! A model for the tests of other modules.

use super::config::{NetworkConfig, Preset, STATE_CHANNELS};
use super::network::Network;
use super::tensors::{export, import};
use super::{Card, Model};
use crate::flow::Source;
use burn::tensor::Device;

/// An untrained model of one block for photos of `size`. `change` edits its card first; the network
/// has the outputs that the card's prediction needs.
pub(crate) fn tiny(
    classes: &[impl AsRef<str>],
    size: [usize; 2],
    change: impl FnOnce(&mut Card),
) -> Model {
    let network = NetworkConfig {
        patch_size: 4,
        hidden_size: 16,
        heads: 2,
        pixel_width: 8,
        transformer_blocks: 1,
        field_blocks: 1,
        ..Preset::Tiny.network()
    };
    let mut card = Card {
        classes: classes.iter().map(|c| c.as_ref().to_owned()).collect(),
        source: Source::Image,
        size,
        dataset: "test".into(),
        ..Card::of_network(&network)
    };
    change(&mut card);
    card.network.outputs = if card.prediction.has_class_outputs() {
        card.classes.len()
    } else {
        STATE_CHANNELS
    };
    let network = Network::new(&card.network, 0, &Device::flex());
    Model { network, card }
}

/// Makes a network's output constant: its last layer starts at zero.
pub(crate) fn constant(mut model: Model, outputs: &[f32]) -> Model {
    let mut tensors = export(&model.network);
    let bias = tensors.get_mut("final_layer.linear.bias").unwrap();
    bias.data.copy_from_slice(outputs);
    model.network = import(model.network, tensors).unwrap();
    model
}

/// Makes the numbers inside a network overflow: all of its weights are huge.
pub(crate) fn overflowing(mut model: Model) -> Model {
    let mut tensors = export(&model.network);
    for tensor in tensors.values_mut() {
        tensor.data.fill(1e30);
    }
    model.network = import(model.network, tensors).unwrap();
    model
}
