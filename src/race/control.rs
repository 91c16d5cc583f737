//! How a running race is steered from another thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest time without a look at `stop`.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// The requests of the person who watches.
#[derive(Debug, Default)]
struct Requests {
    stop: bool,
    paused: bool,
    /// Single steps to take while paused.
    single: u64,
    /// Training steps per second at most; `None` for as fast as possible.
    pace: Option<f32>,
}

#[derive(Debug, Default)]
pub(super) struct Control {
    requests: Mutex<Requests>,
    changed: Condvar,
    /// Training steps that have been started.
    steps: AtomicU64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A training step, after which both sides are measured if `single`.
    Step {
        single: bool,
    },
    /// The race pauses: its clock stops, and both sides are measured where they are; then ask again.
    Rest,
    Stop,
}

impl Control {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut self.requests());
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.change(|requests| requests.stop = true);
    }

    pub(super) fn stopped(&self) -> bool {
        self.requests().stop
    }

    pub(super) fn pause(&self, paused: bool) {
        self.change(|requests| {
            requests.paused = paused;
            requests.single = 0;
        });
    }

    pub(super) fn paused(&self) -> bool {
        self.requests().paused
    }

    pub(super) fn single_step(&self) {
        self.change(|requests| {
            requests.paused = true;
            requests.single = (requests.single + 1).min(8);
        });
    }

    pub(super) fn set_pace(&self, pace: Option<f32>) {
        self.change(|requests| requests.pace = pace);
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    pub(super) fn count_step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until something is to be done. `resting` says that since the last step, which began at
    /// `last`, both sides have been measured and the clock has stopped.
    pub(super) fn next(&self, resting: bool, last: Instant) -> Next {
        let mut requests = self.requests();
        loop {
            if requests.stop {
                return Next::Stop;
            }
            let wait = if requests.paused && requests.single > 0 {
                requests.single -= 1;
                return Next::Step { single: true };
            } else if requests.paused && !resting {
                return Next::Rest;
            } else if requests.paused {
                PATIENCE
            } else {
                let interval = requests.pace.map_or(Duration::ZERO, |pace| {
                    Duration::from_secs_f32(1.0 / pace.clamp(0.1, 1000.0))
                });
                let due = interval.saturating_sub(last.elapsed());
                if due.is_zero() {
                    return Next::Step { single: false };
                }
                due.min(PATIENCE)
            };
            let woken = self.changed.wait_timeout(requests, wait);
            requests = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_race_is_measured_once_and_takes_single_steps() {
        let control = Control::default();
        let long_ago = Instant::now();
        assert_eq!(control.next(false, long_ago), Next::Step { single: false });
        control.pause(true);
        assert_eq!(control.next(false, long_ago), Next::Rest);
        control.single_step();
        assert_eq!(control.next(true, long_ago), Next::Step { single: true });
        control.pause(false);
        assert_eq!(control.next(true, long_ago), Next::Step { single: false });
        control.stop();
        assert_eq!(control.next(true, long_ago), Next::Stop);
    }

    #[test]
    fn a_pace_keeps_steps_apart_and_a_stop_does_not_wait() {
        let control = Control::default();
        control.set_pace(Some(20.0));
        let begin = Instant::now();
        assert_eq!(control.next(true, begin), Next::Step { single: false });
        assert!(begin.elapsed() >= Duration::from_millis(50));
        control.set_pace(Some(0.1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                control.stop();
            });
            assert_eq!(control.next(true, Instant::now()), Next::Stop);
        });
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}
