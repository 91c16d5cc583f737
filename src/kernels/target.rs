//! Which devices have which kernels.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Burn's name for a device, whether gradients are recorded on it or not.
pub(crate) fn backend_of(device: &Device) -> &DispatchDevice {
    match device.as_dispatch() {
        DispatchDevice::Autodiff(inner) => inner,
        other => other,
    }
}

/// Whether tensors of this device are handled by the fused CPU operations
/// ([`CpuOps`](super::CpuOps)).
pub fn on_cpu(device: &Device) -> bool {
    matches!(backend_of(device), DispatchDevice::Flex(_))
}

/// Whether the operations of [`FieldOps`](super::FieldOps) have a kernel for this device. A device
/// of another machine has none: its protocol knows Burn's own operations only.
pub fn has_field_kernels(device: &Device) -> bool {
    matches!(
        backend_of(device),
        DispatchDevice::Flex(_) | DispatchDevice::Cube(_)
    )
}
