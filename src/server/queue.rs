//! Jobs that wait for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs in the order in which they came.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The jobs with their numbers.
    waiting: VecDeque<(u64, T)>,
    /// The number of the next job.
    next: u64,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                next: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, which is dropped with the result unless a thread has taken it before; `None` if the
    /// queue is closed.
    pub(super) fn push(&self, job: T) -> Option<Waiting<'_, T>> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.waiting.push_back((number, job));
        self.changed.notify_one();
        Some(Waiting {
            queue: self,
            number,
        })
    }

    /// Waits for the next job; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some((_, job)) = state.waiting.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more jobs.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// A job that somebody waits for.
pub(super) struct Waiting<'a, T> {
    queue: &'a Queue<T>,
    number: u64,
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        let mut numbers = state.waiting.iter().map(|(number, _)| *number);
        let at = numbers.position(|number| number == self.number);
        let unwanted = at.and_then(|at| state.waiting.remove(at));
        // The job is dropped without the lock.
        drop(state);
        drop(unwanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_job_that_nobody_waits_for_is_dropped_and_not_computed() {
        let queue = Queue::new();
        let held = Arc::new(());
        let first = queue.push((1, held.clone()));
        let second = queue.push((2, held.clone()));
        let third = queue.push((3, held.clone()));
        assert_eq!(Arc::strong_count(&held), 4);
        drop(second);
        assert_eq!(Arc::strong_count(&held), 3);
        assert_eq!(queue.take().map(|(job, _)| job), Some(1));
        // One that is being computed is not the queue's any more.
        drop(first);
        queue.close();
        assert!(queue.push((4, held.clone())).is_none());
        assert_eq!(queue.take().map(|(job, _)| job), Some(3));
        assert!(queue.take().is_none());
        drop(third);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn whoever_waits_for_a_job_is_woken() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| (queue.take(), queue.take()));
            let waiting = queue.push(7);
            std::thread::sleep(std::time::Duration::from_millis(20));
            queue.close();
            assert_eq!(taken.join().unwrap(), (Some(7), None));
            drop(waiting);
        });
    }
}
