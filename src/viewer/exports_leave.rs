//! The question about exports that are not complete when the window is to be closed.

use super::app_state::AppState;
use super::commands::Command;
use super::exports::Leave;
use super::question::{Button, question};
use eframe::egui;

const BUTTONS: [Button<Leave>; 3] = [
    (
        Leave::Wait,
        "Wait",
        "Close the window once everything is written",
    ),
    (
        Leave::Stop,
        "Stop and close",
        "What is not written yet is lost",
    ),
    (Leave::Stay, "Cancel", "Keep the window open (Escape)"),
];

/// Draws the question if it is pending.
pub(super) fn dialog(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    if !app.exports.asks() {
        return;
    }
    let heading = "Wait for the export?";
    let answer = question(context, heading, &BUTTONS, Leave::Stay, |ui| {
        ui.label("An export is still being written.");
    });
    commands.extend(answer.map(Command::LeaveExports));
}
