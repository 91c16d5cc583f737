//! Training: configuration, the loop, the optimiser, run folders and resuming.
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

pub mod checkpoint;
pub mod config;
pub mod memory;
pub mod metrics;
pub mod optimizer;
mod path;
mod provenance;
mod recompute;
pub mod repa;
pub mod step;
mod tensorboard;
pub mod trainee;
mod validate;
mod window;

use crate::data::{DataError, Dataset, Loader, LoaderConfig, balance};
use crate::files::{self, FileError};
use crate::model::compute::Compute;
use crate::model::start::{Loaded, StartError, start_from};
use crate::model::tensors::Precision;
use crate::model::{Model, Score};
use burn::module::Module;
use burn::tensor::Device;
use checkpoint::{Checkpoint, Progress, RunFolder};
use config::{Config, Stage};
use memory::{Fit, Surroundings};
use metrics::{Metrics, StepLine, ValidationLine};
use repa::{Projector, Teacher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use step::Guides;
use web_time::Instant;
use window::Window;

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
    /// A fresh run took its weights from a file.
    Initialized {
        /// The file.
        path: PathBuf,
        /// What was and was not loaded.
        loaded: Loaded,
    },
    /// A part of the run begins, or goes on.
    Stage {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// The step after which it is over.
        last: u64,
        /// `[height, width]` of the photos.
        size: [usize; 2],
        /// Photos a step.
        batch_size: usize,
    },
    /// A step was taken.
    Step {
        /// Its number, from 1.
        step: u64,
    },
    /// A line of loss was logged.
    Logged(StepLine),
    /// Steps without a finite gradient were skipped since the last report.
    Skipped {
        /// The step of the report.
        step: u64,
        /// How many.
        count: u64,
    },
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
        source: StartError,
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
    /// A precision that the device lacks.
    #[error("this device has no {0:?} numbers: set train.precision to single")]
    Precision(Compute),
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
    let plan = config.plan()?;
    let data = Arc::new(Dataset::open(&config.data.path, "training")?);
    if data.classes().len() < 2 {
        return Err(TrainError::NoClasses);
    }
    for stage in &plan {
        let precision = stage.config.train.precision;
        if !precision.supported(device) {
            return Err(TrainError::Precision(precision));
        }
    }
    let validation = match plan.iter().any(|s| s.config.train.validate_every > 0) {
        false => None,
        true => Some(Dataset::open(&config.data.path, "validation")?),
    };
    let teacher = match &config.repa.teacher {
        None => None,
        Some(path) => Some(Teacher::open(path, config.repa.cache.as_deref(), device)?),
    };
    for fit in fits(&plan, &data, teacher.as_ref(), device)? {
        fit.check()?;
    }
    let folder = RunFolder::create(out)?;
    if !resume && (!folder.saved().is_empty() || folder.path("metrics.jsonl").exists()) {
        return Err(TrainError::Occupied(out.to_owned()));
    }
    let (mut state, loaded) = restore(&plan, &folder, resume, &data, teacher.as_ref(), device)?;
    provenance::write(config, &data, validation.as_ref(), device, &folder)?;
    let mut metrics = Metrics::open(&folder.path("metrics.jsonl"), state.progress.step)?;

    let last = plan.last().map_or(0, |stage| stage.last);
    report(Event::Started {
        step: state.progress.step,
        steps: last,
        parameters: state.model.network.num_params(),
        photos: [data.len(), validation.as_ref().map_or(0, Dataset::len)],
    });
    if let (Some(loaded), Some(path)) = (loaded, config.model.init.clone()) {
        report(Event::Initialized { path, loaded });
    }
    let balance = config.loss.class_balance;
    let guides = Guides {
        teacher,
        class_weights: (balance > 0.0).then(|| balance::class_weights(&data, balance)),
    };
    let mut run = Run {
        folder: &folder,
        metrics: &mut metrics,
        data: &data,
        validation: validation.as_ref(),
        guides: &guides,
        device,
        report,
        stop,
        window: Window::default(),
        last,
    };
    let mut stopped = false;
    for stage in plan.iter() {
        if state.progress.step >= stage.last {
            continue;
        }
        (run.report)(Event::Stage {
            number: stage.number,
            of: plan.len(),
            last: stage.last,
            size: stage.config.data.size,
            batch_size: stage.config.train.batch_size,
        });
        (state, stopped) = run.stage(stage, state)?;
        if stopped {
            break;
        }
    }
    let ending = plan.last().map_or(config, |stage| &stage.config);
    let path = folder.save(&state, ending.train.keep)?;
    report(Event::Saved { path });
    let model = if stopped {
        None
    } else {
        let path = folder.path("model.safetensors");
        let line = metrics.last_validation();
        files::write_model(
            &path,
            &finished(&state, ending, line.as_ref()),
            Precision::Half,
        )?;
        Some(path)
    };
    let Progress { step, best, .. } = state.progress;
    Ok(Outcome {
        step,
        stopped,
        best,
        model,
    })
}

/// What every stage of a run is expected to need, against what the device has. Nothing is trained
/// or written.
///
/// # Errors
/// Data or a teacher that can't be read.
pub fn dry_run(config: &Config, device: &Device) -> Result<Vec<Fit>, TrainError> {
    let data = Dataset::open(&config.data.path, "training")?;
    if data.classes().len() < 2 {
        return Err(TrainError::NoClasses);
    }
    let teacher = match &config.repa.teacher {
        None => None,
        Some(path) => Some(Teacher::open(path, None, device)?),
    };
    fits(&config.plan()?, &data, teacher.as_ref(), device)
}

fn fits(
    plan: &[Stage],
    data: &Dataset,
    teacher: Option<&Teacher>,
    device: &Device,
) -> Result<Vec<Fit>, TrainError> {
    // One photo stands for all: a data set is of one kind of camera as a rule.
    let sample = data.load(0)?;
    let photo = sample.image.as_raw().len() + 2 * sample.labels.data.len();
    let around = Surroundings {
        classes: data.classes().len(),
        photos: photo as u64 * data.len() as u64,
        teacher: teacher.map(Teacher::size),
        composed: !crate::kernels::on_cpu(device),
    };
    Ok(plan
        .iter()
        .map(|stage| Fit::new(stage, around, device))
        .collect())
}

/// What all stages of a run share.
struct Run<'a> {
    folder: &'a RunFolder,
    metrics: &'a mut Metrics,
    data: &'a Arc<Dataset>,
    validation: Option<&'a Dataset>,
    guides: &'a Guides,
    device: &'a Device,
    report: &'a mut dyn FnMut(Event),
    stop: &'a dyn Fn() -> bool,
    window: Window,
    /// The last step of the last stage.
    last: u64,
}

impl Run<'_> {
    /// Takes the steps of a stage. Says whether it was stopped before its end.
    fn stage(
        &mut self,
        stage: &Stage,
        mut state: Checkpoint,
    ) -> Result<(Checkpoint, bool), TrainError> {
        let config = &stage.config;
        for card in [&mut state.model.card, &mut state.average.card] {
            card.size = config.data.size;
        }
        let loader_config = LoaderConfig {
            size: config.data.size,
            batch_size: config.train.batch_size,
            seed: config.train.seed,
            augment: Some(config.augment()),
            cache_bytes: config.data.cache_mib << 20,
            workers: config.data.workers.max(1),
        };
        let step = state.progress.step;
        let mut loader = Loader::new(self.data.clone(), loader_config, step, stage.last)?;
        while state.progress.step < stage.last {
            if (self.stop)() {
                return Ok((state, true));
            }
            let waiting = Instant::now();
            let Some(batch) = loader.next() else { break };
            let batch = batch?;
            self.window.waited(waiting.elapsed());
            let taken = step::take(stage, state, &batch, self.guides, self.device);
            self.window.add(&taken, batch.len);
            state = taken.state;
            let step = state.progress.step;
            (self.report)(Event::Step { step });
            if step.is_multiple_of(config.train.log_every) || step == self.last {
                self.log(config, step)?;
            }
            let due = |every: u64| every > 0 && step.is_multiple_of(every);
            let every = config.train.validate_every;
            if due(every) || (every > 0 && step == self.last) {
                self.validate(config, &mut state)?;
            }
            if due(config.train.checkpoint_every) && step < self.last {
                let path = self.folder.save(&state, config.train.keep)?;
                (self.report)(Event::Saved { path });
            }
        }
        Ok((state, false))
    }

    /// Writes a line of loss, and reports what was skipped.
    fn log(&mut self, config: &Config, step: u64) -> Result<(), TrainError> {
        let gathered = self.window.close(step);
        if let Some(line) = gathered.line {
            self.metrics.write(&line)?;
            (self.report)(Event::Logged(line));
        }
        if gathered.skipped > 0 {
            let count = gathered.skipped;
            self.metrics
                .write(&serde_json::json!({"step": step, "skipped": count}))?;
            (self.report)(Event::Skipped { step, count });
        }
        if gathered.in_a_row >= config.train.bad_steps {
            let saved = self.folder.saved().pop();
            return Err(TrainError::Diverged {
                step,
                in_a_row: gathered.in_a_row,
                checkpoint: saved.unwrap_or_else(|| self.folder.path("checkpoints")),
            });
        }
        Ok(())
    }

    /// Scores the moving average, and keeps it where it is the best so far.
    fn validate(&mut self, config: &Config, state: &mut Checkpoint) -> Result<(), TrainError> {
        let Some(validation) = self.validation else {
            return Ok(());
        };
        (self.report)(Event::Validating);
        let step = state.progress.step;
        let line = validate::validate(config, &state.average, validation, step, self.folder)?;
        self.metrics.write(&line)?;
        if state.progress.best.is_none_or(|(best, _)| line.miou > best) {
            state.progress.best = Some((line.miou, step));
            let best = finished(state, config, Some(&line));
            let path = self.folder.path("best.safetensors");
            files::write_model(&path, &best, Precision::Half)?;
        }
        (self.report)(Event::Validated(line));
        self.window.restart_clock();
        Ok(())
    }
}

/// The checkpoint to go on from, or a start: fresh, or from a file and with what was loaded of it.
fn restore(
    plan: &[Stage],
    folder: &RunFolder,
    resume: bool,
    data: &Dataset,
    teacher: Option<&Teacher>,
    device: &Device,
) -> Result<(Checkpoint, Option<Loaded>), TrainError> {
    let config = &plan[0].config;
    let training = device.clone().autodiff();
    let names = &data.classes().names;
    let network = config.network(names.len());
    let projector = teacher.map(|teacher| {
        let (hidden, seed) = (config.repa.projector_width, config.train.seed);
        Projector::new(
            network.hidden_size,
            hidden,
            teacher.width(),
            seed,
            &training,
        )
    });
    if resume && let Some(mut checkpoint) = folder.resume(projector.clone(), &training)? {
        let card = &checkpoint.model.card;
        let same = card.network == network
            && card.classes == *names
            && card.encoding == config.model.encoding
            && card.prediction == config.prediction()
            && card.source == config.flow.source;
        if !same {
            return Err(TrainError::Changed(folder.path("checkpoints")));
        }
        checkpoint.average.network = checkpoint.average.network.valid();
        return Ok((checkpoint, None));
    }
    let mut state = step::start(config, data.name(), names, device);
    state.projector = projector;
    if let (Some(encoder), Some(path)) = (&mut state.model.network.encoder, &config.model.encoder) {
        *encoder = repa::encoder(encoder.clone(), path)?;
        state.average.network = state.model.network.valid();
    }
    let Some(path) = &config.model.init else {
        return Ok((state, None));
    };
    let started = start_from(state.model.network, path, &files::read(path)?);
    let (network, loaded) = started.map_err(|source| TrainError::Start {
        path: path.clone(),
        source,
    })?;
    state.average.network = network.valid();
    state.model.network = network;
    Ok((state, Some(loaded)))
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
