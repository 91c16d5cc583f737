//! The project's own operations at the shapes of the `tiny` preset, batch 8, 96 x 128.
//! `python benches/pytorch.py --bench --preset tiny --height 96 --width 128 --batch 8 --classes 11`
//! times the same work in PyTorch.

use burn::tensor::{Device, Int, Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flowseg::encoding::Centroids;
use flowseg::kernels;
use flowseg::model::{noise, positions};
use flowseg::potential::{Operator, Potential};

const PATCHES: usize = 8 * 192;

fn reshaped_target(c: &mut Criterion) {
    let mut group = c.benchmark_group("reshaped_target");
    let device = Device::flex();
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 1e-2,
    };
    // The cost must grow linearly with pixels and with N.
    for (batch, classes) in [(8, 11), (16, 11), (8, 22), (8, 171)] {
        let x = noise([batch, 3, 96, 128], 1, &device);
        let labels = (0..batch * 96 * 128)
            .map(|i| (i % classes) as i32)
            .collect::<Vec<_>>();
        let labels =
            Tensor::<3, Int>::from_data(TensorData::new(labels, [batch, 96, 128]), &device);
        let centroids = Centroids::kronecker(classes);
        let id = BenchmarkId::from_parameter(format!("batch {batch}, {classes} classes"));
        group.bench_function(id, |b| {
            b.iter(|| {
                kernels::potential_gradient(x.clone(), labels.clone(), &centroids, potential)
            });
        });
    }
}

fn neural_field(c: &mut Criterion) {
    let mut group = c.benchmark_group("neural_field");
    let inputs = |device: &Device| {
        (
            noise([PATCHES, 64, 32, 1], 1, device).reshape([PATCHES, 64, 32]),
            noise([PATCHES, 4096, 1, 1], 2, device).reshape([PATCHES, 4096]),
            noise([32, 1, 1, 1], 3, device).reshape([32]),
        )
    };
    let (z, w, n): (Tensor<3>, Tensor<2>, Tensor<1>) = inputs(&Device::flex());
    group.bench_function("forward", |b| {
        b.iter(|| kernels::neural_field(z.clone(), w.clone(), n.clone()));
    });
    let (z, w, n) = inputs(&Device::flex().autodiff());
    let (z, w, n) = (z.require_grad(), w.require_grad(), n.require_grad());
    group.bench_function("forward and backward", |b| {
        b.iter(|| {
            kernels::neural_field(z.clone(), w.clone(), n.clone())
                .sum()
                .backward()
        });
    });
}

fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention");
    let inputs = |device: &Device| {
        let table = |v: Vec<f32>| Tensor::<2>::from_data(TensorData::new(v, [192, 32]), device);
        let (cos, sin) = positions::rotary(12, 16, 64);
        (
            noise([8, 192, 576, 1], 1, device).reshape([8, 192, 576]),
            noise([64, 1, 1, 1], 2, device).reshape([64]),
            table(cos),
            table(sin),
        )
    };
    let (x, n, cos, sin): (Tensor<3>, Tensor<1>, _, _) = inputs(&Device::flex());
    group.bench_function("forward", |b| {
        b.iter(|| kernels::attention(x.clone(), n.clone(), n.clone(), cos.clone(), sin.clone()));
    });
    let (x, n, cos, sin) = inputs(&Device::flex().autodiff());
    let (x, n) = (x.require_grad(), n.require_grad());
    group.bench_function("forward and backward", |b| {
        b.iter(|| {
            kernels::attention(x.clone(), n.clone(), n.clone(), cos.clone(), sin.clone())
                .sum()
                .backward()
        });
    });
}

criterion_group!(benches, reshaped_target, neural_field, attention);
criterion_main!(benches);
