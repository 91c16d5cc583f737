//! Checks of this machine's arithmetic: a device against the CPU, and both against values computed
//! by reference implementations.

mod check;
mod cpu;
mod fixtures;

pub use check::{Check, VerifyError, max_error, read_tensors};
pub use cpu::against_cpu;
pub use fixtures::pixnerd;

use crate::model::network::Network;
use crate::model::pixnerd::{self, Weights};
use crate::model::tensors;
use burn::tensor::Device;
use check::{stem, unknown};
use std::path::Path;

/// Checks a fixture, whose kind is recognised by its contents. `weights` is the path of the weights
/// if they are not beside it.
///
/// # Errors
/// If files cannot be read or are of an unknown kind.
pub fn fixture(
    path: &Path,
    weights: Option<&Path>,
    device: &Device,
    cpu: bool,
) -> Result<Vec<Check>, VerifyError> {
    let found = read_tensors(path)?;
    let beside = stem(path).with_extension("weights.safetensors");
    let weights = weights.unwrap_or(&beside);
    if found.contains_key("ground_truth") {
        fixtures::miou(path, &found)
    } else if found.keys().any(|k| k.starts_with("phi.")) {
        fixtures::potential(path, &found, device)
    } else if found.contains_key("velocity") {
        let (config, tensors) =
            pixnerd::convert(read_tensors(weights)?, Weights::Ema).map_err(|source| {
                VerifyError::Import {
                    path: weights.to_owned(),
                    source,
                }
            })?;
        let network = Network::uninit(&config, device);
        let network = tensors::import(network, tensors).map_err(|source| VerifyError::Tensors {
            path: weights.to_owned(),
            source,
        })?;
        pixnerd(path, &found, &network, cpu)
    } else if found.contains_key("patch_tokens") {
        fixtures::dinov2(path, &found, weights, device)
    } else {
        Err(unknown(path, "none of their tensors is in it"))
    }
}
