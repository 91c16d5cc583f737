//! The question about unsaved corrections.

use super::request::{Answer, Request};
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::theme::GRID;
use eframe::egui;

/// Draws the question if it is pending.
pub(crate) fn dialog(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    if app.correct.leaving.is_none() {
        return;
    }
    let mut answers = vec![
        (
            Answer::Save,
            "Save labels",
            "Save into the folder for corrected photos",
        ),
        (
            Answer::Later,
            "Keep for later",
            "Restore them when the photo is opened again",
        ),
        (Answer::Discard, "Discard", "Keep the network's mask"),
        (Answer::Cancel, "Cancel", "Continue correcting (Escape)"),
    ];
    if !app.correct.storage.keeps() {
        answers.remove(1);
    }
    let frame = egui::Frame::popup(&context.global_style()).inner_margin(2.0 * GRID);
    let modal = egui::Modal::new(egui::Id::unique("unsaved corrections")).frame(frame);
    let modal = modal.show(context, |ui| {
        ui.set_width(52.0 * GRID);
        ui.heading("Save the corrections of this photo?");
        ui.add_space(GRID);
        ui.label("Its mask was corrected and not saved as labels.");
        ui.add_space(GRID);
        ui.horizontal(|ui| {
            for (answer, name, help) in answers {
                if ui.button(name).on_hover_text(help).clicked() {
                    commands.push(Command::Correct(Request::Leave(answer)));
                }
            }
        });
    });
    if modal.should_close() {
        commands.push(Command::Correct(Request::Leave(Answer::Cancel)));
    }
}
