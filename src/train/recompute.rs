//! Gradient checkpointing: only the tokens between the transformer's blocks are kept, and each
//! block is recomputed in the backward pass (Chen et al., "Training Deep Nets with Sublinear Memory
//! Cost"). Burn's own gradient checkpointing recomputes only element-wise operations, while nearly
//! all activations here are inputs of products and of the project's own operations.

use super::batch::TrainBatch;
use super::config::Config;
use super::trainee::Trainee;
use crate::encoding::Centroids;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

/// The same as [`Trainee::gradients`] up to the order of sums.
pub(super) fn gradients(
    trainee: &Trainee,
    config: &Config,
    centroids: &Centroids,
    part: &TrainBatch,
    scale: &Tensor<1>,
) -> (Tensor<1>, GradientsParams) {
    let network = &trainee.network;
    let mut found = GradientsAccumulator::new();
    let scale = scale.clone().autodiff();

    // Forward: the embeddings in a small graph of their own, the blocks in none.
    let evaluation = network.begin(part.query());
    let time = evaluation.time.clone().inner();
    let condition = evaluation.condition.clone().inner();
    let untracked = network.valid();
    let context = untracked.block_context(evaluation.cut.grid(), &untracked.device());
    let mut inputs = vec![evaluation.tokens.clone().inner()];
    for block in &untracked.blocks {
        let tokens = inputs[inputs.len() - 1].clone();
        inputs.push(block.forward(tokens, &condition, &context));
    }
    drop(untracked);
    let leaf = |x: Tensor<3>| x.autodiff().require_grad();
    let gradient = |leaf: &Tensor<3>, of: &_| leaf.grad(of).unwrap_or_else(|| zeros(leaf));

    // Backward through the neural field.
    let (last, at) = (
        leaf(inputs.pop().unwrap_or_else(|| time.clone())),
        leaf(time),
    );
    let outputs = network.finish(&evaluation, at.clone(), last.clone());
    let loss = config.loss_of(centroids);
    let loss = loss.of(&part.path, outputs, evaluation.cut);
    let mut total = loss.clone().inner();
    let gradients = (loss * scale.clone()).backward();
    let (mut of_tokens, of_time) = (gradient(&last, &gradients), gradient(&at, &gradients));
    found.accumulate(trainee, GradientsParams::from_grads(gradients, trainee));

    // Backward through the blocks, from last to first.
    let mut of_condition = condition.zeros_like();
    for (index, input) in inputs.into_iter().enumerate().rev() {
        let (tokens, under) = (leaf(input), leaf(condition.clone()));
        let output = network.blocks[index].forward(tokens.clone(), &under, &evaluation.context);
        let mut surrogate = (output.clone() * of_tokens.autodiff()).sum();
        if let Some(aligned) = trainee.alignment(config, part, index, &output) {
            total = total + aligned.clone().inner();
            surrogate = surrogate + aligned * scale.clone();
        }
        let gradients = surrogate.backward();
        of_tokens = gradient(&tokens, &gradients);
        of_condition = of_condition + gradient(&under, &gradients);
        found.accumulate(trainee, GradientsParams::from_grads(gradients, trainee));
    }

    // Backward through the embeddings.
    let surrogate = (evaluation.tokens * of_tokens.autodiff()).sum()
        + (evaluation.time * of_time.autodiff()).sum()
        + (evaluation.condition * of_condition.autodiff()).sum();
    let gradients = GradientsParams::from_grads(surrogate.backward(), trainee);
    found.accumulate(trainee, gradients);
    (total, found.grads())
}

fn zeros(like: &Tensor<3>) -> Tensor<3> {
    like.clone().inner().zeros_like()
}
