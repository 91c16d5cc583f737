//! The potential (equation 10) and its gradient (equation 11) in ordinary tensor operations, which
//! every device has: for checks, displays and training without a kernel.
//!
//! Both proceed axis by axis over chunks of `[pixels, N]`; no `[pixels, N, d]` is ever stored.

use crate::device::permute;
use crate::encoding::Centroids;
use crate::potential::{GRADIENT_FLOOR, Operator, Potential};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// Maximum elements of a `[pixels, N]` intermediate: about ten exist at once, 160 MiB.
const CHUNK: usize = 1 << 22;
/// A logit that has no effect in a softmax.
const NEVER: f32 = -1e30;

/// `Phi = -ln p_gt` at points `x: [P, d]` for target classes `labels: [P]` in `0..N`: `[P]`.
///
/// Computed as `softplus(logsumexp of the other logits - the target's logit)`, which keeps small
/// potentials accurate.
pub fn value(
    x: Tensor<2>,
    labels: Tensor<1, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<1> {
    let classes = Classes::new(centroids, &x.device());
    let chunks = chunks(x, labels, centroids.len())
        .map(|(x, labels)| Chunk::new(x, labels, &classes, potential).value());
    Tensor::cat(chunks.collect(), 0)
}

/// See [`potential_gradient`](crate::kernels::potential_gradient).
pub fn gradient(
    x: Tensor<4>,
    labels: Tensor<3, Int>,
    centroids: &Centroids,
    potential: Potential,
) -> Tensor<4> {
    let classes = Classes::new(centroids, &x.device());
    let [batch, dims, height, width] = x.dims();
    let pixels = batch * height * width;
    let points = permute(x, [0, 2, 3, 1]).reshape([pixels, dims]);
    let chunks = chunks(points, labels.reshape([pixels]), centroids.len())
        .map(|(x, labels)| Chunk::new(x, labels, &classes, potential).gradient());
    let gradient = Tensor::cat(chunks.collect(), 0).reshape([batch, height, width, dims]);
    permute(gradient, [0, 3, 1, 2])
}

fn chunks(
    x: Tensor<2>,
    labels: Tensor<1, Int>,
    classes: usize,
) -> impl Iterator<Item = (Tensor<2>, Tensor<1, Int>)> {
    let points = x.dims()[0];
    let rows = (CHUNK / classes.max(1)).max(1);
    (0..points).step_by(rows).map(move |first| {
        let count = rows.min(points - first);
        (
            x.clone().narrow(0, first, count),
            labels.clone().narrow(0, first, count),
        )
    })
}

/// Quantities that are the same for all points, `[1, N]` each.
struct Classes {
    /// The d coordinates of every centroid, then their rounding errors.
    rows: Vec<Tensor<2>>,
    /// `0..N`.
    index: Tensor<2, Int>,
}

impl Classes {
    fn new(centroids: &Centroids, device: &Device) -> Self {
        let (classes, rows) = (centroids.len(), 2 * centroids.dims());
        let split = centroids.split_f32();
        let row = |part: usize| {
            let values: Vec<f32> = split.iter().skip(part).step_by(rows).copied().collect();
            Tensor::from_data(TensorData::new(values, [1, classes]), device)
        };
        let index: Vec<i32> = (0..classes as i32).collect();
        Self {
            rows: (0..rows).map(row).collect(),
            index: Tensor::from_data(TensorData::new(index, [1, classes]), device),
        }
    }
}

/// Some points `[P]` against all centroids `[N]`.
struct Chunk {
    /// `x - mu`, one tensor per axis, `[P, N]`.
    offsets: Vec<Tensor<2>>,
    /// `d + eps`, `[P, N]`.
    shifted: Tensor<2>,
    /// `T(d) / tau`, `[P, N]`.
    logits: Tensor<2>,
    /// Whether the centroid is that of the point's label, `[P, N]`.
    target: Tensor<2, Bool>,
    potential: Potential,
}

impl Chunk {
    fn new(x: Tensor<2>, labels: Tensor<1, Int>, classes: &Classes, potential: Potential) -> Self {
        let shape = [x.dims()[0], classes.index.dims()[1]];
        // Differences before squares: |x|^2 - 2 x mu + |mu|^2 would lose d near a centroid.
        let dims = classes.rows.len() / 2;
        let offset = |axis: usize| {
            let row = |part: usize| classes.rows[part].clone();
            x.clone().narrow(1, axis, 1) - row(axis) - row(dims + axis)
        };
        let offsets: Vec<Tensor<2>> = (0..dims).map(offset).collect();
        let first = offsets[0].clone().square();
        let distance = (offsets[1..].iter()).fold(first, |sum, o| sum + o.clone().square());
        let shifted = distance + potential.epsilon;
        let value = match potential.operator {
            Operator::Log | Operator::NormalizedGradient => shifted.clone().log(),
            Operator::Sqrt => shifted.clone().sqrt(),
            Operator::Linear => shifted.clone(),
        };
        let target = labels
            .unsqueeze_dim::<2>(1)
            .expand(shape)
            .equal(classes.index.clone().expand(shape));
        Self {
            offsets,
            shifted,
            logits: value * (-1.0 / potential.temperature),
            target,
            potential,
        }
    }

    fn value(self) -> Tensor<1> {
        let own = self.logits.clone();
        let own = own
            .mask_fill(self.target.clone().bool_not(), 0.0)
            .sum_dim(1);
        let others = self.logits.mask_fill(self.target, NEVER);
        let top = others.clone().max_dim(1);
        let others = (others - top.clone()).exp().sum_dim(1).log() + top;
        let z = others - own;
        // softplus(z) without overflow.
        let positive = z.clone().clamp_min(0.0);
        (positive + z.abs().neg().exp().log1p()).squeeze_dim(1)
    }

    /// `[P, d]`; zero for points whose label has no centroid.
    fn gradient(self) -> Tensor<2> {
        let top = self.logits.clone().max_dim(1);
        let weights = (self.logits - top).exp();
        let total = weights.clone().sum_dim(1);
        let others = weights.mask_fill(self.target.clone(), 0.0);
        // 1 - p_gt as the sum of the other p_k: near a centroid the subtraction would cancel to 0.
        let missing = others.clone().sum_dim(1).expand(others.dims());
        let share = others.neg().mask_where(self.target.clone(), missing) / total;
        // T' without its sign, which cancels that of equation 11.
        let factor = match self.potential.operator {
            Operator::Log | Operator::NormalizedGradient => share / self.shifted,
            Operator::Sqrt => share / self.shifted.sqrt() * 0.5,
            Operator::Linear => share,
        };
        let factor = factor * (2.0 / self.potential.temperature);
        let axes = self
            .offsets
            .into_iter()
            .map(|offset| (factor.clone() * offset).sum_dim(1));
        let gradient = Tensor::cat(axes.collect(), 1);
        let gradient = match self.potential.operator {
            Operator::NormalizedGradient => {
                let length = gradient.clone().square().sum_dim(1).sqrt();
                gradient / length.clamp_min(GRADIENT_FLOOR)
            }
            _ => gradient,
        };
        let ignored = self.target.int().sum_dim(1).equal_elem(0);
        let shape = gradient.dims();
        gradient.mask_fill(ignored.expand(shape), 0.0)
    }
}
