//! The interface of panels.

use super::app_event::AppEvent;
use super::app_state::AppState;
use super::commands::Command;
use super::theme::GRID;
use crate::texts::Texts;
use eframe::egui;

/// A part of the window. It owns its state, reads the shared state and requests changes of it by
/// commands; panels do not depend on each other.
pub(super) trait Panel {
    fn title(&self) -> &'static str;

    /// Its title in the language of `texts`, if it has its texts there.
    fn title_in(&self, _texts: &'static Texts) -> &'static str {
        self.title()
    }

    /// The margin around its contents, in points.
    fn margin(&self) -> f32 {
        GRID
    }

    /// Draws the panel, and appends the user's requests to `commands`.
    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>);

    fn on_event(&mut self, _event: &AppEvent, _context: &egui::Context) {}
}
