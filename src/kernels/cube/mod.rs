//! The GPU kernels, written once for CubeCL.

mod launch;
mod neural_field;
mod potential;

use crate::kernels::MatmulPrecision;
use crate::kernels::ops::FieldOps;
use crate::potential::Potential;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;

impl FieldOps for CubeBackend {
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        _: MatmulPrecision,
    ) -> FloatTensor<Self> {
        neural_field::forward(z, weights, norm)
    }

    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        neural_field::backward(z, weights, norm, grad)
    }

    fn potential_gradient(
        x: FloatTensor<Self>,
        labels: IntTensor<Self>,
        centroids: FloatTensor<Self>,
        potential: Potential,
    ) -> FloatTensor<Self> {
        self::potential::gradient(x, labels, centroids, potential)
    }
}
