//! One training step.

use super::checkpoint::{Checkpoint, Progress};
use super::config::Config;
use super::optimizer::{self, AdamW};
use crate::data::Batch;
use crate::encoding::{Centroids, Encoding};
use crate::flow::{self, Loss, PathBatch, Source};
use crate::kernels::adamw::AdamWUpdate;
use crate::model::network::{Network, Query};
use crate::model::{Card, FORMAT_VERSION, Model};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A step that was taken.
pub struct Taken {
    /// Weights, average, optimiser and progress after it.
    pub state: Checkpoint,
    /// Its loss, `[1]`, still on the device.
    pub loss: Tensor<1>,
    /// Its learning rate.
    pub rate: f64,
    /// The gradient's norm before clipping.
    pub gradient_norm: f64,
}

/// The start of a run: fresh weights drawn from the configuration's seed.
pub fn start(config: &Config, dataset: &str, classes: &[String], device: &Device) -> Checkpoint {
    let training = device.clone().autodiff();
    let card = Card {
        format: FORMAT_VERSION,
        network: config.network(),
        classes: classes.to_vec(),
        encoding: Encoding::Kronecker,
        source: config.flow.source,
        prediction: config.model.prediction,
        size: config.data.size,
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
    Checkpoint {
        model: Model { network, card },
        average,
        optimizer: AdamW::default(),
        progress: Progress::default(),
    }
}

/// Linear warm-up, then a cosine from the peak to its final share.
pub fn learning_rate(config: &Config, step: u64) -> f64 {
    let t = &config.train;
    if step < t.warmup {
        return t.learning_rate * (step + 1) as f64 / t.warmup as f64;
    }
    let done = (step - t.warmup) as f64 / (t.steps.saturating_sub(t.warmup)).max(1) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
    t.learning_rate * (t.final_rate + (1.0 - t.final_rate) * cosine)
}

/// Takes one step on a batch: path, forward, loss, backward, update, moving average.
pub fn take(config: &Config, mut state: Checkpoint, batch: &Batch, device: &Device) -> Taken {
    let centroids = state.model.centroids();
    let image = images(batch, device);
    let (path, times) = path_batch(config, &centroids, batch, &image);
    let training = |x: Tensor<4>| x.autodiff();
    let query = Query {
        state: training(path.state.clone()),
        times,
        image: Some(training(image)),
        classes: None,
    };
    let output = state.model.network.forward(query);
    let (at, t) = (training(path.state.clone()), training(path.t.clone()));
    let velocity = config.model.prediction.velocity(output, at, t);
    let loss = Loss {
        objective: config.loss.objective,
        potential: config.potential(),
        centroids: &centroids,
    };
    let loss = loss.of(&path, velocity);
    let gradients = GradientsParams::from_grads(loss.backward(), &state.model.network);

    let t = &config.train;
    let rate = learning_rate(config, state.progress.step);
    let update = AdamWUpdate {
        rate: rate as f32,
        beta1: t.beta1 as f32,
        beta2: t.beta2 as f32,
        epsilon: 1e-8,
        decay: t.weight_decay as f32,
        gradient_scale: 1.0,
        step: state.progress.step as u32 + 1,
    };
    let (network, gradient_norm) =
        state
            .optimizer
            .step(state.model.network, gradients, update, t.clip);
    // Young averages forget quickly, so that they don't remember the random start.
    let age = state.progress.step as f64;
    let keep = t.ema.min((1.0 + age) / (10.0 + age));
    state.average.network = optimizer::moving_average(state.average.network, &network, keep);
    state.model.network = network;
    state.progress.step += 1;
    Taken {
        state,
        loss: loss.inner(),
        rate,
        gradient_norm,
    }
}

fn images(batch: &Batch, device: &Device) -> Tensor<4> {
    let [height, width] = batch.size;
    let data = TensorData::new(batch.images.clone(), [batch.len, 3, height, width]);
    Tensor::from_data(data, device)
}

/// The batch somewhere on its path, and the time of every entry.
fn path_batch(
    config: &Config,
    centroids: &Centroids,
    batch: &Batch,
    image: &Tensor<4>,
) -> (PathBatch, Vec<f32>) {
    let device = &image.device();
    let [height, width] = batch.size;
    let pixels = height * width;
    // A stream of its own, so that times don't depend on how many numbers augmentation drew.
    let mut rng = ChaCha8Rng::seed_from_u64(config.train.seed);
    rng.set_stream(batch.step.wrapping_add(1));
    let sampler = config.time();
    let times: Vec<f32> = (0..batch.len).map(|_| sampler.sample(&mut rng)).collect();

    let classes = centroids.len();
    let target: Vec<f32> = batch
        .labels
        .chunks_exact(pixels)
        .flat_map(|labels| centroids.encode(labels))
        .collect();
    let labelled = |l: &u16| usize::from(*l) < classes;
    let shape = [batch.len, 3, height, width];
    let target = Tensor::<4>::from_data(TensorData::new(target, shape), device);
    let source = match config.flow.source {
        Source::Image => image.clone(),
        Source::Noise => {
            let seed = config
                .train
                .seed
                .wrapping_mul(0x9e37_79b9)
                .wrapping_add(batch.step);
            crate::model::noise(shape, seed, device)
        }
    };
    let t = TensorData::new(times.clone(), [batch.len, 1, 1, 1]);
    let t = Tensor::<4>::from_data(t, device);
    let labels: Vec<i32> = batch
        .labels
        .iter()
        .map(|l| if labelled(l) { i32::from(*l) } else { -1 })
        .collect();
    let mask: Vec<f32> = batch
        .labels
        .iter()
        .map(|l| if labelled(l) { 1.0 } else { 0.0 })
        .collect();
    let labels = Tensor::from_data(TensorData::new(labels, [batch.len, height, width]), device);
    let mask = TensorData::new(mask, [batch.len, 1, height, width]);
    let state = flow::interpolate(source.clone(), target.clone(), t.clone());
    let labelled = Tensor::from_data(mask, device);
    (
        PathBatch {
            source,
            target,
            state,
            t,
            labels,
            labelled,
        },
        times,
    )
}
