//! What the platform offers. A page in a browser has no folders, processes and threads, and what needs
//! them is absent there.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::{ask_folder, chosen, drop_aside, load_model, loaded};
#[cfg(target_arch = "wasm32")]
pub(super) use web::{ask_folder, drop_aside, load_model, loaded};

use crate::export::Artifact;
use std::io;

/// Whether this is a window of the desktop, with folders, processes and threads.
pub(super) const DESKTOP: bool = cfg!(not(target_arch = "wasm32"));

/// What to say when the system cannot start another thread.
pub(super) fn no_thread(error: &io::Error) -> String {
    format!("cannot start a thread ({error}): close other programs")
}

/// Whether an artifact can be exported: a page cannot write folders.
pub(super) fn has_export(artifact: Artifact) -> bool {
    DESKTOP || artifact != Artifact::Frames
}
