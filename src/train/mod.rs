//! Training: configuration, the loop, the optimiser, run folders and resuming.
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

pub mod checkpoint;
pub mod config;
pub mod metrics;
pub mod optimizer;
mod provenance;
mod settings;
pub mod step;
mod tensorboard;
mod validate;

use crate::data::{DataError, Dataset, Loader, LoaderConfig};
use crate::files::{self, FileError};
use crate::model::tensors::{Precision, read};
use crate::model::{Model, Score};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint::{Checkpoint, Progress, RunFolder};
use config::Config;
use metrics::{Metrics, StepLine, ValidationLine};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use web_time::Instant;

/// What happens in a run, in order. A terminal and a window read the same facts.
#[derive(Clone, Debug)]
pub enum Event {
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
    /// A step was taken.
    Step {
        /// Its number, from 1.
        step: u64,
    },
    /// A line of loss was logged.
    Logged(StepLine),
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
    /// The finished model, where the run came to its end.
    pub model: Option<PathBuf>,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file of the run folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The validation.
    #[error(transparent)]
    Validation(#[from] crate::eval::EvalError),
    /// The run folder already holds a run.
    #[error("{} already holds a run: add --resume to go on with it, or name another --out", .0.display())]
    Occupied(PathBuf),
    /// The data set has no class.
    #[error("the data set has no class table: a run needs at least two classes")]
    NoClasses,
    /// The checkpoint and the configuration describe different networks.
    #[error("the checkpoint in {} has another network or class table than the configuration: name another --out", .0.display())]
    Changed(PathBuf),
    /// The loss is no number any more.
    #[error(
        "the loss is {loss} at step {step}: lower train.learning_rate and resume from the last checkpoint"
    )]
    Diverged {
        /// Where.
        step: u64,
        /// What it was.
        loss: f64,
    },
}

/// Trains as configured into the folder `out`. `report` hears every [`Event`]; `stop` is asked
/// before every step, and a stopped run saves where it is.
///
/// # Errors
/// Data or files that fail, and a loss that diverges. Checkpoints saved before stay.
pub fn run(
    config: &Config,
    out: &Path,
    resume: bool,
    device: &Device,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let data = Arc::new(Dataset::open(&config.data.path, "training")?);
    if data.classes().len() < 2 {
        return Err(TrainError::NoClasses);
    }
    let validation = match config.train.validate_every {
        0 => None,
        _ => Some(Dataset::open(&config.data.path, "validation")?),
    };
    let folder = RunFolder::create(out)?;
    if !resume && (!folder.saved().is_empty() || folder.path("metrics.jsonl").exists()) {
        return Err(TrainError::Occupied(out.to_owned()));
    }
    let mut state = restore(config, &folder, resume, &data, device)?;
    provenance::write(config, &data, validation.as_ref(), device, &folder)?;
    let mut metrics = Metrics::open(&folder.path("metrics.jsonl"), state.progress.step)?;

    let last = config.train.steps;
    let photos = [data.len(), validation.as_ref().map_or(0, Dataset::len)];
    let parameters = state.model.network.num_params();
    let step = state.progress.step;
    report(Event::Started {
        step,
        steps: last,
        parameters,
        photos,
    });

    let loader_config = LoaderConfig {
        size: config.data.size,
        batch_size: config.train.batch_size,
        seed: config.train.seed,
        augment: Some(config.augment()),
        cache_bytes: config.data.cache_mib << 20,
        workers: config.data.workers.max(1),
    };
    let mut loader = Loader::new(data.clone(), loader_config, step, last)?;
    let mut window = Window::new();
    let mut stopped = false;
    while state.progress.step < last {
        if stop() {
            stopped = true;
            break;
        }
        let waiting = Instant::now();
        let Some(batch) = loader.next() else { break };
        let batch = batch?;
        window.waited += waiting.elapsed();
        let taken = step::take(config, state, &batch, device);
        state = taken.state;
        let step = state.progress.step;
        window.add(taken.loss, batch.len);
        report(Event::Step { step });

        if step.is_multiple_of(config.train.log_every) || step == last {
            let line = window.line(step, taken.rate, taken.gradient_norm);
            if !line.loss.is_finite() {
                return Err(TrainError::Diverged {
                    step,
                    loss: line.loss,
                });
            }
            metrics.write(&line)?;
            report(Event::Logged(line));
            window = Window::new();
        }
        let due = |every: u64| every > 0 && step.is_multiple_of(every);
        if let Some(validation) = &validation
            && (due(config.train.validate_every) || step == last)
        {
            report(Event::Validating);
            let line = validate::validate(config, &state.average, validation, step, &folder)?;
            metrics.write(&line)?;
            if state.progress.best.is_none_or(|(best, _)| line.miou > best) {
                state.progress.best = Some((line.miou, step));
                let best = finished(&state, config, Some(&line));
                files::write_model(&folder.path("best.safetensors"), &best, Precision::Half)?;
            }
            report(Event::Validated(line));
            window.started = Instant::now();
        }
        if due(config.train.checkpoint_every) && step < last {
            let path = folder.save(&state, config.train.keep)?;
            report(Event::Saved { path });
        }
    }
    let path = folder.save(&state, config.train.keep)?;
    report(Event::Saved { path });
    let model = if stopped {
        None
    } else {
        let path = folder.path("model.safetensors");
        let line = metrics.last_validation();
        files::write_model(
            &path,
            &finished(&state, config, line.as_ref()),
            Precision::Half,
        )?;
        Some(path)
    };
    let Progress { step, best } = state.progress;
    Ok(Outcome {
        step,
        stopped,
        best,
        model,
    })
}

/// The checkpoint to go on from, or a fresh start.
fn restore(
    config: &Config,
    folder: &RunFolder,
    resume: bool,
    data: &Dataset,
    device: &Device,
) -> Result<Checkpoint, TrainError> {
    let training = device.clone().autodiff();
    if resume && let Some(mut checkpoint) = folder.resume(&training)? {
        let card = &checkpoint.model.card;
        if card.network != config.network() || card.classes != data.classes().names {
            return Err(TrainError::Changed(folder.path("checkpoints")));
        }
        checkpoint.average.network = checkpoint.average.network.valid();
        return Ok(checkpoint);
    }
    Ok(step::start(
        config,
        data.name(),
        &data.classes().names,
        device,
    ))
}

fn finished(state: &Checkpoint, config: &Config, line: Option<&ValidationLine>) -> Model {
    let mut model = state.average.clone();
    model.card.steps = state.progress.step;
    model.card.score = line.map(|line| Score {
        miou: line.miou,
        on: format!("validation split at network size {:?}", config.data.size),
        steps: config.train.validate_steps,
    });
    model
}

/// What is gathered between two lines of loss. Losses stay on the device until the line is due.
struct Window {
    loss: Option<Tensor<1>>,
    steps: u64,
    photos: usize,
    waited: Duration,
    started: Instant,
}

impl Window {
    fn new() -> Self {
        Self {
            loss: None,
            steps: 0,
            photos: 0,
            waited: Duration::ZERO,
            started: Instant::now(),
        }
    }

    fn add(&mut self, loss: Tensor<1>, photos: usize) {
        self.loss = Some(match self.loss.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
        self.steps += 1;
        self.photos += photos;
    }

    fn line(&self, step: u64, learning_rate: f64, gradient_norm: f64) -> StepLine {
        let total = self
            .loss
            .clone()
            .map_or(0.0, |loss| f64::from(read(loss)[0]));
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        StepLine {
            step,
            loss: total / self.steps.max(1) as f64,
            learning_rate,
            gradient_norm,
            photos_per_second: self.photos as f64 / seconds,
            waiting: self.waited.as_secs_f64() / seconds,
        }
    }
}
