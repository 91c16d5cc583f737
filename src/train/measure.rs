//! Measures the cost of a run's steps on this machine: time, memory, and the share of reshaping.

use super::batch::{BatchContext, Frozen};
use super::config::Config;
use super::error::guarded;
use super::memory::gib;
use super::objective::Objective;
use super::state::TrainState;
use super::supervision::Supervision;
use super::trainer::Trainer;
use super::{TrainError, prepare};
use crate::data::{Batch, Dataset, batch_at};
use crate::device::{self, Failure, Launches};
use crate::kernels;
use burn::tensor::Device;
use std::fmt;
use std::time::Duration;
use web_time::Instant;

const ROUNDS: usize = 5;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub stage: usize,
    pub batch_size: usize,
    /// Median time of a step, excluding loading its batch.
    pub step: Duration,
    /// Time spent on the reshaped target (the gradient of the potential); `None` for other
    /// objectives.
    pub reshaping: Option<Duration>,
    /// Number of GPU kernels launched in the last step.
    pub launches: u64,
    /// Peak main memory of the process so far, in bytes; `None` if the system does not report it.
    pub peak: Option<u64>,
}

/// Takes one warm-up step of every stage and then `steps` more, starting from fresh weights. Only
/// the teacher's cache is written.
///
/// # Errors
/// If data or a teacher cannot be read, or a device fails.
pub(crate) fn measure(
    config: &Config,
    device: &Device,
    steps: usize,
) -> Result<Vec<Measured>, TrainError> {
    guarded(device, || measure_stages(config, device, steps))
}

fn measure_stages(
    config: &Config,
    device: &Device,
    steps: usize,
) -> Result<Vec<Measured>, TrainError> {
    let plan = config.plan()?;
    let first = &plan[0].config;
    let data = prepare::open_training(&first.data_list())?;
    let mut supervision = Supervision::open(first, device)?;
    let mut measured = Vec::new();
    for stage in &plan {
        let config = &stage.config;
        let mut state = TrainState::new(config, data.name(), &data.classes().names, device);
        let width = state.model.card.network.hidden_size;
        state.projector = supervision.projector(config, width, device);
        let mut trainer = Trainer::new(stage.clone(), state, supervision, device);
        trainer.enter(stage, &data, None)?;
        measured.push(measure_stage(&mut trainer, &data, device, steps)?);
        supervision = trainer.supervision;
    }
    Ok(measured)
}

fn measure_stage(
    trainer: &mut Trainer,
    data: &Dataset,
    device: &Device,
    steps: usize,
) -> Result<Measured, TrainError> {
    let stage = trainer.stage.clone();
    let config = &stage.config;
    let loader = config.loader();
    let mut times = Vec::new();
    let (mut last, mut launches) = (None, 0);
    for number in 0..=steps as u64 {
        let batch = batch_at(data, &loader, number)?;
        let (started, launched) = (Instant::now(), Launches::watch());
        trainer.step(&batch);
        finish(device)?;
        // The first step compiles kernels and allocates memory.
        if number > 0 {
            times.push(started.elapsed());
        }
        launches = launched.end();
        last = Some(batch);
    }
    let peak = device::peak();
    let reshaping = match (config.loss.objective, &last) {
        (Objective::Reshaped | Objective::Annealed, Some(batch)) => {
            Some(reshaping(config, data.classes().len(), batch, device)?)
        }
        _ => None,
    };
    Ok(Measured {
        stage: stage.number,
        batch_size: config.train.batch_size,
        step: median(times),
        reshaping,
        launches,
        peak,
    })
}

/// The time that the gradient of the potential takes for a batch.
fn reshaping(
    config: &Config,
    classes: usize,
    batch: &Batch,
    device: &Device,
) -> Result<Duration, TrainError> {
    let centroids = config.model.encoding.codes(classes, config.model.code_dims);
    let context = BatchContext {
        config,
        centroids: &centroids,
        class_weights: None,
        frozen: Frozen {
            encode: &|_| None,
            decide: &|query| query.state,
        },
        device,
    };
    let part = context.batch(batch, 0..batch.len);
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let (x, labels) = (part.path.state.clone(), part.path.labels.clone());
        let started = Instant::now();
        let gradient = kernels::potential_gradient(x, labels, &centroids, config.potential());
        finish(device)?;
        if round > 0 {
            times.push(started.elapsed());
        }
        drop(gradient);
    }
    Ok(median(times))
}

/// Blocks until a device has finished its work.
fn finish(device: &Device) -> Result<(), TrainError> {
    device
        .sync()
        .map_err(|error| TrainError::of_device(&Failure::of(&error.to_string())))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.step.as_secs_f64().max(1e-9);
        write!(
            f,
            "stage {}: {seconds:.3} s per step, {:.2} photos/s",
            self.stage,
            self.batch_size as f64 / seconds
        )?;
        if self.launches > 0 {
            write!(f, ", {} kernels per step", self.launches)?;
        }
        if let Some(peak) = self.peak {
            write!(f, ", peak memory {} GiB", gib(peak))?;
        }
        if let Some(reshaping) = self.reshaping {
            let time = reshaping.as_secs_f64();
            write!(
                f,
                ", reshaping {:.1} ms per step ({:.2} %)",
                1e3 * time,
                100.0 * time / seconds
            )?;
        }
        Ok(())
    }
}
