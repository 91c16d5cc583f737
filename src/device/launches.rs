//! Counts kernel launches on GPUs.

use cubecl::logging::{LaunchObservation, LaunchObserver};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the kernels that this process launches, on all of its GPUs, from [`watch`](Self::watch)
/// to [`end`](Self::end). The CPU has none.
pub struct Launches {
    count: Arc<Count>,
    _watching: LaunchObservation,
}

#[derive(Default)]
struct Count(AtomicU64);

impl LaunchObserver for Count {
    fn launched(&self, _kernel: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Launches {
    /// Starts counting. A new count replaces a running one.
    pub fn watch() -> Self {
        let count = Arc::new(Count::default());
        Self {
            _watching: LaunchObservation::new(count.clone()),
            count,
        }
    }

    /// The number of launches. Wait for the device first, which submits deferred work.
    pub fn end(self) -> u64 {
        self.count.0.load(Ordering::Relaxed)
    }
}
