//! A forward pass and a training step at `tiny` (batch 8, 96 x 128), `small` and `base` (batch 2, 256 x 256), the work of
//! `python benches/pytorch.py --bench --preset tiny|small|base ...`, and one step of every built-in model for one photo
//! of its training size, that of `python benches/pytorch.py --model FILE`. `FLOWSEG_BENCH_DEVICE=wgpu` runs them on a GPU
//! instead of the CPU.

mod common;

use burn::tensor::Device;
use divan::Bencher;
use flowseg::data::{Batch, Dataset, LoaderConfig, SceneConfig, batch_at};
use flowseg::kernels::MatmulPrecision;
use flowseg::models;
use flowseg::random::noise;
use flowseg::train::config::Config;
use flowseg::train::state::TrainState;
use flowseg::train::supervision::Supervision;
use flowseg::train::trainer::Trainer;

fn main() {
    common::device();
    common::run();
}

/// A preset, with the batch and the size used in the PyTorch benchmark.
#[derive(Clone, Copy)]
struct Work {
    preset: &'static str,
    batch: usize,
    size: [usize; 2],
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [height, width] = self.size;
        write!(
            f,
            "{}, batch {}, {height} x {width}",
            self.preset, self.batch
        )
    }
}

const WORK: [Work; 3] = [
    Work {
        preset: "tiny",
        batch: 8,
        size: [96, 128],
    },
    Work {
        preset: "small",
        batch: 2,
        size: [256, 256],
    },
    Work {
        preset: "base",
        batch: 2,
        size: [256, 256],
    },
];

/// A trainer for this work and its first batch.
fn start(work: Work, precision: &str, device: &Device) -> (Trainer, Batch) {
    let [height, width] = work.size;
    let overrides = [
        format!("model.preset={}", work.preset),
        format!("data.size=[{height}, {width}]"),
        format!("train.batch_size={}", work.batch),
        format!("train.precision={precision}"),
    ];
    let config = Config::parse("", &overrides).expect("valid settings");
    let mut plan = config.plan().expect("a plan of valid settings");
    let scenes = SceneConfig {
        classes: 11,
        size: work.size,
        ..SceneConfig::default()
    };
    let data = Dataset::scenes(scenes, 16);
    let loader = LoaderConfig {
        size: work.size,
        batch_size: work.batch,
        ..LoaderConfig::default()
    };
    let batch = batch_at(&data, &loader, 0).expect("scenes need no disk");
    let state = TrainState::new(&config, "scenes", &data.classes().names, device);
    let trainer = Trainer::new(plan.remove(0), state, Supervision::default(), device);
    (trainer, batch)
}

#[divan::bench(args = WORK, sample_count = 10, sample_size = 1)]
fn forward(bencher: Bencher, work: Work) {
    forward_in(MatmulPrecision::Single, bencher, work);
}

#[divan::bench(args = WORK, sample_count = 10, sample_size = 1)]
fn forward_in_bfloat16(bencher: Bencher, work: Work) {
    forward_in(MatmulPrecision::Bfloat16, bencher, work);
}

fn forward_in(precision: MatmulPrecision, bencher: Bencher, work: Work) {
    let device = common::device();
    let (trainer, _) = start(work, "single", device);
    let model = trainer.state.average.clone().with_precision(precision);
    let [height, width] = work.size;
    let image = noise([work.batch, 3, height, width], 1, device);
    common::bench(bencher, || {
        model.velocity(image.clone(), 0.5, 0.1, &image, None)
    });
}

#[divan::bench(args = WORK, sample_count = 10, sample_size = 1)]
fn training_step(bencher: Bencher, work: Work) {
    let device = common::device();
    let (mut trainer, batch) = start(work, "single", device);
    common::bench(bencher, || trainer.step(&batch));
}

#[divan::bench(args = WORK, sample_count = 10, sample_size = 1)]
fn training_step_in_bfloat16(bencher: Bencher, work: Work) {
    let device = common::device();
    let (mut trainer, batch) = start(work, "bfloat16", device);
    common::bench(bencher, || trainer.step(&batch));
}

const MODELS: [&str; 4] = ["cells", "fashion", "scenes", "street"];

#[divan::bench(args = MODELS, sample_count = 10, sample_size = 1)]
fn one_step(bencher: Bencher, name: &str) {
    one_step_in(MatmulPrecision::Single, bencher, name);
}

#[divan::bench(args = MODELS, sample_count = 10, sample_size = 1)]
fn one_step_in_bfloat16(bencher: Bencher, name: &str) {
    one_step_in(MatmulPrecision::Bfloat16, bencher, name);
}

fn one_step_in(precision: MatmulPrecision, bencher: Bencher, name: &str) {
    let device = common::device();
    let model = models::load(name, device).expect("the model is built in");
    let model = model.with_precision(precision);
    let [height, width] = model.card.size;
    let photo = noise([1, 3, height, width], 1, device).clamp(-1.0, 1.0);
    let state = model.source(None, &photo, 0);
    common::bench(bencher, || {
        let features = model.network.encode(&photo);
        model.velocity(state.clone(), 0.0, 1.0, &photo, features.as_ref())
    });
}
