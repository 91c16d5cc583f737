//! Why a table of runs cannot be made.

use crate::data::DataError;
use crate::eval::EvalError;
use crate::files::FileError;
use crate::text_file::TextError;
use crate::train::TrainError;
use crate::train::config::ConfigError;
use std::path::PathBuf;

/// Why a table can't be made.
#[derive(Debug, thiserror::Error)]
pub enum AblateError {
    /// The table's file makes no sense.
    #[error("{}: {reason}", path.display())]
    Table {
        path: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// The settings of a row make no sense.
    #[error("{}, row \"{row}\": {source}", path.display())]
    Row {
        path: PathBuf,
        row: String,
        source: ConfigError,
    },
    /// The folder holds results of other settings.
    #[error("{} was made with other settings: name another -o, or remove it", .0.display())]
    Changed(PathBuf),
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
    /// The data that is scored on.
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("the plot {} cannot be drawn: {reason}", path.display())]
    Plot {
        path: PathBuf,
        /// What the plotting library said.
        reason: String,
    },
}
