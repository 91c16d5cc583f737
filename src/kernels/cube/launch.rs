//! Helpers for launching GPU kernels: outputs and grids, and shared arithmetic.

use burn::tensor::{DType, Shape};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

const UNITS: u32 = 64;

/// The larger of `x` and `low`; NaN if `x` is NaN, which a GPU's `max` may turn into `low`: an output that is wrong
/// must not look right.
#[cube]
pub(super) fn clamp_min(x: f32, low: f32) -> f32 {
    select(x < low, low, x)
}

/// An uninitialised single-precision tensor on the same device as `reference`.
pub(super) fn like(reference: &CubeTensor, shape: Shape) -> CubeTensor {
    let (client, device) = (reference.client.clone(), reference.device.clone());
    empty_device_contiguous_dtype(client, device, shape, DType::F32)
}

/// A grid of groups, each [`UNITS`] wide, that covers `units`. It is folded into two dimensions
/// because one dimension holds at most 65,535 groups.
pub(super) fn grid(units: usize) -> (CubeCount, CubeDim) {
    let groups = (units as u32).div_ceil(UNITS).max(1);
    let across = groups.min(32_768);
    (
        CubeCount::Static(across, groups.div_ceil(across), 1),
        CubeDim::new_1d(UNITS),
    )
}
