//! Signals of Unix.

use super::signals::Signal;
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `on_signal` on a thread of its own for every signal that was not ignored when the program started.
/// Call it once per process.
///
/// # Errors
/// A handler that cannot be installed.
pub(crate) fn listen(mut on_signal: impl FnMut(Signal) + Send + 'static) -> anyhow::Result<()> {
    let wanted = [SIGINT, SIGTERM, SIGHUP];
    let wanted = wanted.into_iter().filter(|&signal| !is_ignored(signal));
    let mut signals = Signals::new(wanted).context("cannot listen for Ctrl-C")?;
    std::thread::Builder::new()
        .name("flowseg-signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                on_signal(match signal {
                    SIGHUP => Signal::HangUp,
                    SIGTERM => Signal::Terminate,
                    _ => Signal::Interrupt,
                });
            }
        })
        .context("cannot listen for Ctrl-C")?;
    Ok(())
}

/// Whether the process ignores a signal.
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
