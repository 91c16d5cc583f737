//! Checks of this machine's arithmetic: a device against the CPU, and both against numbers computed
//! by reference implementations.

mod cpu;
mod fixtures;

pub use cpu::against_cpu;
pub use fixtures::pixnerd;

use crate::files::{self, FileError};
use crate::model::dinov2::TeacherError;
use crate::model::import::{self, ImportError, Weights};
use crate::model::network::Network;
use crate::model::tensors::{self, HostTensor, Tensors, TensorsError};
use burn::tensor::Device;
use std::fmt;
use std::path::{Path, PathBuf};

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// The largest error found.
    pub error: f64,
    /// The largest error allowed.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within its limit. No number at all is a failure.
    pub fn passed(&self) -> bool {
        self.error <= self.limit
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "ok" } else { "FAILED" };
        let Self { name, error, limit } = self;
        write!(
            f,
            "{name}: max error {error:.3e} (limit {limit:.0e}) {verdict}"
        )
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A damaged file.
    #[error("{}: {source}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TensorsError,
    },
    /// Weights of something else.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ImportError,
    },
    /// Weights that are no teacher.
    #[error("{}: {source}", path.display())]
    Teacher {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TeacherError,
    },
    /// A fixture of no known kind, or an incomplete one.
    #[error("{} is no fixture of a known kind ({reason}): potential, miou, pixnerd and dinov2 are known", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}

/// The largest absolute difference; infinite for different lengths or anything that is no number.
pub fn max_error(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let differences = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(
        0.0,
        |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) },
    )
}

/// Reads a safetensors or PyTorch file, told apart by content.
///
/// # Errors
/// Files that are neither.
pub fn read_tensors(path: &Path) -> Result<Tensors, VerifyError> {
    let bytes = files::read(path)?;
    files::refuse_foreign(path, &bytes)?;
    tensors::from_file(path, &bytes).map_err(|source| VerifyError::Tensors {
        path: path.to_owned(),
        source,
    })
}

/// Checks a fixture, its kind told by its contents. `weights` names the weights where they don't
/// stand beside it.
///
/// # Errors
/// Files that can't be read or are of no known kind.
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
            import::pixnerd(read_tensors(weights)?, Weights::Ema).map_err(|source| {
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

fn unknown(path: &Path, reason: impl Into<String>) -> VerifyError {
    VerifyError::Unknown {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// `DIR/NAME` of `DIR/NAME.safetensors` or `DIR/NAME.expected.safetensors`.
fn stem(path: &Path) -> PathBuf {
    let bare = path.with_extension("");
    if bare.extension().is_some_and(|e| e == "expected") {
        bare.with_extension("")
    } else {
        bare
    }
}

fn get<'a>(path: &Path, tensors: &'a Tensors, name: &str) -> Result<&'a HostTensor, VerifyError> {
    tensors
        .get(name)
        .ok_or_else(|| unknown(path, format!("no tensor {name}")))
}

fn json(path: &Path) -> Result<serde_json::Value, VerifyError> {
    let path = stem(path).with_extension("json");
    serde_json::from_slice(&files::read(&path)?).map_err(|e| unknown(&path, e.to_string()))
}
