//! Pictures and tables to save.

use super::controls::kind_name;
use super::widgets::group;
use super::{Contents, Export, FieldInput, FieldLab, class_name};
use crate::csv;
use crate::gpu::field::{FieldKind, Flow, Table, Tally};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Ui};

/// The buttons.
pub fn controls(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    group(ui, "Export", "", None, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            ui.label("Picture");
            let [width, height] = &mut lab.settings.export;
            for (value, name) in [(width, "Width in pixels"), (height, "Height in pixels")] {
                let edit = ui.add(egui::DragValue::new(value).range(16..=16_384));
                edit.on_hover_text(name);
            }
            let help = "The view at this size, with names, counts and colour bars";
            lab.wants_figure |= ui.button("PNG").on_hover_text(help).clicked();
        });
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            ui.label("Numbers");
            let table = lab.derived.table(&lab.settings, input.centroids);
            let help = "The gradient curve as CSV";
            if ui.button("Curve").on_hover_text(help).clicked() {
                let curve = super::curve::sample(lab, &table);
                lab.pending.export = curve.map(|curve| text("gradient-curve.csv", curve.csv()));
            }
            let help = "Every class at the picked point, or at the cube's centre, as CSV";
            if ui.button("Table").on_hover_text(help).clicked() {
                lab.pending.export = Some(text("field-table.csv", numbers(lab, &table, input)));
            }
            let help = "What became of the particles, as CSV";
            let counts = egui::Button::new("Counts");
            let known = lab.tallies.iter().any(Option::is_some);
            if ui.add_enabled(known, counts).on_hover_text(help).clicked() {
                let panes = lab.settings.panes();
                let runs = panes.into_iter().zip(lab.tallies.iter().flatten());
                lab.pending.export = Some(text("field-counts.csv", counted(runs)));
            }
        });
    });
}

fn text(name: &str, text: String) -> Export {
    Export {
        name: name.to_owned(),
        contents: Contents::Text(text),
    }
}

/// A line a class: its centroid, and what is true of it at the picked point (or the cube's centre),
/// with the point and the fields there, which are the same in every line.
fn numbers(lab: &FieldLab, table: &Table, input: &FieldInput<'_>) -> String {
    let point = lab.picked.unwrap_or_default().map(f64::from);
    let flow = lab.flow(table);
    let (here, _) = flow.at(point);
    let of = |kind| norm(Flow { kind, ..flow }.at(point).1);
    let shared = [
        point[0],
        point[1],
        point[2],
        here.phi,
        of(FieldKind::Reconstructive),
        of(FieldKind::Correction),
        of(FieldKind::Reshaped),
    ];
    let mut out = csv::line([
        "class",
        "name",
        "target",
        "mu_red",
        "mu_green",
        "mu_blue",
        "half_gap",
        "distance",
        "probability",
        "x_red",
        "x_green",
        "x_blue",
        "phi",
        "vanilla",
        "correction",
        "reshaped",
    ]);
    for (k, mu) in table.centroids.points().iter().enumerate() {
        let distance = norm(std::array::from_fn(|a| point[a] - mu[a]));
        let own = [
            mu[0],
            mu[1],
            mu[2],
            f64::from(table.half_gap[k]),
            distance,
            here.probability[k],
        ];
        let words = [
            k.to_string(),
            class_name(&lab.settings, input, k),
            u8::from(k == lab.settings.target).to_string(),
        ];
        let numbers = own.into_iter().chain(shared).map(|n| n.to_string());
        out += &csv::line(words.into_iter().chain(numbers));
    }
    out
}

/// A line a pane: what became of its particles.
fn counted<'a>(runs: impl Iterator<Item = (FieldKind, &'a Tally)>) -> String {
    let mut out = csv::line([
        "field",
        "particles",
        "steps",
        "arrived",
        "crossing",
        "traversals",
        "mean_arrival_s",
    ]);
    for (kind, tally) in runs {
        let clock = tally.mean_clock.map_or(String::new(), |s| s.to_string());
        let counts = [
            tally.particles,
            tally.steps[0],
            tally.arrived,
            tally.crossing,
            tally.traversals,
        ];
        let counts = counts.map(|count| count.to_string());
        let name = kind_name(kind).to_owned();
        out += &csv::line(std::iter::once(name).chain(counts).chain([clock]));
    }
    out
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}
