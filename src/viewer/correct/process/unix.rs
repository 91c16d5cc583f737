//! Unix.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

pub(crate) fn set_apart(command: &mut Command) {
    command.process_group(0);
}

pub(crate) fn interrupt(child: &mut Child) {
    let Ok(id) = libc::pid_t::try_from(child.id()) else {
        return;
    };
    // SAFETY: the child has not been waited for yet, so that its id still refers to it.
    unsafe {
        libc::kill(id, libc::SIGTERM);
    }
}
