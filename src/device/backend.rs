//! The backend of a device, and the kernels that it has.

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};

/// Burn's device, whether or not gradients are recorded on it.
pub(crate) fn backend_of(device: &Device) -> &DispatchDevice {
    match device.as_dispatch() {
        DispatchDevice::Autodiff(inner) => inner,
        other => other,
    }
}

/// Whether tensors of this device use the fused CPU operations of `kernels`.
pub fn on_cpu(device: &Device) -> bool {
    matches!(backend_of(device), DispatchDevice::Flex(_))
}

/// Whether the operations of `kernels::ops::FieldOps` have a kernel for this device. A remote
/// device has none: its protocol knows only Burn's own operations.
pub fn has_field_kernels(device: &Device) -> bool {
    matches!(
        backend_of(device),
        DispatchDevice::Flex(_) | DispatchDevice::Cube(_)
    )
}

/// `x` with its axes in another order: axis `i` of the result is axis `axes[i]` of `x`.
///
/// On remote devices this is done by swaps: Burn 0.22.1 records a permutation of floats as one of
/// integers (`float_permute` in burn-fusion's `ops/tensor.rs`), which is equivalent locally but
/// stops the server.
pub fn permute<const R: usize>(x: Tensor<R>, axes: [usize; R]) -> Tensor<R> {
    if has_field_kernels(&x.device()) {
        x.permute(axes)
    } else {
        permute_by_swaps(x, axes)
    }
}

/// [`permute`], two axes at a time.
pub(crate) fn permute_by_swaps<const R: usize>(mut x: Tensor<R>, axes: [usize; R]) -> Tensor<R> {
    let mut order: [usize; R] = std::array::from_fn(|axis| axis);
    for (place, axis) in axes.into_iter().enumerate() {
        if let Some(from) = (place + 1..R).find(|&i| order[i] == axis) {
            x = x.swap_dims(place, from);
            order.swap(place, from);
        }
    }
    x
}
