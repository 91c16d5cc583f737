//! Model files.

use super::tensors::Precision;
use super::{Model, ModelError};
use crate::files::{self, FileError};
use burn::tensor::Device;
use std::path::Path;

/// Reads a model file onto a device.
///
/// # Errors
/// A file that can't be read, or is not a model.
pub fn read(path: &Path, device: &Device) -> Result<Model, FileError> {
    let bytes = files::map_file(path, "model file")?;
    Model::from_bytes(&bytes, device).map_err(|error| unusable(path, error))
}

/// Writes a model file.
///
/// # Errors
/// A disk that refuses.
pub fn write(path: &Path, model: &Model, precision: Precision) -> Result<(), FileError> {
    let bytes = model
        .to_bytes(precision)
        .map_err(|error| unusable(path, error))?;
    files::write_atomic(path, &bytes)
}

fn unusable(path: &Path, error: ModelError) -> FileError {
    FileError::Model {
        path: path.to_owned(),
        source: error.into(),
    }
}
