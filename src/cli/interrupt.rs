//! Signals that stop a command: Ctrl-C, SIGTERM, and the hang-up of a closed terminal.
//!
//! A signal that was ignored when the program started stays ignored. That is how `nohup`, `setsid`
//! and a shell's background jobs keep a program running; a handler would undo it.

use crate::files;
use anyhow::Context;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Signals closer together than this count as one: a bouncing key, or a wrapper that forwards what the
/// terminal has already sent to the whole process group.
const ONE_WISH: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Ctrl-C or SIGTERM.
    End,
    /// The terminal was closed.
    #[cfg_attr(not(unix), allow(dead_code))]
    HangUp,
}

/// A stop request, shared with the signal handler.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Installs the handler. The first signal asks the command to stop at a point from which it can
    /// resume; a second one, at least [`ONE_WISH`] later, exits at once.
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
        listen(move |signal| match wishes.hear(signal, Instant::now()) {
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
    listen(|_| leave())
}

/// How to respond to a signal.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Stop,
    Leave,
    Nothing,
}

#[derive(Default)]
struct Wishes {
    first: Option<Instant>,
}

impl Wishes {
    fn hear(&mut self, signal: Signal, now: Instant) -> Answer {
        match (self.first, signal) {
            (None, _) => {
                self.first = Some(now);
                Answer::Stop
            }
            (Some(first), Signal::End) if now.duration_since(first) >= ONE_WISH => Answer::Leave,
            // A closing terminal sends several hang-ups, which don't mean urgency.
            (Some(_), _) => Answer::Nothing,
        }
    }
}

/// Calls `hear` on a thread of its own for every signal that was not ignored when the program started.
/// Call it once per process.
///
/// # Errors
/// A handler that cannot be installed.
#[cfg(unix)]
fn listen(mut hear: impl FnMut(Signal) + Send + 'static) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let wanted = [SIGINT, SIGTERM, SIGHUP];
    let wanted = wanted.into_iter().filter(|&signal| !is_ignored(signal));
    let mut signals = Signals::new(wanted).context("cannot listen for Ctrl-C")?;
    std::thread::Builder::new()
        .name("flowseg-signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                hear(match signal {
                    SIGHUP => Signal::HangUp,
                    _ => Signal::End,
                });
            }
        })
        .context("cannot listen for Ctrl-C")?;
    Ok(())
}

/// Whether the process ignores a signal.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the current one into `now`, which has its type;
    // if the call fails, the zeroed value means the default action.
    let now = unsafe {
        libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
fn listen(mut hear: impl FnMut(Signal) + Send + 'static) -> anyhow::Result<()> {
    ctrlc::set_handler(move || hear(Signal::End)).context("cannot listen for Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_signals_at_once_are_one_wish_and_a_later_one_is_meant() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut wishes = Wishes::default();
        assert_eq!(wishes.hear(Signal::End, start), Answer::Stop);
        assert_eq!(wishes.hear(Signal::End, after(20)), Answer::Nothing);
        assert_eq!(wishes.hear(Signal::End, after(999)), Answer::Nothing);
        assert_eq!(wishes.hear(Signal::HangUp, after(5000)), Answer::Nothing);
        assert_eq!(wishes.hear(Signal::End, after(5001)), Answer::Leave);
    }

    #[test]
    fn a_hang_up_asks_to_stop_and_never_to_hurry() {
        let start = Instant::now();
        let mut wishes = Wishes::default();
        assert_eq!(wishes.hear(Signal::HangUp, start), Answer::Stop);
        let later = start + Duration::from_secs(9);
        assert_eq!(wishes.hear(Signal::HangUp, later), Answer::Nothing);
        assert_eq!(wishes.hear(Signal::End, later), Answer::Leave);
    }
}
