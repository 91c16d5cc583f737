//! Windows.

use super::vulkan;
use burn::tensor::wgpu::wgpu;
use windows_sys::Win32::System::ProcessStatus::{GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

pub(crate) fn adapter_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    vulkan::memory(adapter).or_else(|| direct3d(adapter))
}

/// What Direct3D 12 says: an adapter's own memory, or for one without any worth mentioning the part of the
/// main memory that it may use.
fn direct3d(adapter: &wgpu::Adapter) -> Option<u64> {
    let device_type = adapter.get_info().device_type;
    // SAFETY: the adapter is only queried for its description, while the guard keeps it alive.
    let described = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Dx12>()?;
        adapter.raw_adapter().GetDesc2().ok()?
    };
    let own = described.DedicatedVideoMemory;
    let bytes = match device_type {
        wgpu::DeviceType::DiscreteGpu => own,
        _ => own.max(described.SharedSystemMemory),
    };
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

/// The peak main memory of this process in bytes, if the system reports it; device memory is not
/// included.
pub fn peak() -> Option<u64> {
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    // SAFETY: the pseudo-handle of this process is always valid, and `counters` has the announced size.
    let known = unsafe { GetProcessMemoryInfo(GetCurrentProcess(), &mut counters, size) } != 0;
    u64::try_from(counters.PeakWorkingSetSize)
        .ok()
        .filter(|_| known)
}
