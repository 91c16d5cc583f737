//! Errors of training.

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
    /// A data set without a validation split.
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
    /// The folder holds no run to resume.
    #[error(
        "{0} holds no run to resume: check --out, or begin a run there without --resume (a job script that does both adds it where {0}/config.toml exists)"
    )]
    NoRun(PathBuf),
    /// The run folder holds something else.
    #[error("{} is not a run folder and holds {holds}: name a new or an empty folder with --out", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        holds: String,
    },
    /// Another process trains in the folder.
    #[error("another process trains in {}: wait until it ends, or name another --out", .0.display())]
    Busy(PathBuf),
    /// Checkpoints none of which can be read.
    #[error("no checkpoint in {} can be read ({reasons}): restore one from a copy, or begin again with another --out", folder.display())]
    Damaged {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// What is wrong with each, the newest first.
        reasons: String,
    },
    /// The data set has fewer than two classes.
    #[error("the data set has no class table: a run needs at least two classes")]
    NoClasses,
    /// The checkpoint and the configuration describe different networks.
    #[error("the checkpoint in {} has another network, encoding, flow or class table than the configuration: name another --out", .0.display())]
    Changed(PathBuf),
    /// Too many steps in a row without a finite gradient.
    #[error(
        "{in_a_row} steps in a row had no finite gradient, the last of them step {step}: lower train.learning_rate and --resume from {}", checkpoint.display()
    )]
    Diverged {
        /// The last step.
        step: u64,
        /// Number of such steps.
        in_a_row: u64,
        /// The last good checkpoint.
        checkpoint: PathBuf,
    },
    /// The configuration of a stage.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The file to start from.
    #[error("cannot start from {}: {source}", path.display())]
    Start {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: WarmStartError,
    },
    /// The teacher of REPA, or the encoder.
    #[error("{} is not a usable teacher or encoder: {reason}", path.display())]
    Teacher {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A stage that needs more memory than the device has.
    #[error(
        "stage {stage} needs {needed} GiB of memory and {available} are available: {suggestion} (train.memory_gib overrides what is available)"
    )]
    TooLarge {
        /// The stage, from 1.
        stage: usize,
        /// Expected peak, in GiB.
        needed: String,
        /// Available memory, in GiB.
        available: String,
        /// Settings that would fit.
        suggestion: String,
    },
    /// No device was named.
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
    /// The thread that prepares the data failed.
    #[error("the data cannot be prepared: {0}; start again")]
    Thread(String),
    /// A device failed.
    #[error("a device of this run ended ({0}): go on from the last checkpoint with --resume")]
    Device(String),
    /// A precision that the device does not support.
    #[error("this device has no {0:?} numbers: set train.precision to single")]
    Precision(MatmulPrecision),
}
