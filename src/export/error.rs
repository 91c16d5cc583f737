//! Why an export failed.

use crate::data::DataError;
use crate::files::FileError;
use crate::inference::SegmentError;
use std::io;
use std::path::{Path, PathBuf};

/// What an error says of a file that no output replaces.
pub(super) const FOREIGN: &str = "saved by another program or by an earlier version of FlowSeg";

/// What makes the votes of an open photo fit into memory.
const SMALLER_INPUT: &str = "a smaller scale of the input";

/// Why an export failed. No partial file is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk, or the file's location on it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The label map.
    #[error(transparent)]
    Labels(DataError),
    /// The folder for the frames is not empty.
    #[error("{} is not an empty folder: choose a new one for the frames", .0.display())]
    Occupied(PathBuf),
    /// No state has been computed yet, or the parts of a scene don't fit together.
    #[error("cannot write {}: {reason}", path.display())]
    Scene {
        path: PathBuf,
        /// What is wrong with the scene.
        reason: &'static str,
    },
    /// A file of an earlier run that cannot be extended.
    #[error("cannot extend {}: {reason}; move it away{}", path.display(), replaced(*is_own))]
    Resume {
        path: PathBuf,
        reason: String,
        /// Whether it is as this program wrote it, so that a run that begins anew replaces it.
        is_own: bool,
    },
    /// The votes of an open photo, which its mask is decided from.
    #[error("{}", .0.with_remedy(SMALLER_INPUT))]
    Votes(SegmentError),
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

/// What else to do about a file that cannot be extended.
fn replaced(is_own: bool) -> &'static str {
    if is_own {
        ", or leave out --skip-existing"
    } else {
        ""
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

/// Fails with [`ExportError::Cancelled`] unless `yes`.
pub(super) fn go_on(yes: bool) -> Result<(), ExportError> {
    yes.then_some(()).ok_or(ExportError::Cancelled)
}
