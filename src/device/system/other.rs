//! Other systems, such as a browser.

use burn::tensor::wgpu::wgpu;

pub(crate) fn adapter_memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The peak main memory of this process.
pub fn peak() -> Option<u64> {
    None
}
