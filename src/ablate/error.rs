//! Errors of a table of runs.

use crate::data::DataError;
use crate::eval::EvalError;
use crate::files::FileError;
use crate::text_file::TextError;
use crate::train::TrainError;
use crate::train::config::ConfigError;
use std::path::PathBuf;

/// Why a table of training runs fails.
#[derive(Debug, thiserror::Error)]
pub enum AblateError {
    /// The table's file is invalid.
    #[error("{}: {reason}", path.display())]
    Table { path: PathBuf, reason: String },
    /// The settings of a row are invalid.
    #[error("{}, row \"{row}\": {source}", path.display())]
    Row {
        path: PathBuf,
        row: String,
        source: ConfigError,
    },
    /// The folder contains results of different settings.
    #[error("{} was made with other settings: choose another -o, or remove it", .0.display())]
    Changed(PathBuf),
    /// A finished run with other score settings whose model is gone.
    #[error(
        "{} was scored with other [score] settings, and {} is gone, which could be scored again: restore one \
         of them, choose another -o, or remove the former to train the run again", record.display(), model.display()
    )]
    Unscored { record: PathBuf, model: PathBuf },
    #[error("{name}: {source}")]
    Train {
        name: String,
        source: Box<TrainError>,
    },
    /// A device that failed while it trained.
    #[error(
        "{name}: a device failed ({reason}): run the same command again, which continues from the last checkpoint"
    )]
    Device { name: String, reason: String },
    /// A device whose memory does not suffice for training.
    #[error(
        "{name}: a device failed ({reason}): set a larger train.accumulate, or a smaller data.size or \
         train.batch_size, in the table"
    )]
    Memory { name: String, reason: String },
    #[error("{name}: {source}")]
    Eval {
        name: String,
        source: Box<EvalError>,
    },
    /// Errors of the data set that models are scored on.
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("the plot {} cannot be drawn: {reason}", path.display())]
    Plot {
        path: PathBuf,
        /// The plotting library's message.
        reason: String,
    },
}

impl AblateError {
    /// The error of the training of a run with this name. A table has no `--resume`.
    pub(super) fn of_training(name: String, error: TrainError) -> Self {
        match error {
            TrainError::Device(reason) => Self::Device { name, reason },
            TrainError::Memory(reason) => Self::Memory { name, reason },
            other => Self::Train {
                name,
                source: Box::new(other),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_device_name_what_a_table_has() {
        let told = |error| AblateError::of_training("a, seed 1".to_owned(), error).to_string();
        let memory = told(TrainError::Memory("its memory is full".to_owned()));
        assert!(memory.starts_with("a, seed 1: a device failed (its memory is full)"));
        assert!(memory.contains("train.accumulate") && !memory.contains("--resume"));
        let other = told(TrainError::Device("its driver was reset".to_owned()));
        assert!(other.contains("run the same command again") && !other.contains("--resume"));
        assert_eq!(
            told(TrainError::NoDevice),
            format!("a, seed 1: {}", TrainError::NoDevice)
        );
    }
}
