//! The numbers at a picked point.

use super::{FieldInput, FieldLab, drawn_name};
use crate::gpu::field::{FieldKind, Flow, Integration, Table};
use crate::viewer::theme::GRID;
use eframe::egui::{self, RichText, Ui};
use std::sync::Arc;

/// Classes that are listed.
const LISTED: usize = 5;

/// A number with three significant digits.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e4).contains(&size) {
        format!("{value:.2e}")
    } else if size < 1.0 {
        format!("{value:.3}")
    } else if size < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

/// Draws the card; returns whether it was closed.
pub fn show(
    lab: &FieldLab,
    ui: &mut Ui,
    table: &Arc<Table>,
    input: &FieldInput<'_>,
    point: [f32; 3],
) -> bool {
    let mut closed = false;
    let x = point.map(f64::from);
    let flow = lab.flow(table);
    let of = |kind| Flow { kind, ..flow };
    let (here, reshaped) = of(FieldKind::Reshaped).at(x);
    ui.horizontal(|ui| {
        ui.label(
            RichText::new(format!("x = ({:+.3}, {:+.3}, {:+.3})", x[0], x[1], x[2])).monospace(),
        );
        closed = ui
            .small_button("close")
            .on_hover_text("Put the reading away")
            .clicked();
    });
    let target = drawn_name(&lab.settings, input, lab.settings.target);
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
                short(here.probability[lab.settings.target]),
            );
            number(ui, "|μ − x|, vanilla", short(norm(vanilla)));
            number(ui, "|grad Φ|, correction", short(norm(correction)));
            number(ui, "|μ − x − grad Φ|, reshaped", short(norm(reshaped)));
            for (name, kind) in [
                ("vanilla", FieldKind::Reconstructive),
                ("reshaped", FieldKind::Reshaped),
            ] {
                let rule = Integration {
                    steps: lab.settings.integration.steps,
                    ..lab.settings.integration
                };
                let out = of(kind).integrate(x, rule);
                let end = if out.arrived {
                    "arrives"
                } else {
                    "still under way"
                };
                let text = format!(
                    "{end}, s = {}, {} crossed",
                    short(out.clock),
                    out.traversals
                );
                number(ui, &format!("a particle here, {name}"), text);
            }
        });
    ui.separator();
    let mut by_distance: Vec<(f64, usize)> = table
        .centroids
        .points()
        .iter()
        .enumerate()
        .map(|(k, mu)| (norm(std::array::from_fn(|a| x[a] - mu[a])), k))
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
                let [r, g, b] = table.centroids.colour(k);
                let (rect, _) =
                    ui.allocate_exact_size(egui::Vec2::splat(1.25 * GRID), egui::Sense::hover());
                ui.painter()
                    .circle_filled(rect.center(), 5.0, egui::Color32::from_rgb(r, g, b));
                ui.label(RichText::new(drawn_name(&lab.settings, input, k)).small());
                ui.label(RichText::new(short(distance)).monospace());
                ui.label(RichText::new(short(here.probability[k])).monospace());
                ui.end_row();
            }
        });
    closed
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(0.12345), "0.123");
        assert_eq!(short(12.345), "12.35");
        assert_eq!(short(1234.5), "1234");
        assert_eq!(short(1.0e-7), "1.00e-7");
    }
}
