//! The controls of what is shown: arrows, the slice, particles and the photo's pixels.

use super::settings::{Cut, FieldSettings};
use super::widgets::{choice, class, group, slider};
use super::{FieldInput, FieldLab, drawn_name};
use crate::gpu::field::seeds::Seeding;
use crate::gpu::field::{ArrowPlace, CloudColours, ParticleColours, Quantity};
use eframe::egui::{RichText, Ui};

/// Arrows.
pub fn arrows(settings: &mut FieldSettings, ui: &mut Ui) {
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
        slider(
            ui,
            "Per edge",
            help,
            &mut settings.arrows_per_axis,
            3..=24,
            false,
        );
    });
}

/// The slice.
pub fn slice(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
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
                (
                    Cut::Neighbours,
                    "nearest",
                    "Through the target and the two classes nearest to it",
                ),
                (
                    Cut::Classes(classes),
                    "3 classes",
                    "Through any three centroids",
                ),
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
                let count = if names.models_table {
                    input.centroids.len()
                } else {
                    names.classes
                };
                for (class_of, name) in classes.iter_mut().zip(["First", "Second", "Third"]) {
                    let help = "A class whose centroid lies on the slice";
                    class(ui, name, help, class_of, count, |k| {
                        drawn_name(&names, input, k)
                    });
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
                (
                    Quantity::Probability,
                    "p",
                    "The target's probability (equation 9)",
                ),
                (Quantity::Cells, "cells", "The nearest centroid's colour"),
            ],
        );
        let help = "Streamlines along an edge of the cube; 0 for none";
        slider(
            ui,
            "Streamlines",
            help,
            &mut settings.streamlines,
            0..=40,
            false,
        );
        slider(
            ui,
            "Opacity",
            "The slice's opacity",
            &mut settings.opacity,
            0.1..=1.0,
            false,
        );
        ui.horizontal(|ui| {
            let boundaries = "Boundaries of the Voronoi cells; the target's is dashed";
            ui.checkbox(&mut settings.boundaries, "cells")
                .on_hover_text(boundaries);
            ui.checkbox(&mut settings.iso_lines, "iso-lines")
                .on_hover_text("Lines of equal value");
            let shade = "Shade the target's neighbourhood";
            ui.checkbox(&mut settings.shade, "target")
                .on_hover_text(shade);
        });
    });
}

/// Particles.
pub fn particles(lab: &mut FieldLab, ui: &mut Ui, photo: bool) {
    let settings = &mut lab.settings;
    let help = "Particles that follow the field, dx/ds = f(x), from the same starts in both panes";
    group(ui, "Particles", help, Some(&mut settings.particles), |ui| {
        ui.horizontal(|ui| {
            let name = if lab.playing { "Pause" } else { "Run" };
            if ui.button(name).on_hover_text("Pause or go on").clicked() {
                lab.playing = !lab.playing;
            }
            if ui
                .button("Restart")
                .on_hover_text("Back to the starts")
                .clicked()
            {
                lab.restart = true;
                lab.playing = true;
            }
            let reseed = ui
                .button("Other starts")
                .on_hover_text("Draw other random starts");
            if reseed.clicked() {
                settings.seed = settings.seed.wrapping_add(1);
            }
        });
        let mut starts = vec![
            (Seeding::Cube, "cube", "At random in the cube"),
            (
                Seeding::Sphere,
                "sphere",
                "At random on a sphere around the target",
            ),
            (Seeding::Slice, "slice", "At random on the slice"),
        ];
        if photo {
            starts.push((Seeding::Photo, "photo", "At the open photo's pixels"));
        }
        choice(
            ui,
            "Starts",
            "Where particles start",
            &mut settings.seeding,
            &starts,
        );
        if settings.seeding == Seeding::Sphere {
            slider(
                ui,
                "Radius",
                "The sphere's radius",
                &mut settings.sphere,
                0.1..=2.0,
                false,
            );
        }
        slider(
            ui,
            "Count",
            "How many particles",
            &mut settings.count,
            16..=100_000,
            true,
        );
        slider(
            ui,
            "Trails",
            "How many leave a trail",
            &mut settings.trails,
            0..=1000,
            false,
        );
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
                (
                    ParticleColours::Class,
                    "class",
                    "The nearest centroid's colour",
                ),
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
        slider(
            ui,
            "Steps",
            "How many steps each takes",
            &mut rule.steps,
            50..=3000,
            true,
        );
        let help = "Steps a frame";
        slider(ui, "Speed", help, &mut settings.speed, 1..=40, true);
    });
}

/// The photo's pixels.
pub fn photo(settings: &mut FieldSettings, ui: &mut Ui, photo: bool) {
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
                (
                    CloudColours::Photo,
                    "photo",
                    "The pixel's colour in the photo",
                ),
            ],
        );
        let help = "Radius of a point";
        slider(
            ui,
            "Size",
            help,
            &mut settings.cloud_radius,
            0.5..=5.0,
            false,
        );
        let help =
            "The photo in the corner; a drag over it brushes a region, whose points light up";
        ui.checkbox(&mut settings.inset, "the photo beside them")
            .on_hover_text(help);
        ui.label(RichText::new("Shift and drag in the cube brushes points").weak());
    });
}
