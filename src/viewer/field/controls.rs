//! The controls beside the picture.

use super::interface::{FieldInput, drawn_name, kind_name};
use super::panel::FieldPanel;
use super::preset::{Preset, anew, caption};
use super::settings::{AxisName, FieldSettings};
use super::widgets::{OPERATORS, choice, class, group, log_slider, row, slider};
use super::{export, layers};
use crate::encoding::COLOUR_AXES;
use crate::gpu::field::ArrowPlace;
use crate::vector_field::{Camera, FieldKind};
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, RichText, Ui};

pub(super) fn show(panel: &mut FieldPanel, ui: &mut Ui, input: &FieldInput<'_>) {
    let source = input.cloud.map(|_| input.source);
    ui.add_space(GRID);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = GRID / 2.0;
        ui.spacing_mut().button_padding.x = 0.75 * GRID;
        for preset in Preset::ALL {
            let button = ui.button(preset.name());
            if button.on_hover_text(preset.help()).clicked() {
                panel.apply(preset);
            }
        }
        let help = "Vanilla and reshaped side by side, with particles";
        if ui.button("Compare").on_hover_text(help).clicked() {
            panel.settings = anew(&panel.settings);
            panel.paused = false;
        }
    });
    let curve = panel.of_curve(input.centroids);
    let text = caption(&panel.settings, source, curve);
    ui.label(RichText::new(text).small().weak());
    field(&mut panel.settings, ui, input);
    view(panel, ui);
    layers::arrows(&mut panel.settings.layers.arrows, ui);
    layers::slice(panel, ui, input);
    layers::particles(panel, ui, source);
    layers::photo(&mut panel.settings, ui, source.is_some());
    let help = "The field magnitude from the target to its decision boundary (Fig. 1c)";
    let curve = &mut panel.settings.curve;
    group(ui, "Gradient curve", help, Some(curve), |_| {});
    export::controls(panel, ui, input);
    ui.add_space(2.0 * GRID);
}

fn field(settings: &mut FieldSettings, ui: &mut Ui, input: &FieldInput<'_>) {
    group(ui, "Field", "", None, |ui| {
        let model = "The centroids and names of the open model";
        let any = "The centroids of N classes without names";
        let tables = [(true, "model's", model), (false, "any N", any)];
        let help = "The class centroids (equations 7 and 8)";
        choice(ui, "Centroids", help, &mut settings.models_table, &tables);
        if !settings.models_table {
            let help = "Number of classes";
            log_slider(ui, "Classes N", help, &mut settings.classes, 2..=1000);
        }
        axes(settings, ui, settings.dims(input.centroids.dims()));
        let count = settings.class_count(input.centroids.len());
        let names = settings.clone();
        let named = |k: usize| drawn_name(&names, input, k);
        let help = "The class that the pixel should become; also chosen by a click on a centroid";
        class(ui, "Target", help, &mut settings.target, count, named);
        let p = &mut settings.potential;
        let help = "How a squared distance d becomes a logit";
        choice(ui, "Operator T", help, &mut p.operator, &OPERATORS);
        let help = "Temperature of the softmax (equation 9): smaller is sharper";
        log_slider(ui, "Temperature", help, &mut p.temperature, 0.25..=4.0);
        let help =
            "Added to every squared distance; limits the field within about √ε of a centroid";
        log_slider(ui, "Epsilon", help, &mut p.epsilon, 1e-6..=0.1);
        let fixed = "v − grad Φ at every time (equation 12)";
        let annealed = "v − t grad Φ: the correction grows with t (section 5.3)";
        let objectives = [(false, "reshaped", fixed), (true, "annealed", annealed)];
        let help = "How the correction enters the target velocity";
        choice(ui, "Objective", help, &mut settings.annealed, &objectives);
        if settings.annealed {
            let help = "Time of the annealed target: the weight of the correction";
            slider(ui, "Time t", help, &mut settings.time, 0.0..=1.0);
        }
        let neighbourhood = &mut settings.neighbourhood;
        let regions = [
            (false, "ball", "A ball around the centroid"),
            (true, "cell", "The centroid's whole Voronoi cell"),
        ];
        let help =
            "The region around a centroid whose traversals are counted, and which the slice shades";
        choice(
            ui,
            "Neighbourhood",
            help,
            &mut neighbourhood.cells,
            &regions,
        );
        if !neighbourhood.cells {
            let help = "The ball's radius as a fraction of half the distance to the nearest other centroid";
            slider(ui, "Radius", help, &mut neighbourhood.share, 0.1..=1.0);
        }
    });
}

/// Which of `dims` axes are drawn; nothing where there are no others. An axis that another of the cube's
/// shows already changes places with it.
fn axes(settings: &mut FieldSettings, ui: &mut Ui, dims: usize) {
    if dims <= COLOUR_AXES {
        return;
    }
    let hidden = dims - COLOUR_AXES;
    let help = format!(
        "The three of {dims} axes of a state that are drawn. Points that lie together here may be far \
         apart along the {hidden} others."
    );
    row(ui, "Axes", &help, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            for place in 0..COLOUR_AXES {
                let mut chosen = settings.axes[place];
                egui::ComboBox::from_id_salt(("axis", place))
                    .width(7.0 * GRID)
                    .selected_text(AxisName::of(chosen).name)
                    .show_ui(ui, |ui| {
                        for axis in 0..dims {
                            ui.selectable_value(&mut chosen, axis, AxisName::of(axis).name);
                        }
                    });
                settings.show_axis(place, chosen);
            }
        })
        .response
    });
    let text = format!(
        "{hidden} of {dims} axes are hidden; true distances are larger. The field and all numbers are \
         those of the points projected on the other {COLOUR_AXES}."
    );
    ui.label(RichText::new(text).small().weak());
}

fn view(panel: &mut FieldPanel, ui: &mut Ui) {
    let settings = &mut panel.settings;
    group(ui, "View", "", None, |ui| {
        let panes = [
            (true, "both", "Vanilla and reshaped side by side"),
            (false, "one field", "A single field"),
        ];
        let help = "One field, or vanilla and reshaped with linked cameras";
        choice(ui, "Show", help, &mut settings.compare, &panes);
        if !settings.compare {
            let names = FieldKind::ALL.map(|kind| (kind, kind_name(settings, kind)));
            let name = kind_name(settings, settings.kind);
            let help = format!("Which field is shown: {name}");
            let before = settings.kind;
            row(ui, "Which", &help, |ui| {
                egui::ComboBox::from_id_salt("which field")
                    .width(ui.available_width() - GRID)
                    .selected_text(name)
                    .truncate()
                    .show_ui(ui, |ui| {
                        for (kind, name) in names {
                            ui.selectable_value(&mut settings.kind, kind, name);
                        }
                    })
                    .response
            });
            if settings.kind == FieldKind::Network && before != settings.kind {
                // Nothing else shows it.
                let arrows = &mut settings.layers.arrows;
                arrows.shown = true;
                arrows.settings.place = ArrowPlace::Cloud;
            }
        }
        let projections = [
            (true, "perspective", "Near objects look larger"),
            (false, "parallel", "Lengths are comparable everywhere"),
        ];
        let perspective = &mut settings.camera.perspective;
        let help = "How depth is drawn";
        choice(ui, "Projection", help, perspective, &projections);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            for axis in 0..COLOUR_AXES {
                let AxisName { name, phrase, .. } = settings.axis_name(axis);
                let help = format!("Look along {phrase}");
                if ui.button(name).on_hover_text(help).clicked() {
                    settings.camera.snap(axis);
                }
            }
            let slice = ui.button("slice").on_hover_text("Face the slice");
            panel.face_slice |= slice.clicked();
            let reset = ui.button("reset").on_hover_text("The initial camera");
            if reset.clicked() {
                settings.camera = Camera::default();
            }
        });
        let help = "Names of the nearest centroids, as far as they do not overlap";
        let labels = theme::checkbox(ui, &mut settings.labels, "names beside centroids");
        labels.on_hover_text(help);
    });
}
