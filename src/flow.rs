//! The flow from photo to mask: the path, its velocity and what a network may predict
//! (equations 1, 2 and 4).

use crate::encoding::Centroids;
use burn::tensor::{Int, Tensor, TensorData, s};
use serde::{Deserialize, Serialize};

/// Where the flow starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// From the photo: the deterministic flow of the paper.
    #[default]
    Image,
    /// From Gaussian noise, with the photo as a condition: the stochastic baseline.
    Noise,
}

/// The meaning of the network's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The velocity `v_theta`.
    #[default]
    Velocity,
    /// The target `x1_hat`.
    Target,
    /// One logit per class, from the photo alone: the discriminative twin. Its flow is one step to
    /// the centroid of the largest logit.
    Logits,
    /// One logit per class, from the photo, the state and the time: the posterior over the
    /// centroids at which a path through `x_t` may end. The flow heads for the most probable one.
    /// Variational flow matching (Eijkelboom et al., 2024, section 3) heads for the posterior's
    /// mean, but every path in training ends at a centroid, and with many classes the mean of two
    /// centroids may lie nearest to a third.
    Posterior,
}

impl Prediction {
    /// Whether the network has one output per class instead of one per channel of the state.
    pub fn has_class_outputs(self) -> bool {
        matches!(self, Prediction::Logits | Prediction::Posterior)
    }

    /// Whether the flow is a single straight step, however many are requested: a classifier's
    /// decision does not depend on the state.
    pub fn is_one_step(self) -> bool {
        self == Prediction::Logits
    }
}

/// The velocity that takes the state `x_t` to `target` in the remaining time `1 - t`, with
/// `t: [B, 1, 1, 1]`. The remaining time is clamped from below to `least` > 0.
pub fn velocity_towards(
    target: Tensor<4>,
    state: Tensor<4>,
    t: Tensor<4>,
    least: f32,
) -> Tensor<4> {
    (target - state) / (t.neg() + 1.0).clamp_min(least)
}

/// Photos `[B, 3, H, W]` as states of `channels` channels, 3 or more. The photo's three channels
/// are repeated until all are filled.
pub fn photo_state(photo: &Tensor<4>, channels: usize) -> Tensor<4> {
    let [_, colours, ..] = photo.dims();
    if channels == colours {
        return photo.clone();
    }
    let copies = vec![photo.clone(); channels.div_ceil(colours)];
    Tensor::cat(copies, 1).slice(s![.., 0..channels, .., ..])
}

/// The centroids `[B, d, H, W]` of class indices `[B, H, W]`; NaN for the number of classes, which stands
/// for no class.
pub fn centroid_image(classes: Tensor<3, Int>, centroids: &Centroids) -> Tensor<4> {
    let [batch, height, width] = classes.dims();
    let dims = centroids.dims();
    let mut points = centroids.flat_f32();
    points.resize(points.len() + dims, f32::NAN);
    let points = TensorData::new(points, [centroids.len() + 1, dims]);
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    /// A row of pixels in three channels.
    pub(crate) fn image(values: Vec<f32>) -> Tensor<4> {
        let width = values.len() / 3;
        Tensor::from_data(TensorData::new(values, [1, 3, 1, width]), &Device::flex())
    }

    pub(crate) fn time(t: f32) -> Tensor<4> {
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
            // A predicted target gives the same velocity as long as `1 - t` is not clamped.
            if t < 0.9 {
                let v = velocity_towards(x1.clone(), state, time(t), 0.05);
                for (x, y) in values(v).iter().zip(values(x1 - x0)) {
                    prop_assert!((x - y).abs() < 1e-4);
                }
            }
        }
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
