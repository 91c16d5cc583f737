//! The export dialog.

use super::app_state::{AppState, ExportFirst};
use super::commands::{Command, exports_list};
use super::exports_all::AllMasks;
use super::flow::Flow;
use super::panel::Panel;
use super::platform;
use super::theme::{self, GRID};
use crate::export::{Artifact, Look};
use eframe::egui;
use std::time::Duration;

#[derive(Default)]
pub(super) struct ExportDialog {
    look: Look,
}

impl Panel for ExportDialog {
    fn title(&self) -> &'static str {
        "Export"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let states = app.flow.as_ref().map_or(0, |flow| flow.states.len());
        let all = exports_list(app);
        if states == 0 && !all {
            theme::empty(ui, "There is nothing to export yet: open a photo first.");
            return;
        }
        let progress = app.exports.progress();
        let all_first = app.dialogs.export == Some(ExportFirst::AllMasks);
        if all && all_first {
            all_masks(ui, app, commands);
        }
        if states > 0 {
            if all && all_first {
                ui.separator();
            }
            self.of_flow(ui, app, states, commands);
        }
        if all && !all_first {
            if states > 0 {
                ui.separator();
            }
            all_masks(ui, app, commands);
        }
        ui.separator();
        let is_corrected = |flow: &Flow| app.correct.is_corrected(flow.id);
        ui.weak(if app.flow.as_ref().is_some_and(is_corrected) {
            "Masks are the corrected ones; animations show the flow, and numbers, probability, margin and entropy \
             are the network's."
        } else {
            "Masks have the photo's own size."
        });
        ui.horizontal(|ui| {
            // Of one height, so that no button moves under the pointer when an export begins or ends.
            ui.set_min_height(theme::ROW);
            if let Some(share) = progress {
                ui.add(egui::ProgressBar::new(share).desired_width(24.0 * GRID));
                if ui.button("Cancel").clicked() {
                    commands.push(Command::CancelExport);
                }
                // The export thread requests a repaint only when it ends.
                ui.ctx().request_repaint_after(Duration::from_millis(200));
            } else if let Some(said) = app.exports.said() {
                ui.add(egui::Label::new(&said).truncate())
                    .on_hover_text(&said);
            }
        });
    }
}

/// The exports of all masks of the list.
fn all_masks(ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
    let (_, photos) = app.photos.place();
    let tally = app.masks.tally();
    ui.label(format!("All masks made so far: {} of {photos}", tally.made));
    if tally.older > 0 {
        ui.weak(format!(
            "{} of them with other settings than those that are chosen now",
            tally.older
        ));
    }
    ui.add_enabled_ui(app.exports.progress().is_none(), |ui| {
        for format in AllMasks::FORMATS {
            let button = egui::Button::new(format.label()).wrap_mode(egui::TextWrapMode::Extend);
            let size = egui::vec2(ui.available_width(), theme::ROW);
            if ui.add_sized(size, button).clicked() {
                commands.push(Command::ExportAll(format));
            }
        }
    });
    ui.weak("Other formats: flowseg segment --format coco,yolo,labelme");
}

impl ExportDialog {
    /// The exports of the shown photo's flow, of which there are some states.
    fn of_flow(
        &mut self,
        ui: &mut egui::Ui,
        app: &AppState,
        states: usize,
        commands: &mut Vec<Command>,
    ) {
        ui.label("This photo");
        let wanted = app.state_count();
        if states < wanted {
            ui.weak(format!(
                "The flow is at step {} of {}: exports end there.",
                states - 1,
                wanted - 1
            ));
        }
        let animated = |artifact: &Artifact| matches!(artifact, Artifact::Gif | Artifact::Frames);
        let offered = Artifact::ALL.into_iter();
        let offered: Vec<Artifact> = offered.filter(|a| platform::has_export(*a)).collect();
        let first = offered.iter().copied().find(animated);
        ui.add_enabled_ui(app.exports.progress().is_none(), |ui| {
            for artifact in offered {
                // The choice concerns the animations, which are listed one after the other.
                if Some(artifact) == first {
                    ui.horizontal(|ui| {
                        ui.label("Animations show");
                        for look in Look::ALL {
                            ui.selectable_value(&mut self.look, look, look.label());
                        }
                    });
                }
                let button =
                    egui::Button::new(artifact.label()).wrap_mode(egui::TextWrapMode::Extend);
                let size = egui::vec2(ui.available_width(), theme::ROW);
                if ui.add_sized(size, button).clicked() {
                    commands.push(Command::Export(artifact, self.look));
                }
            }
        });
    }
}
