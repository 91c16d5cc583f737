//! Whether a network's prediction follows the state that it is given (the leak, see the crate's front
//! page).
//!
//! For a mask, the state at time t is `(1 - t) x0 + t x1` (equation 1), x1 being the mask's centroid
//! image. A network that only looks at the photo predicts the same classes whatever mask is in the
//! state. One that solves for the mask returns it, even one that is wrong on purpose.

use crate::encoding::Centroids;
use crate::flow;
use crate::inference::Encoded;
use crate::labels::IGNORE;
use crate::model::Model;
use crate::model::tensors::read;
use burn::tensor::{Tensor, TensorData};

/// The times at which predictions are compared.
pub const TIMES: [f32; 10] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// The mask that is in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The network's own decision at t = 0.
    Own,
    /// The mirror image of its decision, which is wrong almost everywhere that a photo is not
    /// symmetric.
    Mirrored,
    /// The photo's labels.
    Truth,
}

impl Given {
    pub const ALL: [Self; 3] = [Self::Own, Self::Mirrored, Self::Truth];
}

/// The share of pixels, 0 to 1, whose predicted class is that of the mask in the state, at each of
/// [`TIMES`].
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    pub own: Vec<f32>,
    pub mirrored: Vec<f32>,
    /// `None` without a labelled pixel.
    pub truth: Option<Vec<f32>>,
}

impl Agreement {
    /// Measures a photo `[1, 3, H, W]` in [-1, 1] whose flow starts at `x0: [1, d, H, W]`, with the
    /// labels of its pixels, `[H, W]`, if they are known. `None` if `stop`, called before every
    /// evaluation of the network, returns true.
    pub fn of(
        model: &Model,
        photo: Tensor<4>,
        x0: Tensor<4>,
        labels: Option<&[u16]>,
        stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let [_, _, _, width] = photo.dims();
        let probe = Probe {
            model,
            centroids: model.centroids(),
            encoded: Encoded::by(model, photo),
            x0,
            stop,
        };
        let own = probe.predicted(probe.x0.clone(), 0.0)?;
        let rows = own.chunks_exact(width.max(1));
        let mirrored: Vec<u16> = rows.flat_map(|row| row.iter().rev().copied()).collect();
        let labelled = |labels: &&[u16]| labels.iter().any(|label| *label != IGNORE);
        Some(Self {
            own: probe.shares(&own)?,
            mirrored: probe.shares(&mirrored)?,
            truth: match labels.filter(labelled) {
                Some(labels) => Some(probe.shares(labels)?),
                None => None,
            },
        })
    }

    /// The shares for a given mask.
    pub fn shares(&self, given: Given) -> Option<&[f32]> {
        match given {
            Given::Own => Some(&self.own),
            Given::Mirrored => Some(&self.mirrored),
            Given::Truth => self.truth.as_deref(),
        }
    }
}

struct Probe<'a> {
    model: &'a Model,
    centroids: Centroids,
    encoded: Encoded,
    x0: Tensor<4>,
    stop: &'a dyn Fn() -> bool,
}

impl Probe<'_> {
    /// The class of every pixel's predicted target (equation 4) at the state `x` and time `t`.
    fn predicted(&self, x: Tensor<4>, t: f32) -> Option<Vec<u16>> {
        if (self.stop)() {
            return None;
        }
        let target = self.encoded.predicted_target(self.model, x, t);
        Some(self.centroids.decode(&read(target)))
    }

    /// The agreement with a mask at each of [`TIMES`].
    fn shares(&self, labels: &[u16]) -> Option<Vec<f32>> {
        let x1 = TensorData::new(self.centroids.encode(labels), self.x0.dims());
        let x1 = Tensor::<4>::from_data(x1, &self.x0.device());
        let share = |&t: &f32| {
            let time = TensorData::new(vec![t], [1, 1, 1, 1]);
            let time = Tensor::<4>::from_data(time, &self.x0.device());
            let x = flow::interpolate(self.x0.clone(), x1.clone(), time);
            Some(same(&self.predicted(x, t)?, labels))
        };
        TIMES.iter().map(share).collect()
    }
}

/// The share of the labelled pixels that have the same class in both maps.
fn same(found: &[u16], labels: &[u16]) -> f32 {
    let labelled = || {
        found
            .iter()
            .zip(labels)
            .filter(|(_, label)| **label != IGNORE)
    };
    let same = labelled().filter(|(found, label)| found == label).count();
    same as f32 / labelled().count().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Prediction;
    use crate::model::testing;
    use burn::tensor::Device;

    const SIZE: [usize; 2] = [4, 8];

    /// A model whose predicted target is a constant, whatever the photo and the state: its last layer
    /// starts at zero. It never follows the state.
    fn constant(target: [f32; 3]) -> Model {
        let model = testing::tiny(&["a", "b", "c"], SIZE, |card| {
            card.prediction = Prediction::Target;
        });
        testing::constant(model, &target)
    }

    /// A model that predicts velocity 0, so that its predicted target is the state itself: it copies
    /// the nearest class of the state.
    fn copying() -> Model {
        testing::tiny(&["a", "b", "c"], SIZE, |_| ())
    }

    fn photo() -> Tensor<4> {
        let [height, width] = SIZE;
        // Left half near the first centroid, right half near the second.
        let centroids = Centroids::kronecker(3);
        let labels: Vec<u16> = (0..height * width)
            .map(|i| u16::from(i % width >= width / 2))
            .collect();
        let x = TensorData::new(centroids.encode(&labels), [1, 3, height, width]);
        Tensor::from_data(x, &Device::flex())
    }

    #[test]
    fn a_network_that_ignores_the_state_agrees_only_where_it_is_right() {
        let target = Centroids::kronecker(3).points()[2].map(|v| v as f32);
        let model = constant(target);
        let labels: Vec<u16> = (0..32).map(|i| if i < 24 { 1 } else { 2 }).collect();
        let found = Agreement::of(&model, photo(), photo(), Some(&labels), &|| false).unwrap();
        // It always decides for class 2: its mirror image is the same, and a quarter of the labels.
        assert_eq!(found.own, vec![1.0; TIMES.len()]);
        assert_eq!(found.mirrored, vec![1.0; TIMES.len()]);
        assert_eq!(found.truth, Some(vec![0.25; TIMES.len()]));
    }

    #[test]
    fn a_network_that_copies_the_state_returns_even_a_wrong_mask() {
        let model = copying();
        let labels = [2; 32];
        let found = Agreement::of(&model, photo(), photo(), Some(&labels), &|| false).unwrap();
        assert_eq!(found.own, vec![1.0; TIMES.len()]);
        // At t = 0 it sees the photo alone, which has other classes; later, it returns the mask.
        for shares in [&found.mirrored, found.truth.as_ref().unwrap()] {
            assert_eq!(shares[0], 0.0);
            assert_eq!(shares[TIMES.len() - 1], 1.0);
            assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]));
        }
        let unlabelled = [IGNORE; 32];
        let found = Agreement::of(&model, photo(), photo(), Some(&unlabelled), &|| false);
        assert_eq!(found.unwrap().truth, None);
    }

    #[test]
    fn it_stops_between_two_evaluations() {
        let count = std::cell::Cell::new(0);
        let stop = || {
            count.set(count.get() + 1);
            count.get() > 3
        };
        assert_eq!(
            Agreement::of(&copying(), photo(), photo(), None, &stop),
            None
        );
        assert_eq!(count.get(), 4);
    }
}
