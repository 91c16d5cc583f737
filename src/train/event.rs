//! What a run tells while it goes, and how it ends.

use super::metrics::{StepLine, ValidationLine};
use crate::model::warm_start::Loaded;
use std::path::PathBuf;

/// What happens in a run, in order. A terminal and a window read the same facts.
#[derive(Clone, Debug)]
pub enum Event {
    /// The pairs of a split are read before the run begins.
    Checking {
        /// The split.
        split: &'static str,
        /// Pairs that were read or are remembered as good.
        done: usize,
        /// Pairs in all.
        of: usize,
    },
    /// The run begins, or goes on.
    Started {
        /// The first step that will be taken, less one.
        step: u64,
        /// The last step.
        steps: u64,
        /// Parameters of the network.
        parameters: usize,
        /// Training and validation photos.
        photos: [usize; 2],
    },
    /// A fresh run took its weights from a file.
    Initialized {
        /// The file.
        path: PathBuf,
        /// What was and was not loaded.
        loaded: Loaded,
    },
    /// A part of the run begins, or goes on.
    Stage {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// The step after which it is over.
        last: u64,
        /// `[height, width]` of the photos.
        size: [usize; 2],
        /// Photos a step.
        batch_size: usize,
    },
    /// A step was taken.
    Step {
        /// Its number, from 1.
        step: u64,
    },
    /// A line of loss was logged.
    Logged(StepLine),
    /// Steps without a finite gradient were skipped since the last report.
    Skipped {
        /// The step of the report.
        step: u64,
        /// How many.
        count: u64,
    },
    /// A validation begins.
    Validating,
    /// A validation was taken.
    Validated(ValidationLine),
    /// A checkpoint was saved.
    Saved {
        /// Where.
        path: PathBuf,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The last step taken.
    pub step: u64,
    /// Whether it was stopped before its end; `--resume` goes on.
    pub stopped: bool,
    /// The best validation score and its step.
    pub best: Option<(f64, u64)>,
    /// The last checkpoint; none where it was stopped before it began, and nothing was written.
    pub saved: Option<PathBuf>,
    /// The finished model, where the run came to its end.
    pub model: Option<PathBuf>,
}

impl Outcome {
    /// A run that was stopped before it began and left nothing.
    pub(super) fn unbegun() -> Self {
        Self {
            step: 0,
            stopped: true,
            best: None,
            saved: None,
            model: None,
        }
    }
}
