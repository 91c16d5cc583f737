//! The gradient curve of Figure 1 (c).

use super::interface::{FieldInput, drawn_name, projected};
use super::panel::FieldPanel;
use super::widgets;
use crate::format::short;
use crate::vector_field::{CentroidTable, CurvePoint, GradientCurve};
use crate::viewer::theme::{ACCENT, GRID};
use eframe::egui::{self, Color32, RichText, Ui};
use egui_plot::{Legend, Line, LineStyle, Plot, PlotPoint, Points, Text, VLine};
use std::sync::Arc;

const VANILLA: Color32 = Color32::from_rgb(236, 140, 70);

pub(super) fn show(
    panel: &mut FieldPanel,
    ui: &mut Ui,
    table: &Arc<CentroidTable>,
    input: &FieldInput<'_>,
) {
    let field = panel.field(table);
    let curve = panel.towards(table);
    let Some(curve) = curve.and_then(|class| panel.derived.curve(field, table, class)) else {
        ui.label("A curve needs two classes.");
        return;
    };
    // Drawn faintly, for comparison.
    let others = panel.derived.other_curves(field, table, curve.towards);
    let (peak, boundary) = (curve.peak(), curve.boundary());
    let projected = projected(&panel.settings, input);
    ui.horizontal(|ui| {
        let from = drawn_name(&panel.settings, input, panel.settings.target);
        ui.label(RichText::new(format!("Field magnitude from {from}")).strong());
        let mut towards = curve.towards;
        let names = panel.settings.clone();
        ui.scope(|ui| {
            ui.set_max_width(32.0 * GRID);
            let named = |k: usize| drawn_name(&names, input, k);
            let help = "The class towards which the curve goes";
            widgets::class(ui, "towards", help, &mut towards, table.len(), named);
        });
        if let Some(text) = projected {
            ui.label(RichText::new(text).small().weak());
        }
        if towards != curve.towards && towards != panel.settings.target {
            panel.settings.towards = Some(towards);
        }
    });
    ui.label(
        RichText::new(format!(
            "peak {} at distance {}    boundary {}: reshaped {}, vanilla {}    at the peak vanilla is {}",
            short(peak.reshaped),
            short(peak.distance),
            short(boundary.distance),
            short(boundary.reshaped),
            short(boundary.vanilla),
            short(peak.vanilla),
        ))
        .monospace(),
    );
    let legend = Legend::default().position(egui_plot::Corner::LeftTop);
    Plot::new("field curve plot")
        .legend(legend.text_style(egui::TextStyle::Small))
        .x_axis_label("distance to the centroid |x − μ|")
        .y_axis_label("|f|")
        .include_y(0.0)
        .include_x(0.0)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .set_margin_fraction(egui::vec2(0.02, 0.08))
        .show(ui, |plot| {
            for (temperature, other) in others.iter() {
                let name = format!("reshaped, temperature {temperature}");
                let line = Line::new(name, line(other, |p| p.reshaped));
                let faint = ACCENT.gamma_multiply(0.45);
                plot.line(line.color(faint).style(LineStyle::dotted_dense()));
            }
            let reshaped = Line::new("reshaped", line(&curve, |p| p.reshaped));
            plot.line(reshaped.color(ACCENT).width(2.5));
            let vanilla = Line::new("vanilla", line(&curve, |p| p.vanilla));
            plot.line(vanilla.color(VANILLA).width(2.5));
            let grey = Color32::from_gray(140);
            let end = VLine::new("", boundary.distance).color(grey);
            plot.vline(end.style(LineStyle::dashed_loose()));
            let marked = Points::new("", vec![[peak.distance, peak.reshaped]]);
            plot.points(marked.radius(5.0).color(ACCENT));
            // A label in the plot instead of the legend, which would hide the start of the curves.
            let low = PlotPoint::new(boundary.distance, 0.25 * peak.reshaped);
            let label = RichText::new("decision boundary ").small();
            plot.text(Text::new("", low, label).anchor(egui::Align2::RIGHT_CENTER));
        });
}

fn line(curve: &GradientCurve, of: fn(&CurvePoint) -> f64) -> Vec<[f64; 2]> {
    let points = curve.points.iter();
    points.map(|p| [p.distance, of(p)]).collect()
}
