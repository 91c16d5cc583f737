//! The model panel: which model is open and what it says of itself; open another one.

use super::app_state::AppState;
use super::commands::{self, Command};
use super::theme::{self, GRID};
use crate::model::Card;
use crate::models;
use eframe::egui;
use egui_material_icons::icons;

/// Draws the panel.
pub fn show(app: &mut AppState, ui: &mut egui::Ui) {
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            choose(app, ui);
            ui.separator();
            let Some(model) = &app.model else {
                theme::empty(ui, "No model is open.");
                return;
            };
            about(ui, &model.card);
            ui.separator();
            scale(app, ui);
        });
}

fn choose(app: &mut AppState, ui: &mut egui::Ui) {
    let open = app.model.as_ref().map(|model| model.name.clone());
    let mut wanted = None;
    theme::section(ui, "Built in");
    for (name, _) in models::BUILT_IN {
        let on = open.as_deref() == Some(name);
        if ui.selectable_label(on, *name).clicked() && !on {
            wanted = Some((*name).to_owned());
        }
    }
    if !app.settings.recent_models.is_empty() {
        theme::section(ui, "Opened lately");
        for path in &app.settings.recent_models {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let full = path.to_string_lossy();
            let on = open.as_deref().is_some_and(|open| {
                std::path::Path::new(open)
                    .canonicalize()
                    .is_ok_and(|open| open == *path)
            });
            let label = ui.selectable_label(on, name).on_hover_text(full.clone());
            if label.clicked() {
                wanted = Some(full.into_owned());
            }
        }
    }
    let help = commands::help(ui.ctx(), Command::OpenModel);
    let label = (theme::icon(icons::ICON_FOLDER_OPEN), "Open a model file");
    if ui.button(label).on_hover_text(help).clicked() {
        let context = ui.ctx().clone();
        app.run(&context, Command::OpenModel);
    }
    if let Some(name) = wanted {
        app.choose_model(&name);
    }
}

fn about(ui: &mut egui::Ui, card: &Card) {
    theme::section(ui, "This model");
    let score = card.score.as_ref().map_or_else(
        || "not scored".to_owned(),
        |score| format!("{:.1} mIoU", 100.0 * score.miou),
    );
    let [height, width] = card.size;
    let network = &card.network;
    let encoder = network.encoder.as_ref().map_or_else(
        || "none".to_owned(),
        |vit| format!("{} blocks, {} wide", vit.blocks, vit.width),
    );
    let rows = [
        ("Data set", card.dataset.clone()),
        ("Classes", card.classes.len().to_string()),
        ("Score", score),
        ("Trained at", format!("{width} x {height} pixels")),
        ("Steps", format!("{}", card.steps)),
        (
            "Parameters",
            format!("{:.1} M", network.parameters() as f64 / 1e6),
        ),
        ("Patch", format!("{0} x {0} pixels", network.patch_size)),
        ("Encoder", encoder),
        ("Starts at", format!("{:?}", card.source).to_lowercase()),
        ("Predicts", format!("{:?}", card.prediction).to_lowercase()),
        ("Licence", card.licence.clone()),
    ];
    egui::Grid::new("model card")
        .num_columns(2)
        .spacing([2.0 * GRID, GRID / 2.0])
        .show(ui, |ui| {
            for (name, value) in rows {
                ui.weak(name);
                ui.add(egui::Label::new(value).wrap());
                ui.end_row();
            }
        });
}

fn scale(app: &mut AppState, ui: &mut egui::Ui) {
    theme::section(ui, "Scale of the input");
    let slider = egui::Slider::new(&mut app.wanted_scale, 0.5..=3.0)
        .step_by(0.25)
        .suffix(" x");
    let response = ui.add(slider).on_hover_text(
        "Sides of what the network sees, relative to what it was trained at: larger shows it more \
         detail and costs more time; far from 1 it sees what it never saw in training",
    );
    if !response.dragged() && !response.has_focus() && app.sampling.scale != app.wanted_scale {
        app.sampling.scale = app.wanted_scale;
        app.selection.pins.clear();
        app.play.playing = true;
        app.sample();
    }
    if let Some(flow) = &app.flow {
        let [height, width] = flow.size;
        let (photo_width, photo_height) = flow.photo.dimensions();
        ui.weak(format!(
            "the network sees {width} x {height} of {photo_width} x {photo_height} pixels"
        ));
    }
}
