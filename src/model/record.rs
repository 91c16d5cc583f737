//! Recording of intermediate values during a forward pass.

use burn::tensor::Tensor;

/// A block of the network, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Of the image encoder, whose tokens are a class token, registers and then one token per patch.
    Encoder(usize),
    /// Of the transformer, with one token per patch.
    Transformer(usize),
}

/// Receives intermediate values of a forward pass, block by block. The methods do nothing unless they
/// are overridden, so that a pass that records nothing costs nothing.
pub trait Recorder {
    /// The queries, keys and values of a block's attention, `[B, L, 3 W]`.
    fn attention(&mut self, _layer: Layer, _qkv: &Tensor<3>) {}

    /// The output tokens of a block, `[B, L, W]`.
    fn tokens(&mut self, _layer: Layer, _tokens: &Tensor<3>) {}
}

/// Records nothing.
pub(super) struct Unrecorded;

impl Recorder for Unrecorded {}

/// Passes the index and the output tokens of each transformer block to a function.
pub(super) struct BlockTokens<F>(pub(super) F);

impl<F: FnMut(usize, &Tensor<3>)> Recorder for BlockTokens<F> {
    fn tokens(&mut self, layer: Layer, tokens: &Tensor<3>) {
        if let Layer::Transformer(index) = layer {
            (self.0)(index, tokens);
        }
    }
}
