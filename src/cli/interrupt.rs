//! Signals that stop a command: Ctrl-C, SIGTERM or Ctrl-Break, and the hang-up of a closed terminal.
//!
//! A signal that was ignored when the program started stays ignored. That is how `nohup`, `setsid`
//! and a shell's background jobs keep a program running; a handler would undo it.

mod signals;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use crate::files;
use crate::terminal::err;
use signals::{Answer, Signal, Signals};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How long a signal waits for its line to be printed.
const PATIENCE: Duration = Duration::from_millis(300);

/// A stop request, shared with the signal handler: the exit status of the first signal, or 0 before it.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Installs the handler. The first signal asks the command to stop at a point from which it can
    /// resume; a second one, at least a second later, exits at once.
    ///
    /// # Errors
    /// A handler that cannot be installed.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Self::listen_until("this step")
    }

    /// [`listen`](Self::listen) for a command that stops after something else than a step.
    ///
    /// # Errors
    /// A handler that cannot be installed.
    pub(super) fn listen_until(end: &'static str) -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicU8::new(0));
        let of_listener = asked.clone();
        let mut signals = Signals::default();
        system::listen(
            move |signal| match signals.on_signal(signal, Instant::now()) {
                Answer::Stop => {
                    of_listener.store(signal.status(), Ordering::Relaxed);
                    say(move || {
                        // Stop even if the terminal is gone.
                        let _ = writeln!(
                            std::io::stderr(),
                            "stopping after {end}; press Ctrl-C again to exit at once"
                        );
                    });
                }
                Answer::Leave => leave(signal),
                Answer::Nothing => {}
            },
        )?;
        Ok(Self(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The exit status of a command that stopped before its end, which scripts and schedulers must not
    /// take for a finished one: that of the signal.
    pub(super) fn status(&self) -> ExitCode {
        ExitCode::from(self.0.load(Ordering::Relaxed))
    }
}

/// Prints a line on a thread of its own and waits for it, but not for ever: another thread may hold the terminal while
/// it writes to a pipe that nobody reads.
fn say(print: impl FnOnce() + Send + 'static) {
    let (end, ended) = sync_channel(1);
    let printing = Builder::new()
        .name("flowseg-last-words".into())
        .spawn(move || {
            print();
            let _ = end.send(());
        });
    if printing.is_ok() {
        let _ = ended.recv_timeout(PATIENCE);
    }
}

/// Removes temporary files and exits.
fn leave(signal: Signal) -> ! {
    files::remove_temporaries();
    std::process::exit(signal.status().into())
}

/// Returns a line about how far a command has come.
type Words = Box<dyn Fn() -> String + Send>;

/// What a command that a signal ends at once says.
static WORDS: Mutex<Option<Words>> = Mutex::new(None);

fn words() -> MutexGuard<'static, Option<Words>> {
    WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on every signal exits at once: for commands that have nothing to save.
///
/// # Errors
/// A handler that cannot be installed.
pub(super) fn leave_when_asked() -> anyhow::Result<()> {
    system::listen(|signal| {
        say(|| {
            if let Some(words) = words().as_ref() {
                err!("{}", words());
            }
        });
        leave(signal)
    })
}

/// From now on a signal that exits at once prints the line that this returns: how far the command has come, and how it
/// is continued.
pub(super) fn say_when_left(line: impl Fn() -> String + Send + 'static) {
    *words() = Some(Box::new(line));
}

/// Takes back [`say_when_left`].
pub(super) fn say_nothing_when_left() {
    *words() = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_printed_is_not_waited_for() {
        let (reader, waits) = sync_channel::<()>(1);
        say(move || {
            let _ = waits.recv();
        });
        // Until here the line waited for this reader.
        assert!(reader.send(()).is_ok());
    }

    #[test]
    fn a_line_that_can_be_printed_is_there_at_the_end() {
        let (said, heard) = sync_channel(1);
        say(move || {
            let _ = said.send("stopped");
        });
        assert_eq!(heard.recv(), Ok("stopped"));
    }
}
