//! A model for the tests of other modules.

use super::config::{NetworkConfig, Preset, STATE_CHANNELS};
use super::network::Network;
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
