//! The trained modules, and the gradients of one part of a batch.

use super::batch::TrainBatch;
use super::config::Config;
use super::objective;
use super::repa::Projector;
use crate::encoding::Centroids;
use crate::model::network::Network;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Everything that has gradients: the network, and with REPA the projector.
#[derive(Module, Debug)]
pub(super) struct Trainee {
    pub network: Network,
    /// Maps the network's tokens to the teacher's.
    pub projector: Option<Projector>,
}

impl Trainee {
    /// The loss of a part, `[1]` and outside any graph, and the gradients of `loss * scale`.
    pub(super) fn gradients(
        &self,
        config: &Config,
        centroids: &Centroids,
        part: &TrainBatch,
        scale: &Tensor<1>,
    ) -> (Tensor<1>, GradientsParams) {
        let loss = self.loss(config, centroids, part);
        let scaled = loss.clone() * scale.clone().autodiff();
        let gradients = GradientsParams::from_grads(scaled.backward(), self);
        (loss.inner(), gradients)
    }

    /// The loss of a part, `[1]`: the objective's, plus the alignment's if there is a teacher.
    fn loss(&self, config: &Config, centroids: &Centroids, part: &TrainBatch) -> Tensor<1> {
        let mut aligned = None;
        let query = part.query();
        let outputs = self.network.forward_in_patches(query, |block, tokens| {
            if let Some(loss) = self.alignment(config, part, block, tokens) {
                aligned = Some(loss);
            }
        });
        let patches = self.network.config().patches(part.size());
        let loss = config.loss_of(centroids).of(&part.path, outputs, patches);
        match aligned {
            Some(aligned) => loss + aligned,
            None => loss,
        }
    }

    /// The weighted misalignment of a block's output `[B, L, D]`; `None` unless the block is the
    /// aligned one.
    pub(super) fn alignment(
        &self,
        config: &Config,
        part: &TrainBatch,
        block: usize,
        tokens: &Tensor<3>,
    ) -> Option<Tensor<1>> {
        let (Some(projector), Some(teacher)) = (&self.projector, &part.teacher) else {
            return None;
        };
        (block + 1 == config.repa.layer).then(|| {
            let projected = projector.forward(tokens.clone());
            objective::misalignment(projected, teacher.clone(), part.total) * config.repa.weight
        })
    }
}
