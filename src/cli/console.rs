//! The console that Windows opens for command-line programs.

/// Closes the console that Windows opens beside the window when the program is started by a click. A
/// console shared with a shell or another program stays. From Windows 11 24H2 on, the manifest prevents
/// it. Returns whether further output is discarded.
#[cfg(windows)]
pub(super) fn close_own() -> bool {
    use std::io::IsTerminal;
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::System::Console::{FreeConsole, GetConsoleProcessList};

    let errors = std::io::stderr();
    if errors.as_raw_handle().is_null() {
        return true;
    }
    let mut processes = [0; 2];
    // SAFETY: the list has space for the two entries requested.
    let attached = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    if attached != 1 {
        return false;
    }
    let lost = errors.is_terminal();
    // SAFETY: only this process uses the console, and `terminal` tolerates its absence.
    unsafe { FreeConsole() };
    lost
}

#[cfg(not(windows))]
pub(super) fn close_own() -> bool {
    false
}

/// Shows an error in a dialog, for when output is discarded.
pub(super) fn show(error: &str) {
    rfd::MessageDialog::new()
        .set_level(rfd::MessageLevel::Error)
        .set_title("FlowSeg")
        .set_description(error)
        .show();
}
