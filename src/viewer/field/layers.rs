//! The controls of the layers: arrows, slice, particles and the photo's pixels.

use super::derived;
use super::interface::{FieldInput, drawn_name};
use super::panel::FieldPanel;
use super::settings::{Cut, FieldSettings, Toggle};
use super::widgets::{choice, class, group, log_slider, slider};
use crate::flow::Source;
use crate::gpu::field::{ArrowPlace, Arrows, CloudColours, ParticleColours, Quantity};
use crate::vector_field::FieldKind;
use crate::vector_field::seeds::Seeding;
use crate::viewer::theme;
use eframe::egui::{Button, Checkbox, RichText, Ui};

pub(super) fn arrows(toggle: &mut Toggle<Arrows>, ui: &mut Ui) {
    let Toggle { shown, settings } = toggle;
    let help = "The field as arrows, whose length and colour show its magnitude";
    group(ui, "Arrows", help, Some(shown), |ui| {
        let places = [
            (ArrowPlace::Cube, "cube", "On a lattice that fills the cube"),
            (ArrowPlace::Slice, "slice", "On a lattice in the slice"),
            (ArrowPlace::Cloud, "photo", "At pixels of the open photo"),
        ];
        let help = "Where arrows are placed";
        choice(ui, "Where", help, &mut settings.place, &places);
        let help = "Number of arrows along an edge of the cube";
        slider(ui, "Per edge", help, &mut settings.per_edge, 3..=24);
    });
}

/// Controls of the slice and its streamlines.
pub(super) fn slice(panel: &mut FieldPanel, ui: &mut Ui, input: &FieldInput<'_>) {
    let table = panel.derived.table(&panel.settings, input.centroids);
    let settings = &mut panel.settings;
    let names = settings.clone();
    let Toggle {
        shown,
        settings: slice,
    } = &mut settings.layers.slice;
    let help = "A plane through the cube; a click on it shows the numbers at that point";
    group(ui, "Slice", help, Some(shown), |ui| {
        let before = settings.cut;
        let any = match before {
            Cut::Classes(_) => before,
            // Three different classes, where there are as many.
            _ => Cut::Classes(derived::neighbours(&table, settings.target).unwrap_or([
                settings.target,
                0,
                1,
            ])),
        };
        let axes = [0, 1, 2].map(|axis| names.axis_name(axis));
        let across = axes
            .each_ref()
            .map(|axis| format!("Perpendicular to {}", axis.phrase));
        let nearest = "Through the target and the two classes nearest to it";
        let cuts = [
            (Cut::Neighbours, "nearest", nearest),
            (any, "3 classes", "Through any three centroids"),
            (Cut::Axis(0), &axes[0].letter, &across[0]),
            (Cut::Axis(1), &axes[1].letter, &across[1]),
            (Cut::Axis(2), &axes[2].letter, &across[2]),
        ];
        let help = "Where the slice lies";
        choice(ui, "Plane", help, &mut settings.cut, &cuts);
        panel.face_slice |= before != settings.cut && !settings.camera.perspective;
        match &mut settings.cut {
            Cut::Axis(_) => {
                let help = "Where the slice cuts the axis";
                slider(ui, "At", help, &mut settings.slice_at, -1.0..=1.0);
            }
            Cut::Classes(classes) => {
                let count = names.class_count(input.centroids.len());
                let named = |k| drawn_name(&names, input, k);
                for (of, name) in classes.iter_mut().zip(["First", "Second", "Third"]) {
                    let help = "A class whose centroid lies on the slice";
                    class(ui, name, help, of, count, named);
                }
            }
            Cut::Neighbours => {}
        }
        let asked = FieldSettings {
            cut: settings.cut,
            ..names.clone()
        };
        if derived::spanned(&asked, &table).is_none() {
            let axis = &axes[derived::OTHERWISE].phrase;
            let text =
                format!("These centroids span no plane: the slice is perpendicular to {axis}.");
            ui.label(RichText::new(text).small().weak());
        }
        let probability = "The target's probability (equation 9)";
        // The other quantities do not depend on the field.
        let network = FieldKind::has_network(&names.panes());
        let quantities = [
            (Quantity::Magnitude, "|f|", "The field magnitude"),
            (Quantity::Potential, "Φ", "The potential (equation 10)"),
            (Quantity::Probability, "p", probability),
            (Quantity::Cells, "cells", "The nearest centroid's colour"),
        ];
        let help = "What the heat map shows";
        let quantities = &quantities[usize::from(network)..];
        let mut quantity = names.drawn_quantity();
        choice(ui, "Colours", help, &mut quantity, quantities);
        if quantity != names.drawn_quantity() {
            slice.quantity = quantity;
        }
        if network {
            let text = "The network's velocity is known only at pixels: its length |f| and its \
                        streamlines are not drawn.";
            ui.label(RichText::new(text).small().weak());
        }
        let help = "Number of streamlines along an edge of the cube";
        let per_edge = &mut settings.layers.streamlines.per_edge;
        ui.add_enabled_ui(!network, |ui| {
            slider(ui, "Streamlines", help, per_edge, 0..=40);
        });
        let help = "The slice's opacity";
        slider(ui, "Opacity", help, &mut slice.opacity, 0.1..=1.0);
        ui.horizontal(|ui| {
            let help = "Boundaries of the Voronoi cells; the target's is dashed";
            theme::checkbox(ui, &mut slice.boundaries, "cells").on_hover_text(help);
            let help = "Lines of equal value";
            theme::checkbox(ui, &mut slice.iso_lines, "iso-lines").on_hover_text(help);
            let help = "Shade the target's neighbourhood";
            theme::checkbox(ui, &mut slice.neighbourhood, "target").on_hover_text(help);
        });
    });
}

/// Controls of the particles. `source` is where the open photo's flow starts, `None` without a photo.
pub(super) fn particles(panel: &mut FieldPanel, ui: &mut Ui, source: Option<Source>) {
    let network = FieldKind::has_network(&panel.settings.panes());
    let finished =
        !network && !panel.picture.tallies().is_empty() && panel.picture.settled() == Some(true);
    let settings = &mut panel.settings;
    let Toggle {
        shown,
        settings: particles,
    } = &mut settings.layers.particles;
    let help = "Particles that follow the field, dx/ds = f(x), from the same starts in both panes";
    group(ui, "Particles", help, Some(shown), |ui| {
        if network {
            let text =
                "The network's velocity is known only at pixels: particles cannot follow it.";
            ui.label(RichText::new(text).small().weak());
        } else {
            ui.horizontal(|ui| {
                let name = if panel.paused { "Run" } else { "Pause" };
                let pause = ui.add_enabled(!finished, Button::new(name));
                if pause.on_hover_text("Pause or continue").clicked() {
                    panel.paused = !panel.paused;
                }
                let help = "Move all particles back to their starts";
                if ui.button("Restart").on_hover_text(help).clicked() {
                    panel.picture.restart();
                    panel.paused = false;
                }
                let help = "Draw other random starts";
                if ui.button("Other starts").on_hover_text(help).clicked() {
                    settings.seed = settings.seed.wrapping_add(1);
                }
            });
        }
        if finished {
            let text = if particles.discs {
                "finished: drawn at their starts"
            } else {
                "finished"
            };
            ui.label(RichText::new(text).small().weak());
        }
        let sphere = "At random on a sphere around the target";
        let starts = [
            (Seeding::Cube, "cube", "At random in the cube"),
            (Seeding::Sphere, "sphere", sphere),
            (Seeding::Slice, "slice", "At random on the slice"),
            match source {
                Some(Source::Noise) => {
                    let help = "At the flow's source: a point of noise for each pixel";
                    (Seeding::Photo, "source", help)
                }
                _ => (Seeding::Photo, "photo", "At the open photo's pixels"),
            },
        ];
        let starts = &starts[..3 + usize::from(source.is_some())];
        let help = "Where particles start";
        choice(ui, "Starts", help, &mut settings.seeding, starts);
        if settings.seeding == Seeding::Sphere {
            let help = "The sphere's radius";
            slider(ui, "Radius", help, &mut settings.sphere, 0.1..=2.0);
        }
        let help = "Number of particles";
        log_slider(ui, "Count", help, &mut settings.count, 16..=100_000);
        let help = "Number of particles that leave a trail";
        slider(ui, "Trails", help, &mut particles.trails, 0..=1000);
        let traversals = "Discs turn orange once they have entered another class's neighbourhood, and \
                          trails are red inside it (a traversal: the one in which it starts does not \
                          count, but returning to it does)";
        let class = "The nearest centroid's colour";
        let colours = [
            (ParticleColours::Traversal, "traversals", traversals),
            (ParticleColours::Class, "class", class),
        ];
        let help = "What a particle's colour shows";
        choice(ui, "Colours", help, &mut particles.colours, &colours);
        ui.horizontal(|ui| {
            let help = "Draw the particles, not only their trails";
            theme::checkbox(ui, &mut particles.discs, "discs").on_hover_text(help);
            let help = "Draw each particle where it started, in its present colour; once all particles \
                        have finished, they are drawn there anyway";
            let at_start = Checkbox::new(&mut particles.at_start, "at their starts");
            theme::outlined(ui, |ui| ui.add_enabled(!finished, at_start))
                .on_hover_text(help)
                .on_disabled_hover_text(help);
        });
        let rule = &mut particles.integration;
        let help = "The longest Euler step in s; near a centroid steps are shorter";
        log_slider(ui, "Step ds", help, &mut rule.step, 0.002..=0.1);
        let help = "Number of steps of each particle";
        log_slider(ui, "Steps", help, &mut rule.steps, 50..=3000);
        let help = "Steps per frame";
        log_slider(ui, "Speed", help, &mut settings.speed, 1..=40);
    });
}

/// Controls of the photo's pixels.
pub(super) fn photo(settings: &mut FieldSettings, ui: &mut Ui, photo: bool) {
    let (drawn, models_table) = (settings.drawn_colours(), settings.models_table);
    let Toggle {
        shown,
        settings: cloud,
    } = &mut settings.layers.cloud;
    let help = "Every pixel of the open photo as a point at its state, moving with the timeline";
    group(ui, "Photo", help, Some(shown), |ui| {
        if !photo {
            ui.label(RichText::new("no photo is open").weak());
            return;
        }
        let photo = "The pixel's colour in the photo";
        let colours = [
            (CloudColours::State, "state", "Its state as a colour"),
            (CloudColours::Class, "class", "The class that it decodes to"),
            (CloudColours::Photo, "photo", photo),
        ];
        let help = "What a point's colour shows";
        let colours = colours.into_iter();
        let known = |colour| models_table || colour != CloudColours::Class;
        let colours: Vec<_> = colours.filter(|(colour, ..)| known(*colour)).collect();
        let mut chosen = drawn;
        choice(ui, "Colours", help, &mut chosen, &colours);
        if chosen != drawn {
            cloud.colours = chosen;
        }
        if !models_table {
            let text =
                "Its class is one of the model's, which are not drawn: choose its centroids.";
            ui.label(RichText::new(text).small().weak());
        }
        let help = "Radius of a point";
        slider(ui, "Size", help, &mut cloud.radius, 0.5..=5.0);
        let help = "The photo in the corner; dragging over it brushes a region, whose points are \
                    highlighted";
        let inset = theme::checkbox(ui, &mut settings.inset, "the photo beside them");
        inset.on_hover_text(help);
        ui.label(RichText::new("Shift-drag in the cube to brush points").weak());
    });
}
