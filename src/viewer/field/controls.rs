//! The controls beside the picture.

use super::interface::{FieldInput, class_name, kind_name};
use super::lab::FieldLab;
use super::preset::{Preset, caption};
use super::settings::FieldSettings;
use super::widgets::{choice, class, group, row, slider};
use super::{export, layers};
use crate::potential::Operator;
use crate::vector_field::{Camera, FieldKind};
use crate::viewer::theme::GRID;
use eframe::egui::{self, RichText, Ui};

/// Draws the controls.
pub(super) fn show(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    ui.add_space(GRID);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = GRID / 2.0;
        ui.spacing_mut().button_padding.x = 0.75 * GRID;
        for preset in Preset::ALL {
            if ui
                .button(preset.name())
                .on_hover_text(preset.help())
                .clicked()
            {
                lab.apply(preset);
            }
        }
        let help = "Vanilla and reshaped side by side, with particles";
        if ui.button("Compare").on_hover_text(help).clicked() {
            lab.settings = FieldSettings {
                models_table: lab.settings.models_table,
                classes: lab.settings.classes,
                target: lab.settings.target,
                potential: lab.settings.potential,
                ..FieldSettings::default()
            };
            lab.playing = true;
        }
    });
    let text = caption(&lab.settings, input.cloud.is_some());
    ui.label(RichText::new(text).small().weak());
    field(lab, ui, input);
    view(lab, ui);
    layers::arrows(&mut lab.settings.layers.arrows, ui);
    layers::slice(lab, ui, input);
    layers::particles(lab, ui, input.cloud.is_some());
    layers::photo(&mut lab.settings, ui, input.cloud.is_some());
    let help = "The field's length from the target to its decision boundary (Fig. 1c)";
    group(
        ui,
        "Gradient curve",
        help,
        Some(&mut lab.settings.curve),
        |_| {},
    );
    export::controls(lab, ui, input);
    ui.add_space(2.0 * GRID);
}

fn field(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    let settings = &mut lab.settings;
    group(ui, "Field", "", None, |ui| {
        choice(
            ui,
            "Centroids",
            "The class centroids (equations 7 and 8)",
            &mut settings.models_table,
            &[
                (true, "model's", "The centroids and names of the open model"),
                (false, "any N", "The centroids of N classes without names"),
            ],
        );
        if !settings.models_table {
            let help = "Number of classes, 2 to 1000";
            slider(ui, "Classes N", help, &mut settings.classes, 2..=1000, true);
        }
        let count = settings.class_count(input.centroids.len());
        let names = settings.clone();
        let named = |k: usize| class_name(&names, input, k);
        let help = "The class that the pixel should become; also chosen by a click on a centroid";
        class(ui, "Target", help, &mut settings.target, count, named);
        let p = &mut settings.potential;
        choice(
            ui,
            "Operator T",
            "How a squared distance d becomes a logit",
            &mut p.operator,
            &[
                (
                    Operator::Log,
                    "log",
                    "T(d) = −ln(d + ε), the paper's choice",
                ),
                (Operator::Sqrt, "sqrt", "T(d) = −sqrt(d + ε)"),
                (Operator::Linear, "linear", "T(d) = −(d + ε)"),
                (
                    Operator::NormalizedGradient,
                    "unit",
                    "The logarithm's gradient scaled to unit length",
                ),
            ],
        );
        let help = "Temperature of the softmax (equation 9): smaller is sharper";
        slider(
            ui,
            "Temperature",
            help,
            &mut p.temperature,
            0.25..=4.0,
            true,
        );
        let help = "Added to every squared distance; softens the field closer than its square root";
        slider(ui, "Epsilon", help, &mut p.epsilon, 1e-6..=0.1, true);
        choice(
            ui,
            "Objective",
            "How the correction enters the target velocity",
            &mut settings.annealed,
            &[
                (false, "static", "v − grad Φ at every time (equation 12)"),
                (
                    true,
                    "annealed",
                    "v − t grad Φ: the correction grows with t (section 5.3)",
                ),
            ],
        );
        if settings.annealed {
            let help = "Time of the annealed target: the weight of the correction";
            slider(ui, "Time t", help, &mut settings.time, 0.0..=1.0, false);
        }
        choice(
            ui,
            "Neighbourhood",
            "The region around a centroid whose traversals are counted, and which the slice shades",
            &mut settings.neighbourhood.cells,
            &[
                (false, "ball", "A ball around the centroid"),
                (true, "cell", "The centroid's whole Voronoi cell"),
            ],
        );
        if !settings.neighbourhood.cells {
            let help = "The ball's radius as a fraction of half the distance to the nearest other centroid";
            slider(
                ui,
                "Radius",
                help,
                &mut settings.neighbourhood.share,
                0.1..=1.0,
                false,
            );
        }
    });
}

fn view(lab: &mut FieldLab, ui: &mut Ui) {
    let settings = &mut lab.settings;
    group(ui, "View", "", None, |ui| {
        choice(
            ui,
            "Show",
            "One field, or vanilla and reshaped with linked cameras",
            &mut settings.compare,
            &[
                (true, "both", "Vanilla and reshaped side by side"),
                (false, "one field", "A single field"),
            ],
        );
        if !settings.compare {
            row(ui, "Which", "Which field is shown", |ui| {
                egui::ComboBox::from_id_salt("which field")
                    .width(ui.available_width() - GRID)
                    .selected_text(kind_name(settings.kind))
                    .show_ui(ui, |ui| {
                        for kind in FieldKind::ALL {
                            ui.selectable_value(&mut settings.kind, kind, kind_name(kind));
                        }
                    })
                    .response
            });
        }
        choice(
            ui,
            "Projection",
            "How depth is drawn",
            &mut settings.camera.perspective,
            &[
                (true, "perspective", "Near objects look larger"),
                (false, "parallel", "Lengths are comparable everywhere"),
            ],
        );
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            for (axis, name) in ["red", "green", "blue"].into_iter().enumerate() {
                let help = format!("Look along the {name} axis");
                if ui.button(name).on_hover_text(help).clicked() {
                    settings.camera.snap(axis);
                }
            }
            if ui.button("slice").on_hover_text("Face the slice").clicked() {
                lab.face_slice = true;
            }
            if ui
                .button("reset")
                .on_hover_text("The initial camera")
                .clicked()
            {
                settings.camera = Camera::default();
            }
        });
        ui.checkbox(&mut settings.labels, "names beside centroids")
            .on_hover_text("Names of the nearest centroids, as far as they do not overlap");
    });
}
