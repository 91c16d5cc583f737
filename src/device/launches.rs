//! How many kernels run on GPUs.

use cubecl::logging::{LaunchObservation, LaunchObserver};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the kernels that this process starts, on all of its GPUs, from [`watch`](Self::watch) to
/// [`end`](Self::end). The processor has none.
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
    /// Begins to count. One count replaces another until it ends.
    pub fn watch() -> Self {
        let count = Arc::new(Count::default());
        Self {
            _watching: LaunchObservation::new(count.clone()),
            count,
        }
    }

    /// How many there were. Wait for the device before, which starts what has been put off.
    pub fn end(self) -> u64 {
        self.count.0.load(Ordering::Relaxed)
    }
}
