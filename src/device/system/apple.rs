//! macOS.

use burn::tensor::wgpu::wgpu;
use objc2_metal::MTLDevice;

/// What Metal recommends as the most memory for one program. On Apple's own chips it is a part of the
/// main memory, which the adapter shares.
pub(crate) fn adapter_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the device is only queried for a property, while the guard keeps it alive.
    let adapter = unsafe { adapter.as_hal::<wgpu::hal::api::Metal>() }?;
    Some(adapter.raw_device().recommendedMaxWorkingSetSize()).filter(|bytes| *bytes > 0)
}

/// The peak main memory of this process in bytes, if the system reports it; device memory is not
/// included.
pub fn peak() -> Option<u64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call only writes `usage`, which has its type; if it fails, the zeros remain.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    // In bytes here; Linux counts KiB.
    u64::try_from(usage.ru_maxrss)
        .ok()
        .filter(|bytes| *bytes > 0)
}
