//! What steps of a run cost on this machine: time, memory, and the reshaping's part of both.

use super::config::{Config, Stage};
use super::memory::gib;
use super::repa::Projector;
use super::step::Guides;
use super::{TrainError, path, prepare, step};
use crate::data::{Batch, Dataset, LoaderConfig, batch_at};
use crate::device::{self, Launches};
use crate::flow::Objective;
use crate::kernels;
use burn::tensor::Device;
use std::fmt;
use std::time::Duration;
use web_time::Instant;

/// How often the reshaping is timed.
const ROUNDS: usize = 5;

/// What the steps of a stage cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The stage's number, from 1.
    pub stage: usize,
    /// Photos a step.
    pub batch_size: usize,
    /// Median time of a step, batches at hand.
    pub step: Duration,
    /// The reshaped target's part of it (the gradient of the potential), where it is trained on.
    pub reshaping: Option<Duration>,
    /// Kernels that a GPU ran for the last step.
    pub launches: u64,
    /// The most main memory that the process has had so far, in bytes, where the system tells.
    pub peak: Option<u64>,
}

/// Takes one step of every stage to warm up and then `steps`, from fresh weights. Nothing is written
/// but the teacher's cache.
///
/// # Errors
/// Data or a teacher that can't be read, and a device that fails.
pub fn measure(
    config: &Config,
    device: &Device,
    steps: usize,
) -> Result<Vec<Measured>, TrainError> {
    let plan = config.plan()?;
    let first = &plan[0].config;
    let data = prepare::open_training(&first.data.path)?;
    let mut guides = Guides::open(first, device)?;
    let measured = plan.iter().map(|stage| {
        guides.enter(&stage.config, &data)?;
        measure_stage(stage, &data, &guides, device, steps)
    });
    measured.collect()
}

fn measure_stage(
    stage: &Stage,
    data: &Dataset,
    guides: &Guides,
    device: &Device,
    steps: usize,
) -> Result<Measured, TrainError> {
    let config = &stage.config;
    let loader = LoaderConfig {
        size: config.data.size,
        batch_size: config.train.batch_size,
        seed: config.train.seed,
        augment: Some(config.augment()),
        cache_bytes: 0,
        workers: 1,
    };
    let mut state = step::start(config, data.name(), &data.classes().names, device);
    state.projector = guides.teacher.as_ref().map(|teacher| {
        let (from, hidden) = (
            state.model.card.network.hidden_size,
            config.repa.projector_width,
        );
        let training = device.clone().autodiff();
        Projector::new(from, hidden, teacher.width(), config.train.seed, &training)
    });
    let mut times = Vec::new();
    let (mut last, mut launches) = (None, 0);
    for number in 0..=steps as u64 {
        let batch = batch_at(data, &loader, number)?;
        let (started, launched) = (Instant::now(), Launches::watch());
        state = step::take(stage, state, &batch, guides, device).state;
        finish(device)?;
        // The first step compiles kernels and fills memory.
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
    let centroids = config.model.encoding.centroids(classes);
    let part = path::part(config, &centroids, None, batch, 0..batch.len, device);
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

/// Waits until a device has done all it was told.
fn finish(device: &Device) -> Result<(), TrainError> {
    device.sync().map_err(|e| TrainError::Device(e.to_string()))
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
            "stage {}: {seconds:.3} s a step, {:.2} photos/s",
            self.stage,
            self.batch_size as f64 / seconds
        )?;
        if self.launches > 0 {
            write!(f, ", {} kernels a step", self.launches)?;
        }
        if let Some(peak) = self.peak {
            write!(f, ", peak memory {} GiB", gib(peak))?;
        }
        if let Some(reshaping) = self.reshaping {
            let time = reshaping.as_secs_f64();
            write!(
                f,
                ", reshaping {:.1} ms a step ({:.2} %)",
                1e3 * time,
                100.0 * time / seconds
            )?;
        }
        Ok(())
    }
}
