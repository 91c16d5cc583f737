//! Systems that are neither Unix nor Windows.

use std::process::{Child, Command};

pub(crate) fn set_apart(_: &mut Command) {}

/// Kills the process; the run resumes from its last checkpoint.
pub(crate) fn interrupt(child: &mut Child) {
    // It may already have exited.
    let _ = child.kill();
}
