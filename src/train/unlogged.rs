//! Metrics of the steps since the last logged line, as a checkpoint stores them.

use serde::{Deserialize, Serialize};

/// Lets the next line of a resumed run be the one that an uninterrupted run writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unlogged {
    /// Steps since the last line.
    pub(super) steps: u64,
    /// The sum of their losses; `None` if it is not finite, which JSON cannot express.
    pub(super) loss: Option<f32>,
    pub(super) skipped: f32,
    pub(super) longest: f32,
    pub(super) in_a_row: f32,
}
