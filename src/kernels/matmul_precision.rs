//! The precision of matrix products.

use super::cpu::bfloat16;
use crate::device::on_cpu;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number format of matrix products. Weights, sums, norms and the optimiser always use single
/// precision; a product in another format uses rounded copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulPrecision {
    /// 32 bits
    #[default]
    Single,
    /// 16 bits with a small range, which overflows easily
    Half,
    /// 16 bits with the range of single precision
    Bfloat16,
}

impl fmt::Display for MatmulPrecision {
    /// The name in settings and on the command line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Half => "half",
            Self::Bfloat16 => "bfloat16",
        })
    }
}

impl MatmulPrecision {
    /// `a b`, with single-precision operands and result. On the CPU bfloat16 is for
    /// [linear layers](super::linear), attention and the neural field only, and this product is in single precision.
    pub fn matmul<const R: usize>(self, a: Tensor<R>, b: Tensor<R>) -> Tensor<R> {
        let rounded = match self {
            MatmulPrecision::Single => return a.matmul(b),
            MatmulPrecision::Bfloat16 if on_cpu(&a.device()) => return a.matmul(b),
            MatmulPrecision::Half => FloatDType::F16,
            MatmulPrecision::Bfloat16 => FloatDType::BF16,
        };
        a.cast(rounded)
            .matmul(b.cast(rounded))
            .cast(FloatDType::F32)
    }

    /// Whether the CPU rounds the operands of a product with this many rows to bfloat16.
    pub(super) fn rounds(self, rows: usize) -> bool {
        self == Self::Bfloat16 && rows >= bfloat16::LEAST_ROWS
    }

    /// Whether a device supports products in this precision.
    pub fn supported(self, device: &Device) -> bool {
        match self {
            MatmulPrecision::Single => true,
            MatmulPrecision::Half => device.supports_dtype(DType::F16),
            MatmulPrecision::Bfloat16 => device.supports_dtype(DType::BF16),
        }
    }

    /// What to say to a person who chose this precision for a device that is not faster with it.
    pub fn caution(self, device: &Device) -> Option<String> {
        (self != Self::Single && !self.may_be_faster(device)).then(|| {
            format!(
                "this processor has no instructions for {self} products: single precision is faster"
            )
        })
    }

    /// Whether a device may take less time for products in this precision than for those in single
    /// precision: a processor needs instructions for it.
    pub fn may_be_faster(self, device: &Device) -> bool {
        match self {
            MatmulPrecision::Single => false,
            MatmulPrecision::Half => !on_cpu(device),
            MatmulPrecision::Bfloat16 => !on_cpu(device) || bfloat16::is_fast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn precisions_that_are_no_faster_are_named() {
        let device = Device::flex();
        assert_eq!(MatmulPrecision::Single.caution(&device), None);
        for &precision in MatmulPrecision::value_variants() {
            let name = precision.to_possible_value().unwrap();
            assert_eq!(precision.to_string(), name.get_name());
            if let Some(caution) = precision.caution(&device) {
                assert!(caution.contains(name.get_name()), "{caution}");
            }
        }
        assert!(MatmulPrecision::Half.caution(&device).is_some());
        let bfloat16 = MatmulPrecision::Bfloat16;
        assert_ne!(
            bfloat16.caution(&device).is_some(),
            bfloat16.may_be_faster(&device)
        );
    }
}
