//! The result of one comparison, and helpers of the checks.

use crate::files::{self, FileError};
use crate::model::dinov2::TeacherError;
use crate::model::pixnerd::ImportError;
use crate::model::tensors::{self, HostTensor, Tensors, TensorsError};
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    /// The largest error found.
    pub error: f64,
    /// The largest error allowed.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within its limit; false for NaN.
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

/// Why a comparison with reference numbers cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {source}", path.display())]
    Tensors { path: PathBuf, source: TensorsError },
    #[error("{}: {source}", path.display())]
    Import { path: PathBuf, source: ImportError },
    /// Weights that are not a teacher's.
    #[error("{}: {source}", path.display())]
    Teacher { path: PathBuf, source: TeacherError },
    /// A fixture of unknown kind, or an incomplete one.
    #[error("{} is not a fixture of a known kind ({reason}): the kinds are potential, miou, pixnerd and dinov2", path.display())]
    Unknown { path: PathBuf, reason: String },
}

/// The largest absolute difference; infinite for different lengths or NaN.
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

/// Reads a safetensors or PyTorch file, recognised by its content.
///
/// # Errors
/// If the file is neither.
pub fn read_tensors(path: &Path) -> Result<Tensors, VerifyError> {
    let bytes = files::read(path)?;
    files::refuse_foreign(path, &bytes)?;
    tensors::from_file(path, &bytes).map_err(|source| VerifyError::Tensors {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn unknown(path: &Path, reason: impl Into<String>) -> VerifyError {
    VerifyError::Unknown {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// `DIR/NAME` from `DIR/NAME.safetensors` or `DIR/NAME.expected.safetensors`.
pub(super) fn stem(path: &Path) -> PathBuf {
    let bare = path.with_extension("");
    if bare.extension().is_some_and(|e| e == "expected") {
        bare.with_extension("")
    } else {
        bare
    }
}

pub(super) fn get<'a>(
    path: &Path,
    tensors: &'a Tensors,
    name: &str,
) -> Result<&'a HostTensor, VerifyError> {
    tensors
        .get(name)
        .ok_or_else(|| unknown(path, format!("no tensor {name}")))
}

pub(super) fn json(path: &Path) -> Result<serde_json::Value, VerifyError> {
    let path = stem(path).with_extension("json");
    serde_json::from_slice(&files::read(&path)?).map_err(|e| unknown(&path, e.to_string()))
}
