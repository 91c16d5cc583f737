//! The model panel: choice of model, the open model's card, and the scale of its input.

use super::app_state::AppState;
use super::commands::{Action, Command, help};
use super::field::widgets::ranged;
use super::panel::Panel;
use super::theme::{self, GRID};
use super::told_apart::model_names;
use crate::flow::{Prediction, Source};
use crate::model::{Card, Fit, Quality};
use crate::models;
use eframe::egui;
use egui_material_icons::icons;
use std::ops::RangeInclusive;

/// The scales of the network's input.
const SCALE: RangeInclusive<f64> = 0.5..=3.0;

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
        let mut scale = self.scale.unwrap_or(app.flow_settings.scale);
        let slider = egui::Slider::new(&mut scale, SCALE)
            .step_by(0.25)
            .suffix(" x");
        let help = "Side lengths of the network's input, relative to training: larger ones show more \
                    detail and take more time; far from 1, the input is unlike any in training";
        let response = ui.add(slider).on_hover_text(ranged(help, &SCALE, 1));
        self.scale = Some(scale).filter(|_| response.dragged() || response.has_focus());
        if self.scale.is_none() && scale != app.flow_settings.scale {
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
            let number = app.opener.number();
            commands.push(Command::ChooseModel(name.to_owned(), number));
        }
    }
    if !app.settings.recent_models.is_empty() {
        theme::section(ui, "Opened recently");
        let recent = &app.settings.recent_models;
        for (path, name) in recent.iter().zip(model_names(recent)) {
            let full = path.to_string_lossy();
            let on = app.model.as_ref().is_some_and(|model| model.is_at(path));
            let label = ui.selectable_label(on, name).on_hover_text(full.clone());
            if label.clicked() {
                let number = app.opener.number();
                commands.push(Command::ChooseModel(full.into_owned(), number));
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
    let best = card
        .quality
        .as_ref()
        .map_or_else(|| "not measured".to_owned(), gain);
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
        ("Training steps", card.steps.to_string()),
        ("Sampling", sampling),
        (
            "Parameters",
            format!("{:.1} M", network.parameters() as f64 / 1e6),
        ),
        ("Patch", format!("{0} x {0} pixels", network.patch_size)),
        ("Encoder", encoder),
        ("Starts at", start(card.source).to_owned()),
        ("Predicts", predicted(card.prediction).to_owned()),
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

/// The scores of both qualities, and the passes of the best one.
fn gain(quality: &Quality) -> String {
    let [fast, best] = [quality.fast, quality.best].map(|miou| 100.0 * miou);
    let scales: Vec<String> = quality.scales.iter().map(f64::to_string).collect();
    let word = if scales.len() == 1 { "scale" } else { "scales" };
    let mirrored = if quality.flip { ", also mirrored" } else { "" };
    let passes = format!("{word} {}{mirrored}", scales.join(", "));
    format!("{best:.1} mIoU at best quality ({passes}), {fast:.1} at fast")
}

/// Where the flow starts.
fn start(source: Source) -> &'static str {
    match source {
        Source::Image => "the photo",
        Source::Noise => "noise",
    }
}

/// What the network predicts.
fn predicted(prediction: Prediction) -> &'static str {
    match prediction {
        Prediction::Velocity => "the velocity",
        Prediction::Target => "the target",
        Prediction::Logits | Prediction::Posterior => "class probabilities",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passes_of_the_best_quality_are_named() {
        let mut quality = Quality {
            scales: vec![1.5],
            flip: false,
            fast: 0.882,
            best: 0.89,
            on: "photos".into(),
        };
        assert_eq!(
            gain(&quality),
            "89.0 mIoU at best quality (scale 1.5), 88.2 at fast"
        );
        (quality.scales, quality.flip) = (vec![1.0, 1.5], true);
        assert_eq!(
            gain(&quality),
            "89.0 mIoU at best quality (scales 1, 1.5, also mirrored), 88.2 at fast"
        );
    }
}
