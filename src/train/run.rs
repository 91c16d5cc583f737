//! A run from its configuration to the finished model.

use super::config::{Config, Stage, comparable_after, warm_up_cautions};
use super::earlier_models::EarlierBest;
use super::error::guarded;
use super::event::{Event, Outcome};
use super::folder::RunFolder;
use super::metrics::Metrics;
use super::parallel::WorkerGroup;
use super::prepare::Prepared;
use super::restore::Setup;
use super::running_metrics::RunningMetrics;
use super::score_kind::{ScoreKind, validated_at};
use super::stage::TrainLoop;
use super::state::Progress;
use super::supervision::Supervision;
use super::trainer::Trainer;
use super::{TrainError, class_order, dry_run, prepare, provenance};
use crate::data::Dataset;
use crate::kernels::MatmulPrecision;
use crate::run_format::{BEST, CONFIG, METRICS};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::BTreeSet;
use std::path::Path;

/// Where a run takes place.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Its folder.
    pub out: &'a Path,
    /// Whether it continues the run there.
    pub resume: bool,
    /// The devices that share every batch.
    pub devices: &'a [Device],
}

/// Trains as configured into the folder `out`, or with `resume` continues the run there. `report`
/// gets every [`Event`]. `stop` is polled several times a second, except while a device finishes
/// its work; a stopped run saves its state.
///
/// # Errors
/// If data or files cannot be used, the folder contains something else, or the loss diverges.
/// Checkpoints saved before remain.
pub(crate) fn run(
    config: &Config,
    out: &Path,
    resume: bool,
    device: &Device,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let place = Place {
        out,
        resume,
        devices: std::slice::from_ref(device),
    };
    run_at(config, place, report, stop)
}

/// Like [`run`], on devices that share every batch. The result is that of one device up to the order of sums.
///
/// # Errors
/// As for [`run`]; also if there is no device, if a batch has fewer photos than there are devices,
/// and if a device fails.
pub(crate) fn run_at(
    config: &Config,
    place: Place,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let Place {
        out,
        resume,
        devices,
    } = place;
    RunFolder::check(out, resume)?;
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    check_devices(&plan, devices)?;
    for caution in cautions(&plan, devices) {
        tracing::warn!("{caution}");
    }
    let Some(prepared) = prepare::prepare(&plan, report, stop)? else {
        return Ok(Outcome::unbegun());
    };
    let prepared = class_order::ordered(prepared, &plan[0].config, out, resume);
    // Everything from here on uses the device: the weights are copied to it, and from it.
    guarded(device, || {
        run_prepared(config, &prepared, place, report, stop)
    })
}

/// [`run_at`] with data that are prepared.
fn run_prepared(
    config: &Config,
    prepared: &Prepared,
    place: Place,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let Place {
        out,
        resume,
        devices,
    } = place;
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    let (data, validation) = (&prepared.training, prepared.validation.as_ref());
    let mut supervision = Supervision::open(&plan[0].config, device)?;
    // Reports now that a later stage cannot create its cache folder.
    for stage in &plan {
        supervision.enter(&stage.config, data)?;
    }
    for estimate in dry_run::estimates(&plan, data, supervision.teacher.as_ref(), devices)? {
        estimate.check()?;
    }
    let folder = RunFolder::create(out)?;
    // Another process may have started and finished a run there in the meantime.
    RunFolder::check(out, resume)?;
    let setup = Setup {
        plan: plan.clone(),
        folder: folder.clone(),
        resume,
        data: data.clone(),
    };
    let (mut state, loaded) = setup.restore(&supervision, device)?;
    folder.check_room(&state, &plan)?;
    for caution in warm_up_cautions(&plan, state.progress.step) {
        tracing::warn!("{caution}");
    }
    let group = WorkerGroup::new(&setup, devices, state.progress.step)?;
    provenance::write(config, prepared, devices, &folder.path(CONFIG))?;
    let metrics = Metrics::open(&folder.path(METRICS), state.progress.step)?;
    let progress = &mut state.progress;
    let fingerprint = prepared.fingerprints[1].as_str();
    restore_best(
        &plan,
        progress,
        &metrics,
        validation.map(|data| (data.len(), fingerprint)),
    );
    // What is left of another run is none of a new one's.
    if resume {
        folder.place_next_best()?;
    }
    // The model of the next score is then the best again, whatever it is.
    if progress.step < plan_end(&plan)
        && let Some((_, step)) = progress.best
        && !folder.has_best()
    {
        tracing::warn!(
            "{BEST} is missing: earlier scores no longer count, and the next validation writes it again"
        );
        let last = metrics.last_validation().map(|line| line.step);
        progress.forgotten = last.max(Some(step));
        progress.best = None;
    }
    let earlier_best = if resume && folder.is_best_after(progress.step) {
        EarlierBest::Compared
    } else {
        EarlierBest::Replaced
    };
    let last = plan_end(&plan);
    if resume
        && progress.step < last
        && let Some(kept) = folder.keep_finished()?
    {
        tracing::warn!(
            "the run goes on: the model of its earlier end is kept as {}",
            kept.display()
        );
    }
    report(Event::Started {
        step: state.progress.step,
        steps: last,
        parameters: state.model.network.num_params(),
        photos: [data.len(), validation.map_or(0, Dataset::len)],
    });
    if let (Some(loaded), Some(path)) = (loaded, plan[0].config.model.init.clone()) {
        report(Event::Initialized { path, loaded });
    }
    let Progress { step, unlogged, .. } = &state.progress;
    let bad_steps = plan_at(&plan, *step).train.bad_steps;
    let running = RunningMetrics::resume(unlogged, bad_steps, device);
    let train_loop = TrainLoop {
        plan: &plan,
        folder: &folder,
        metrics,
        data,
        validation,
        fingerprint,
        earlier_best,
        trainer: Trainer::new(plan[0].clone(), state, supervision, device),
        group,
        report,
        stop,
        running,
        checkpoint_is_due: false,
        keeping: None,
    };
    train_loop.run()
}

/// Restores the best score among those that can be compared with the last one, and how that was taken. Warns
/// if the next ones, of so many photos with this fingerprint, will be taken otherwise.
fn restore_best(
    plan: &[Stage],
    progress: &mut Progress,
    metrics: &Metrics,
    photos: Option<(usize, &str)>,
) {
    let last = plan_end(plan);
    if let (Some(line), Some((count, fingerprint))) = (metrics.last_validation(), photos) {
        let now = ScoreKind::of(validated_at(plan, line.step), count, fingerprint);
        match &progress.scored {
            Some(before) if *before == now => {}
            Some(before) if progress.step < last => tracing::warn!(
                "validations differ from those before ({}): earlier scores are not compared with new ones",
                before.differences(&now)
            ),
            // No validation will follow.
            Some(_) => {}
            // A checkpoint of an older version, or from before the first validation.
            None => {
                progress.scored_otherwise = comparable_after(plan, line.step);
                progress.scored = Some(now);
            }
        }
    }
    progress.forget_best();
    // A validation may have come after the checkpoint, or before the first one.
    if let Some(line) = metrics.best_validation(progress.not_best_until())
        && progress.best.is_none_or(|(best, _)| line.miou > best)
    {
        progress.best = Some((line.miou, line.step));
    }
}

/// The last step.
fn plan_end(plan: &[Stage]) -> u64 {
    plan.last().map_or(0, |stage| stage.last)
}

/// The settings of the next step after `step`, or of the last one.
fn plan_at(plan: &[Stage], step: u64) -> &Config {
    let stage = plan.iter().find(|stage| step < stage.last);
    &stage.unwrap_or(&plan[plan.len() - 1]).config
}

/// What to say about the precisions of the stages, each once.
fn cautions(plan: &[Stage], devices: &[Device]) -> BTreeSet<String> {
    let precisions = plan.iter().map(|stage| stage.config.train.precision);
    let of_devices = |precision: MatmulPrecision| {
        let devices = devices.iter();
        devices.filter_map(move |device| precision.caution(device))
    };
    precisions.flat_map(of_devices).collect()
}

/// Refuses devices that lack a stage's precision, or that outnumber the photos of a batch.
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
