//! The questions about unsaved corrections, and about labels that saving would replace.

use super::request::{Answer, Request};
use super::session::Session;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::question::{Button, question};
use crate::viewer::theme;
use eframe::egui;
use std::path::Path;

const OTHER_FOLDER: Button<Answer> = (
    Answer::OtherFolder,
    "Other folder",
    "Save into another folder for corrected photos",
);

/// Draws the question that is pending, if any.
pub(crate) fn dialog(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    let answer = match (&app.correct.replacing, &app.correct.leaving) {
        (Some(labels), _) => about_labels(labels, context),
        (None, Some(_)) => about_leaving(app, context),
        (None, None) => None,
    };
    commands.extend(answer.map(|answer| Command::Correct(Request::Leave(answer))));
}

fn about_leaving(app: &AppState, context: &egui::Context) -> Option<Answer> {
    let correct = &app.correct;
    let is_listed = app.masks.corrected(app.photos.place().0).is_some();
    let back = if is_listed || correct.session.as_ref().is_some_and(has_labels) {
        "Go back to the saved labels"
    } else {
        "Keep the network's mask"
    };
    let mut buttons = vec![(
        Answer::Save,
        "Save labels",
        "Save into the folder for corrected photos",
    )];
    if correct.failed.is_some() {
        buttons.push(OTHER_FOLDER);
    }
    if correct.storage.keeps() {
        buttons.push((
            Answer::Later,
            "Keep for later",
            "Restore them when the photo is opened again",
        ));
    }
    buttons.push((Answer::Discard, "Discard", back));
    buttons.push((Answer::Cancel, "Cancel", "Continue correcting (Escape)"));
    question(
        context,
        "Save the corrections of this photo?",
        &buttons,
        Answer::Cancel,
        |ui| {
            ui.label("Its mask was corrected and not saved as labels.");
            for failed in [&correct.failed, &correct.not_kept].into_iter().flatten() {
                let text = egui::RichText::new(failed).color(theme::ERROR);
                ui.add(egui::Label::new(text).wrap());
            }
        },
    )
}

fn has_labels(session: &Session) -> bool {
    session.base.is_some()
}

fn about_labels(labels: &Path, context: &egui::Context) -> Option<Answer> {
    let name = labels.file_name().unwrap_or_default().to_string_lossy();
    let buttons = [
        (
            Answer::Replace,
            "Replace",
            "The labels that are there now are lost",
        ),
        OTHER_FOLDER,
        (
            Answer::Cancel,
            "Cancel",
            "Keep the labels as they are (Escape)",
        ),
    ];
    question(
        context,
        &format!("Replace the labels of {name}?"),
        &buttons,
        Answer::Cancel,
        |ui| {
            let text = "This photo has labels in the folder already, and the corrections do not start \
                        from them.";
            ui.label(text);
            let path = egui::RichText::new(labels.display().to_string()).weak();
            ui.add(egui::Label::new(path).wrap());
        },
    )
}
