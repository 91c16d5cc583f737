//! Whether a file is still the one that it was.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a file is at a time, such as just before it is read: another one may replace it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// `None` if the file cannot be reached.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            path: path.to_owned(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}
