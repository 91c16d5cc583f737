//! The events of a run, and its outcome.

use crate::model::warm_start::Loaded;
use crate::run_format::{SkippedLine, StepLine, ValidationLine};
use std::path::PathBuf;
use std::time::Duration;

/// An event of a run, reported in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// The pairs of a split are being checked before the run starts.
    Checking {
        split: &'static str,
        /// Pairs that have been read, or are known to be good.
        done: usize,
        of: usize,
    },
    /// The run starts or continues.
    Started {
        step: u64,
        steps: u64,
        parameters: usize,
        photos: [usize; 2],
    },
    /// A new run has loaded weights from a file.
    Initialized {
        path: PathBuf,
        loaded: Loaded,
    },
    /// A stage starts or continues.
    Stage {
        number: usize,
        of: usize,
        last: u64,
        /// `[height, width]` of the photos.
        size: [usize; 2],
        batch_size: usize,
    },
    /// The tokens of a stage's fixed views, which are kept in a file.
    Tokens(TokensKept),
    Step {
        step: u64,
    },
    Logged(StepLine),
    /// Steps without a finite gradient have been skipped since the last report.
    Skipped(SkippedLine),
    /// Batches without a weighed pixel, whose loss says nothing, since the last report.
    Unweighed {
        step: u64,
        steps: u64,
    },
    Validating,
    Validated {
        line: ValidationLine,
        /// The best score so far and its step, among those that can be compared with this one.
        best: Option<(f64, u64)>,
    },
    Saved {
        path: PathBuf,
    },
}

/// How many of a stage's fixed views have been encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct TokensKept {
    /// The file that holds their tokens.
    pub path: PathBuf,
    pub views: u64,
    pub of: u64,
    /// Time until all are, at the present rate; `None` before any were.
    pub eta: Option<Duration>,
    /// Files of other weights, data or settings that the file replaces; only in the first report.
    pub stale: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub step: u64,
    /// Whether it was stopped before its end; `--resume` continues it.
    pub stopped: bool,
    /// The best validation score that can be compared with the last one, and its step.
    pub best: Option<(f64, u64)>,
    /// The validation scores before the first step and after the last, of a finished run that took
    /// both in the same way.
    pub gain: Option<[f64; 2]>,
    /// The last checkpoint; `None` if the run was stopped before it began, and nothing was written.
    pub saved: Option<PathBuf>,
    /// The finished model, unless the run was stopped.
    pub model: Option<PathBuf>,
}

impl Outcome {
    /// A run that was stopped before it started and wrote nothing.
    pub(super) fn unbegun() -> Self {
        Self {
            step: 0,
            stopped: true,
            best: None,
            gain: None,
            saved: None,
            model: None,
        }
    }
}
