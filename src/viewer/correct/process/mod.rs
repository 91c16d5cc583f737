//! A training process beside the window, on each system.
//!
//! - `set_apart`: Ctrl-C in the window's terminal must not reach it.
//! - `interrupt`: asks it to save and exit.

#[cfg(not(any(unix, windows)))]
mod other;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
use other as this;
#[cfg(unix)]
use unix as this;
#[cfg(windows)]
use windows as this;

pub(super) use this::{interrupt, set_apart};
