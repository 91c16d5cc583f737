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
    /// The number of those losses; `None` in checkpoints of older versions, which sum that of every step that was
    /// not skipped.
    pub(super) losses: Option<f32>,
    pub(super) skipped: f32,
    pub(super) longest: f32,
    pub(super) in_a_row: f32,
    /// Norm of the gradient of the last step whose loss is in the sum; 0 if there was none.
    pub(super) norm: f32,
}

impl Unlogged {
    /// The number of losses in the sum.
    pub(super) fn losses(&self) -> f32 {
        let all = || (self.steps as f32 - self.skipped).max(0.0);
        self.losses.unwrap_or_else(all)
    }

    /// The same without a sequence of skipped steps that is long enough, `bad_steps`, to end the run.
    pub(super) fn without_bad(self, bad_steps: u64) -> Self {
        if self.longest.max(self.in_a_row) < bad_steps as f32 {
            return self;
        }
        Self {
            longest: 0.0,
            in_a_row: 0.0,
            ..self
        }
    }
}
