//! How many pixels of photos are worked on at once: small photos overlap, the largest come one by one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::prelude::*;

/// Pixels that are worked on at once. A photo of more is worked on alone.
const PIXELS: u64 = 100_000_000;
/// Samples of which the pixels are looked up at once.
const LOOKED_UP: usize = 256;
/// How often a photo that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// What is left of the pixels.
#[derive(Default)]
pub(crate) struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Pixels of the photos that are worked on.
    used: u64,
    /// The tickets of the photos that wait, in the order in which they asked.
    waiting: VecDeque<u64>,
    /// The ticket of the next photo.
    next: u64,
}

impl State {
    /// A ticket at the end of those that wait.
    fn ticket(&mut self) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.waiting.push_back(ticket);
        ticket
    }

    /// Takes so many pixels if it is this ticket's turn and they have room.
    fn take(&mut self, ticket: u64, pixels: u64) -> bool {
        let room = self.used == 0 || self.used + pixels <= PIXELS;
        let taken = room && self.waiting.front() == Some(&ticket);
        if taken {
            self.waiting.pop_front();
            self.used += pixels;
        }
        taken
    }
}

/// A photo that may be worked on, until this is dropped.
pub(crate) struct Admitted<'a> {
    budget: &'a Budget,
    pixels: u64,
}

impl Budget {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a photo of so many pixels has room. Photos are admitted in the order in which they
    /// ask: small ones would else keep a large one waiting for ever.
    pub(crate) fn admit(&self, pixels: u64) -> Admitted<'_> {
        let mut state = self.lock();
        let ticket = state.ticket();
        while !state.take(ticket, pixels) {
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        self.admitted(pixels)
    }

    /// [`admit`](Self::admit) for a photo that may no longer be wanted while it waits: `None` once
    /// `unwanted` says so.
    pub(crate) fn admit_unless(
        &self,
        pixels: u64,
        unwanted: &dyn Fn() -> bool,
    ) -> Option<Admitted<'_>> {
        let mut state = self.lock();
        let ticket = state.ticket();
        while !state.take(ticket, pixels) {
            if unwanted() {
                state.waiting.retain(|other| *other != ticket);
                self.changed.notify_all();
                return None;
            }
            let woken = self.changed.wait_timeout(state, LOOK);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(self.admitted(pixels))
    }

    /// The next photo may have room as well.
    fn admitted(&self, pixels: u64) -> Admitted<'_> {
        self.changed.notify_all();
        Admitted {
            budget: self,
            pixels,
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.budget.lock().used -= self.pixels;
        self.budget.changed.notify_all();
    }
}

/// Divides samples, in order, into groups that are decoded together: of up to `most` samples, and of as many pixels as are
/// worked on at once, or of one sample with more. For work on rayon's threads: one that waits for [`Budget`] there could
/// wait for itself, since decoders share these threads. `pixels`, which may read a file, is asked only shortly before a
/// group is needed.
pub(super) fn groups(
    len: usize,
    most: usize,
    pixels: impl Fn(usize) -> u64 + Sync + Send,
) -> impl Iterator<Item = Range<usize>> {
    // The pixels of the samples from `first` on.
    let (mut first, mut sizes) = (0, VecDeque::new());
    std::iter::from_fn(move || {
        let (mut at, mut used) = (first, 0_u64);
        while at < len {
            if at - first == sizes.len() {
                let next = at..len.min(at + LOOKED_UP);
                sizes.par_extend(next.into_par_iter().map(&pixels));
            }
            let with_this = used.saturating_add(sizes[at - first]);
            let is_full = at - first >= most || with_this > PIXELS;
            if is_full && at > first {
                break;
            }
            (at, used) = (at + 1, with_this);
        }
        sizes.drain(..at - first);
        let group = first..at;
        first = at;
        (!group.is_empty()).then_some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn groups_have_room_together() {
        let sizes = [PIXELS / 2, PIXELS / 2, 1, 2 * PIXELS, u64::MAX, 0, 1, 1, 1];
        let of = |most: usize| groups(sizes.len(), most, |at| sizes[at]).collect::<Vec<_>>();
        assert_eq!(of(usize::MAX), [0..2, 2..3, 3..4, 4..5, 5..9]);
        assert_eq!(of(2), [0..2, 2..3, 3..4, 4..5, 5..7, 7..9]);
        assert_eq!(of(0).len(), sizes.len());
        assert_eq!(groups(0, 2, |_| 1).next(), None);
    }

    #[test]
    fn pixels_are_looked_up_when_a_group_needs_them() {
        let asked = AtomicU64::new(0);
        let pixels = |_: usize| {
            asked.fetch_add(1, Ordering::SeqCst);
            1
        };
        let len = 10 * LOOKED_UP;
        let mut groups = groups(len, 3, pixels);
        assert_eq!(groups.next(), Some(0..3));
        assert_eq!(asked.load(Ordering::SeqCst), LOOKED_UP as u64);
        let all: Vec<usize> = groups.flatten().collect();
        assert_eq!(all, (3..len).collect::<Vec<_>>());
        assert_eq!(asked.load(Ordering::SeqCst), len as u64);
    }

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
        assert_eq!(budget.lock().used, 0);
    }

    #[test]
    fn small_photos_do_not_overtake_a_large_one() {
        let budget = Budget::default();
        let order = Mutex::new(Vec::new());
        let first = budget.admit(PIXELS / 2);
        std::thread::scope(|scope| {
            for (waiting, pixels) in [(1, 2 * PIXELS), (2, 1), (3, 2)] {
                let (budget, order) = (&budget, &order);
                scope.spawn(move || {
                    let admitted = budget.admit(pixels);
                    order.lock().unwrap().push(pixels);
                    drop(admitted);
                });
                while budget.lock().waiting.len() < waiting {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(order.lock().unwrap().is_empty());
            drop(first);
        });
        // The two small ones overlap.
        let order = order.into_inner().unwrap();
        assert_eq!((order[0], order.len()), (2 * PIXELS, 3));
    }

    #[test]
    fn a_photo_that_is_not_wanted_any_more_leaves_the_queue() {
        let budget = Budget::default();
        let first = budget.admit(PIXELS);
        assert!(budget.admit_unless(1, &|| true).is_none());
        assert!(budget.lock().waiting.is_empty());
        drop(first);
        // One that has room at once is not asked.
        assert!(budget.admit_unless(2 * PIXELS, &|| true).is_some());
        assert_eq!(budget.lock().used, 0);
    }
}
