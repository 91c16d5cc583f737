//! The console that Windows opens for programs of the command line.

/// Closes the console that this start alone has, which Windows opens beside the window where a click
/// starts the program; one that a shell or another program shares stays. From Windows 11 24H2 on, the
/// manifest keeps it from opening. Returns whether what is printed from now on goes nowhere.
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
    // SAFETY: the list has room for the two entries that are asked for.
    let attached = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    if attached != 1 {
        return false;
    }
    let lost = errors.is_terminal();
    // SAFETY: only this process uses the console, and `terminal` expects that it vanishes.
    unsafe { FreeConsole() };
    lost
}

#[cfg(not(windows))]
pub(super) fn close_own() -> bool {
    false
}

/// Shows an error in a dialog, for a start that prints to nowhere.
pub(super) fn show(error: &str) {
    rfd::MessageDialog::new()
        .set_level(rfd::MessageLevel::Error)
        .set_title("FlowSeg")
        .set_description(error)
        .show();
}
