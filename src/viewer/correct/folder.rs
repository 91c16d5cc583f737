//! The folder for corrected photos.

use super::request::Request;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::theme::GRID;
use eframe::egui;
use std::path::{Path, PathBuf};

/// The folder for corrected photos: the one chosen in this window, or else the remembered one.
pub(super) fn folder(app: &AppState) -> Option<&Path> {
    let chosen = app.correct.folder.as_deref();
    chosen.or(app.settings.corrections.as_deref())
}

/// The folder's name for the user.
pub(super) fn folder_name(app: &AppState) -> Option<String> {
    let folder = folder(app)?;
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    Some(name.to_string_lossy().into_owned())
}

/// Draws the field for the folder's path, on a system that offers no dialogs.
pub(crate) fn dialog(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    if !app.correct.types_folder {
        return;
    }
    let mut typed = None;
    let frame = egui::Frame::popup(&context.global_style()).inner_margin(2.0 * GRID);
    let modal = egui::Modal::new(egui::Id::unique("folder for corrected photos")).frame(frame);
    let modal = modal.show(context, |ui| {
        ui.set_width(52.0 * GRID);
        ui.heading("Folder for corrected photos");
        ui.add_space(GRID);
        ui.label(
            "This system offers no file dialog: type the whole path of the folder, which is made if it \
             is missing. Dialogs need a desktop portal or zenity.",
        );
        ui.add_space(GRID);
        typed = field(ui);
    });
    if modal.should_close() {
        typed = Some(None);
    }
    if let Some(folder) = typed {
        commands.push(Command::Correct(Request::Folder(folder)));
    }
}

/// Draws the field and its buttons. Returns the answer, once there is one: a path, or nothing.
fn field(ui: &mut egui::Ui) -> Option<Option<PathBuf>> {
    let id = ui.scope_id().with("path of the folder");
    let mut text: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let field = egui::TextEdit::singleline(&mut text).hint_text("Path of the folder");
    let field = ui.add(field.desired_width(f32::INFINITY));
    // Enter takes the focus away, which is asked before it is given back.
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if !entered && ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    let path = PathBuf::from(text.trim());
    // What another path would be relative to differs from window to window.
    let whole = path.is_absolute();
    ui.add_space(GRID);
    let answer = ui.horizontal(|ui| {
        let takes = ui
            .add_enabled(whole, egui::Button::new("Use this folder"))
            .on_disabled_hover_text("Type the whole path, from the root of the disk");
        if takes.clicked() || (entered && whole) {
            return Some(Some(path));
        }
        ui.button("Cancel").clicked().then_some(None)
    });
    ui.data_mut(|data| data.insert_temp(id, text));
    answer.inner
}
