//! Metrics of the steps since the last logged line, as a checkpoint stores them.

use serde::{Deserialize, Serialize};

/// Allows a resumed run to write the same next line as an uninterrupted run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unlogged {
    /// Steps since the previous line.
    pub(super) steps: u64,
    /// The sum of their losses; `None` if it is not finite, which JSON cannot express.
    pub(super) loss: Option<f32>,
    pub(super) skipped: f32,
    pub(super) longest: f32,
    pub(super) in_a_row: f32,
}
