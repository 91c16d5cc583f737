//! A run in the monitor.

use crate::runs::Run;
use eframe::egui::Color32;

/// A run as the window shows it.
pub(super) struct Shown {
    pub run: Run,
    pub colour: Color32,
    pub visible: bool,
    /// Changes with every report, so that what was derived from an earlier one is known to be stale.
    pub version: u64,
}
