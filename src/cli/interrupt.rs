//! Signals that stop a command: Ctrl-C, SIGTERM or Ctrl-Break, and the hang-up of a closed terminal.
//!
//! A signal that was ignored when the program started stays ignored. That is how `nohup`, `setsid`
//! and a shell's background jobs keep a program running; a handler would undo it.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
mod wishes;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use crate::files;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wishes::{Answer, Wishes};

/// A stop request, shared with the signal handler.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

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
    /// A system that lets nobody listen.
    pub(super) fn listen_until(end: &'static str) -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let of_listener = asked.clone();
        let mut wishes = Wishes::default();
        system::listen(move |signal| match wishes.hear(signal, Instant::now()) {
            Answer::Stop => {
                of_listener.store(true, Ordering::Relaxed);
                // Stop even if the terminal is gone.
                let _ = writeln!(
                    std::io::stderr(),
                    "stopping after {end}; press Ctrl-C again to exit at once"
                );
            }
            Answer::Leave => leave(),
            Answer::Nothing => {}
        })?;
        Ok(Self(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Removes temporary files and exits.
fn leave() -> ! {
    files::remove_temporaries();
    std::process::exit(130)
}

/// From now on every signal exits at once: for commands that have nothing to save.
///
/// # Errors
/// A handler that cannot be installed.
pub(super) fn leave_when_asked() -> anyhow::Result<()> {
    system::listen(|_| leave())
}
