//! Errors of a race.

use crate::data::DataError;
use crate::files::FileError;
use crate::text_file::TextError;
use crate::train::TrainError;
use crate::train::config::ConfigError;
use std::path::PathBuf;

/// Why a race fails.
#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    /// TOML that is no settings, or settings with which a side cannot be trained.
    #[error("{0}")]
    Config(String),
    /// The same, in a file.
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("the animation cannot be written: {0}")]
    Write(std::io::Error),
    #[error(transparent)]
    Output(#[from] FileError),
    #[error(transparent)]
    Train(#[from] Box<TrainError>),
    /// More memory than there is, in GiB.
    #[error(
        "the race needs {needed:.1} GiB of memory, but only {available:.1} GiB are available: lower size, batch_size, held_out or the network's sizes"
    )]
    Memory { needed: f64, available: f64 },
    /// A device that failed at work because its memory is full.
    #[error("the device failed ({0}): lower size, batch_size, held_out or the network's sizes")]
    Full(String),
    /// More classes than a race can show.
    #[error("the data has {0} classes, and a race takes 2 to 256: choose another data folder")]
    Classes(usize),
    /// None of the scenes that scores are computed on has a labelled pixel.
    #[error("the validation photos of a race have no labelled pixel: choose another data folder")]
    Unlabelled,
    /// The loss of a side is not finite.
    #[error(
        "the loss of {side} is no longer finite after step {step}: lower learning_rate, or raise epsilon"
    )]
    Diverged { side: String, step: u64 },
    #[error("a thread of the race failed ({0}): start it again")]
    Thread(String),
    /// The plotting library's message.
    #[error("the picture of the race cannot be drawn: {0}")]
    Picture(String),
    #[error("cancelled")]
    Cancelled,
}
