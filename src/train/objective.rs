//! All training losses and what they are averaged over: the objective's squared error (equations 3,
//! 5, 12 and 13) or cross-entropy at a state on the path, the distribution of its time, and the
//! alignment with a teacher.

use crate::encoding::Centroids;
use crate::flow::{Prediction, predicted_target, velocity_towards};
use crate::kernels;
use crate::patches::Patches;
use crate::potential::Potential;
use burn::tensor::{Int, Tensor};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Lower bound of the `1 - t` by which the way to a target, true or predicted, is divided in
/// training; without it, errors near t = 1 would be magnified without limit. Sampling has its own bound, the length of a
/// step.
pub(super) const REMAINING_FLOOR: f32 = 0.05;
/// Tokens shorter than this are not normalised.
const LENGTH_FLOOR: f32 = 1e-6;

/// What the velocity is trained towards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// `v - grad Phi` (equation 12).
    #[default]
    Reshaped,
    /// `(1 - t) v + t (v - grad Phi)`: the correction grows with time (section 5.3).
    Annealed,
    /// `v` alone: plain flow matching (equation 3).
    Vanilla,
    /// No flow: the cross-entropy of class logits, for the discriminative twin.
    CrossEntropy,
    /// Variational flow matching: the cross-entropy of the posterior over the centroids at every
    /// time of the path, see [`Prediction::Posterior`].
    Variational,
}

impl Objective {
    /// Whether it follows a potential, which has `loss.temperature` and `loss.epsilon`.
    pub(super) fn has_temperature(self) -> bool {
        matches!(self, Self::Reshaped | Self::Annealed)
    }
}

/// The objective as a function of the network's outputs. Every loss is averaged over the batch's
/// pixels by their weight, and zero if all weights are.
pub(super) struct Loss<'a> {
    pub objective: Objective,
    pub prediction: Prediction,
    /// Used by the reshaped and the annealed objective.
    pub potential: Potential,
    pub centroids: &'a Centroids,
}

/// A batch of samples, each at a state on its path.
pub(super) struct PathBatch {
    /// `v: [B, d, H, W]`, which leads to the true mask: `x1 - x0` on the sample's own path. For a
    /// network that predicts the target it is `(x1 - x_t) / (1 - t)` with the lower bound of
    /// [`REMAINING_FLOOR`], as its own velocity is.
    pub velocity: Tensor<4>,
    /// `x_t: [B, d, H, W]`
    pub state: Tensor<4>,
    /// `t: [B, 1, 1, 1]`
    pub t: Tensor<4>,
    /// `[B, H, W]`, class indices; -1 for ignored pixels.
    pub labels: Tensor<3, Int>,
    /// `[B, 1, H, W]`: 1 or the weight of the pixel's class; 0 for ignored pixels unless
    /// `loss.mask_ignored` is off.
    pub weights: Tensor<4>,
    /// Sum of the weights of the whole batch, of which this may be a part: the loss is divided by
    /// it.
    pub total_weight: f32,
}

impl Loss<'_> {
    /// The loss of a network's outputs in patches, `[B L, p p, outputs]`: `[1]`.
    pub(super) fn of(&self, batch: &PathBatch, outputs: Tensor<3>, patches: Patches) -> Tensor<1> {
        match self.prediction {
            Prediction::Logits | Prediction::Posterior => cross_entropy(batch, outputs, patches),
            Prediction::Velocity => self.of_velocity(batch, patches.image(outputs)),
            Prediction::Target => self.of_target(batch, patches.image(outputs)),
        }
    }

    /// The loss of a predicted velocity `[B, d, H, W]`.
    fn of_velocity(&self, batch: &PathBatch, velocity: Tensor<4>) -> Tensor<1> {
        let untracked = velocity.clone().without_autodiff();
        let x1_hat = predicted_target(batch.state.clone(), untracked, batch.t.clone());
        self.squared_error(batch, velocity, x1_hat)
    }

    /// The loss of a predicted target `[B, d, H, W]`: that of the velocity towards it. The
    /// potential is evaluated at the target itself, which that velocity would not reach near t = 1,
    /// where the remaining time has a [lower bound](REMAINING_FLOOR).
    fn of_target(&self, batch: &PathBatch, x1_hat: Tensor<4>) -> Tensor<1> {
        let (mut state, mut t) = (batch.state.clone(), batch.t.clone());
        if x1_hat.is_autodiff() {
            (state, t) = (state.autodiff(), t.autodiff());
        }
        let velocity = velocity_towards(x1_hat.clone(), state, t, REMAINING_FLOOR);
        self.squared_error(batch, velocity, x1_hat)
    }

    /// `|v_theta - sg[target]|^2` (equation 13), averaged over channels and pixels.
    fn squared_error(
        &self,
        batch: &PathBatch,
        velocity: Tensor<4>,
        x1_hat: Tensor<4>,
    ) -> Tensor<1> {
        let mut target = self.target(batch, x1_hat);
        let mut weights = batch.weights.clone();
        if velocity.is_autodiff() {
            (target, weights) = (target.autodiff(), weights.autodiff());
        }
        let squares = (velocity - target).square() * weights;
        let channels = batch.state.dims()[1] as f32;
        squares.sum() / (channels * batch.total_weight).max(1.0)
    }

    /// The detached target velocity of a network that predicts `x1_hat: [B, d, H, W]`, directly or
    /// through its velocity (see [`predicted_target`]).
    fn target(&self, batch: &PathBatch, x1_hat: Tensor<4>) -> Tensor<4> {
        let v = batch.velocity.clone();
        let correction = || {
            let (x1_hat, labels) = (x1_hat.without_autodiff(), batch.labels.clone());
            kernels::potential_gradient(x1_hat, labels, self.centroids, self.potential)
        };
        match self.objective {
            Objective::Vanilla | Objective::CrossEntropy | Objective::Variational => v,
            Objective::Reshaped => v - correction(),
            Objective::Annealed => v - correction() * batch.t.clone(),
        }
    }
}

/// The cross-entropy of logits in patches, `[B L, p p, N]`: `[1]`.
fn cross_entropy(batch: &PathBatch, logits: Tensor<3>, patches: Patches) -> Tensor<1> {
    let [count, pixels, classes] = logits.dims();
    let mut labels = patches.cut_map(batch.labels.clone(), -1.0);
    let mut weights = patches.cut_map(batch.weights.clone().squeeze_dim(1), 0.0);
    if logits.is_autodiff() {
        (labels, weights) = (labels.autodiff(), weights.autodiff());
    }
    let sum = kernels::cross_entropy(
        logits.reshape([count * pixels, classes]),
        labels.reshape([count * pixels]),
        weights.reshape([count * pixels]),
    );
    sum / batch.total_weight.max(1.0)
}

/// The alignment loss (REPA): `1 - cos` between tokens `[B, L, width]` and the teacher's, summed
/// and divided by the number of tokens of a batch of `total` samples: `[1]`, in `[0, 2]` for a
/// whole batch.
pub fn misalignment(tokens: Tensor<3>, teacher: Tensor<3>, total: usize) -> Tensor<1> {
    let [batch, count, _] = tokens.dims();
    let teacher = unit(teacher);
    let teacher = if tokens.is_autodiff() {
        teacher.autodiff()
    } else {
        teacher
    };
    let cosines = (unit(tokens) * teacher).sum();
    (cosines.neg() + (batch * count) as f32) / (total * count) as f32
}

/// Tokens normalised to unit length. Zero tokens are left unchanged: a patch in the border of a
/// photo that was zoomed out is grey all over, and a fresh network's token of it is exactly zero,
/// where the length has no gradient.
fn unit(x: Tensor<3>) -> Tensor<3> {
    let squares = x.clone().square().sum_dim(2);
    let none = squares.clone().lower_elem(LENGTH_FLOOR * LENGTH_FLOOR);
    x / squares.mask_fill(none, 1.0).sqrt()
}

/// The distribution of t in training. See "The leak" in the crate's documentation: with the photo
/// as the condition, only times near 0 teach the network to segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeDistribution {
    /// Uniform on `[0, 1)`.
    Uniform,
    /// The logistic function of a normally distributed number.
    LogitNormal,
    /// A power of a uniformly distributed number: exponents above 1 prefer early times.
    #[default]
    Power,
}

/// How t is drawn: a point mass at 0, and a distribution for the other samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeSampler {
    pub distribution: TimeDistribution,
    /// Share of samples with t = 0, in `[0, 1]`.
    pub zero: f64,
    /// Exponent of [`TimeDistribution::Power`].
    pub exponent: f64,
    /// Mean of [`TimeDistribution::LogitNormal`] before the logistic function.
    pub mean: f64,
    /// Standard deviation of [`TimeDistribution::LogitNormal`] before the logistic function.
    pub deviation: f64,
}

impl TimeSampler {
    /// One time in `[0, 1)`.
    pub(super) fn sample(&self, rng: &mut impl RngExt) -> f32 {
        // Both numbers are always drawn, so that the stream does not depend on the outcome.
        let (at_zero, u) = (rng.random::<f64>() < self.zero, rng.random::<f64>());
        let normal = f64::from(crate::random::normal(rng));
        if at_zero {
            return 0.0;
        }
        let t = match self.distribution {
            TimeDistribution::Uniform => u,
            TimeDistribution::Power => u.powf(self.exponent),
            TimeDistribution::LogitNormal => {
                1.0 / (1.0 + (-(self.mean + self.deviation * normal)).exp())
            }
        };
        (t as f32).clamp(0.0, 0.999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::interpolate;
    use crate::flow::tests::{image, time};
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;
    use rand::SeedableRng;

    proptest! {
        #[test]
        fn times_lie_in_the_unit_interval(seed in 0u64..50, zero in 0f64..1.0) {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            for distribution in
                [TimeDistribution::Uniform, TimeDistribution::Power, TimeDistribution::LogitNormal]
            {
                let sampler =
                    TimeSampler { distribution, zero, exponent: 3.0, mean: 0.0, deviation: 1.0 };
                for _ in 0..50 {
                    prop_assert!((0.0..1.0).contains(&sampler.sample(&mut rng)));
                }
            }
        }
    }

    #[test]
    fn ignored_pixels_do_not_count() {
        let centroids = Centroids::kronecker(4);
        let potential = Potential {
            operator: Default::default(),
            temperature: 1.0,
            epsilon: 1e-2,
        };
        let loss = Loss {
            objective: Objective::Reshaped,
            prediction: Prediction::Velocity,
            potential,
            centroids: &centroids,
        };
        let device = Device::flex();
        let labels = |v: Vec<i32>| Tensor::from_data(TensorData::new(v, [1, 1, 2]), &device);
        let batch = |second: f32| PathBatch {
            velocity: image(centroids.encode(&[2, u16::MAX])),
            state: image(vec![0.1, second, 0.2, second, 0.3, second]),
            t: time(0.0),
            labels: labels(vec![2, -1]),
            weights: Tensor::from_data(TensorData::new(vec![1f32, 0.0], [1, 1, 1, 2]), &device),
            total_weight: 1.0,
        };
        let velocity = |second: f32| image(vec![0.5, second, 0.5, second, 0.5, second]);
        let scalar = |x: Tensor<1>| x.into_scalar::<f32>();
        let a = scalar(loss.of_velocity(&batch(0.0), velocity(0.0)));
        let b = scalar(loss.of_velocity(&batch(0.7), velocity(-3.0)));
        assert_eq!(a, b);
        assert!(a > 0.0);
        // Without the mask they count, with grey as the target.
        let unmasked = |second: f32| PathBatch {
            weights: Tensor::ones([1, 1, 1, 2], &device),
            total_weight: 2.0,
            ..batch(second)
        };
        let a = scalar(loss.of_velocity(&unmasked(0.0), velocity(0.0)));
        let b = scalar(loss.of_velocity(&unmasked(0.0), velocity(-3.0)));
        assert!(b > a + 1.0, "{a} {b}");
    }

    #[test]
    fn the_potential_is_taken_at_the_predicted_target_itself() {
        let centroids = Centroids::kronecker(4);
        let loss = Loss {
            objective: Objective::Reshaped,
            prediction: Prediction::Target,
            potential: Potential {
                operator: Default::default(),
                temperature: 1.0,
                epsilon: 1e-2,
            },
            centroids: &centroids,
        };
        let x1 = centroids.encode(&[2]);
        let predicted = [0.4, -0.3, 0.2];
        for t in [0.5f32, 0.99] {
            let state = interpolate(image(vec![0.1; 3]), image(x1.clone()), time(t));
            let target = image(x1.clone());
            let batch = PathBatch {
                velocity: velocity_towards(target, state.clone(), time(t), REMAINING_FLOOR),
                state,
                t: time(t),
                labels: Tensor::from_data(TensorData::new(vec![2], [1, 1, 1]), &Device::flex()),
                weights: Tensor::ones([1, 1, 1, 1], &Device::flex()),
                total_weight: 1.0,
            };
            let found = loss.of_target(&batch, image(predicted.to_vec()));
            let at = predicted.map(f64::from);
            let gradient = loss.potential.at(at, centroids.points(), 2).gradient;
            let expected: f64 = (0..3)
                .map(|a| {
                    let (x1, state) = (
                        f64::from(x1[a]),
                        0.1 + f64::from(t) * (f64::from(x1[a]) - 0.1),
                    );
                    let remaining = f64::from((1.0 - t).max(REMAINING_FLOOR));
                    let velocity = |target: f64| (target - state) / remaining;
                    (velocity(at[a]) - (velocity(x1) - gradient[a])).powi(2) / 3.0
                })
                .sum();
            let found = f64::from(found.into_scalar::<f32>());
            assert!(
                (found / expected - 1.0).abs() < 1e-4,
                "t = {t}: {found} {expected}"
            );
        }
    }

    #[test]
    fn cross_entropy_is_that_of_the_labelled_pixels() {
        let device = Device::flex();
        let logits = [[1.0f32, 2.0, 0.5], [5.0, -1.0, 0.0]];
        let batch = PathBatch {
            velocity: image(vec![0.0; 6]),
            state: image(vec![0.0; 6]),
            t: time(0.0),
            labels: Tensor::from_data(TensorData::new(vec![1, -1], [1, 1, 2]), &device),
            weights: Tensor::from_data(TensorData::new(vec![1f32, 0.0], [1, 1, 1, 2]), &device),
            total_weight: 1.0,
        };
        // Two patches of one pixel.
        let data = TensorData::new(logits.concat(), [2, 1, 3]);
        let logits = Tensor::<3>::from_data(data, &device);
        let patches = Patches {
            size: [1, 2],
            side: 1,
        };
        let expected = (1f32.exp() + 2f32.exp() + 0.5f32.exp()).ln() - 2.0;
        let found = cross_entropy(&batch, logits, patches).into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}
