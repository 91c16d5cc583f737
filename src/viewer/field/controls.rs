//! The control panel.

use super::preset::{Preset, caption};
use super::settings::{Cut, FieldSettings};
use super::widgets::{choice, class, group, row, slider};
use super::{FieldInput, FieldLab, class_name, export};
use crate::gpu::field::seeds::Seeding;
use crate::gpu::field::{ArrowPlace, Camera, CloudColours, FieldKind, ParticleColours, Quantity};
use crate::potential::Operator;
use crate::viewer::theme::GRID;
use eframe::egui::{self, RichText, Ui};

/// Draws the panel.
pub fn show(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    ui.add_space(GRID);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = GRID / 2.0;
        ui.spacing_mut().button_padding.x = 0.75 * GRID;
        for preset in Preset::ALL {
            if ui.button(preset.name()).on_hover_text(preset.help()).clicked() {
                lab.apply(preset);
            }
        }
        let help = "Vanilla and reshaped side by side, with particles";
        if ui.button("Compare").on_hover_text(help).clicked() {
            let mut settings = FieldSettings { ..FieldSettings::default() };
            settings.models_table = lab.settings.models_table;
            settings.classes = lab.settings.classes;
            settings.target = lab.settings.target;
            settings.potential = lab.settings.potential;
            lab.settings = settings;
            lab.playing = true;
        }
    });
    let text = caption(&lab.settings, input.cloud.is_some());
    ui.label(RichText::new(text).small().weak());
    field(lab, ui, input);
    view(lab, ui);
    arrows(&mut lab.settings, ui);
    slice(lab, ui, input);
    particles(lab, ui, input.cloud.is_some());
    photo(&mut lab.settings, ui, input.cloud.is_some());
    let help = "The field's length from the target to its decision boundary (Fig. 1c)";
    group(ui, "Gradient curve", help, Some(&mut lab.settings.curve), |_| {});
    export::controls(lab, ui, input);
    ui.add_space(2.0 * GRID);
}

fn field(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    let settings = &mut lab.settings;
    group(ui, "Field", "", None, |ui| {
        choice(
            ui,
            "Centroids",
            "Whose class centroids (equations 7 and 8)",
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
        let count = if settings.models_table { input.centroids.len() } else { settings.classes };
        let names = settings.clone();
        let named = |k: usize| class_name(&names, input, k);
        let help = "The class that the pixel should become; a click on a centroid chooses it too";
        class(ui, "Target", help, &mut settings.target, count, named);
        let p = &mut settings.potential;
        choice(
            ui,
            "Operator T",
            "How a squared distance d becomes a logit",
            &mut p.operator,
            &[
                (Operator::Log, "log", "T(d) = −ln(d + ε), the paper's choice"),
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
        slider(ui, "Temperature", help, &mut p.temperature, 0.25..=4.0, true);
        let help = "Added to every squared distance; softens the field within its square root";
        slider(ui, "Epsilon", help, &mut p.epsilon, 1e-6..=0.1, true);
        choice(
            ui,
            "Objective",
            "How the correction enters the target velocity",
            &mut settings.annealed,
            &[
                (false, "static", "v − grad Φ at every time (equation 12)"),
                (true, "annealed", "v − t grad Φ: the correction grows with t (section 5.3)"),
            ],
        );
        if settings.annealed {
            let help = "Time of the annealed target: the weight of the correction";
            slider(ui, "Time t", help, &mut settings.time, 0.0..=1.0, false);
        }
        choice(
            ui,
            "Neighbourhood",
            "What a particle traverses when it enters it, and what the slice shades",
            &mut settings.neighbourhood.cells,
            &[
                (false, "ball", "A ball around the centroid"),
                (true, "cell", "The centroid's whole Voronoi cell"),
            ],
        );
        if !settings.neighbourhood.cells {
            let help = "The ball's radius as a share of half the way to the nearest other centroid";
            slider(ui, "Radius", help, &mut settings.neighbourhood.share, 0.1..=1.0, false);
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
                (true, "perspective", "Near things look larger"),
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
            if ui.button("reset").on_hover_text("The camera as it was at first").clicked() {
                settings.camera = Camera::default();
            }
        });
        ui.checkbox(&mut settings.labels, "names beside centroids")
            .on_hover_text("The nearest ones, as far as they do not overlap");
    });
}

/// A field's name.
pub fn kind_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Reconstructive => "vanilla: μ − x",
        FieldKind::Correction => "correction: −grad Φ",
        FieldKind::Reshaped => "reshaped: μ − x − grad Φ",
        FieldKind::Network => "network's velocity",
    }
}

fn arrows(settings: &mut FieldSettings, ui: &mut Ui) {
    let help = "The field as arrows; length and colour by its length";
    group(ui, "Arrows", help, Some(&mut settings.arrows), |ui| {
        choice(
            ui,
            "Where",
            "Where arrows stand",
            &mut settings.arrow_place,
            &[
                (ArrowPlace::Cube, "cube", "On a lattice that fills the cube"),
                (ArrowPlace::Slice, "slice", "On a lattice in the slice"),
                (ArrowPlace::Cloud, "photo", "At pixels of the open photo"),
            ],
        );
        let help = "Arrows along an edge of the cube";
        slider(ui, "Per edge", help, &mut settings.arrows_per_axis, 3..=24, false);
    });
}

fn slice(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    let settings = &mut lab.settings;
    let names = settings.clone();
    let help = "A plane through the cube; a click on it reads off every number there";
    group(ui, "Slice", help, Some(&mut settings.slice), |ui| {
        let classes = match settings.cut {
            Cut::Classes(classes) => classes,
            _ => [settings.target, 0, 1],
        };
        let before = settings.cut;
        choice(
            ui,
            "Plane",
            "Where the slice lies",
            &mut settings.cut,
            &[
                (Cut::Neighbours, "nearest", "Through the target and the two classes nearest to it"),
                (Cut::Classes(classes), "3 classes", "Through any three centroids"),
                (Cut::Axis(0), "R", "Across the red axis"),
                (Cut::Axis(1), "G", "Across the green axis"),
                (Cut::Axis(2), "B", "Across the blue axis"),
            ],
        );
        lab.face_slice |= before != settings.cut && !settings.camera.perspective;
        match &mut settings.cut {
            Cut::Axis(_) => {
                let help = "Where the slice cuts the axis";
                slider(ui, "At", help, &mut settings.slice_at, -1.0..=1.0, false);
            }
            Cut::Classes(classes) => {
                let count =
                    if names.models_table { input.centroids.len() } else { names.classes };
                for (class_of, name) in classes.iter_mut().zip(["First", "Second", "Third"]) {
                    let help = "A class whose centroid lies on the slice";
                    class(ui, name, help, class_of, count, |k| class_name(&names, input, k));
                }
            }
            Cut::Neighbours => {}
        }
        choice(
            ui,
            "Colours",
            "What the heat map shows",
            &mut settings.quantity,
            &[
                (Quantity::Magnitude, "|f|", "The field's length"),
                (Quantity::Potential, "Φ", "The potential (equation 10)"),
                (Quantity::Probability, "p", "The target's probability (equation 9)"),
                (Quantity::Cells, "cells", "The nearest centroid's colour"),
            ],
        );
        let help = "Streamlines along an edge of the cube; 0 for none";
        slider(ui, "Streamlines", help, &mut settings.streamlines, 0..=40, false);
        slider(ui, "Opacity", "The slice's opacity", &mut settings.opacity, 0.1..=1.0, false);
        ui.horizontal(|ui| {
            let boundaries = "Boundaries of the Voronoi cells; the target's is dashed";
            ui.checkbox(&mut settings.boundaries, "cells").on_hover_text(boundaries);
            ui.checkbox(&mut settings.iso_lines, "iso-lines").on_hover_text("Lines of equal value");
            let shade = "Shade the target's neighbourhood";
            ui.checkbox(&mut settings.shade, "target").on_hover_text(shade);
        });
    });
}

fn particles(lab: &mut FieldLab, ui: &mut Ui, photo: bool) {
    let settings = &mut lab.settings;
    let help = "Particles that follow the field, dx/ds = f(x), from the same starts in both panes";
    group(ui, "Particles", help, Some(&mut settings.particles), |ui| {
        ui.horizontal(|ui| {
            let name = if lab.playing { "Pause" } else { "Run" };
            if ui.button(name).on_hover_text("Pause or go on").clicked() {
                lab.playing = !lab.playing;
            }
            if ui.button("Restart").on_hover_text("Back to the starts").clicked() {
                lab.restart = true;
                lab.playing = true;
            }
            let reseed = ui.button("Other starts").on_hover_text("Draw other random starts");
            if reseed.clicked() {
                settings.seed = settings.seed.wrapping_add(1);
            }
        });
        let mut starts = vec![
            (Seeding::Cube, "cube", "At random in the cube"),
            (Seeding::Sphere, "sphere", "At random on a sphere around the target"),
            (Seeding::Slice, "slice", "At random on the slice"),
        ];
        if photo {
            starts.push((Seeding::Photo, "photo", "At the open photo's pixels"));
        }
        choice(ui, "Starts", "Where particles start", &mut settings.seeding, &starts);
        if settings.seeding == Seeding::Sphere {
            slider(ui, "Radius", "The sphere's radius", &mut settings.sphere, 0.1..=2.0, false);
        }
        slider(ui, "Count", "How many particles", &mut settings.count, 16..=100_000, true);
        slider(ui, "Trails", "How many leave a trail", &mut settings.trails, 0..=1000, false);
        choice(
            ui,
            "Colours",
            "What a particle's colour says",
            &mut settings.particle_colours,
            &[
                (
                    ParticleColours::Traversal,
                    "traversals",
                    "Orange once it has entered a foreign neighbourhood (a traversal: the one it starts in \
                     does not count, coming back does)",
                ),
                (ParticleColours::Class, "class", "The nearest centroid's colour"),
            ],
        );
        ui.horizontal(|ui| {
            ui.checkbox(&mut settings.discs, "discs").on_hover_text("Draw the particles themselves");
            let help = "Draw each where it started, coloured by what has become of it; once the run is over \
                        all are drawn so";
            ui.checkbox(&mut settings.at_start, "at their starts").on_hover_text(help);
        });
        let rule = &mut settings.integration;
        let help = "The longest Euler step in s; near a centroid steps are shorter";
        slider(ui, "Step ds", help, &mut rule.step, 0.002..=0.1, true);
        slider(ui, "Steps", "How many steps each takes", &mut rule.steps, 50..=3000, true);
        let help = "Steps a frame";
        slider(ui, "Speed", help, &mut settings.speed, 1..=40, true);
    });
}

fn photo(settings: &mut FieldSettings, ui: &mut Ui, photo: bool) {
    let help = "Every pixel of the open photo as a point at its state, moving with the timeline";
    group(ui, "Photo", help, Some(&mut settings.cloud), |ui| {
        if !photo {
            ui.label(RichText::new("no photo is open").weak());
            return;
        }
        choice(
            ui,
            "Colours",
            "What a point's colour says",
            &mut settings.cloud_colours,
            &[
                (CloudColours::State, "state", "Its state as a colour"),
                (CloudColours::Class, "class", "The class that it decodes to"),
                (CloudColours::Photo, "photo", "The pixel's colour in the photo"),
            ],
        );
        let help = "Radius of a point";
        slider(ui, "Size", help, &mut settings.cloud_radius, 0.5..=5.0, false);
    });
}
