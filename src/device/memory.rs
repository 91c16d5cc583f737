//! What a device has in memory.

use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::Device;
use std::sync::OnceLock;

/// The memory of the graphics adapter that was opened first. A second one of this process is taken
/// to have as much.
static OPENED: OnceLock<u64> = OnceLock::new();

/// Keeps in mind what the adapter that is being opened has.
pub(super) fn opened(bytes: u64) {
    let _ = OPENED.set(bytes);
}

/// Memory in bytes that a device can give: what the system has left for the processor, and what an
/// adapter has in all, where its interface says. What another machine has is not known.
pub fn memory(device: &Device) -> Option<u64> {
    match super::backend_of(device) {
        DispatchDevice::Flex(_) => system(),
        DispatchDevice::Cube(CubeDevice::Wgpu(_)) => OPENED.get().copied(),
        _ => None,
    }
}

fn system() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    // A control group counts files that the system keeps in memory as used; they give way.
    let group = system.cgroup_limits();
    let group = group.map(|limits| limits.total_memory.saturating_sub(limits.rss));
    Some(group.map_or(free, |group| group.min(free))).filter(|bytes| *bytes > 0)
}

/// The most memory in bytes that this process has had at once, where the system tells: device
/// memory is not in it.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}
