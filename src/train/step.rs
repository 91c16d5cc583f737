//! One training step.

use super::TrainError;
use super::batch::TrainBatch;
use super::checkpoint::{Checkpoint, Progress};
use super::config::{Config, Schedule, Stage};
use super::optimizer::{self, AdamW, Slower, Stepped};
use super::recompute;
use super::reduce::{Lost, Rank};
use super::repa::Teacher;
use super::trainee::Trainee;
use crate::data::{Batch, Dataset, balance};
use crate::kernels::AdamWUpdate;
use crate::model::matmul_precision::MatmulPrecision;
use crate::model::network::Network;
use crate::model::{Card, FORMAT_VERSION, Model};
use burn::module::Module;
use burn::optim::GradientsAccumulator;
use burn::tensor::{Bool, Device, Tensor};

/// The least factor on a loss whose gradients are computed in half precision, where that begins.
const FIRST_LOSS_SCALE: f32 = 1024.0;
/// After a step without a finite gradient it falls by this, after any other it grows by that: it
/// doubles in about 700 steps.
const LOSS_SCALE_FALL: f32 = 0.5;
const LOSS_SCALE_GROWTH: f32 = 1.001;
const LOSS_SCALE_LIMIT: f32 = 65_536.0;

/// What a run's steps are guided by, besides its data.
#[derive(Default)]
pub struct Guides {
    /// The teacher of REPA.
    pub teacher: Option<Teacher>,
    /// How much a pixel of each class counts in the loss.
    pub class_weights: Option<Vec<f32>>,
}

impl Guides {
    /// The teacher that a configuration names, on a device.
    ///
    /// # Errors
    /// A file that can't be read or holds something else.
    pub(super) fn open(config: &Config, device: &Device) -> Result<Self, TrainError> {
        let teacher = config.repa.teacher.as_ref();
        Ok(Self {
            teacher: teacher
                .map(|path| Teacher::open(path, None, device))
                .transpose()?,
            class_weights: None,
        })
    }

    /// Takes over what a stage says of them.
    ///
    /// # Errors
    /// A cache that can't be made.
    pub(super) fn enter(&mut self, config: &Config, data: &Dataset) -> Result<(), TrainError> {
        let exponent = config.loss.class_balance;
        self.class_weights = (exponent > 0.0).then(|| balance::class_weights(data, exponent));
        match &mut self.teacher {
            None => Ok(()),
            Some(teacher) => teacher.keep_in(config.repa.cache.as_deref()),
        }
    }
}

/// A step that was taken; numbers that are still on the device wait for nobody there.
pub struct Taken {
    /// Weights, average, optimiser and progress after it.
    pub state: Checkpoint,
    /// Its loss, `[1]`.
    pub loss: Tensor<1>,
    /// Its learning rate.
    pub rate: f64,
    /// The gradient's norm before clipping, `[1]`.
    pub gradient_norm: Tensor<1>,
    /// Whether that norm is finite, `[1]`; otherwise the step was skipped.
    pub finite: Tensor<1, Bool>,
}

/// What came of a step.
pub enum Attempt {
    /// It was taken.
    Taken(Box<Taken>),
    /// It was given up halfway; nothing has changed.
    Stopped(Box<Checkpoint>),
}

/// The start of a run: fresh weights drawn from the configuration's seed.
pub fn start(config: &Config, dataset: &str, classes: &[String], device: &Device) -> Checkpoint {
    let training = device.clone().autodiff();
    let card = Card {
        format: FORMAT_VERSION,
        network: config.network(classes.len()),
        classes: classes.to_vec(),
        encoding: config.model.encoding,
        source: config.flow.source,
        prediction: config.prediction(),
        size: config.data.size,
        fit: config.fit(),
        sampling_steps: None,
        dataset: dataset.to_owned(),
        steps: 0,
        score: None,
        licence: format!("trained by flowseg on {dataset}; the data's licence applies"),
    };
    let network = Network::new(&card.network, config.train.seed, &training);
    let average = Model {
        network: network.valid(),
        card: card.clone(),
    };
    let progress = Progress::default();
    Checkpoint {
        model: Model { network, card },
        average,
        projector: None,
        optimizer: AdamW::default(),
        loss_scale: Tensor::from_data([progress.loss_scale], device),
        progress,
    }
}

/// Linear warm-up, then a cosine from the peak to its final share or the peak itself. `step` counts
/// from the start of the stage that `config` is of.
pub fn learning_rate(config: &Config, step: u64) -> f64 {
    let t = &config.train;
    if step < t.warmup {
        return t.learning_rate * (step + 1) as f64 / t.warmup as f64;
    }
    if t.schedule == Schedule::Constant {
        return t.learning_rate;
    }
    let done = (step - t.warmup) as f64 / (t.steps.saturating_sub(t.warmup)).max(1) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
    t.learning_rate * (t.final_rate + (1.0 - t.final_rate) * cosine)
}

/// Takes one step on a batch: path, forward, loss, backward, update, moving average. A batch in
/// parts (`train.accumulate`) sums its gradients to those of the whole.
pub fn take(
    stage: &Stage,
    state: Checkpoint,
    batch: &Batch,
    guides: &Guides,
    device: &Device,
) -> Taken {
    let alone = Rank::alone();
    match take_share(stage, state, batch, guides, device, &alone, &|| false) {
        Ok(Attempt::Taken(taken)) => *taken,
        Ok(Attempt::Stopped(_)) => unreachable!("nobody asked it to stop"),
        Err(Lost) => unreachable!("a device by itself waits for no other"),
    }
}

/// As [`take`], on one of several devices: its gradient is that of its share of the batch, its
/// update that of the whole. `stop` is asked between the parts of a batch.
///
/// # Errors
/// Another device is gone.
pub fn take_share(
    stage: &Stage,
    mut state: Checkpoint,
    batch: &Batch,
    guides: &Guides,
    device: &Device,
    rank: &Rank,
    stop: &dyn Fn() -> bool,
) -> Result<Attempt, Lost> {
    let config = &stage.config;
    let t = &config.train;
    let done = state.progress.step;
    if t.precision == MatmulPrecision::Half && done == stage.first {
        // A stage in single precision leaves it at 1, from where it would take thousands of steps.
        state.loss_scale = state.loss_scale.clamp_min(FIRST_LOSS_SCALE);
    }
    let trainee = Trainee {
        network: state.model.network.with_precision(t.precision),
        projector: state.projector,
    };
    let centroids = state
        .model
        .card
        .encoding
        .centroids(state.model.card.classes.len());
    let share = rank.share(batch.len);
    let weights = guides.class_weights.as_deref();
    let mut own = TrainBatch::new(config, &centroids, weights, batch, share.clone(), device);
    own.teacher = guides.teacher.as_ref().map(|teacher| {
        let cut = trainee.network.config().patches(batch.size);
        teacher.tokens(batch, share.clone(), cut, device)
    });
    let mut gradients = GradientsAccumulator::new();
    let mut loss: Option<Tensor<1>> = None;
    let entries = share.len().div_ceil(t.accumulate);
    for first in (0..share.len()).step_by(entries.max(1)) {
        if first > 0 && rank.may_leave() && stop() {
            state.model.network = trainee.network;
            state.projector = trainee.projector;
            return Ok(Attempt::Stopped(Box::new(state)));
        }
        let part = own.slice(first..(first + entries).min(share.len()));
        let gradients_of = match t.checkpointing {
            true => recompute::gradients,
            false => Trainee::gradients,
        };
        let (of_part, found) = gradients_of(&trainee, config, &centroids, &part, &state.loss_scale);
        gradients.accumulate(&trainee, found);
        loss = Some(match loss {
            Some(sum) => sum + of_part,
            None => of_part,
        });
    }
    let loss = loss.unwrap_or_else(|| state.loss_scale.zeros_like());
    let (loss, gradients) = rank.sum(&trainee, loss, gradients.grads())?;

    let rate = learning_rate(config, done.saturating_sub(stage.first));
    let update = AdamWUpdate {
        rate: rate as f32,
        beta1: t.beta1 as f32,
        beta2: t.beta2 as f32,
        epsilon: 1e-8,
        decay: t.weight_decay as f32,
    };
    let slower = Slower {
        prefix: "network.encoder.",
        share: config.model.encoder_rate as f32,
    };
    let scale = state.loss_scale.clone();
    let age = state.optimizer.updates(&scale);
    let stepped = state
        .optimizer
        .step(trainee, gradients, update, slower, scale, t.clip);
    let Stepped {
        module: Trainee { network, projector },
        norm,
        finite,
    } = stepped;
    if t.precision == MatmulPrecision::Half {
        let grown = state.loss_scale.clone() * LOSS_SCALE_GROWTH;
        state.loss_scale = (state.loss_scale * LOSS_SCALE_FALL)
            .mask_where(finite.clone(), grown)
            .clamp(1.0, LOSS_SCALE_LIMIT);
    }
    let keep = kept_by_average(config, age, finite.clone());
    state.average.network = optimizer::moving_average(state.average.network, &network, keep);
    state.model.network = network;
    state.projector = projector;
    state.progress.step += 1;
    Ok(Attempt::Taken(Box::new(Taken {
        state,
        loss,
        rate,
        gradient_norm: norm,
        finite,
    })))
}

/// What the moving average keeps of itself in a step, `[1]`: all of it where the step is skipped.
/// `age: [1]` counts the updates before.
fn kept_by_average(config: &Config, age: Tensor<1>, finite: Tensor<1, Bool>) -> Tensor<1> {
    let limit = config.train.ema as f32;
    let keep = match config.train.ema_warmup {
        // Young averages forget quickly, so that they don't remember the random start.
        true => ((age.clone() + 1.0) / (age + 10.0)).clamp_max(limit),
        false => age.ones_like() * limit,
    };
    keep.ones_like().mask_where(finite, keep)
}
