//! Scores: one confusion matrix over a data set.
//!
//! [`score`] runs a model over a data set. Every mIoU that the program reports, in training, in `eval`
//! and in `ablate`, comes from there.

mod agreement;
mod boundary;
mod calibration;
mod confusion;
mod error;
mod label_runs;
mod matrix;
mod photos;
mod reliability;
mod run;
#[cfg(test)]
mod tests;
mod worst;

pub use agreement::Agreement;
pub use boundary::Boundary;
pub use calibration::{Bin, Calibration};
pub use confusion::{Confusion, Scores};
pub use error::EvalError;
pub use matrix::{MatrixError, to_csv, to_png};
pub use photos::{PhotoScores, Photos};
pub use reliability::reliability_png;
pub(crate) use run::spread;
pub use run::{Outcome, Resolution, ScoredPhoto, Scoring, score};
pub use worst::{Ranked, Worst, WorstBy};
