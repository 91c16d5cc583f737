//! A pipeline of three stages: while one photo is read, others are segmented and written.

use crate::panics;
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Number of threads per stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threads {
    pub read: usize,
    pub middle: usize,
    pub write: usize,
    /// Capacity of the queue between two stages.
    pub waiting: usize,
}

/// How many items the first stage may be ahead of the last delivered result: early results wait in
/// memory.
const AHEAD: usize = 64;

/// An item's index, the total time of its stages, and its result.
type Passed<T> = (usize, Duration, anyhow::Result<T>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes `count` items through three stages, each on named threads of its own with bounded queues
/// between them, so that memory does not grow with `count`. `finish` receives the results on the
/// calling thread in the order of the items, with the time that the stages took.
///
/// # Errors
/// That of `finish`, after which no further item is started, or a thread that cannot be started.
pub(super) fn run<A: Send, B: Send, C: Send>(
    count: usize,
    threads: Threads,
    read: impl Fn(usize) -> anyhow::Result<A> + Sync,
    middle: impl Fn(A) -> anyhow::Result<B> + Sync,
    write: impl Fn(usize, B) -> anyhow::Result<C> + Sync,
    mut finish: impl FnMut(usize, Duration, anyhow::Result<C>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (finished, moved) = (Mutex::new(0), Condvar::new());
    let (read_out, middle_in) = sync_channel::<Passed<A>>(threads.waiting);
    let (middle_out, write_in) = sync_channel::<Passed<B>>(threads.waiting);
    let (write_out, results) = sync_channel::<Passed<C>>(threads.waiting);
    let (middle_in, write_in) = (Mutex::new(middle_in), Mutex::new(write_in));

    let reader = |out: SyncSender<Passed<A>>| {
        let (next, stop, finished, moved, read) = (&next, &stop, &finished, &moved, &read);
        move || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let gone_on = moved.wait_while(lock(finished), |finished| {
                    at >= *finished + AHEAD && !stop.load(Ordering::Relaxed)
                });
                drop(gone_on);
                if at >= count || stop.load(Ordering::Relaxed) {
                    return;
                }
                let start = Instant::now();
                let result = caught(|| read(at));
                if out.send((at, start.elapsed(), result)).is_err() {
                    return;
                }
            }
        }
    };
    let segmenter = |out: SyncSender<Passed<B>>| {
        let (from, middle) = (&middle_in, &middle);
        move || {
            while let Some((at, before, result)) = receive(from) {
                let start = Instant::now();
                let result = result.and_then(|item| caught(|| middle(item)));
                if out.send((at, before + start.elapsed(), result)).is_err() {
                    return;
                }
            }
        }
    };
    let writer = |out: SyncSender<Passed<C>>| {
        let (from, write) = (&write_in, &write);
        move || {
            while let Some((at, before, result)) = receive(from) {
                let start = Instant::now();
                let result = result.and_then(|item| caught(|| write(at, item)));
                if out.send((at, before + start.elapsed(), result)).is_err() {
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        let spawn = |name: &str, at: usize| thread::Builder::new().name(format!("{name}-{at}"));
        let spawned = (|| {
            for at in 0..threads.read.max(1) {
                spawn("flowseg-read", at).spawn_scoped(scope, reader(read_out.clone()))?;
            }
            for at in 0..threads.middle.max(1) {
                spawn("flowseg-network", at).spawn_scoped(scope, segmenter(middle_out.clone()))?;
            }
            for at in 0..threads.write.max(1) {
                spawn("flowseg-write", at).spawn_scoped(scope, writer(write_out.clone()))?;
            }
            Ok::<(), std::io::Error>(())
        })();
        let mut outcome = spawned.context("cannot start threads to work on");
        // Each stage ends once its input channel is closed.
        drop((read_out, middle_out, write_out));
        let mut early = BTreeMap::new();
        let mut due = 0;
        let halt = || {
            stop.store(true, Ordering::Relaxed);
            moved.notify_all();
        };
        if outcome.is_err() {
            halt();
        }
        while let Ok((at, time, result)) = results.recv() {
            early.insert(at, (time, result));
            while let Some((time, result)) = early.remove(&due) {
                if outcome.is_ok() {
                    outcome = finish(due, time, result);
                    if outcome.is_err() {
                        halt();
                    }
                }
                due += 1;
                *lock(&finished) = due;
                moved.notify_all();
            }
        }
        outcome
    })
}

/// Turns a panic into the error of one item: a stage whose thread ended would leave the others waiting.
fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    panics::caught(work, |message| {
        anyhow!("internal error (a bug in FlowSeg): {message}")
    })
}

/// The next item; `None` once the channel is closed.
fn receive<T>(from: &Mutex<Receiver<T>>) -> Option<T> {
    lock(from).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    const THREADS: Threads = Threads {
        read: 2,
        middle: 3,
        write: 2,
        waiting: 1,
    };

    #[test]
    fn results_come_in_order_with_their_errors() {
        let mut found = Vec::new();
        run(
            300,
            THREADS,
            |at| match at % 7 {
                3 => bail!("unread {at}"),
                _ => Ok(at),
            },
            |at| {
                // The first is done last.
                thread::sleep(Duration::from_micros(if at == 0 { 20_000 } else { 10 }));
                if at % 11 == 5 {
                    bail!("not segmented {at}")
                } else {
                    Ok(2 * at)
                }
            },
            |at, twice| {
                assert_eq!(twice, 2 * at);
                Ok(twice)
            },
            |at, time, result| {
                assert!(at > 0 || time >= Duration::from_millis(20));
                found.push(result.map_err(|error| error.to_string()));
                Ok(())
            },
        )
        .unwrap();
        let expected = |at: usize| match (at % 7, at % 11) {
            (3, _) => Err(format!("unread {at}")),
            (_, 5) => Err(format!("not segmented {at}")),
            _ => Ok(2 * at),
        };
        assert_eq!(found, (0..300).map(expected).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_is_the_error_of_its_item() {
        let panics = |stage: usize, at: usize| assert_ne!(at % 7, stage, "a panic");
        let mut failed = Vec::new();
        run(
            100,
            THREADS,
            |at| {
                panics(1, at);
                Ok(at)
            },
            |at| {
                panics(2, at);
                Ok(at)
            },
            |at, _| {
                panics(3, at);
                Ok(())
            },
            |at, _, result| {
                if let Err(error) = result {
                    assert!(error.to_string().contains("a panic"), "{error}");
                    failed.push(at);
                }
                Ok(())
            },
        )
        .unwrap();
        let expected = (0..100).filter(|at| (1..=3).contains(&(at % 7)));
        assert_eq!(failed, expected.collect::<Vec<_>>());
    }

    #[test]
    fn little_is_in_memory_at_once() {
        let (read, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run(
            200,
            Threads {
                waiting: 0,
                ..THREADS
            },
            |_| {
                let ahead = read.fetch_add(1, Ordering::SeqCst) + 1 - done.load(Ordering::SeqCst);
                assert!(ahead <= 2 + 3 + 2 + 2, "{ahead}");
                Ok(())
            },
            Ok,
            |_, ()| {
                thread::sleep(Duration::from_micros(200));
                done.fetch_add(1, Ordering::SeqCst);
                Ok(())
            },
            |_, _, result| result,
        )
        .unwrap();
    }

    #[test]
    fn nothing_is_begun_after_the_end() {
        let begun = AtomicUsize::new(0);
        let ended = run(
            100_000,
            THREADS,
            |at| {
                begun.fetch_add(1, Ordering::Relaxed);
                Ok(at)
            },
            Ok,
            |_, at| Ok(at),
            |at, _, _| {
                if at == 9 {
                    bail!("the disk is full")
                } else {
                    Ok(())
                }
            },
        );
        assert_eq!(ended.unwrap_err().to_string(), "the disk is full");
        assert!(begun.into_inner() < 200);
        run(0, THREADS, Ok, Ok, |_, at| Ok(at), |_, _, _| Ok(())).unwrap();
    }
}
