//! Windows.

use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, FreeConsole, GenerateConsoleCtrlEvent, GetConsoleProcessList,
};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};

pub(crate) fn set_apart(command: &mut Command) {
    // From a window without a console, the process would open one.
    let console = if has_console() { 0 } else { CREATE_NO_WINDOW };
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | console);
}

/// Sends Ctrl-Break to the process; if that fails, kills it: the run resumes from its last checkpoint.
pub(crate) fn interrupt(child: &mut Child) {
    let shared = has_console();
    // SAFETY: the child has not been waited for yet, so that its id still refers to it and its group. A
    // window without a console uses the child's for a moment; as it is not in that group, the event does
    // not reach it.
    let told = unsafe {
        let attached = shared || AttachConsole(child.id()) != 0;
        let told = attached && GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) != 0;
        if attached && !shared {
            FreeConsole();
        }
        told
    };
    if !told {
        // It may already have exited.
        let _ = child.kill();
    }
}

fn has_console() -> bool {
    let mut process = 0;
    // SAFETY: the list has space for the one entry requested.
    unsafe { GetConsoleProcessList(&mut process, 1) != 0 }
}
