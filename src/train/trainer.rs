//! The trainer: one call of [`Trainer::step`] is one optimiser step. It knows batches and tensors,
//! but neither the run's folder nor its events.

use super::TrainError;
use super::batch::{BatchContext, Frozen, TrainBatch};
use super::config::{Config, Schedule, Stage};
use super::optimizer::{self, OptimizerOutput, ParameterGroup};
use super::parallel::{PeerLost, Rank};
use super::recompute;
use super::state::{TrainState, recommend_steps};
use super::supervision::Supervision;
use super::tokens::TokenFile;
use super::trainee::Trainee;
use crate::data::{Batch, Dataset, view_fingerprint};
use crate::flow::{Prediction, predicted_target};
use crate::kernels::AdamWUpdate;
use crate::kernels::MatmulPrecision;
use crate::model::network::{Network, Query};
use crate::model::tensors::read;
use crate::model::vit::VitConfig;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use std::ops::Range;
use std::path::Path;

/// The loss scale with which half precision begins.
const FIRST_LOSS_SCALE: f32 = 1024.0;
/// Factor on the loss scale after a step without a finite gradient, and after any other step, so
/// that it doubles in about 700 steps.
const LOSS_SCALE_FALL: f32 = 0.5;
const LOSS_SCALE_GROWTH: f32 = 1.001;
const LOSS_SCALE_LIMIT: f32 = 65_536.0;

/// Takes the steps of a run on one device.
pub struct Trainer {
    pub stage: Stage,
    /// Weights, average, optimiser and progress.
    pub state: TrainState,
    /// Teacher and class weights.
    pub supervision: Supervision,
    /// The frozen encoder's tokens of the stage's fixed views.
    pub(super) tokens: Option<TokenFile>,
    /// Whether no step has been taken with the settings of `stage`.
    entered: bool,
    device: Device,
}

/// Result of a step. Its tensors stay on the device; only reading them blocks.
pub struct StepOutput {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    pub learning_rate: f64,
    /// The gradient's norm before clipping, `[1]`.
    pub gradient_norm: Tensor<1>,
    /// Whether that norm is finite, `[1]`; otherwise the step was skipped.
    pub finite: Tensor<1, Bool>,
    /// Whether a pixel of the batch has a weight in the loss; otherwise `loss` says nothing about the network.
    pub weighed: bool,
}

/// What the loss asks of the predictions for a batch, pixel by pixel.
pub(crate) struct PredictionGradient {
    /// The predicted targets `x1_hat: [B, d, H, W]`.
    pub target: Tensor<4>,
    /// The gradient of each pixel's own squared error (summed over the channels) with respect to the
    /// network's output there, `[B, d, H, W]`; zero for ignored pixels.
    pub gradient: Tensor<4>,
}

impl Trainer {
    /// A trainer that continues from `state`.
    pub fn new(stage: Stage, state: TrainState, supervision: Supervision, device: &Device) -> Self {
        Self {
            stage,
            state,
            supervision,
            tokens: None,
            entered: true,
            device: device.clone(),
        }
    }

    /// Continues with the settings of a stage. Tokens of fixed views are kept in the folder
    /// `tokens`; without it, they are computed every time.
    ///
    /// # Errors
    /// If the teacher's cache folder or the file of tokens cannot be created.
    pub(super) fn enter(
        &mut self,
        stage: &Stage,
        data: &Dataset,
        tokens: Option<&Path>,
    ) -> Result<(), TrainError> {
        let config = &stage.config;
        self.tokens = self.open_tokens(config, data, tokens)?;
        for card in [&mut self.state.model.card, &mut self.state.average.card] {
            card.size = config.data.size;
            card.fit = config.fit();
            // A later stage without validation keeps what the last one with it recommends.
            recommend_steps(card, config);
        }
        self.supervision.enter(config, data)?;
        self.stage = stage.clone();
        self.entered = true;
        Ok(())
    }

    /// The file of tokens of a stage with fixed views.
    fn open_tokens(
        &self,
        config: &Config,
        data: &Dataset,
        folder: Option<&Path>,
    ) -> Result<Option<TokenFile>, TrainError> {
        let network = &self.state.model.network;
        let (Some(folder), Some(encoder)) = (folder, &network.encoder) else {
            return Ok(None);
        };
        let each = config.data.token_views;
        if each == 0 {
            return Ok(None);
        }
        let [rows, columns] = network.config().grid(config.data.size);
        let values = rows * columns * encoder.config().tokens_width();
        let weighted = data.weighted(&config.data.weights);
        let fingerprint = view_fingerprint(&weighted, &config.loader());
        let views = each.saturating_mul(data.len() as u64);
        let file = TokenFile::open(folder, &encoder.valid(), &fingerprint, views, values)?;
        Ok(Some(file))
    }

    /// Takes one step: path, forward, loss, backward, update, moving average. The gradients of a
    /// batch in parts (`train.accumulate`) are summed.
    pub fn step(&mut self, batch: &Batch) -> StepOutput {
        match self.step_share(batch, &Rank::alone(), &|| false) {
            Ok(Some(output)) => output,
            _ => unreachable!("a single device has no peers, and nothing stops it"),
        }
    }

    /// Like [`step`](Self::step), on one of several devices: the gradient is computed for this
    /// device's share of the batch and summed over all. `stop` is polled between the parts of a
    /// batch; if it returns true, the result is `None` and nothing has changed.
    ///
    /// # Errors
    /// If another device has stopped.
    pub(super) fn step_share(
        &mut self,
        batch: &Batch,
        rank: &Rank,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<StepOutput>, PeerLost> {
        let (stage, state) = (&self.stage, &mut self.state);
        let t = &stage.config.train;
        if std::mem::take(&mut self.entered) && t.precision == MatmulPrecision::Half {
            // Single precision leaves it at 1, from where it would take thousands of steps to rise.
            // One that half precision has lowered stays: a larger one was too large.
            let unset = state.loss_scale.clone().lower_equal_elem(1.0);
            state.loss_scale = state.loss_scale.clone().mask_fill(unset, FIRST_LOSS_SCALE);
        }
        let trainee = Trainee {
            network: state.model.network.clone().with_precision(t.precision),
            projector: state.projector.clone(),
        };
        let stop = || rank.may_leave() && stop();
        let share = rank.share(batch.len);
        let Some((loss, gradients, weighed)) = self.gradients(&trainee, batch, share, &stop) else {
            return Ok(None);
        };
        let (loss, gradients) = rank.sum(&trainee, loss, gradients)?;
        Ok(Some(self.update(trainee, loss, gradients, weighed)))
    }

    /// What the loss asks of the moving average's predictions for a batch; `None` if the network
    /// predicts classes. Nothing changes.
    pub(crate) fn prediction_gradient(&self, batch: &Batch) -> Option<PredictionGradient> {
        let config = &self.stage.config;
        if config.prediction().has_class_outputs() {
            return None;
        }
        let network = &self.state.average.network;
        let part = self.path(network, batch, 0..batch.len);
        let patches = network.config().patches(part.size());
        let query = Query {
            state: part.path.state.clone(),
            times: part.times.clone(),
            image: Some(part.image.clone()),
            features: part.features.clone(),
            classes: None,
        };
        let outputs = network.forward_in_patches(query, |_, _| ());
        let tracked = outputs.clone().autodiff().require_grad();
        let centroids = self.state.average.card.centroids();
        let loss = config
            .loss_of(&centroids)
            .of(&part.path, tracked.clone(), patches);
        let gradient = tracked.grad(&loss.backward())?;
        let (path, outputs) = (part.path, patches.image(outputs));
        let counted = (path.state.dims()[1] as f32 * path.total_weight).max(1.0);
        Some(PredictionGradient {
            target: match config.prediction() {
                Prediction::Velocity => predicted_target(path.state, outputs, path.t),
                _ => outputs,
            },
            gradient: patches.image(gradient) * counted,
        })
    }

    /// Some samples of a batch on the path, for a network that may be in a graph.
    fn path(&self, network: &Network, batch: &Batch, share: Range<usize>) -> TrainBatch {
        let (config, card) = (&self.stage.config, &self.state.model.card);
        let centroids = card.centroids();
        let inference = network.valid();
        let encode = |photos: &Tensor<4>| {
            let frozen = network.encoder.is_some() && config.model.encoder_rate == 0.0;
            match &self.tokens {
                _ if !frozen => None,
                Some(file) if !batch.views.is_empty() => {
                    let views = &batch.views[share.clone()];
                    Some(kept_tokens(file, views, photos, &inference))
                }
                _ => inference.encode(photos),
            }
        };
        let decide = |query: Query| {
            let start = query.state.clone();
            let output = inference.forward(query);
            match config.prediction() {
                Prediction::Velocity => start + output,
                _ => output,
            }
        };
        let context = BatchContext {
            config,
            centroids: &centroids,
            class_weights: self.supervision.class_weights.as_deref(),
            frozen: Frozen {
                encode: &encode,
                decide: &decide,
            },
            device: &self.device,
        };
        context.batch(batch, share.clone())
    }

    /// The loss of some samples of a batch, `[1]`, and its scaled gradients, and whether a pixel of the whole batch
    /// has a weight; `None` if stopped.
    fn gradients(
        &self,
        trainee: &Trainee,
        batch: &Batch,
        share: Range<usize>,
        stop: &dyn Fn() -> bool,
    ) -> Option<(Tensor<1>, GradientsParams, bool)> {
        let config = &self.stage.config;
        let centroids = self.state.model.card.centroids();
        let len = share.len();
        let mut own = self.path(&trainee.network, batch, share.clone());
        own.teacher = self.supervision.teacher.as_ref().map(|teacher| {
            let patches = trainee.network.config().patches(batch.size);
            teacher.tokens(batch, share, patches, &self.device)
        });
        let gradients_of = if config.train.checkpointing {
            recompute::gradients
        } else {
            Trainee::gradients
        };
        let scale = &self.state.loss_scale;
        let mut sum = GradientsAccumulator::new();
        let mut loss: Option<Tensor<1>> = None;
        let samples = len.div_ceil(config.train.accumulate);
        for first in (0..len).step_by(samples.max(1)) {
            if first > 0 && stop() {
                return None;
            }
            let part = own.slice(first..(first + samples).min(len));
            let (of_part, gradients) = gradients_of(trainee, config, &centroids, &part, scale);
            sum.accumulate(trainee, gradients);
            loss = Some(match loss {
                Some(sum) => sum + of_part,
                None => of_part,
            });
        }
        // If there are fewer samples than devices, some devices have none.
        let loss = loss.unwrap_or_else(|| scale.zeros_like());
        Some((loss, sum.grads(), own.path.total_weight > 0.0))
    }

    /// Updates weights, moving average and loss scale.
    fn update(
        &mut self,
        trainee: Trainee,
        loss: Tensor<1>,
        gradients: GradientsParams,
        weighed: bool,
    ) -> StepOutput {
        let (stage, state) = (&self.stage, &mut self.state);
        let config = &stage.config;
        let t = &config.train;
        let done = state.progress.step;
        let learning_rate = learning_rate(config, done.saturating_sub(stage.first));
        let update = AdamWUpdate {
            rate: learning_rate as f32,
            beta1: t.beta1 as f32,
            beta2: t.beta2 as f32,
            epsilon: 1e-8,
            decay: t.weight_decay as f32,
        };
        let encoder = ParameterGroup {
            prefix: "network.encoder.",
            rate: config.model.encoder_rate as f32,
        };
        // `trainee` must be the only owner of the weights, or the update would copy them. The
        // average serves as a placeholder until the new weights are there.
        state.model.network = state.average.network.clone();
        state.projector = None;
        let scale = state.loss_scale.clone();
        let age = state.optimizer.updates(&scale);
        let OptimizerOutput {
            module: Trainee { network, projector },
            norm,
            finite,
        } = state
            .optimizer
            .step(trainee, gradients, update, encoder, scale, t.clip);
        state.model.network = network;
        state.projector = projector;
        if t.precision == MatmulPrecision::Half {
            let grown = state.loss_scale.clone() * LOSS_SCALE_GROWTH;
            state.loss_scale = (state.loss_scale.clone() * LOSS_SCALE_FALL)
                .mask_where(finite.clone(), grown)
                .clamp(1.0, LOSS_SCALE_LIMIT);
        }
        let decay = average_decay(config, age, finite.clone());
        optimizer::moving_average(&mut state.average.network, &state.model.network, decay);
        state.progress.step += 1;
        StepOutput {
            loss,
            learning_rate,
            gradient_norm: norm,
            finite,
            weighed,
        }
    }
}

/// The tokens of photos `[B, 3, H, W]` that show these views. Unknown ones are encoded one at a
/// time, so that they do not depend on the rest of the batch.
fn kept_tokens(
    file: &TokenFile,
    views: &[u64],
    photos: &Tensor<4>,
    network: &Network,
) -> Tensor<3> {
    let width = network.config().encoder.as_ref();
    let width = width.map_or(1, VitConfig::tokens_width);
    let of_view = |(i, &view): (usize, &u64)| {
        file.tokens(view, || {
            let photo = photos.clone().narrow(0, i, 1);
            network.encode(&photo).map_or_else(Vec::new, read)
        })
    };
    let values: Vec<f32> = views.iter().enumerate().flat_map(of_view).collect();
    let shape = [
        views.len(),
        values.len() / (views.len() * width).max(1),
        width,
    ];
    Tensor::from_data(TensorData::new(values, shape), &photos.device())
}

/// Linear warm-up, then a cosine from the peak to its final share, or a constant at the peak.
/// `step` is counted from the start of the stage.
fn learning_rate(config: &Config, step: u64) -> f64 {
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

/// The decay of the moving average in a step, `[1]`: 1 if the step is skipped. `age: [1]` is the
/// number of updates so far.
fn average_decay(config: &Config, age: Tensor<1>, finite: Tensor<1, Bool>) -> Tensor<1> {
    let limit = config.train.ema as f32;
    let decay = if config.train.ema_warmup {
        // A young average quickly forgets its random start.
        ((age.clone() + 1.0) / (age + 10.0)).clamp_max(limit)
    } else {
        age.ones_like() * limit
    };
    decay.ones_like().mask_where(finite, decay)
}
