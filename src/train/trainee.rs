//! What is trained, and the gradients of one part of a batch.

use super::config::Config;
use super::repa::{self, Projector};
use crate::encoding::Centroids;
use crate::flow::{Loss, PathBatch, Prediction};
use crate::model::network::{Network, Query};
use crate::patches::Patches;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, s};
use std::ops::Range;

/// Everything that has gradients: the network, and with REPA the projector.
#[derive(Module, Debug)]
pub struct Trainee {
    /// The network.
    pub network: Network,
    /// From its tokens to the teacher's.
    pub projector: Option<Projector>,
}

/// A batch, or a part of one, ready for the network. All tensors are outside any graph.
pub struct Part {
    /// The photos, `[B, 3, H, W]`.
    pub image: Tensor<4>,
    /// The batch on its path.
    pub path: PathBatch,
    /// The time of every entry, `[B]`.
    pub times: Vec<f32>,
    /// The teacher's tokens on the network's grid, `[B, L, width]`.
    pub teacher: Option<Tensor<3>>,
    /// Entries of the whole batch.
    pub whole: usize,
}

impl Part {
    /// `[height, width]` of its photos.
    pub(super) fn size(&self) -> [usize; 2] {
        let [_, _, height, width] = self.image.dims();
        [height, width]
    }

    /// What the network is asked, in a graph. An encoder that is not trained stays out of it.
    pub(super) fn query(&self, config: &Config, network: &Network) -> Query {
        let frozen = network.encoder.is_some() && config.model.encoder_rate == 0.0;
        let features = frozen
            .then(|| network.valid().encode(&self.image))
            .flatten();
        Query {
            state: self.path.state.clone().autodiff(),
            times: self.times.clone(),
            image: Some(self.image.clone().autodiff()),
            features: features.map(Tensor::autodiff),
            classes: None,
        }
    }

    /// Some entries of it. Their losses are shares of the whole batch's: they add up.
    pub fn narrow(&self, range: Range<usize>) -> Part {
        let four = |x: &Tensor<4>| x.clone().slice(s![range.clone(), .., .., ..]);
        let path = &self.path;
        Part {
            image: four(&self.image),
            path: PathBatch {
                source: four(&path.source),
                target: four(&path.target),
                state: four(&path.state),
                t: four(&path.t),
                labels: path.labels.clone().slice(s![range.clone(), .., ..]),
                weights: four(&path.weights),
                total_weight: path.total_weight,
            },
            times: self.times[range.clone()].to_vec(),
            teacher: self
                .teacher
                .as_ref()
                .map(|tokens| tokens.clone().slice(s![range.clone(), .., ..])),
            whole: self.whole,
        }
    }
}

impl Trainee {
    /// The loss of a part, `[1]` and outside any graph, and the gradients of `loss * scale`.
    pub fn gradients(
        &self,
        config: &Config,
        centroids: &Centroids,
        part: &Part,
        scale: &Tensor<1>,
    ) -> (Tensor<1>, GradientsParams) {
        let loss = self.loss(config, centroids, part);
        let scaled = loss.clone() * scale.clone().autodiff();
        let gradients = GradientsParams::from_grads(scaled.backward(), self);
        (loss.inner(), gradients)
    }

    /// The loss of a part, `[1]`: the objective's, and the alignment's where there is a teacher.
    fn loss(&self, config: &Config, centroids: &Centroids, part: &Part) -> Tensor<1> {
        let mut aligned = None;
        let query = part.query(config, &self.network);
        let outputs = self.network.forward_in_patches(query, |block, tokens| {
            if let Some(loss) = self.alignment(config, part, block, tokens) {
                aligned = Some(loss);
            }
        });
        let cut = self.network.config().patches(part.size());
        let loss = objective_loss(config, centroids, &part.path, outputs, cut);
        match aligned {
            Some(aligned) => loss + aligned,
            None => loss,
        }
    }

    /// The weighted misalignment of a block's output `[B, L, D]`, where it is the aligned one.
    pub(super) fn alignment(
        &self,
        config: &Config,
        part: &Part,
        block: usize,
        tokens: &Tensor<3>,
    ) -> Option<Tensor<1>> {
        let (Some(projector), Some(teacher)) = (&self.projector, &part.teacher) else {
            return None;
        };
        (block + 1 == config.repa.layer).then(|| {
            let projected = projector.forward(tokens.clone());
            repa::misalignment(projected, teacher.clone(), part.whole) * config.repa.weight
        })
    }
}

/// The loss of a network's outputs in patches, `[B L, p p, outputs]`, by the configured objective.
pub fn objective_loss(
    config: &Config,
    centroids: &Centroids,
    path: &PathBatch,
    outputs: Tensor<3>,
    cut: Patches,
) -> Tensor<1> {
    let loss = Loss {
        objective: config.loss.objective,
        potential: config.potential(),
        centroids,
    };
    match config.prediction() {
        Prediction::Logits | Prediction::Posterior => Loss::cross_entropy(path, outputs, cut),
        Prediction::Velocity => loss.of(path, cut.image(outputs)),
        Prediction::Target => loss.of_target(path, cut.image(outputs)),
    }
}
