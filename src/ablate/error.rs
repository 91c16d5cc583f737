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
