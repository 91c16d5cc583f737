//! Steps since the last line of loss, as a checkpoint keeps them.

use serde::{Deserialize, Serialize};

/// What a checkpoint keeps of a window, so that the next line of a resumed run is the one that an
/// uninterrupted run writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unlogged {
    /// Steps since the last line.
    pub(super) steps: u64,
    /// The sum of their losses; none where it is no finite number, which JSON could not hold.
    pub(super) loss: Option<f32>,
    pub(super) skipped: f32,
    pub(super) longest: f32,
    pub(super) in_a_row: f32,
}
