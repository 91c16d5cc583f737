//! The Network panel: what the network attends to in the open photo.
//!
//! `NetworkPanel` draws; `worker` evaluates the network on its own thread, with its own copy of the
//! model; `heat` turns its answers into pictures; `controls` are lists and keys with their names.

mod controls;
mod heat;
mod panel;
mod worker;

pub(super) use panel::NetworkPanel;
