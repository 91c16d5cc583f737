//! The log of requests, a line each on standard error.
//!
//! One thread writes it, because whoever reads standard error may be slow or have stopped: the thread that answers
//! requests must not wait for it.

use crate::terminal::err;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Maximum number of lines that wait to be written; more are left out and counted.
const LINES: usize = 1024;
/// How long the end of the server waits for the lines that are left.
const PATIENCE: Duration = Duration::from_millis(300);

/// Takes the lines.
#[derive(Clone)]
pub(super) struct Log {
    lines: SyncSender<String>,
    /// The number of lines that were left out and of which no line tells yet.
    lost: Arc<AtomicUsize>,
}

/// Tells that the last line is written.
pub(super) struct End(Receiver<()>);

impl Log {
    /// Starts the thread, which ends when the log and its copies are dropped.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start() -> io::Result<(Self, End)> {
        Self::writing(|line| err!("{line}"))
    }

    fn writing(write: impl Fn(&str) + Send + 'static) -> io::Result<(Self, End)> {
        let (lines, received) = sync_channel::<String>(LINES);
        let (end, ended) = sync_channel(1);
        let lost = Arc::new(AtomicUsize::new(0));
        let of_thread = lost.clone();
        Builder::new().name("flowseg-log".into()).spawn(move || {
            for line in received {
                write(&line);
                let lost = of_thread.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write(&format!(
                        "flowseg: standard error was not read, so {lost} lines of this log are missing"
                    ));
                }
            }
            // Nobody may be waiting for it any more.
            let _ = end.send(());
        })?;
        Ok((Self { lines, lost }, End(ended)))
    }

    /// Adds a line, without waiting.
    pub(super) fn add(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl End {
    /// Waits until all lines are written, but not for ever.
    pub(super) fn wait(&self) {
        // A line that is late is not waited for.
        let _ = self.0.recv_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn lines_that_nobody_reads_are_left_out_and_counted() {
        let (go_on, waits) = sync_channel::<()>(1);
        let (begin, begun) = sync_channel(1);
        let written = Arc::new(Mutex::new(Vec::new()));
        let of_thread = written.clone();
        let (log, end) = Log::writing(move |line| {
            if line == "0" {
                begin.send(()).unwrap();
                // As if standard error were a pipe that is full.
                let _ = waits.recv();
            }
            of_thread.lock().unwrap().push(line.to_owned());
        })
        .unwrap();
        log.add("0".into());
        begun.recv().unwrap();
        for at in 1..=LINES + 7 {
            log.add(at.to_string());
        }
        drop(log);
        drop(go_on);
        end.wait();
        let written = written.lock().unwrap();
        assert_eq!(written.len(), LINES + 2);
        assert_eq!(written[0], "0");
        assert!(written[1].contains("7 lines"), "{}", written[1]);
        assert_eq!(written[LINES + 1], LINES.to_string());
    }
}
