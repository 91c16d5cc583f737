//! Training: configuration, the loop, the optimiser, run folders and resuming.
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

mod batch;
pub mod checkpoint;
pub mod config;
mod error;
mod event;
pub mod folder;
pub mod measure;
pub mod memory;
pub mod metrics;
pub mod objective;
pub mod optimizer;
mod prepare;
mod provenance;
mod recompute;
pub mod reduce;
pub mod repa;
mod restore;
pub mod step;
mod steps;
mod team;
mod tensorboard;
mod trainee;
mod unlogged;
mod validate;
mod window;

pub use error::TrainError;
pub use event::{Event, Outcome};

use crate::data::Dataset;
use crate::model;
use crate::model::tensors::Precision;
use burn::module::Module;
use burn::tensor::Device;
use checkpoint::Progress;
use config::{Config, Stage};
use folder::RunFolder;
use memory::{Fit, Surroundings};
use metrics::Metrics;
use repa::Teacher;
use restore::{finished, restore};
use std::path::Path;
use step::Guides;
use steps::Run;
use team::{Start, Team};
use window::Window;

/// Trains as configured into the folder `out`, or with `resume` goes on with the run there. `report`
/// hears every [`Event`]; `stop` is asked at least several times a second but for what a device has to
/// finish, and a stopped run saves where it is.
///
/// # Errors
/// Data or files that fail, a folder that is another run's or nobody's, and a loss that diverges.
/// Checkpoints saved before stay.
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
    RunFolder::check(out, resume)?;
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    check_devices(&plan, devices)?;
    let Some(prepared) = prepare::prepare(&plan, report, stop)? else {
        return Ok(Outcome::unbegun());
    };
    let (data, validation) = (&prepared.training, prepared.validation.as_ref());
    let mut guides = Guides::open(&plan[0].config, device)?;
    // What a later stage needs and can't have is found out now.
    for stage in &plan {
        guides.enter(&stage.config, data)?;
    }
    let teacher = guides.teacher.as_ref();
    for fit in fits(&plan, data, teacher, devices)? {
        fit.check()?;
    }
    let folder = RunFolder::create(out)?;
    // Another process may have begun a run there since, and ended it.
    RunFolder::check(out, resume)?;
    let (mut state, loaded) = restore(&plan, &folder, resume, data, teacher, device)?;
    folder.check_room(&state)?;
    let start = Start {
        plan: &plan,
        folder: &folder,
        resume,
        data,
    };
    let team = Team::new(&start, devices)?;
    provenance::write(config, &prepared, devices, &folder.path("config.toml"))?;
    let mut metrics = Metrics::open(&folder.path("metrics.jsonl"), state.progress.step)?;

    let last = plan.last().map_or(0, |stage| stage.last);
    report(Event::Started {
        step: state.progress.step,
        steps: last,
        parameters: state.model.network.num_params(),
        photos: [data.len(), validation.map_or(0, Dataset::len)],
    });
    if let (Some(loaded), Some(path)) = (loaded, plan[0].config.model.init.clone()) {
        report(Event::Initialized { path, loaded });
    }
    let mut run = Run {
        folder: &folder,
        metrics: &mut metrics,
        data,
        validation,
        guides,
        device,
        team,
        report,
        stop,
        window: Window::resume(&state.progress.unlogged, device),
        last,
    };
    let mut stopped = run.catch_up(&plan, &mut state)?;
    for stage in plan.iter() {
        if stopped {
            break;
        }
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
    }
    let ending = plan.last().map_or(config, |stage| &stage.config);
    let saved = run.save(&mut state, ending.train.keep)?;
    let model = if stopped {
        None
    } else {
        let path = folder.path("model.safetensors");
        let line = metrics.last_validation();
        model::file::write(
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
        saved: Some(saved),
        model,
    })
}

/// Refuses devices that can't take a stage's steps.
fn check_devices(plan: &[Stage], devices: &[Device]) -> Result<(), TrainError> {
    for stage in plan {
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
    Ok(())
}

/// What every stage of a run is expected to need, against what the device has. Nothing is trained
/// or written.
///
/// # Errors
/// Data or a teacher that can't be read.
pub fn dry_run(config: &Config, devices: &[Device]) -> Result<Vec<Fit>, TrainError> {
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    let first = &plan[0].config;
    let data = prepare::open_training(&first.data.path)?;
    let guides = Guides::open(first, device)?;
    fits(&plan, &data, guides.teacher.as_ref(), devices)
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
        composed: !devices.iter().all(crate::device::on_cpu),
        devices: devices.len(),
    };
    let fits = plan
        .iter()
        .flat_map(|stage| devices.first().map(|d| Fit::new(stage, around, d)));
    Ok(fits.collect())
}
