//! Linux.

pub(crate) use super::vulkan::memory as adapter_memory;

/// The peak main memory of this process in bytes, if the system reports it; device memory is not
/// included.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}
