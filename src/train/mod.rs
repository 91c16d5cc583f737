//! Training: configuration, the loop, the optimiser, run folders and resuming.
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

pub mod checkpoint;
pub mod config;
pub mod metrics;
pub mod optimizer;
pub mod validate;

use crate::data::{Batch, DataError, Dataset, Loader, LoaderConfig};
use crate::encoding::Encoding;
use crate::files::{self, FileError};
use crate::flow::{self, Loss, PathBatch, Source};
use crate::kernels::adamw::AdamWUpdate;
use crate::model::network::{Network, Query};
use crate::model::tensors::{Precision, read};
use crate::model::{Card, FORMAT_VERSION, Model, Score};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint::{Checkpoint, Progress, RunFolder};
use config::Config;
use metrics::{Metrics, StepLine, ValidationLine};
use optimizer::AdamW;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
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
    #[error("the loss is {loss} at step {step}: lower train.learning_rate and resume from the last checkpoint")]
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
    files::write_atomic(&folder.path("config.toml"), config.to_toml().as_bytes())?;
    let mut metrics = Metrics::open(&folder.path("metrics.jsonl"), state.progress.step)?;

    let last = config.train.steps;
    let photos = [data.len(), validation.as_ref().map_or(0, Dataset::len)];
    let parameters = state.model.network.num_params();
    let step = state.progress.step;
    report(Event::Started { step, steps: last, parameters, photos });

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
        let taken = train_step(config, state, &batch, device);
        state = taken.state;
        let step = state.progress.step;
        window.add(taken.loss, batch.len);
        report(Event::Step { step });

        if step.is_multiple_of(config.train.log_every) || step == last {
            let line = window.line(step, taken.rate, taken.gradient_norm);
            if !line.loss.is_finite() {
                return Err(TrainError::Diverged { step, loss: line.loss });
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
        files::write_model(&path, &finished(&state, config, line.as_ref()), Precision::Half)?;
        Some(path)
    };
    let Progress { step, best } = state.progress;
    Ok(Outcome { step, stopped, best, model })
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
    let card = Card {
        format: FORMAT_VERSION,
        network: config.network(),
        classes: data.classes().names.clone(),
        encoding: Encoding::Kronecker,
        source: config.flow.source,
        prediction: config.model.prediction,
        size: config.data.size,
        dataset: data.name().to_owned(),
        steps: 0,
        score: None,
        licence: format!("trained by flowseg on {}; the data's licence applies", data.name()),
    };
    let network = Network::new(&card.network, config.train.seed, &training);
    let average = Model { network: network.valid(), card: card.clone() };
    Ok(Checkpoint {
        model: Model { network, card },
        average,
        optimizer: AdamW::default(),
        progress: Progress::default(),
    })
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

struct Taken {
    state: Checkpoint,
    loss: Tensor<1>,
    rate: f64,
    gradient_norm: f64,
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

fn train_step(config: &Config, mut state: Checkpoint, batch: &Batch, device: &Device) -> Taken {
    let centroids = state.model.centroids();
    let (path, times) = path_batch(config, &state.model, batch, device);
    let query = Query {
        state: path.state.clone(),
        times,
        image: Some(images(batch, device)),
        classes: None,
    };
    let training = |x: Tensor<4>| x.autodiff();
    let query =
        Query { state: training(query.state), image: query.image.map(training), ..query };
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
        state.optimizer.step(state.model.network, gradients, update, t.clip);
    // Young averages forget quickly, so that they don't remember the random start.
    let age = state.progress.step as f64;
    let keep = t.ema.min((1.0 + age) / (10.0 + age));
    state.average.network = optimizer::moving_average(state.average.network, &network, keep);
    state.model.network = network;
    state.progress.step += 1;
    Taken { state, loss: loss.inner(), rate, gradient_norm }
}

fn images(batch: &Batch, device: &Device) -> Tensor<4> {
    let [height, width] = batch.size;
    let data = TensorData::new(batch.images.clone(), [batch.len, 3, height, width]);
    Tensor::from_data(data, device)
}

/// The batch somewhere on its path, and the time of every entry.
fn path_batch(
    config: &Config,
    model: &Model,
    batch: &Batch,
    device: &Device,
) -> (PathBatch, Vec<f32>) {
    let [height, width] = batch.size;
    let pixels = height * width;
    // A stream of its own, so that times don't depend on how many numbers augmentation drew.
    let mut rng = ChaCha8Rng::seed_from_u64(config.train.seed);
    rng.set_stream(batch.step.wrapping_add(1));
    let sampler = config.time();
    let times: Vec<f32> = (0..batch.len).map(|_| sampler.sample(&mut rng)).collect();

    let centroids = model.centroids();
    let classes = centroids.len();
    let target: Vec<f32> =
        batch.labels.chunks_exact(pixels).flat_map(|labels| centroids.encode(labels)).collect();
    let labelled = |l: &u16| usize::from(*l) < classes;
    let shape = [batch.len, 3, height, width];
    let target = Tensor::<4>::from_data(TensorData::new(target, shape), device);
    let source = match config.flow.source {
        Source::Image => images(batch, device),
        Source::Noise => {
            let seed = config.train.seed.wrapping_mul(0x9e37_79b9).wrapping_add(batch.step);
            crate::model::noise(shape, seed, device)
        }
    };
    let t = TensorData::new(times.clone(), [batch.len, 1, 1, 1]);
    let t = Tensor::<4>::from_data(t, device);
    let labels: Vec<i32> =
        batch.labels.iter().map(|l| if labelled(l) { i32::from(*l) } else { -1 }).collect();
    let mask: Vec<f32> =
        batch.labels.iter().map(|l| if labelled(l) { 1.0 } else { 0.0 }).collect();
    let labels = Tensor::from_data(TensorData::new(labels, [batch.len, height, width]), device);
    let mask = TensorData::new(mask, [batch.len, 1, height, width]);
    let state = flow::interpolate(source.clone(), target.clone(), t.clone());
    let labelled = Tensor::from_data(mask, device);
    (PathBatch { source, target, state, t, labels, labelled }, times)
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
        Self { loss: None, steps: 0, photos: 0, waited: Duration::ZERO, started: Instant::now() }
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
        let total = self.loss.clone().map_or(0.0, |loss| f64::from(read(loss)[0]));
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
