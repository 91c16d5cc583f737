//! What only the operating system knows: the memory of graphics adapters and of this process.
//!
//! Each system has one file with the same items:
//! - `adapter_memory`: an adapter's own memory in bytes;
//! - `peak`: the most main memory that this process has had, in bytes. Device memory is not included.
//!
//! Both are `None` where nobody says.

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "linux",
    target_os = "android",
    windows
)))]
mod other;
#[cfg(any(target_os = "linux", target_os = "android", windows))]
mod vulkan;
#[cfg(windows)]
mod windows;

#[cfg(target_vendor = "apple")]
use apple as this;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as this;
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "linux",
    target_os = "android",
    windows
)))]
use other as this;
#[cfg(windows)]
use windows as this;

pub(super) use this::adapter_memory;
pub use this::peak;

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_at_least_what_was_filled() {
        let before = super::peak();
        let filled = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = super::peak();
        if cfg!(any(unix, windows)) {
            assert!(
                after >= before && after.unwrap() >= filled.len() as u64,
                "{after:?}"
            );
        }
    }
}
