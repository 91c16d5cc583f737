//! The panel "Train live": two objectives race, and are watched while they train.
//!
//! `RacePanel` is the panel. The race itself runs on threads of [`crate::race`]; `controls` chooses it,
//! `figure` lays out what is measured, `tiles`, `charts`, `cloud` and `slice` draw it. While another
//! panel is in front of this one, a race waits after a few measurements.

mod cell;
mod charts;
mod cloud;
mod controls;
mod figure;
mod panel;
mod shown;
mod slice;
mod tiles;
mod toolbar;

pub(super) use panel::RacePanel;
