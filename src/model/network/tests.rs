use super::*;
use crate::model::config::{Condition, Preset};
use crate::model::tensors::read;
use crate::model::vit::VitConfig;
use crate::random::noise;

/// A query for photos that are their own states.
fn query(photos: Tensor<4>, times: &[f32]) -> Query {
    Query {
        state: photos.clone(),
        times: times.to_vec(),
        image: Some(photos),
        features: None,
        classes: None,
    }
}

fn run(network: &Network, size: [usize; 2]) -> Tensor<4> {
    let image = noise([1, 3, size[0], size[1]], 1, &Device::flex());
    network.forward(query(image, &[0.3]))
}

/// A network with a small encoder.
fn with_encoder() -> NetworkConfig {
    NetworkConfig {
        encoder: Some(VitConfig {
            width: 12,
            heads: 2,
            blocks: 2,
            mlp_width: 20,
            patch_size: 3,
            side: 4,
            registers: 2,
            layers: Vec::new(),
            int8: false,
        }),
        ..NetworkConfig::miniature()
    }
}

#[test]
fn an_encoder_s_tokens_see_the_network_s_own_patches() {
    let device = Device::flex();
    let network = Network::new(&with_encoder(), 3, &device);
    // Patches of 4: two rows and three columns, the last ones padded by three and one pixels.
    let photo = noise([2, 3, 5, 11], 1, &device);
    let whole = photo
        .clone()
        .pad((0, 1, 0, 3), burn::tensor::ops::PadMode::Edge);
    assert_eq!(whole.dims(), [2, 3, 8, 12]);
    let [found, expected] = [photo, whole.clone()].map(|x| network.encode(&x).unwrap());
    assert_eq!(found.dims(), [2, 6, 12]);
    assert_eq!(read(found), read(expected.clone()));
    // Whole patches are encoded without padding.
    let encoder = network.encoder.as_ref().unwrap();
    let prepared = encoder.prepare((whole + 1.0) * 0.5, [2, 3]);
    assert_eq!(read(encoder.patch_tokens(prepared)), read(expected));
}

#[test]
fn the_count_of_parameters_is_that_of_the_network() {
    let with_patch_output = NetworkConfig {
        patch_output: true,
        outputs: 7,
        ..NetworkConfig::miniature()
    };
    for config in [
        NetworkConfig::miniature(),
        Preset::Tiny.network(),
        with_encoder(),
        with_patch_output,
    ] {
        let network = Network::new(&config, 0, &Device::flex());
        assert_eq!(network.num_params(), config.parameters());
    }
}

#[test]
fn large_and_xlarge_are_the_published_networks() {
    // Class-conditional ImageNet networks without a photo, as published: 458 M and 700 M, including
    // the REPA projector of three linear layers.
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
    // The output layer is initialised to zero; this makes the output depend on the input.
    network.final_layer.linear = Initializer::new(5, &Device::flex()).linear(8, 3, true);
    for size in [[4, 4], [8, 12], [9, 5], [1, 1], [7, 16]] {
        let out = run(&network, size);
        assert_eq!(out.dims(), [1, 3, size[0], size[1]]);
        assert!(read(out).iter().all(|v| v.is_finite() && *v != 0.0));
    }
}

#[test]
fn a_patch_output_is_interpolated_between_the_middles_of_patches() {
    let config = NetworkConfig {
        patch_output: true,
        ..NetworkConfig::miniature()
    };
    let mut network = Network::new(&config, 3, &Device::flex());
    let linear = Initializer::new(5, &Device::flex()).linear(32, 3, true);
    network.patch_output = Some(linear);
    let out = read(run(&network, [8, 8]));
    let row = &out[..8];
    // Constant in the corner before the first centre, then even steps up to the second.
    assert!((row[0] - row[1]).abs() < 1e-6 && (row[0] - row[3]).abs() > 1e-6);
    for pixel in 3..5 {
        let (step, next) = (row[pixel + 1] - row[pixel], row[3] - row[2]);
        assert!((step - next).abs() < 1e-6, "{row:?}");
    }
}

#[test]
fn the_largest_output_is_that_of_the_outputs() {
    for patch_output in [false, true] {
        let config = NetworkConfig {
            outputs: 5,
            patch_output,
            ..NetworkConfig::miniature()
        };
        let mut network = Network::new(&config, 3, &Device::flex());
        let device = Device::flex();
        let mut init = Initializer::new(5, &device);
        network.final_layer.linear = init.linear(8, 5, true);
        network.patch_output = patch_output.then(|| init.linear(32, 5, true));
        for size in [[8, 12], [9, 5]] {
            let image = noise([2, 3, size[0], size[1]], 1, &Device::flex());
            let query = || query(image.clone(), &[0.3, 0.6]);
            let [expected, found] = [
                network.forward(query()).argmax(1).squeeze_dim(1),
                network.largest_output(query()),
            ]
            .map(|classes: Tensor<3, Int>| classes.into_data().convert::<i32>());
            expected.assert_eq(&found, true);
        }
    }
}

#[test]
fn a_fresh_network_stands_still() {
    let network = Network::new(&NetworkConfig::miniature(), 3, &Device::flex());
    assert!(read(run(&network, [8, 8])).iter().all(|v| *v == 0.0));
}
