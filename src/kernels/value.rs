//! The potential itself (equation 10) at every pixel, in ordinary tensor operations: training needs
//! its gradient only, this is what is shown and checked.

use crate::encoding::Centroids;
use crate::potential::{Operator, Potential};
use burn::tensor::{Int, Tensor, TensorData};

/// The most elements of a `[pixels, N]` intermediate.
const CHUNK: usize = 1 << 22;

/// `Phi = -ln p_gt` at points `x: [P, 3]` for target classes `labels: [P]` in `0..N`: `[P]`.
///
/// Computed as `softplus(logsumexp of the other logits - the target's logit)`, which keeps small
/// potentials exact, axis by axis over chunks of `[P, N]`.
pub fn potential_value(
    x: Tensor<2>,
    labels: Tensor<1, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<1> {
    let points = x.dims()[0];
    let rows = (CHUNK / centroids.len().max(1)).max(1);
    let chunks = (0..points).step_by(rows).map(|first| {
        let count = rows.min(points - first);
        let (x, labels) = (
            x.clone().narrow(0, first, count),
            labels.clone().narrow(0, first, count),
        );
        chunk_value(x, labels, centroids, potential)
    });
    Tensor::cat(chunks.collect(), 0)
}

fn chunk_value(
    x: Tensor<2>,
    labels: Tensor<1, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<1> {
    let (points, classes) = (x.dims()[0], centroids.len());
    let device = x.device();
    let split = centroids.split_f32();
    let row = |part: usize| {
        let values: Vec<f32> = split.iter().skip(part).step_by(6).copied().collect();
        Tensor::<2>::from_data(TensorData::new(values, [1, classes]), &device)
    };
    let mut distance = Tensor::<2>::zeros([points, classes], &device);
    for axis in 0..3 {
        // Differences before squares: |x|^2 - 2 x mu + |mu|^2 would lose d near a centroid.
        let offset = x.clone().narrow(1, axis, 1) - row(axis) - row(3 + axis);
        distance = distance + offset.square();
    }
    let shifted = distance + potential.epsilon;
    let value = match potential.operator {
        Operator::Log | Operator::NormalizedGradient => shifted.log(),
        Operator::Sqrt => shifted.sqrt(),
        Operator::Linear => shifted,
    };
    let logits = value * (-1.0 / potential.temperature);
    let index: Vec<i32> = (0..classes as i32).collect();
    let index = Tensor::<2, Int>::from_data(TensorData::new(index, [1, classes]), &device);
    let target = labels
        .unsqueeze_dim::<2>(1)
        .expand([points, classes])
        .equal(index.expand([points, classes]));
    let own = logits
        .clone()
        .mask_fill(target.clone().bool_not(), 0.0)
        .sum_dim(1);
    let others = logits.mask_fill(target, -1e30);
    let top = others.clone().max_dim(1);
    let others = (others - top.clone()).exp().sum_dim(1).log() + top;
    let z = others - own;
    // softplus(z) without overflow.
    let positive = z.clone().clamp_min(0.0);
    (positive + z.abs().neg().exp().log1p()).squeeze_dim(1)
}
