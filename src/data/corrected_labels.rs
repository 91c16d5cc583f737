//! The labels in a folder of corrections, and digests that tell whether their files are still the same.

use crate::files::{self, FileError};
use sha2::{Digest, Sha256};
use std::path::Path;

/// SHA-256 of a label file.
pub type LabelsDigest = [u8; 32];

/// The digest of a label file.
///
/// # Errors
/// The file cannot be read.
pub fn labels_digest(labels: &Path) -> Result<LabelsDigest, FileError> {
    Ok(Sha256::digest(files::read(labels)?).into())
}

/// The labels of a photo in a folder of corrections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedLabels {
    /// One class index or [`IGNORE`](crate::labels::IGNORE) per pixel, row by row.
    pub labels: Vec<u16>,
    /// Whether this program saved them as corrections. Those that a data set came with are none.
    pub is_correction: bool,
    pub digest: LabelsDigest,
}
