//! What settings say of labels that are drawn.

use super::crowds::Marked;
use super::table::Unlabelled;

/// The settings; `None` where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Settings {
    /// The class of pixels without a shape.
    pub unlabelled: Option<Unlabelled>,
    /// What annotations are that COCO files mark as crowds.
    pub crowds: Option<Marked>,
}
