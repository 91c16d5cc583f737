//! A forward pass and a training step at `tiny` (batch 8, 96 x 128) and `small` (batch 2,
//! 256 x 256), the work of `python benches/pytorch.py --bench --preset tiny|small ...`.

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use flowseg::data::{Dataset, LoaderConfig, SceneConfig, batch_at};
use flowseg::model::noise;
use flowseg::train::config::Config;
use flowseg::train::step::{self, Guides};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn network(c: &mut Criterion) {
    let device = Device::flex();
    for (preset, batch_size, size) in [("tiny", 8, [96, 128]), ("small", 2, [256, 256])] {
        let overrides = [
            format!("model.preset={preset}"),
            format!("data.size=[{}, {}]", size[0], size[1]),
            format!("train.batch_size={batch_size}"),
        ];
        let config = Config::parse("", &overrides).expect("the bench's settings are valid");
        let plan = config.plan().expect("it was parsed");
        let stage = &plan[0];
        let scenes = SceneConfig {
            classes: 11,
            size,
            ..SceneConfig::default()
        };
        let data = Dataset::scenes(scenes, 16);
        let loader = LoaderConfig {
            size,
            batch_size,
            ..LoaderConfig::default()
        };
        let batch = batch_at(&data, &loader, 0).expect("scenes need no disk");
        let mut state = Some(step::start(
            &config,
            "scenes",
            &data.classes().names,
            &device,
        ));

        let mut group = c.benchmark_group(preset);
        group.sample_size(10);
        let model = state.as_ref().expect("just made").average.clone();
        let image = noise([batch_size, 3, size[0], size[1]], 1, &device);
        group.bench_function("forward", |b| {
            b.iter(|| model.velocity(image.clone(), 0.5, 0.1, &image, None));
        });
        group.bench_function("training step", |b| {
            b.iter(|| {
                let before = state.take().expect("put back");
                let taken = step::take(stage, before, &batch, &Guides::default(), &device);
                state = Some(taken.state);
            });
        });
    }
}

criterion_group!(benches, network);
criterion_main!(benches);
