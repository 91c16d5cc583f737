//! The controls of the layers: arrows, slice, particles and the photo's pixels.

use super::interface::{FieldInput, class_name};
use super::lab::FieldLab;
use super::settings::{Cut, FieldSettings, Toggle};
use super::widgets::{choice, class, group, slider};
use crate::gpu::field::{ArrowPlace, Arrows, CloudColours, ParticleColours, Quantity};
use crate::vector_field::seeds::Seeding;
use eframe::egui::{RichText, Ui};

/// Controls of the arrows.
pub(super) fn arrows(toggle: &mut Toggle<Arrows>, ui: &mut Ui) {
    let Toggle { shown, settings } = toggle;
    let help = "The field as arrows, whose length and colour show the field's length";
    group(ui, "Arrows", help, Some(shown), |ui| {
        choice(
            ui,
            "Where",
            "Where arrows are placed",
            &mut settings.place,
            &[
                (ArrowPlace::Cube, "cube", "On a lattice that fills the cube"),
                (ArrowPlace::Slice, "slice", "On a lattice in the slice"),
                (ArrowPlace::Cloud, "photo", "At pixels of the open photo"),
            ],
        );
        let help = "Number of arrows along an edge of the cube";
        slider(ui, "Per edge", help, &mut settings.per_edge, 3..=24, false);
    });
}

/// Controls of the slice and its streamlines.
pub(super) fn slice(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    let settings = &mut lab.settings;
    let names = settings.clone();
    let help = "A plane through the cube; a click on it shows the numbers at that point";
    let Toggle {
        shown,
        settings: slice,
    } = &mut settings.layers.slice;
    group(ui, "Slice", help, Some(shown), |ui| {
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
                (Cut::Axis(0), "R", "Perpendicular to the red axis"),
                (Cut::Axis(1), "G", "Perpendicular to the green axis"),
                (Cut::Axis(2), "B", "Perpendicular to the blue axis"),
            ],
        );
        lab.face_slice |= before != settings.cut && !settings.camera.perspective;
        match &mut settings.cut {
            Cut::Axis(_) => {
                let help = "Where the slice cuts the axis";
                slider(ui, "At", help, &mut settings.slice_at, -1.0..=1.0, false);
            }
            Cut::Classes(classes) => {
                let count = names.class_count(input.centroids.len());
                for (class_of, name) in classes.iter_mut().zip(["First", "Second", "Third"]) {
                    let help = "A class whose centroid lies on the slice";
                    class(ui, name, help, class_of, count, |k| {
                        class_name(&names, input, k)
                    });
                }
            }
            Cut::Neighbours => {}
        }
        choice(
            ui,
            "Colours",
            "What the heat map shows",
            &mut slice.quantity,
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
        let help = "Number of streamlines along an edge of the cube";
        slider(
            ui,
            "Streamlines",
            help,
            &mut settings.layers.streamlines.per_edge,
            0..=40,
            false,
        );
        slider(
            ui,
            "Opacity",
            "The slice's opacity",
            &mut slice.opacity,
            0.1..=1.0,
            false,
        );
        ui.horizontal(|ui| {
            let boundaries = "Boundaries of the Voronoi cells; the target's is dashed";
            ui.checkbox(&mut slice.boundaries, "cells")
                .on_hover_text(boundaries);
            ui.checkbox(&mut slice.iso_lines, "iso-lines")
                .on_hover_text("Lines of equal value");
            let shade = "Shade the target's neighbourhood";
            ui.checkbox(&mut slice.neighbourhood, "target")
                .on_hover_text(shade);
        });
    });
}

/// Controls of the particles.
pub(super) fn particles(lab: &mut FieldLab, ui: &mut Ui, photo: bool) {
    let settings = &mut lab.settings;
    let help = "Particles that follow the field, dx/ds = f(x), from the same starts in both panes";
    let Toggle {
        shown,
        settings: particles,
    } = &mut settings.layers.particles;
    group(ui, "Particles", help, Some(shown), |ui| {
        ui.horizontal(|ui| {
            let name = if lab.playing { "Pause" } else { "Run" };
            if ui.button(name).on_hover_text("Pause or continue").clicked() {
                lab.playing = !lab.playing;
            }
            if ui
                .button("Restart")
                .on_hover_text("Move all particles back to their starts")
                .clicked()
            {
                lab.picture.restart();
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
            "Number of particles",
            &mut settings.count,
            16..=100_000,
            true,
        );
        slider(
            ui,
            "Trails",
            "Number of particles that leave a trail",
            &mut particles.trails,
            0..=1000,
            false,
        );
        choice(
            ui,
            "Colours",
            "What a particle's colour shows",
            &mut particles.colours,
            &[
                (
                    ParticleColours::Traversal,
                    "traversals",
                    "Orange once it has entered a foreign neighbourhood (a traversal: the one in which \
                     it starts does not count, coming back to it does)",
                ),
                (
                    ParticleColours::Class,
                    "class",
                    "The nearest centroid's colour",
                ),
            ],
        );
        ui.horizontal(|ui| {
            ui.checkbox(&mut particles.discs, "discs").on_hover_text("Draw the particles, not only their trails");
            let help = "Draw each particle where it started, in its present colour; once all particles are \
                        at their end they are drawn like that anyway";
            ui.checkbox(&mut particles.at_start, "at their starts").on_hover_text(help);
        });
        let rule = &mut particles.integration;
        let help = "The longest Euler step in s; near a centroid steps are shorter";
        slider(ui, "Step ds", help, &mut rule.step, 0.002..=0.1, true);
        slider(
            ui,
            "Steps",
            "Number of steps of each particle",
            &mut rule.steps,
            50..=3000,
            true,
        );
        let help = "Steps per frame";
        slider(ui, "Speed", help, &mut settings.speed, 1..=40, true);
    });
}

/// Controls of the photo's pixels.
pub(super) fn photo(settings: &mut FieldSettings, ui: &mut Ui, photo: bool) {
    let help = "Every pixel of the open photo as a point at its state, moving with the timeline";
    let Toggle {
        shown,
        settings: cloud,
    } = &mut settings.layers.cloud;
    group(ui, "Photo", help, Some(shown), |ui| {
        if !photo {
            ui.label(RichText::new("no photo is open").weak());
            return;
        }
        choice(
            ui,
            "Colours",
            "What a point's colour shows",
            &mut cloud.colours,
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
        slider(ui, "Size", help, &mut cloud.radius, 0.5..=5.0, false);
        let help = "The photo in the corner; dragging over it brushes a region, whose points are highlighted";
        ui.checkbox(&mut settings.inset, "the photo beside them")
            .on_hover_text(help);
        ui.label(RichText::new("Shift and drag in the cube brushes points").weak());
    });
}
