//! Events of a console of Windows.

use super::signals::Signal;
use anyhow::Context;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

static EVENTS: OnceLock<SyncSender<Signal>> = OnceLock::new();

/// Calls `on_signal` on a thread of its own for Ctrl-C, Ctrl-Break, and when the console is closed or the user
/// logs off. A process that was started with Ctrl-C switched off does not receive it. Call it once per
/// process.
///
/// # Errors
/// A handler that cannot be installed.
pub(crate) fn listen(mut on_signal: impl FnMut(Signal) + Send + 'static) -> anyhow::Result<()> {
    let (sender, events) = sync_channel(8);
    EVENTS.get_or_init(|| sender);
    std::thread::Builder::new()
        .name("flowseg-signals".into())
        .spawn(move || events.iter().for_each(&mut on_signal))
        .context("cannot listen for Ctrl-C")?;
    // SAFETY: the handler stays valid as long as the process.
    if unsafe { SetConsoleCtrlHandler(Some(handle), 1) } == 0 {
        return Err(io::Error::last_os_error()).context("cannot listen for Ctrl-C");
    }
    Ok(())
}

/// Called by the system, on a thread that it starts.
unsafe extern "system" fn handle(event: u32) -> BOOL {
    let signal = match event {
        CTRL_C_EVENT | CTRL_BREAK_EVENT => Signal::Interrupt,
        _ => Signal::HangUp,
    };
    if let Some(events) = EVENTS.get() {
        // Eight pending events are enough.
        let _ = events.try_send(signal);
    }
    if signal == Signal::HangUp {
        // The system ends the process once this returns, or after some seconds, which a run has to be
        // saved in.
        loop {
            std::thread::park();
        }
    }
    1
}
