//! Labels rasterised from outlines and run lengths in a text file.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::RawLabels;
use super::error::DataError;

/// Returns the size to draw at, given the `[width, height]` stated by the annotations, if any. Reads
/// the photo if its size is not known yet.
pub(super) type Fit<'a> = dyn FnMut(Option<[u64; 2]>) -> Result<(usize, usize), DataError> + 'a;

/// The annotations of one photo.
pub(super) trait Draw: Debug + Send + Sync {
    /// Draws the raw labels.
    ///
    /// # Errors
    /// Annotations that cannot be read, or an error of `fit`.
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError>;

    /// A further file that the labels depend on, besides the pair's.
    fn described_in(&self) -> Option<&Path> {
        None
    }
}

/// A shared [`Draw`].
#[derive(Debug, Clone)]
pub(super) struct Drawing(pub Arc<dyn Draw>);

impl PartialEq for Drawing {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Drawing {}

impl Drawing {
    /// For a photo whose annotations are known to be unusable.
    pub(super) fn wrong(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self(Arc::new(Wrong {
            path: path.into(),
            reason: reason.into(),
        }))
    }
}

#[derive(Debug)]
struct Wrong {
    path: PathBuf,
    reason: String,
}

impl Draw for Wrong {
    fn draw(&self, _: &mut Fit) -> Result<RawLabels, DataError> {
        Err(DataError::description(&self.path, self.reason.clone()))
    }
}
