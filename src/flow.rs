//! The flow from image to mask: path, prediction kinds, times, and the training target
//! (equations 1 to 5, 12 and 13).

use crate::encoding::Centroids;
use crate::kernels;
use crate::patches::Patches;
use crate::potential::Potential;
use burn::tensor::{Int, Tensor, TensorData, s};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The least `1 - t` that a predicted target is divided by in training, where a smaller one would
/// magnify its error without bound. Sampling has a floor of its own, the length of a step.
pub const REMAINING_FLOOR: f32 = 0.05;

/// Where the path starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// At the photo: the deterministic flow of the paper.
    #[default]
    Image,
    /// At Gaussian noise, the photo being the condition: the stochastic baseline.
    Noise,
}

/// What the network's output means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The velocity `v_theta`.
    #[default]
    Velocity,
    /// The target `x1_hat`.
    Target,
    /// A logit for every class, from the photo alone: the discriminative twin. Its flow is one
    /// step to the centroid of the largest logit.
    Logits,
    /// A logit for every class, from the photo, the state and the time: the posterior over the
    /// centroids that a path through `x_t` may end at. The flow heads for the most probable one.
    /// Variational flow matching (Eijkelboom et al., 2024, section 3) heads for the posterior's
    /// mean; but the paths of training all end at centroids, and with many classes the mean of two
    /// lies nearest to a third.
    Posterior,
}

impl Prediction {
    /// Whether the network has an output for every class, not for every channel of the state.
    pub fn has_class_outputs(self) -> bool {
        matches!(self, Prediction::Logits | Prediction::Posterior)
    }

    /// Whether the flow is one straight step, whatever is asked for: a classifier's decision knows
    /// nothing of the state.
    pub fn is_one_step(self) -> bool {
        self == Prediction::Logits
    }
}

/// The velocity that reaches `target` in the rest of the time, from state `x_t` at times
/// `t: [B, 1, 1, 1]`. The rest counts as `least`, above 0, where it is shorter.
pub fn velocity_towards(
    target: Tensor<4>,
    state: Tensor<4>,
    t: Tensor<4>,
    least: f32,
) -> Tensor<4> {
    (target - state) / (t.neg() + 1.0).clamp_min(least)
}

/// Photos `[B, 3, H, W]` as states of `channels` channels, 3 or more: the first three are the photo,
/// and so are the next, over and over.
pub fn photo_state(photo: &Tensor<4>, channels: usize) -> Tensor<4> {
    let [_, colours, ..] = photo.dims();
    if channels == colours {
        return photo.clone();
    }
    let copies = vec![photo.clone(); channels.div_ceil(colours)];
    Tensor::cat(copies, 1).slice(s![.., 0..channels, .., ..])
}

/// The centroids of classes `[B, H, W]`: `[B, d, H, W]`.
pub fn centroid_image(classes: Tensor<3, Int>, centroids: &Centroids) -> Tensor<4> {
    let [batch, height, width] = classes.dims();
    let dims = centroids.dims();
    let points = TensorData::new(centroids.flat_f32(), [centroids.len(), dims]);
    let points = Tensor::<2>::from_data(points, &classes.device());
    let points = points.select(0, classes.reshape([batch * height * width]));
    let points = points.reshape([batch, height, width, dims]);
    crate::device::permute(points, [0, 3, 1, 2])
}

/// `x_t = (1 - t) x0 + t x1` (equation 1), `t: [B, 1, 1, 1]`.
pub fn interpolate(x0: Tensor<4>, x1: Tensor<4>, t: Tensor<4>) -> Tensor<4> {
    x0.clone() + (x1 - x0) * t
}

/// `x1_hat = x_t + (1 - t) v` (equation 4), `t: [B, 1, 1, 1]`.
pub fn predicted_target(state: Tensor<4>, velocity: Tensor<4>, t: Tensor<4>) -> Tensor<4> {
    state + velocity * (t.neg() + 1.0)
}

/// The distribution of t in training. See the crate's documentation of the leak: with the photo as
/// condition, only times near 0 teach the network to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeDistribution {
    /// Uniform on `[0, 1)`.
    Uniform,
    /// The logistic function of a normal number.
    LogitNormal,
    /// A power of a uniform number: above 1 it prefers early times.
    #[default]
    Power,
}

/// How t is drawn: a point mass at 0, and a distribution for the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeSampler {
    /// The distribution.
    pub distribution: TimeDistribution,
    /// Share of samples with t = 0, in `[0, 1]`.
    pub zero: f64,
    /// Exponent of [`TimeDistribution::Power`].
    pub exponent: f64,
    /// Mean of [`TimeDistribution::LogitNormal`] before the logistic function.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

impl TimeSampler {
    /// One time in `[0, 1)`.
    pub fn sample(&self, rng: &mut impl RngExt) -> f32 {
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
    /// No flow at all: the cross-entropy of class logits, the discriminative yardstick.
    CrossEntropy,
    /// Variational flow matching: the cross-entropy of the posterior over the centroids at every
    /// time of the path, see [`Prediction::Posterior`].
    Variational,
}

/// The loss `|v_theta - sg[target]|^2` (equation 13), averaged over channels and, by their
/// weight, pixels; zero where none counts.
pub struct Loss<'a> {
    /// The objective.
    pub objective: Objective,
    /// The potential of the reshaped objectives.
    pub potential: Potential,
    /// The class centroids.
    pub centroids: &'a Centroids,
}

/// A batch on its path.
pub struct PathBatch {
    /// `x0: [B, d, H, W]`
    pub source: Tensor<4>,
    /// `x1: [B, d, H, W]`
    pub target: Tensor<4>,
    /// `x_t: [B, d, H, W]`
    pub state: Tensor<4>,
    /// `t: [B, 1, 1, 1]`
    pub t: Tensor<4>,
    /// `[B, H, W]`, class indices; -1 for ignored pixels.
    pub labels: Tensor<3, Int>,
    /// `[B, 1, H, W]`, how much a pixel counts: 0 for ignored ones as a rule, 1 or its class's weight
    /// for the others.
    pub weights: Tensor<4>,
    /// What the sum is divided by: the weights of the whole batch, of which this may be a part.
    pub total_weight: f32,
}

impl Loss<'_> {
    /// The detached target `v~` where the network predicts `x1_hat: [B, d, H, W]`, itself or by its
    /// velocity (see [`predicted_target`]).
    pub fn target(&self, batch: &PathBatch, x1_hat: Tensor<4>) -> Tensor<4> {
        let v = batch.target.clone() - batch.source.clone();
        let correction = match self.objective {
            Objective::Vanilla | Objective::CrossEntropy | Objective::Variational => return v,
            Objective::Reshaped | Objective::Annealed => {
                let (x1_hat, labels) = (x1_hat.without_autodiff(), batch.labels.clone());
                kernels::potential_gradient(x1_hat, labels, self.centroids, self.potential)
            }
        };
        match self.objective {
            Objective::Annealed => v - correction * batch.t.clone(),
            _ => v - correction,
        }
    }

    /// The loss of a predicted velocity, a scalar `[1]`.
    pub fn of(&self, batch: &PathBatch, velocity: Tensor<4>) -> Tensor<1> {
        let untracked = velocity.clone().without_autodiff();
        let x1_hat = predicted_target(batch.state.clone(), untracked, batch.t.clone());
        self.against(batch, velocity, x1_hat)
    }

    /// The loss of a predicted target, a scalar `[1]`: that of the velocity towards it. The potential
    /// is taken at the target itself, which that velocity would not reach near t = 1, where the rest
    /// of the time has a [floor](REMAINING_FLOOR).
    pub fn of_target(&self, batch: &PathBatch, x1_hat: Tensor<4>) -> Tensor<1> {
        let (mut state, mut t) = (batch.state.clone(), batch.t.clone());
        if x1_hat.is_autodiff() {
            (state, t) = (state.autodiff(), t.autodiff());
        }
        let velocity = velocity_towards(x1_hat.clone(), state, t, REMAINING_FLOOR);
        self.against(batch, velocity, x1_hat)
    }

    fn against(&self, batch: &PathBatch, velocity: Tensor<4>, x1_hat: Tensor<4>) -> Tensor<1> {
        let mut target = self.target(batch, x1_hat);
        let mut weights = batch.weights.clone();
        if velocity.is_autodiff() {
            (target, weights) = (target.autodiff(), weights.autodiff());
        }
        let squares = (velocity - target).square() * weights;
        let channels = batch.state.dims()[1] as f32;
        squares.sum() / (channels * batch.total_weight).max(1.0)
    }

    /// The cross-entropy of logits in patches, `[B L, p p, N]`, a scalar `[1]`, averaged over the
    /// pixels by their weight.
    pub fn cross_entropy(batch: &PathBatch, logits: Tensor<3>, cut: Patches) -> Tensor<1> {
        let [patches, pixels, classes] = logits.dims();
        let mut labels = cut.cut_map(batch.labels.clone(), -1.0);
        let mut weights = cut.cut_map(batch.weights.clone().squeeze_dim(1), 0.0);
        if logits.is_autodiff() {
            (labels, weights) = (labels.autodiff(), weights.autodiff());
        }
        let sum = kernels::cross_entropy(
            logits.reshape([patches * pixels, classes]),
            labels.reshape([patches * pixels]),
            weights.reshape([patches * pixels]),
        );
        sum / batch.total_weight.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;
    use rand::SeedableRng;

    fn image(values: Vec<f32>) -> Tensor<4> {
        let width = values.len() / 3;
        Tensor::from_data(TensorData::new(values, [1, 3, 1, width]), &Device::flex())
    }

    fn time(t: f32) -> Tensor<4> {
        Tensor::from_data(TensorData::new(vec![t], [1, 1, 1, 1]), &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec::<f32>().unwrap()
    }

    proptest! {
        #[test]
        fn the_true_velocity_predicts_the_target(
            a in prop::collection::vec(-1f32..1.0, 6),
            b in prop::collection::vec(-1f32..1.0, 6),
            t in 0f32..0.99,
        ) {
            let (x0, x1) = (image(a), image(b.clone()));
            let state = interpolate(x0.clone(), x1.clone(), time(t));
            let found = values(predicted_target(state.clone(), x1.clone() - x0.clone(), time(t)));
            for (x, y) in found.iter().zip(&b) {
                prop_assert!((x - y).abs() < 1e-5);
            }
            // A predicted target becomes the same velocity, wherever the floor is not reached.
            if t < 0.9 {
                let v = velocity_towards(x1.clone(), state, time(t), REMAINING_FLOOR);
                for (x, y) in values(v).iter().zip(values(x1 - x0)) {
                    prop_assert!((x - y).abs() < 1e-4);
                }
            }
        }

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
            potential,
            centroids: &centroids,
        };
        let device = Device::flex();
        let labels = |v: Vec<i32>| Tensor::from_data(TensorData::new(v, [1, 1, 2]), &device);
        let batch = |second: f32| PathBatch {
            source: image(vec![0.0; 6]),
            target: image(centroids.encode(&[2, u16::MAX])),
            state: image(vec![0.1, second, 0.2, second, 0.3, second]),
            t: time(0.0),
            labels: labels(vec![2, -1]),
            weights: Tensor::from_data(TensorData::new(vec![1f32, 0.0], [1, 1, 1, 2]), &device),
            total_weight: 1.0,
        };
        let velocity = |second: f32| image(vec![0.5, second, 0.5, second, 0.5, second]);
        let scalar = |x: Tensor<1>| x.into_scalar::<f32>();
        let a = scalar(loss.of(&batch(0.0), velocity(0.0)));
        let b = scalar(loss.of(&batch(0.7), velocity(-3.0)));
        assert_eq!(a, b);
        assert!(a > 0.0);
        // Unmasked they are drawn to grey, and count.
        let unmasked = |second: f32| PathBatch {
            weights: Tensor::ones([1, 1, 1, 2], &device),
            total_weight: 2.0,
            ..batch(second)
        };
        let a = scalar(loss.of(&unmasked(0.0), velocity(0.0)));
        let b = scalar(loss.of(&unmasked(0.0), velocity(-3.0)));
        assert!(b > a + 1.0, "{a} {b}");
    }

    #[test]
    fn the_potential_is_taken_at_the_predicted_target_itself() {
        let centroids = Centroids::kronecker(4);
        let loss = Loss {
            objective: Objective::Reshaped,
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
            let batch = PathBatch {
                source: image(vec![0.1; 3]),
                target: image(x1.clone()),
                state: interpolate(image(vec![0.1; 3]), image(x1.clone()), time(t)),
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
                    let velocity = (at[a] - state) / f64::from((1.0 - t).max(REMAINING_FLOOR));
                    (velocity - (x1 - 0.1 - gradient[a])).powi(2) / 3.0
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
            source: image(vec![0.0; 6]),
            target: image(vec![0.0; 6]),
            state: image(vec![0.0; 6]),
            t: time(0.0),
            labels: Tensor::from_data(TensorData::new(vec![1, -1], [1, 1, 2]), &device),
            weights: Tensor::from_data(TensorData::new(vec![1f32, 0.0], [1, 1, 1, 2]), &device),
            total_weight: 1.0,
        };
        // Two patches of one pixel.
        let data = TensorData::new(logits.concat(), [2, 1, 3]);
        let logits = Tensor::<3>::from_data(data, &device);
        let cut = Patches {
            size: [1, 2],
            side: 1,
        };
        let expected = (1f32.exp() + 2f32.exp() + 0.5f32.exp()).ln() - 2.0;
        let found = Loss::cross_entropy(&batch, logits, cut).into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn a_step_towards_decided_classes_ends_at_their_centroids() {
        let centroids = Centroids::kronecker(3);
        let classes = TensorData::new(vec![1, 0], [1, 1, 2]);
        let classes = Tensor::<3, Int>::from_data(classes, &Device::flex());
        let target = centroid_image(classes, &centroids);
        for t in [0.0, 0.7] {
            let state = image(vec![0.5; 6]);
            let v = velocity_towards(target.clone(), state.clone(), time(t), 0.1);
            let end = values(predicted_target(state, v, time(t)));
            assert_eq!(centroids.decode(&end), [1, 0]);
            for (found, expected) in end.iter().zip(centroids.encode(&[1, 0])) {
                assert!((found - expected).abs() < 1e-6);
            }
        }
    }
}
