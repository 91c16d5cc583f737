//! A run as the monitor shows it.

use crate::runs::Run;
use eframe::egui::Color32;

pub(super) struct Shown {
    pub run: Run,
    /// The run's name, with a folder above it if several have the name.
    pub name: String,
    pub colour: Color32,
    pub visible: bool,
    /// Changes with every report, to invalidate what was derived from an earlier one.
    pub version: u64,
}
