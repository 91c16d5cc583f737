//! Why an export failed.

use crate::data::DataError;
use crate::files::FileError;
use std::io;
use std::path::{Path, PathBuf};

/// Why an export failed. Nothing half-written is left.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk, or the file's place on it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The label map.
    #[error(transparent)]
    Labels(DataError),
    /// The folder for the frames has something in it.
    #[error("{} is not an empty folder: name a new one for the frames", .0.display())]
    Occupied(PathBuf),
    /// No state was computed yet, or the numbers of a scene don't fit each other.
    #[error("cannot write {}: {reason}", path.display())]
    Scene {
        /// The file.
        path: PathBuf,
        /// What is wrong with the scene.
        reason: &'static str,
    },
    /// A file of an earlier run that can't be gone on with.
    #[error("cannot go on with {}: {reason}; move it away, or leave out --skip-existing", path.display())]
    Resume {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The export was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl ExportError {
    /// A failure to write `path`, from whatever an encoder reports.
    pub(super) fn write(
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        let source = match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        };
        let path = path.to_owned();
        Self::File(FileError::Write { path, source })
    }
}

impl From<DataError> for ExportError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::File(error) => Self::File(error),
            other => Self::Labels(other),
        }
    }
}

/// Ends an export that was cancelled.
pub(super) fn go_on(yes: bool) -> Result<(), ExportError> {
    yes.then_some(()).ok_or(ExportError::Cancelled)
}
