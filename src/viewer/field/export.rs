//! Export of pictures and tables.

use super::interface::{FieldInput, class_name, kind_name};
use super::panel::FieldPanel;
use super::settings::{FieldSettings, PIXELS};
use super::widgets::{OPERATORS, group, ranged};
use crate::csv;
use crate::gpu::field::Tally;
use crate::vector_field::{CentroidTable, FieldKind, GradientCurve};
use crate::viewer::exports::NewFile;
use crate::viewer::theme::GRID;
use eframe::egui::{self, Ui};

pub(super) fn controls(panel: &mut FieldPanel, ui: &mut Ui, input: &FieldInput<'_>) {
    group(ui, "Export", "", None, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            ui.label("Picture");
            let [width, height] = &mut panel.settings.export;
            for (value, name) in [(width, "Width in pixels"), (height, "Height in pixels")] {
                let edit = ui.add(egui::DragValue::new(value).range(PIXELS));
                edit.on_hover_text(ranged(name, &PIXELS, 0));
            }
            let help = "The view at this size, with names, counts and colour bars";
            panel.wants_figure |= ui.button("PNG").on_hover_text(help).clicked();
        });
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            ui.label("Numbers");
            let table = panel.derived.table(&panel.settings, input.centroids);
            let help = "The gradient curve as CSV";
            if ui.button("Curve").on_hover_text(help).clicked() {
                let field = panel.field(&table);
                let towards = panel.towards(&table);
                let curve = towards.and_then(|class| panel.derived.curve(field, &table, class));
                let about = about(&panel.settings, input);
                let export = |curve| NewFile::text("gradient-curve.csv", curve_csv(&curve, &about));
                panel.pending.export = curve.map(export);
            }
            let help = "Every class at the picked point, or at the cube's centre, as CSV";
            if ui.button("Table").on_hover_text(help).clicked() {
                let text = class_csv(panel, &table, input);
                panel.pending.export = Some(NewFile::text("field-table.csv", text));
            }
            let help = "The particles' arrivals and traversals, as CSV";
            let counts = egui::Button::new("Counts");
            let known = !panel.picture.tallies().is_empty();
            if ui.add_enabled(known, counts).on_hover_text(help).clicked() {
                let panes = panel.settings.panes();
                let runs = panes.into_iter().zip(panel.picture.tallies());
                let text = tally_csv(runs, &panel.settings, &about(&panel.settings, input));
                panel.pending.export = Some(NewFile::text("field-counts.csv", text));
            }
        });
    });
}

/// The axes on which the points are projected, and of how many, as in "red green axis-7 of 8".
fn axes(settings: &FieldSettings, input: &FieldInput<'_>) -> String {
    let names = [0, 1, 2].map(|axis| settings.axis_name(axis).name.replace(' ', "-"));
    let dims = settings.dims(input.centroids.dims());
    format!("{} of {dims}", names.join(" "))
}

/// The last columns of every table, see [`about`].
const ABOUT: &str = "t operator temperature epsilon axes";

/// What every line of a table is about: the weight of the correction, which is the time t of the annealed
/// target and 1 for the reshaped one, the potential, and the axes that are drawn.
fn about(settings: &FieldSettings, input: &FieldInput<'_>) -> [String; 5] {
    let potential = settings.potential;
    let operator = OPERATORS.iter().find(|(of, ..)| *of == potential.operator);
    [
        settings.correction().to_string(),
        operator.map_or(String::new(), |(_, name, _)| (*name).to_owned()),
        potential.temperature.to_string(),
        potential.epsilon.to_string(),
        axes(settings, input),
    ]
}

fn curve_csv(curve: &GradientCurve, about: &[String; 5]) -> String {
    let header = format!("distance vanilla reshaped phi probability {ABOUT}");
    let mut text = csv::line(header.split(' '));
    for p in &curve.points {
        let numbers = [p.distance, p.vanilla, p.reshaped, p.phi, p.probability];
        let numbers = numbers.map(|number| number.to_string());
        text += &csv::line(numbers.into_iter().chain(about.clone()));
    }
    text
}

/// One line per class: its centroid, its distance and probability at the picked point (or at the cube's
/// centre), then the point and the fields there, which are equal in every line. Coordinates are named after
/// the axes that are drawn.
fn class_csv(panel: &FieldPanel, table: &CentroidTable, input: &FieldInput<'_>) -> String {
    let names = [0, 1, 2].map(|axis| panel.settings.axis_name(axis).name.replace(' ', "_"));
    let along = |of: &str| {
        names
            .each_ref()
            .map(|name| format!("{of}_{name}"))
            .join(" ")
    };
    let header = format!(
        "class name target {} half_gap distance probability {} phi vanilla correction reshaped {ABOUT}",
        along("mu"),
        along("x")
    );
    let mut text = csv::line(header.split(' '));
    let about = about(&panel.settings, input);
    let x = panel.picked.unwrap_or_default().as_dvec3();
    let field = panel.field(table);
    let (here, _) = field.at(x);
    let [vanilla, correction, reshaped, _] =
        FieldKind::ALL.map(|kind| field.of_kind(kind).at(x).1.length());
    let shared = [x.x, x.y, x.z, here.phi, vanilla, correction, reshaped];
    for (k, mu) in table.points.iter().enumerate() {
        let gap = f64::from(table.half_gap[k]);
        let own = [mu.x, mu.y, mu.z, gap, x.distance(*mu), here.probability[k]];
        let name = class_name(&panel.settings, input, k);
        let target = u8::from(k == panel.settings.target).to_string();
        let numbers = own.into_iter().chain(shared).map(|n| n.to_string());
        let cells = [k.to_string(), name, target].into_iter().chain(numbers);
        text += &csv::line(cells.chain(about.clone()));
    }
    text
}

/// One line per pane: the counts of its particles.
fn tally_csv<'a>(
    runs: impl Iterator<Item = (FieldKind, &'a Tally)>,
    settings: &FieldSettings,
    about: &[String; 5],
) -> String {
    let header =
        format!("field particles steps arrived crossing traversals mean_arrival_s {ABOUT}");
    let mut text = csv::line(header.split(' '));
    for (kind, tally) in runs {
        let Tally {
            arrived,
            crossing,
            traversals,
            ..
        } = tally;
        let counts = [
            &tally.particles,
            &tally.steps[0],
            arrived,
            crossing,
            traversals,
        ];
        let counts = counts.map(|count| count.to_string());
        let clock = tally.mean_clock.map_or(String::new(), |s| s.to_string());
        let name = kind_name(settings, kind);
        let cells = std::iter::once(name).chain(counts);
        text += &csv::line(cells.chain([clock]).chain(about.clone()));
    }
    text
}
