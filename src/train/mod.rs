//! Training: configuration, the loop, the optimiser, run folders and resuming.
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

pub mod checkpoint;
pub mod config;
mod error;
mod event;
pub mod measure;
pub mod memory;
pub mod metrics;
pub mod optimizer;
mod path;
mod provenance;
mod recompute;
pub mod reduce;
pub mod repa;
pub mod step;
mod steps;
mod team;
mod tensorboard;
pub mod trainee;
mod validate;
mod window;

pub use error::TrainError;
pub use event::{Event, Outcome};

use crate::data::{DataError, Dataset, balance, check};
use crate::files;
use crate::model::start::{Loaded, start_from};
use crate::model::tensors::Precision;
use crate::model::{Model, Score};
use burn::module::Module;
use burn::tensor::Device;
use checkpoint::{Checkpoint, Progress, RunFolder};
use config::{Config, Stage};
use memory::{Fit, Surroundings};
use metrics::{Metrics, ValidationLine};
use repa::{Projector, Teacher};
use std::path::Path;
use std::sync::Arc;
use step::Guides;
use steps::Run;
use team::{Start, Team};
use window::Window;

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
    let devices = std::slice::from_ref(device);
    run_on(config, out, resume, devices, report, stop)
}

/// As [`run`], on several devices that share every batch. The result is that of one device but for
/// the order of sums.
///
/// # Errors
/// As [`run`]; no device, fewer photos in a batch than devices, and a device that fails.
pub fn run_on(
    config: &Config,
    out: &Path,
    resume: bool,
    devices: &[Device],
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    let data = Dataset::open(&config.data.path, "training")?;
    if data.classes().len() < 2 {
        return Err(TrainError::NoClasses);
    }
    for stage in &plan {
        let t = &stage.config.train;
        if !devices.iter().all(|device| t.precision.supported(device)) {
            return Err(TrainError::Precision(t.precision));
        }
        if t.batch_size < devices.len() {
            return Err(TrainError::Share {
                photos: t.batch_size,
                devices: devices.len(),
            });
        }
    }
    let validation = match plan.iter().any(|s| s.config.train.validate_every > 0) {
        false => None,
        true => {
            let opened = Dataset::open(&config.data.path, "validation");
            Some(opened.map_err(|error| match error {
                DataError::NoSplit { .. } => TrainError::NoValidation(error),
                error => error.into(),
            })?)
        }
    };
    let Some(data) = checked(data, "training", config, report, stop)? else {
        return Ok(Outcome::not_started());
    };
    let data = Arc::new(data);
    let validation = match validation {
        None => None,
        Some(data) => match checked(data, "validation", config, report, stop)? {
            None => return Ok(Outcome::not_started()),
            usable => usable,
        },
    };
    let guides = open_guides(config, &data, device)?;
    let teacher = guides.teacher.as_ref();
    for fit in fits(&plan, &data, teacher, devices)? {
        fit.check()?;
    }
    let folder = RunFolder::create(out)?;
    if !resume && (!folder.saved().is_empty() || folder.path("metrics.jsonl").exists()) {
        return Err(TrainError::Occupied(out.to_owned()));
    }
    let (mut state, loaded) = restore(&plan, &folder, resume, &data, teacher, device)?;
    folder.check_room(&state)?;
    let start = Start {
        config,
        plan: &plan,
        folder: &folder,
        resume,
        data: &data,
    };
    let team = Team::new(&start, devices)?;
    provenance::write(config, &data, validation.as_ref(), devices, &folder)?;
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
    let mut run = Run {
        folder: &folder,
        metrics: &mut metrics,
        data: &data,
        validation: validation.as_ref(),
        guides: &guides,
        device,
        team,
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

/// A data set all of whose pairs can be read; none where the check was stopped.
fn checked(
    data: Dataset,
    split: &'static str,
    config: &Config,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Dataset>, TrainError> {
    let mut progress = |done, of| report(Event::Checking { split, done, of });
    let memory = check::memory();
    match data.check(memory.as_deref(), &mut progress, stop) {
        None => Ok(None),
        Some(check) => Ok(Some(data.checked(check, config.data.skip_bad)?)),
    }
}

/// What every stage of a run is expected to need, against what the device has. Nothing is trained
/// or written.
///
/// # Errors
/// Data or a teacher that can't be read.
pub fn dry_run(config: &Config, devices: &[Device]) -> Result<Vec<Fit>, TrainError> {
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let data = Dataset::open(&config.data.path, "training")?;
    if data.classes().len() < 2 {
        return Err(TrainError::NoClasses);
    }
    let teacher = match &config.repa.teacher {
        None => None,
        Some(path) => Some(Teacher::open(path, None, device)?),
    };
    fits(&config.plan()?, &data, teacher.as_ref(), devices)
}

/// The teacher that a configuration names, on a device, and the weights of the data's classes.
fn open_guides(config: &Config, data: &Dataset, device: &Device) -> Result<Guides, TrainError> {
    let cache = config.repa.cache.as_deref();
    let teacher = config.repa.teacher.as_ref();
    let exponent = config.loss.class_balance;
    Ok(Guides {
        teacher: teacher
            .map(|path| Teacher::open(path, cache, device))
            .transpose()?,
        class_weights: (exponent > 0.0).then(|| balance::class_weights(data, exponent)),
    })
}

fn fits(
    plan: &[Stage],
    data: &Dataset,
    teacher: Option<&Teacher>,
    devices: &[Device],
) -> Result<Vec<Fit>, TrainError> {
    // One photo stands for all: a data set is of one kind of camera as a rule.
    let sample = data.load(0)?;
    let photo = sample.image.as_raw().len() + 2 * sample.labels.data.len();
    let around = Surroundings {
        classes: data.classes().len(),
        photos: photo as u64 * data.len() as u64,
        teacher: teacher.map(Teacher::size),
        composed: !devices.iter().all(crate::kernels::on_cpu),
        devices: devices.len(),
    };
    let fits = plan
        .iter()
        .flat_map(|stage| devices.first().map(|d| Fit::new(stage, around, d)));
    Ok(fits.collect())
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
