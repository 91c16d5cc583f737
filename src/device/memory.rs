//! The memory of devices.

use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::Device;
use std::sync::{Mutex, PoisonError};

/// The opened devices of graphics adapters that report their memory, with its bytes.
static OPENED: Mutex<Vec<(CubeDevice, u64)>> = Mutex::new(Vec::new());

/// Stores the memory of an adapter on which a device was opened.
pub(super) fn opened(device: &Device, bytes: u64) {
    if let DispatchDevice::Cube(device) = super::backend_of(device) {
        remember(device.clone(), bytes);
    }
}

fn remember(device: CubeDevice, bytes: u64) {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    // A device that is opened again takes the place of the earlier one.
    opened.retain(|(known, _)| *known != device);
    opened.push((device, bytes));
}

/// Memory in bytes that a device can provide: what is available in main memory for the CPU, and a
/// GPU's total if its API reports it. `None` for remote devices.
pub fn memory(device: &Device) -> Option<u64> {
    match super::backend_of(device) {
        DispatchDevice::Flex(_) => system(),
        DispatchDevice::Cube(device @ CubeDevice::Cuda(_)) => {
            device.client().properties().memory.max_memory()
        }
        DispatchDevice::Cube(device) => of_opened(device),
        _ => None,
    }
}

fn of_opened(device: &CubeDevice) -> Option<u64> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = opened.iter().filter(|(known, _)| known == device);
    found.next().map(|(_, bytes)| *bytes)
}

/// A page is not told.
#[cfg(target_arch = "wasm32")]
fn system() -> Option<u64> {
    None
}

#[cfg(not(target_arch = "wasm32"))]
fn system() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    // A control group counts the page cache as used, but it can be reclaimed.
    let group = system.cgroup_limits();
    let group = group.map(|limits| limits.total_memory.saturating_sub(limits.rss));
    Some(group.map_or(free, |group| group.min(free))).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cubecl::device::{WgpuDevice, WgpuDeviceKind};

    #[test]
    fn every_adapter_has_its_own_memory() {
        // The program's own devices are of another kind.
        let device = |number| CubeDevice::Wgpu(WgpuDevice::new(WgpuDeviceKind::Other(number)));
        remember(device(901), 24 << 30);
        remember(device(902), 8 << 30);
        assert_eq!(of_opened(&device(901)), Some(24 << 30));
        assert_eq!(of_opened(&device(902)), Some(8 << 30));
        assert_eq!(of_opened(&device(903)), None);
        remember(device(902), 16 << 30);
        assert_eq!(of_opened(&device(902)), Some(16 << 30));
    }
}
