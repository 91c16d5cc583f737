//! The memory of devices.

use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::Device;
use std::sync::OnceLock;

/// The memory of the graphics adapter that was opened first. A second one in this process is
/// assumed to have as much.
static OPENED: OnceLock<u64> = OnceLock::new();

/// Stores the memory of the adapter that is being opened.
pub(super) fn opened(bytes: u64) {
    let _ = OPENED.set(bytes);
}

/// Memory in bytes that a device can provide: what is available in main memory for the CPU, and an
/// adapter's total if its API reports it. `None` for remote devices.
pub fn memory(device: &Device) -> Option<u64> {
    match super::backend_of(device) {
        DispatchDevice::Flex(_) => system(),
        DispatchDevice::Cube(CubeDevice::Wgpu(_)) => OPENED.get().copied(),
        _ => None,
    }
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
