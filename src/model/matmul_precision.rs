//! The precision of matrix products.

use burn::tensor::{DType, Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers that matrix products are computed in. Weights, sums, norms and the optimiser are in
/// single precision whatever is chosen here; a half-precision product reads rounded copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulPrecision {
    /// IEEE single precision.
    #[default]
    Single,
    /// IEEE half precision: gradients need a loss scale, which the training loop keeps.
    Half,
    /// bfloat16: the range of single precision.
    Bfloat16,
}

impl MatmulPrecision {
    /// `a b`, single precision in and out.
    pub fn matmul<const R: usize>(self, a: Tensor<R>, b: Tensor<R>) -> Tensor<R> {
        let rounded = match self {
            MatmulPrecision::Single => return a.matmul(b),
            MatmulPrecision::Half => FloatDType::F16,
            MatmulPrecision::Bfloat16 => FloatDType::BF16,
        };
        a.cast(rounded)
            .matmul(b.cast(rounded))
            .cast(FloatDType::F32)
    }

    /// Whether a device multiplies in this precision.
    pub fn supported(self, device: &Device) -> bool {
        match self {
            MatmulPrecision::Single => true,
            MatmulPrecision::Half => device.supports_dtype(DType::F16),
            MatmulPrecision::Bfloat16 => device.supports_dtype(DType::BF16),
        }
    }
}
