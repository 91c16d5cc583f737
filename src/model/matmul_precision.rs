//! The precision of matrix products.

use burn::tensor::{DType, Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

/// The number format of matrix products. Weights, sums, norms and the optimiser always use single
/// precision; a product in another format uses rounded copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulPrecision {
    /// IEEE single precision.
    #[default]
    Single,
    /// IEEE half precision: gradients need a loss scale, which the trainer adjusts.
    Half,
    /// bfloat16, with the range of single precision.
    Bfloat16,
}

impl MatmulPrecision {
    /// `a b`, with single-precision operands and result.
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

    /// Whether a device supports products in this precision.
    pub fn supported(self, device: &Device) -> bool {
        match self {
            MatmulPrecision::Single => true,
            MatmulPrecision::Half => device.supports_dtype(DType::F16),
            MatmulPrecision::Bfloat16 => device.supports_dtype(DType::BF16),
        }
    }
}
