//! The interface of panels.

use super::app_event::AppEvent;
use super::app_state::AppState;
use super::commands::Command;
use super::theme::GRID;
use eframe::egui;

/// A part of the window. It owns its own state, reads the shared one and asks for changes of that by
/// commands; panels don't know of each other.
pub(super) trait Panel {
    fn title(&self) -> &'static str;

    /// The space around its contents, in points.
    fn margin(&self) -> f32 {
        GRID
    }

    /// Draws the panel, and adds to `commands` what the user asks for.
    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>);

    /// Reacts to a change of the shared state.
    fn on_event(&mut self, _event: &AppEvent, _context: &egui::Context) {}
}
