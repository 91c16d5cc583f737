//! The numbers at a picked point.

use super::interface::{FieldInput, drawn_name, projected};
use super::panel::FieldPanel;
use crate::format::short;
use crate::vector_field::{CentroidTable, FieldKind};
use crate::viewer::theme::GRID;
use eframe::egui::{self, RichText, Ui};
use glam::Vec3;
use std::sync::Arc;

const LISTED: usize = 5;

/// Draws the card; returns whether it was closed.
pub(super) fn show(
    panel: &mut FieldPanel,
    ui: &mut Ui,
    table: &Arc<CentroidTable>,
    input: &FieldInput<'_>,
    point: Vec3,
) -> bool {
    let mut closed = false;
    let x = point.as_dvec3();
    let field = panel.field(table);
    let of = |kind| field.of_kind(kind);
    let rule = panel.settings.layers.particles.settings.integration;
    let paths = panel.derived.paths(field, table, rule, x);
    let (here, reshaped) = of(FieldKind::Reshaped).at(x);
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("x = ({:+.3}, {:+.3}, {:+.3})", x.x, x.y, x.z)).monospace());
        closed = ui
            .small_button("close")
            .on_hover_text("Close the card")
            .clicked();
    });
    if let Some(text) = projected(&panel.settings, input) {
        ui.label(RichText::new(text).small().weak());
    }
    let target = drawn_name(&panel.settings, input, panel.settings.target);
    let vanilla = of(FieldKind::Reconstructive).at(x).1;
    let correction = of(FieldKind::Correction).at(x).1;
    egui::Grid::new("field reading")
        .spacing([2.0 * GRID, 2.0])
        .show(ui, |ui| {
            let number = |ui: &mut Ui, name: &str, value: String| {
                ui.label(RichText::new(name).small());
                ui.label(RichText::new(value).monospace());
                ui.end_row();
            };
            number(ui, &format!("Φ, target {target}"), short(here.phi));
            number(
                ui,
                "p of the target",
                short(here.probability[panel.settings.target]),
            );
            number(ui, "|μ − x|, vanilla", short(vanilla.length()));
            let gradient = panel.settings.gradient();
            let time = panel.settings.at_time();
            let name = format!("|{gradient}|, correction{time}");
            number(ui, &name, short(correction.length()));
            let name = format!("|μ − x − {gradient}|, reshaped{time}");
            number(ui, &name, short(reshaped.length()));
            for (name, path) in ["vanilla", "reshaped"].into_iter().zip(paths.iter()) {
                let end = if path.arrived {
                    "arrives"
                } else {
                    "still moving"
                };
                let clock = short(path.clock);
                let text = format!("{end}, s = {clock}, {} crossed", path.traversals);
                number(ui, &format!("a particle here, {name}"), text);
            }
        });
    ui.separator();
    let mut by_distance: Vec<(f64, usize)> = table
        .points
        .iter()
        .enumerate()
        .map(|(k, mu)| (x.distance(*mu), k))
        .collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0));
    egui::Grid::new("field classes")
        .spacing([2.0 * GRID, 2.0])
        .show(ui, |ui| {
            for name in ["", "nearest classes", "|x − μ|", "p"] {
                ui.label(RichText::new(name).small().weak());
            }
            ui.end_row();
            for (distance, k) in by_distance.into_iter().take(LISTED) {
                let [r, g, b] = table.colours[k];
                let (rect, _) =
                    ui.allocate_exact_size(egui::Vec2::splat(1.25 * GRID), egui::Sense::hover());
                ui.painter()
                    .circle_filled(rect.center(), 5.0, egui::Color32::from_rgb(r, g, b));
                ui.label(RichText::new(drawn_name(&panel.settings, input, k)).small());
                ui.label(RichText::new(short(distance)).monospace());
                ui.label(RichText::new(short(here.probability[k])).monospace());
                ui.end_row();
            }
        });
    closed
}
