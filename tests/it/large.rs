//! The large network runs on any machine with enough memory.

use burn::tensor::Device;
use flowseg::model::config::Preset;
use flowseg::model::network::{Network, Query};
use flowseg::random::noise;

#[test]
fn the_large_network_runs_forward() {
    let network = Network::new(&Preset::Large.network(), 0, &Device::flex());
    let image = noise([1, 3, 64, 64], 1, &Device::flex());
    let query = Query {
        state: image.clone(),
        times: vec![0.0],
        image: Some(image),
        features: None,
        classes: None,
    };
    assert_eq!(network.forward(query).dims(), [1, 3, 64, 64]);
}
