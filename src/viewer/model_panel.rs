//! The model panel: choice of model, the open model's card, and the scale of its input.

use super::app_state::AppState;
use super::commands::{Action, Command, help};
use super::panel::Panel;
use super::theme::{self, GRID};
use crate::model::{Card, Fit};
use crate::models;
use eframe::egui;
use egui_material_icons::icons;

#[derive(Default)]
pub(super) struct ModelPanel {
    /// The scale of the input while it is being changed; it applies when the slider is released.
    scale: Option<f64>,
}

impl Panel for ModelPanel {
    fn title(&self) -> &'static str {
        "Model"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                choose(app, ui, commands);
                ui.separator();
                let Some(model) = &app.model else {
                    theme::empty(ui, "No model is open.");
                    return;
                };
                about(ui, &model.card);
                ui.separator();
                self.scale(app, ui, commands);
            });
    }
}

impl ModelPanel {
    fn scale(&mut self, app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
        theme::section(ui, "Scale of the input");
        let mut scale = self.scale.unwrap_or(app.sampling.scale);
        let slider = egui::Slider::new(&mut scale, 0.5..=3.0)
            .step_by(0.25)
            .suffix(" x");
        let response = ui.add(slider).on_hover_text(
            "Side lengths of the network's input, relative to training: larger ones show more \
             detail and take more time; far from 1, the input is unlike any in training",
        );
        self.scale = Some(scale).filter(|_| response.dragged() || response.has_focus());
        if self.scale.is_none() && scale != app.sampling.scale {
            commands.push(Command::SetScale(scale));
        }
        if let Some(flow) = &app.flow {
            let [height, width] = flow.size;
            let (photo_width, photo_height) = flow.photo.dimensions();
            ui.weak(format!(
                "the network sees {height} x {width} of {photo_height} x {photo_width} pixels (H x W)"
            ));
        }
    }
}

fn choose(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let open = app.model.as_ref().map(|model| model.name.as_str());
    let with_the_program = if models::BUILT_IN.is_empty() {
        "Installed"
    } else {
        "Built in"
    };
    theme::section(ui, with_the_program);
    for name in models::NAMES {
        let on = open == Some(name);
        if ui.selectable_label(on, name).clicked() && !on {
            commands.push(Command::ChooseModel(name.to_owned()));
        }
    }
    if !app.settings.recent_models.is_empty() {
        theme::section(ui, "Opened recently");
        for path in &app.settings.recent_models {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let full = path.to_string_lossy();
            let on = open.is_some_and(|open| {
                let open = dunce::canonicalize(open);
                open.is_ok_and(|open| open == *path)
            });
            let label = ui.selectable_label(on, name).on_hover_text(full.clone());
            if label.clicked() {
                commands.push(Command::ChooseModel(full.into_owned()));
            }
        }
    }
    let help = help(ui.ctx(), Action::OpenModel);
    let label = (theme::icon(icons::ICON_FOLDER_OPEN), "Open a model file");
    if ui.button(label).on_hover_text(help).clicked() {
        commands.push(Action::OpenModel.into());
    }
}

fn about(ui: &mut egui::Ui, card: &Card) {
    theme::section(ui, "This model");
    let score = card.score.as_ref().map_or_else(
        || "not scored".to_owned(),
        |score| format!("{:.1} mIoU", 100.0 * score.miou),
    );
    let best = card.quality.as_ref().map_or_else(
        || "not measured".to_owned(),
        |quality| {
            let looks = quality.scales.len() * if quality.flip { 2 } else { 1 };
            let [fast, best] = [quality.fast, quality.best].map(|miou| 100.0 * miou);
            format!("{best:.1} mIoU with {looks} passes, {fast:.1} with one")
        },
    );
    let [height, width] = card.size;
    let network = &card.network;
    let encoder = network.encoder.as_ref().map_or_else(
        || "none".to_owned(),
        |vit| format!("{} blocks, {} wide", vit.blocks, vit.width),
    );
    let fit = match card.fit {
        Fit::Aspect => "photos keep their aspect ratio",
        Fit::Stretch => "photos are stretched",
    };
    let steps = card.default_steps();
    let unit = if steps == 1 { "step" } else { "steps" };
    let sampling = if card.prediction.is_one_step() {
        "always 1 step".to_owned()
    } else if card.sampling_steps.is_some() {
        format!("{steps} {unit} recommended")
    } else {
        format!("{steps} {unit} by default")
    };
    let rows = [
        ("Data set", card.dataset.clone()),
        ("Classes", card.classes.len().to_string()),
        ("Score", score),
        ("Quality", best),
        ("Trained at", format!("height {height}, width {width}")),
        ("Fit", fit.to_owned()),
        ("Steps", format!("{}", card.steps)),
        ("Sampling", sampling),
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
