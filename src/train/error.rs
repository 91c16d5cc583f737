//! Why a run fails.

use super::config;
use crate::data::DataError;
use crate::files::FileError;
use crate::model::matmul_precision::MatmulPrecision;
use crate::model::warm_start::WarmStartError;
use std::path::PathBuf;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A data set without the split that is to be validated on.
    #[error("{0}: add photos for validation, or leave it out with --set train.validate_every=0")]
    NoValidation(DataError),
    /// A file of the run folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The validation.
    #[error(transparent)]
    Validation(#[from] crate::eval::EvalError),
    /// The run folder already holds a run.
    #[error("{} already holds a run: add --resume to go on with it, or name another --out", .0.display())]
    Occupied(PathBuf),
    /// There is nothing to resume.
    #[error(
        "{0} holds no run to resume: check --out, or begin a run there without --resume (a job script that does both adds it where {0}/config.toml exists)"
    )]
    NoRun(PathBuf),
    /// The run folder holds something else.
    #[error("{} is no run folder and holds {holds}: name a new or an empty folder with --out", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What lies there, in words.
        holds: String,
    },
    /// Another process trains in the run folder.
    #[error("another process trains in {}: wait until it ends, or name another --out", .0.display())]
    Busy(PathBuf),
    /// Checkpoints of which none can be read.
    #[error("no checkpoint in {} can be read ({reasons}): restore one from a copy, or begin again with another --out", folder.display())]
    Damaged {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// What is wrong with each, the newest first.
        reasons: String,
    },
    /// The data set has no class.
    #[error("the data set has no class table: a run needs at least two classes")]
    NoClasses,
    /// The checkpoint and the configuration describe different networks.
    #[error("the checkpoint in {} has another network, encoding, flow or class table than the configuration: name another --out", .0.display())]
    Changed(PathBuf),
    /// No step has a finite gradient any more.
    #[error(
        "{in_a_row} steps in a row had no finite gradient, the last of them step {step}: lower train.learning_rate and --resume from {}", checkpoint.display()
    )]
    Diverged {
        /// Where.
        step: u64,
        /// How many.
        in_a_row: u64,
        /// The last good checkpoint.
        checkpoint: PathBuf,
    },
    /// The stages.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The starting point.
    #[error("cannot start from {}: {source}", path.display())]
    Start {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: WarmStartError,
    },
    /// The teacher of REPA, or the encoder.
    #[error("{} is no usable teacher or encoder: {reason}", path.display())]
    Teacher {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run that needs more memory than there is.
    #[error(
        "stage {stage} needs {needed} GiB of memory and {available} are available: {suggestion} (train.memory_gib overrides what is available)"
    )]
    TooLarge {
        /// The stage, from 1.
        stage: usize,
        /// What it is expected to need, in GiB.
        needed: String,
        /// What there is, in GiB.
        available: String,
        /// What to change.
        suggestion: String,
    },
    /// Nothing to train on.
    #[error("there is no device to train on: name one with --device")]
    NoDevice,
    /// More devices than photos in a batch.
    #[error(
        "a batch of {photos} cannot be shared by {devices} devices: raise train.batch_size, or name fewer"
    )]
    Share {
        /// Photos in a batch.
        photos: usize,
        /// Devices.
        devices: usize,
    },
    /// The data can't be read at all.
    #[error("the data cannot be prepared: {0}; start again")]
    Thread(String),
    /// One of several devices ended.
    #[error("a device of this run ended ({0}): go on from the last checkpoint with --resume")]
    Device(String),
    /// A precision that the device lacks.
    #[error("this device has no {0:?} numbers: set train.precision to single")]
    Precision(MatmulPrecision),
}
