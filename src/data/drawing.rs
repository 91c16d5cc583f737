//! Labels that are drawn instead of read: outlines and run lengths in a text file.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::RawLabels;
use super::error::DataError;

/// The size to draw at, by the `[width, height]` that the annotations state, if they do. It is a
/// size of the photo, which is read for it where that is not known yet.
pub(super) type Fit<'a> = dyn FnMut(Option<[u64; 2]>) -> Result<(usize, usize), DataError> + 'a;

/// The annotations of one photo.
pub(super) trait Draw: Debug + Send + Sync {
    /// Draws the raw labels.
    ///
    /// # Errors
    /// Annotations that cannot be read, and those of `fit`.
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError>;

    /// Another file that the labels depend on, besides that of the pair.
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
    /// That of a photo whose annotations are known to be unusable.
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
