//! The linear layer, with products in a selectable precision.

use crate::kernels::{self, MatmulPrecision, PackedWeight};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// `y = x W + b` over the last axis, `W: [in, out]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`: the transpose of PyTorch's layout.
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    packed: PackedWeight,
}

impl Linear {
    /// A layer with `weight: [in, out]` and `bias: [out]`.
    pub(super) fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self {
            weight,
            bias,
            packed: PackedWeight::default(),
        }
    }

    /// `x: [.., in]` to `[.., out]`. All leading axes are folded into one product.
    pub fn forward<const R: usize>(&self, x: Tensor<R>, precision: MatmulPrecision) -> Tensor<R> {
        let mut shape = x.dims();
        let [from, to] = self.weight.dims();
        let rows = shape.iter().product::<usize>() / from;
        let (x, weight) = (x.reshape([rows, from]), self.weight.val());
        let bias = self.bias.as_ref().map(|bias| bias.val().unsqueeze());
        let y = kernels::linear(x, weight, bias, precision, Some(&self.packed));
        shape[R - 1] = to;
        y.reshape(shape)
    }
}
