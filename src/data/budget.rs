//! How many pixels of photos are worked on at once: small photos overlap, the largest come one by one.

use std::sync::{Condvar, Mutex, PoisonError};

/// Pixels that are worked on at once. A photo of more is worked on alone.
const PIXELS: u64 = 100_000_000;

/// What is left of the pixels.
#[derive(Default)]
pub(crate) struct Budget {
    used: Mutex<u64>,
    freed: Condvar,
}

/// A photo that may be worked on, until this is dropped.
pub(crate) struct Admitted<'a> {
    budget: &'a Budget,
    pixels: u64,
}

impl Budget {
    /// Waits until a photo of so many pixels has room.
    pub(crate) fn admit(&self, pixels: u64) -> Admitted<'_> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut u64| *used > 0 && *used + pixels > PIXELS;
        let used = self.freed.wait_while(used, full);
        *used.unwrap_or_else(PoisonError::into_inner) += pixels;
        Admitted {
            budget: self,
            pixels,
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let used = self.budget.used.lock();
        *used.unwrap_or_else(PoisonError::into_inner) -= self.pixels;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn large_photos_come_one_by_one() {
        let budget = Budget::default();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for at in 0..8 {
                let (budget, now, most) = (&budget, &now, &most);
                scope.spawn(move || {
                    let pixels = if at % 2 == 0 { 2 * PIXELS } else { PIXELS / 3 };
                    for _ in 0..20 {
                        let admitted = budget.admit(pixels);
                        let used = now.fetch_add(pixels, Ordering::SeqCst) + pixels;
                        most.fetch_max(used, Ordering::SeqCst);
                        assert!(used <= PIXELS || used == 2 * PIXELS, "{used}");
                        now.fetch_sub(pixels, Ordering::SeqCst);
                        drop(admitted);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 2 * PIXELS);
        assert_eq!(*budget.used.lock().unwrap(), 0);
    }
}
