//! Warm starts: loads the weights of a public PixNerd checkpoint or a FlowSeg model into a network
//! with another configuration.

use super::config::NetworkConfig;
use super::network::Network;
use super::pixnerd::{self, ImportError, Weights};
use super::tensors::{self, HostTensor, Tensors, TensorsError};
use super::{METADATA_KEY, Model, ModelError};
use burn::tensor::Device;
use std::path::Path;

/// Which tensors a warm start loaded, adapted or skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Number of loaded tensors, including adapted ones.
    pub tensors: usize,
    /// The loaded share of the network's parameters, 0 to 1.
    pub share: f64,
    /// Tensors whose shape was adapted, and how.
    pub fitted: Vec<String>,
    /// Tensors of the network that the file lacks.
    pub fresh: Vec<String>,
    /// Tensors of the file that the network lacks.
    pub unused: Vec<String>,
}

/// Why a file cannot be used for a warm start.
#[derive(Debug, thiserror::Error)]
pub enum WarmStartError {
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(
        "its {what} is {found}, but the configuration's is {expected}: choose the model.preset that it was trained with"
    )]
    Sizes {
        what: &'static str,
        found: usize,
        expected: usize,
    },
}

/// Loads the bytes of the file at `path` into a fresh network.
///
/// If the file's network has no input channels for a photo, their weights start at zero, so that the
/// network first ignores the photo; the class embedding is the file's null class. Blocks and outputs
/// that the file lacks stay fresh. With `appends` the outputs are classes, the file's first and others
/// after them: each of those starts as the mean of the file's, so that it is never the largest and
/// the network decides as the file's does. Rotary positions have no weights: they span the same range at any
/// size.
///
/// # Errors
/// If the file is of another kind, or of a network of another width.
pub fn warm_start(
    network: Network,
    path: &Path,
    bytes: &[u8],
    appends: bool,
) -> Result<(Network, Loaded), WarmStartError> {
    let (from, mut source) = read(path, bytes)?;
    let to = network.config().clone();
    check_sizes(&from, &to)?;
    let mut loaded = Loaded::default();
    let mut parameters = 0;
    let mut target = tensors::export(&network);
    for (name, tensor) in &mut target {
        let found = source.remove(name);
        match found.and_then(|found| fit(name, found, tensor, &from, &to, appends)) {
            None => loaded.fresh.push(name.clone()),
            Some((fitted, how)) => {
                loaded.tensors += 1;
                parameters += fitted.data.len();
                loaded
                    .fitted
                    .extend(how.map(|how| format!("{name} ({how})")));
                *tensor = fitted;
            }
        }
    }
    loaded.unused = source.into_keys().collect();
    loaded.share = parameters as f64 / to.parameters() as f64;
    Ok((tensors::import(network, target)?, loaded))
}

/// Whether [`warm_start`] can load the bytes of the file at `path` into a fresh network of this configuration, which
/// is not built.
///
/// # Errors
/// As for [`warm_start`].
pub fn check_start(
    network: &NetworkConfig,
    path: &Path,
    bytes: &[u8],
) -> Result<(), WarmStartError> {
    let (from, _) = read(path, bytes)?;
    check_sizes(&from, network)
}

/// Refuses networks whose tensors have other widths.
fn check_sizes(from: &NetworkConfig, to: &NetworkConfig) -> Result<(), WarmStartError> {
    let sizes = [
        ("patch_size", from.patch_size, to.patch_size),
        ("hidden_size", from.hidden_size, to.hidden_size),
        ("number of heads", from.heads, to.heads),
        ("pixel_width", from.pixel_width, to.pixel_width),
        ("field_ratio", from.field_ratio, to.field_ratio),
    ];
    for (what, found, expected) in sizes {
        if found != expected {
            return Err(WarmStartError::Sizes {
                what,
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Configuration and tensors, under this crate's names, of a model or a checkpoint.
fn read(path: &Path, bytes: &[u8]) -> Result<(NetworkConfig, Tensors), WarmStartError> {
    if let Ok((_, metadata)) = safetensors::SafeTensors::read_metadata(bytes)
        && let Some(metadata) = metadata.metadata()
        && metadata.contains_key(METADATA_KEY)
    {
        let network = Model::from_bytes(bytes, &Device::flex())?.network;
        return Ok((network.config().clone(), tensors::export(&network)));
    }
    let found = tensors::from_file(path, bytes)?;
    let averaged = found.keys().any(|name| name.starts_with("ema_denoiser."));
    let weights = if averaged { Weights::Ema } else { Weights::Raw };
    Ok(pixnerd::convert(found, weights)?)
}

/// A tensor in the shape of its target, and how it was adapted; `None` if that is impossible.
fn fit(
    name: &str,
    found: HostTensor,
    target: &HostTensor,
    from: &NetworkConfig,
    to: &NetworkConfig,
    appends: bool,
) -> Option<(HostTensor, Option<&'static str>)> {
    if found.shape == target.shape {
        return Some((found, None));
    }
    let widened = to.in_channels() > from.in_channels();
    let zero = if to.state_channels > from.state_channels {
        "additional channels of the state start at zero"
    } else {
        "the image's channels start at zero"
    };
    // New channels come after those of the state, and before the image's, if it had any.
    match name {
        "patch_embedder.weight" if widened => {
            let at = from.state_channels * from.patch_size * from.patch_size;
            Some((with_zero_rows(found, at, target), Some(zero)))
        }
        "pixel_embedder.weight" if widened => {
            let at = from.state_channels;
            Some((with_zero_rows(found, at, target), Some(zero)))
        }
        "final_layer.linear.weight"
        | "final_layer.linear.bias"
        | "patch_output.weight"
        | "patch_output.bias"
            if appends && to.outputs > from.outputs =>
        {
            let fitted = with_mean_columns(&found, from.outputs, to.outputs);
            Some((fitted, Some("new classes start as the mean of the others")))
        }
        "class_table" if target.shape[0] == 1 => {
            let width = target.shape[1];
            let data = found.data[found.data.len() - width..].to_vec();
            let shape = target.shape.clone();
            Some((HostTensor { shape, data }, Some("the null class")))
        }
        _ => None,
    }
}

/// `found: [rows, width]` with rows of zeros inserted before row `at` (or appended) to give it the
/// shape of `target`.
fn with_zero_rows(found: HostTensor, at: usize, target: &HostTensor) -> HostTensor {
    let missing = target.data.len() - found.data.len();
    let cut = at.saturating_mul(target.shape[1]).min(found.data.len());
    let (before, after) = found.data.split_at(cut);
    HostTensor {
        shape: target.shape.clone(),
        data: [before, &vec![0.0; missing], after].concat(),
    }
}

/// A tensor whose last dimension has `from` entries with `to`: the further ones are the mean of the
/// others.
fn with_mean_columns(found: &HostTensor, from: usize, to: usize) -> HostTensor {
    let row = |row: &[f32]| {
        let mean = row.iter().sum::<f32>() / from as f32;
        let mut row = row.to_vec();
        row.resize(to, mean);
        row
    };
    let mut shape = found.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = to;
    }
    HostTensor {
        shape,
        data: found.data.chunks_exact(from).flat_map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Condition;
    use super::super::network::Query;
    use super::super::tensors::{Precision, read as values};
    use super::*;
    use crate::random::noise;
    use std::collections::HashMap;

    fn output(network: &Network, image: Option<u64>, classes: Option<usize>) -> Vec<f32> {
        let device = Device::flex();
        values(network.forward(Query {
            state: noise([1, 3, 8, 12], 1, &device),
            times: vec![0.4],
            image: image.map(|seed| noise([1, 3, 8, 12], seed, &device)),
            features: None,
            classes: classes.map(|class| vec![class]),
        }))
    }

    /// Random weights everywhere, since the output of a fresh network is zero.
    fn shaken(config: &NetworkConfig) -> Network {
        let network = Network::new(config, 3, &Device::flex());
        let mut tensors = tensors::export(&network);
        for (i, tensor) in tensors.values_mut().enumerate() {
            for (j, v) in tensor.data.iter_mut().enumerate() {
                *v += 0.2 * ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.1;
            }
        }
        tensors::import(network, tensors).unwrap()
    }

    #[test]
    fn more_dimensions_leave_the_photo_where_it_was() {
        let small = NetworkConfig::miniature();
        let bytes = {
            let mut card = super::super::Card::of_network(&small);
            card.classes = ["a", "b"].map(str::to_owned).to_vec();
            let network = shaken(&small);
            let model = Model { network, card };
            model.to_bytes(Precision::Single).unwrap()
        };
        let large = NetworkConfig {
            state_channels: 5,
            outputs: 5,
            ..small.clone()
        };
        let fresh = Network::new(&large, 9, &Device::flex());
        let (network, _) = warm_start(fresh, Path::new("x.safetensors"), &bytes, false).unwrap();
        let [from, to] = [shaken(&small), network].map(|network| tensors::export(&network));
        for (name, pixels) in [
            ("patch_embedder.weight", small.patch_size.pow(2)),
            ("pixel_embedder.weight", 1),
        ] {
            let width = from[name].shape[1];
            let rows = |tensors: &Tensors, channels: std::ops::Range<usize>| {
                let rows = channels.start * pixels * width..channels.end * pixels * width;
                tensors[name].data[rows].to_vec()
            };
            assert_eq!(rows(&to, 0..3), rows(&from, 0..3), "{name}");
            assert!(rows(&to, 3..5).iter().all(|v| *v == 0.0), "{name}");
            assert_eq!(rows(&to, 5..8), rows(&from, 3..6), "{name}");
        }
    }

    #[test]
    fn a_checkpoint_does_what_it_did_whatever_the_photo() {
        let conditional = NetworkConfig {
            condition: Condition::None,
            class_conditions: 4,
            ..NetworkConfig::miniature()
        };
        let teacher = shaken(&conditional);
        // Like PixNerd's own file.
        let mut own = tensors::export(&teacher);
        let mut file = Tensors::new();
        for (ours, theirs, transposed) in pixnerd::names(&conditional) {
            let mut tensor = own.remove(&ours).unwrap();
            if transposed {
                tensor = pixnerd::transposed(tensor, &theirs).unwrap();
            }
            file.insert(format!("denoiser.{theirs}"), tensor);
        }
        let bytes = tensors::to_safetensors(&file, HashMap::new(), Precision::Single).unwrap();
        let fresh = Network::new(&NetworkConfig::miniature(), 9, &Device::flex());
        let (network, loaded) =
            warm_start(fresh, Path::new("x.safetensors"), &bytes, false).unwrap();
        assert!(
            loaded.fresh.is_empty() && loaded.unused.is_empty(),
            "{loaded:?}"
        );
        assert_eq!(loaded.fitted.len(), 3, "{loaded:?}");
        assert_eq!(loaded.share, 1.0);
        let expected = output(&teacher, None, Some(4));
        assert!(expected.iter().any(|v| v.abs() > 0.01));
        for photo in [5, 6] {
            for (a, b) in output(&network, Some(photo), None).iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_starts_fresh_and_is_named() {
        let longer = NetworkConfig {
            transformer_blocks: 3,
            outputs: 7,
            ..NetworkConfig::miniature()
        };
        let source = shaken(&NetworkConfig::miniature());
        let card = super::super::Card::of_network(source.config());
        let model = Model {
            network: source.clone(),
            card,
        };
        let bytes = model.to_bytes(Precision::Single).unwrap();
        let fresh = Network::new(&longer, 1, &Device::flex());
        let (network, loaded) = warm_start(fresh.clone(), Path::new("x"), &bytes, false).unwrap();
        assert!(loaded.fresh.iter().all(|name| {
            name.starts_with("blocks.2.") || name.starts_with("final_layer.linear.")
        }));
        assert!(loaded.fresh.iter().any(|n| n == "blocks.2.attn.qkv.weight"));
        let (after, before) = (tensors::export(&network), tensors::export(&fresh));
        let block = "blocks.2.attn.qkv.weight";
        assert_eq!(after[block], before[block]);
        let block = "blocks.1.attn.qkv.weight";
        assert_eq!(after[block], tensors::export(&source)[block]);
    }

    #[test]
    fn a_network_with_a_class_more_decides_as_the_one_it_starts_from() {
        let classes = |outputs| NetworkConfig {
            outputs,
            patch_output: true,
            ..NetworkConfig::miniature()
        };
        let source = shaken(&classes(5));
        let card = super::super::Card::of_network(source.config());
        let model = Model {
            network: source.clone(),
            card: super::super::Card {
                classes: (0..5).map(|k| k.to_string()).collect(),
                prediction: crate::flow::Prediction::Posterior,
                ..card
            },
        };
        let bytes = model.to_bytes(Precision::Single).unwrap();
        let fresh = Network::new(&classes(6), 1, &Device::flex());
        let (network, loaded) = warm_start(fresh, Path::new("x"), &bytes, true).unwrap();
        assert!(loaded.fresh.is_empty(), "{loaded:?}");
        let (before, after) = (
            output(&source, Some(5), None),
            output(&network, Some(5), None),
        );
        let pixels = before.len() / 5;
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() < 1e-5);
        }
        for pixel in 0..pixels {
            let most = (0..5)
                .map(|k| after[k * pixels + pixel])
                .fold(f32::MIN, f32::max);
            assert!(after[5 * pixels + pixel] < most);
        }
    }

    #[test]
    fn other_widths_are_refused_with_both_numbers() {
        let source = shaken(&NetworkConfig::miniature());
        let card = super::super::Card::of_network(source.config());
        let model = Model {
            network: source,
            card,
        };
        let bytes = model.to_bytes(Precision::Single).unwrap();
        let wider = NetworkConfig {
            hidden_size: 48,
            ..NetworkConfig::miniature()
        };
        let fresh = Network::new(&wider, 1, &Device::flex());
        let error = warm_start(fresh, Path::new("x"), &bytes, false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("32") && error.contains("48"), "{error}");
    }
}
