//! Errors of training.

use super::config;
use crate::data::DataError;
use crate::device::{self, Failed, Failure};
use crate::eval::EvalError;
use crate::files::FileError;
use crate::kernels::MatmulPrecision;
use crate::model::warm_start::WarmStartError;
use crate::models::LoadError;
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// Why a training run fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Data(#[from] DataError),
    /// A data set without a validation split.
    #[error("{0}: add photos for validation, or switch it off with --set train.validate_every=0")]
    NoValidation(DataError),
    #[error(transparent)]
    File(#[from] FileError),
    /// The model that a run starts from.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A file in the place of the run folder.
    #[error("{} is a file, but a run needs a folder: choose another name with --out", .0.display())]
    NotAFolder(PathBuf),
    #[error(transparent)]
    Validation(#[from] EvalError),
    #[error("{} already holds a run: add --resume to continue it, or choose another --out", .0.display())]
    Occupied(PathBuf),
    #[error(
        "{0} holds no run to resume: check --out, or start a run there without --resume (a job script that does both should add it only if {0}/config.toml exists)"
    )]
    NoRun(PathBuf),
    /// A run that is resumed without settings.
    #[error(
        "cannot resume with the run's own settings ({0}): restore them, or give them with --config"
    )]
    NoSettings(String),
    #[error("{} is not a run folder and holds {holds}: choose a new or empty folder with --out", path.display())]
    Foreign { path: PathBuf, holds: String },
    #[error("another process is training in {}: wait until it ends, or choose another --out", .0.display())]
    Busy(PathBuf),
    /// There are checkpoints, but none can be read.
    #[error("no checkpoint in {} can be read ({reasons}): restore one from a backup, or start again with another --out", folder.display())]
    Damaged { folder: PathBuf, reasons: String },
    /// A checkpoint that the system does not read, which may pass, and that is not the only one.
    #[error("{source}: try again, or move {} away to resume from the one before", checkpoint.display())]
    Unread {
        checkpoint: PathBuf,
        source: FileError,
    },
    /// Checkpoints were saved, but they are gone.
    #[error("the run in {} reached step {step}, but its checkpoints are gone: restore one from a backup, or start a new run with another --out (--init takes one of its models)", folder.display())]
    Gone { folder: PathBuf, step: u64 },
    /// The data set has fewer than two classes.
    #[error(
        "the data set has {}: a run needs at least two, such as background and object",
        if *count == 0 { "no class" } else { "only one class" }
    )]
    FewClasses { count: usize },
    /// The checkpoint and the configuration differ in what must stay the same; `what` ends with a remedy.
    #[error("the run in {} cannot go on with these settings: {what}, or choose another --out", path.display())]
    Changed { path: PathBuf, what: String },
    /// A length that the run has passed.
    #[error(
        "the run is at step {step} already and cannot end at step {steps}: set train.steps to at least {step}"
    )]
    TooShort { step: u64, steps: u64 },
    /// A run that ended early, but whose steps are saved.
    #[error("{source} (the run is saved at step {step}: continue it with --resume)")]
    Interrupted { step: u64, source: Box<TrainError> },
    /// A run that ended early because of a file, and whose state cannot be saved either.
    #[error("{source}; then continue with --resume from step {step}: the steps after it are lost")]
    Unsaved { step: u64, source: Box<TrainError> },
    /// Photos to score of which no pixel has a class.
    #[error(
        "no pixel of the validation photos that train.validate_samples={samples} chooses has a label at the size of the network, so there is no score: raise it (0 takes all photos), or switch validation off with --set train.validate_every=0"
    )]
    Unlabelled { samples: usize },
    /// Too many steps in a row without a finite gradient.
    #[error(
        "by step {step}, {in_a_row} steps in a row had no finite gradient: {}",
        after_divergence(checkpoint.as_deref(), *has_temperature && in_a_row >= step)
    )]
    Diverged {
        /// The step of the line at which this was seen.
        step: u64,
        /// Length of the longest sequence of such steps that ended after the previous line: finite ones may have
        /// followed it.
        in_a_row: u64,
        /// Whether the loss has `loss.temperature` and `loss.epsilon`.
        has_temperature: bool,
        /// The newest checkpoint of finite numbers whose last step was not such a step, if there is one.
        checkpoint: Option<PathBuf>,
    },
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error("cannot start from {}: {source}", path.display())]
    Start {
        path: PathBuf,
        source: WarmStartError,
    },
    #[error("{} is not a usable teacher or encoder: {reason}", path.display())]
    Teacher { path: PathBuf, reason: String },
    /// A stage that needs more memory than the device has.
    #[error(
        "stage {stage} needs {needed} GiB of memory, but only {available} GiB are available: {suggestion} (train.memory_gib overrides what is available)"
    )]
    TooLarge {
        stage: usize,
        needed: String,
        available: String,
        suggestion: String,
    },
    #[error("there is no device to train on: choose one with --device")]
    NoDevice,
    /// More devices than photos in a batch.
    #[error(
        "a batch of {photos} cannot be split between {devices} devices: raise train.batch_size, or choose fewer devices"
    )]
    Share { photos: usize, devices: usize },
    /// The thread that prepares the data failed.
    #[error("the data cannot be prepared: {0}; start again")]
    Thread(String),
    #[error(
        "a device of this run failed ({0}): try again; if the run has a checkpoint, continue it with --resume"
    )]
    Device(String),
    /// A device whose memory does not suffice for a step.
    #[error(
        "a device of this run failed ({0}): a larger train.accumulate, or a smaller data.size or train.batch_size, needs less memory; if the run has a checkpoint, continue it so with --resume"
    )]
    Memory(String),
    /// A precision that the device does not support.
    #[error("this device does not support {0:?} precision: set train.precision to single")]
    Precision(MatmulPrecision),
}

/// What to do where gradients are no longer finite. With `sharp` none has ever been, of a loss with a temperature.
fn after_divergence(checkpoint: Option<&Path>, sharp: bool) -> String {
    let smaller = "--set train.learning_rate=SMALLER";
    match checkpoint {
        Some(path) => format!(
            "resume with --resume {smaller}, which continues from {}",
            path.display()
        ),
        None => format!(
            "there is no checkpoint to go back to, so start again with {smaller}{} and another --out",
            if sharp {
                ", or a larger loss.temperature or loss.epsilon,"
            } else {
                ""
            }
        ),
    }
}

/// Does the work of a run on its first device. See [`device::guarded`].
///
/// # Errors
/// Those of the work; also if the device fails.
pub(super) fn guarded<T>(
    device: &Device,
    work: impl FnOnce() -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    device::guarded(device, work)
        .unwrap_or_else(|Failed { failure, .. }| Err(TrainError::of_device(&failure)))
}

impl TrainError {
    pub(super) fn unread(checkpoint: &Path, source: FileError) -> Self {
        let checkpoint = checkpoint.to_owned();
        Self::Unread { checkpoint, source }
    }

    /// The failure of a device of a run.
    pub(super) fn of_device(failure: &Failure) -> Self {
        match failure {
            Failure::Memory(_) => Self::Memory(failure.to_string()),
            Failure::Other(reason) => Self::Device(reason.clone()),
        }
    }

    /// Whether data cannot be read, a file not be written or photos not be scored, which leaves the
    /// state of a run as it was.
    pub(super) fn leaves_state(&self) -> bool {
        matches!(
            self,
            Self::Data(_)
                | Self::File(_)
                | Self::Unlabelled { .. }
                | Self::Validation(EvalError::Data(_) | EvalError::Windows { .. })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::SegmentError;

    #[test]
    fn a_diverged_run_without_a_checkpoint_says_to_start_again() {
        let message = |in_a_row, has_temperature, checkpoint| {
            let diverged = TrainError::Diverged {
                step: 9,
                in_a_row,
                has_temperature,
                checkpoint,
            };
            diverged.to_string()
        };
        let told = |in_a_row, checkpoint| message(in_a_row, true, checkpoint);
        let resumed = told(5, Some(PathBuf::from("step-4")));
        assert!(resumed.ends_with("continues from step-4"), "{resumed}");
        let again = told(5, None);
        assert!(again.contains("start again with --set") && !again.contains("--resume"));
        assert!(!again.contains("loss.temperature"), "{again}");
        // Not even the first step had a finite gradient, which may not be due to the learning rate.
        let never = told(9, None);
        assert!(
            never.contains("loss.temperature or loss.epsilon"),
            "{never}"
        );
        let other_loss = message(9, false, None);
        assert!(!other_loss.contains("loss.temperature"), "{other_loss}");
    }

    #[test]
    fn a_lack_of_memory_names_what_needs_less() {
        let full = TrainError::of_device(&Failure::Memory(Some(288 << 20))).to_string();
        assert!(full.contains("it cannot allocate 288 MiB"), "{full}");
        assert!(full.contains("train.accumulate"), "{full}");
        let reset = Failure::Other("its driver was reset".to_owned());
        let reset = TrainError::of_device(&reset).to_string();
        assert!(!reset.contains("train.accumulate"), "{reset}");
    }

    #[test]
    fn a_validation_without_scores_costs_no_step() {
        let windows = EvalError::Windows {
            name: "p".to_owned(),
            source: SegmentError::TooWide(4000),
        };
        assert!(TrainError::Validation(windows).leaves_state());
        assert!(TrainError::Unlabelled { samples: 2 }.leaves_state());
        assert!(!TrainError::NoDevice.leaves_state());
    }
}
