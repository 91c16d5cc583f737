//! The gradient curve of Figure 1 (c).

use super::derived::Curves;
use super::interface::{FieldInput, drawn_name, projected};
use super::panel::FieldPanel;
use super::widgets;
use crate::format::short;
use crate::vector_field::{CentroidTable, CurvePoint, GradientCurve};
use crate::viewer::runs::axes::fixed;
use crate::viewer::theme::{ACCENT, GRID};
use eframe::egui::{self, Color32, RichText, Shape, Stroke, Ui};
use egui_plot::{Line, LineStyle, PlotPoint, Points, Text, VLine};
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
            // A wider row would widen the panel, and parts of it would lie below the controls.
            ui.set_max_width((32.0 * GRID).min(ui.available_width()));
            let named = |k: usize| drawn_name(&names, input, k);
            let help = "The class towards which the curve goes";
            widgets::class(ui, "towards", help, &mut towards, table.len(), named);
        });
        if towards != curve.towards && towards != panel.settings.target {
            panel.settings.towards = Some(towards);
        }
    });
    ui.scope(|ui| {
        // Rows are as high as text, so that those of a narrow panel leave room for the curves.
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing = egui::vec2(3.0 * GRID, 0.5 * GRID);
        ui.horizontal_wrapped(|ui| {
            for statement in statements(&peak, &boundary) {
                // Whole statements go to the next row.
                ui.add(egui::Label::new(RichText::new(statement).monospace()).extend());
            }
            if let Some(text) = projected {
                ui.add(egui::Label::new(RichText::new(text).small().weak()).extend());
            }
        });
    });
    let kinds = kinds(&others);
    // In a row of its own, since a legend within the plot would hide parts of the curves.
    ui.horizontal_wrapped(|ui| {
        for kind in &kinds {
            key(ui, kind);
        }
    });
    fixed("field curve plot", "distance to the centroid |x − μ|")
        .y_axis_label(RichText::new("|f|").small())
        .show(ui, |plot| {
            let of_others = others.iter().map(|(_, other)| line(other, |p| p.reshaped));
            let own = [line(&curve, |p| p.reshaped), line(&curve, |p| p.vanilla)];
            // The field's own curves are on top.
            let points: Vec<_> = own.into_iter().chain(of_others).collect();
            for (kind, points) in kinds.into_iter().zip(points).rev() {
                let line = Line::new(kind.name, points).color(kind.colour);
                plot.line(line.width(kind.width).style(kind.style));
            }
            let grey = Color32::from_gray(140);
            let end = VLine::new("", boundary.distance).color(grey);
            plot.vline(end.style(LineStyle::dashed_loose()));
            let marked = Points::new("", vec![[peak.distance, peak.reshaped]]);
            plot.points(marked.radius(5.0).color(ACCENT));
            // A label in the plot: this line is no curve.
            let low = PlotPoint::new(boundary.distance, 0.25 * peak.reshaped);
            let label = RichText::new("decision boundary ").small();
            plot.text(Text::new("", low, label).anchor(egui::Align2::RIGHT_CENTER));
        });
}

/// What the curves say in numbers.
fn statements(peak: &CurvePoint, boundary: &CurvePoint) -> [String; 3] {
    [
        format!(
            "peak {} at distance {}",
            short(peak.reshaped),
            short(peak.distance)
        ),
        format!(
            "boundary {}: reshaped {}, vanilla {}",
            short(boundary.distance),
            short(boundary.reshaped),
            short(boundary.vanilla)
        ),
        format!("at the peak vanilla is {}", short(peak.vanilla)),
    ]
}

/// Length of a sample of a curve, in points.
const SAMPLE: f32 = 4.0 * GRID;

/// How a curve is drawn.
struct Kind {
    name: String,
    colour: Color32,
    /// In points.
    width: f32,
    style: LineStyle,
}

/// How the reshaped and the vanilla curve are drawn, and those at other temperatures: each in another
/// way.
fn kinds(others: &Curves) -> Vec<Kind> {
    let own = [("reshaped", ACCENT), ("vanilla", VANILLA)];
    let own = own.map(|(name, colour)| Kind {
        name: name.to_owned(),
        colour,
        width: 2.5,
        style: LineStyle::Solid,
    });
    let styles = [
        LineStyle::dotted_dense(),
        LineStyle::dashed_dense(),
        LineStyle::Dashed { length: 14.0 },
    ];
    let others = others.iter().zip(styles);
    let others = others.map(|((temperature, _), style)| Kind {
        name: format!("reshaped, temperature {temperature}"),
        colour: ACCENT.gamma_multiply(0.6),
        width: 1.5,
        style,
    });
    own.into_iter().chain(others).collect()
}

/// Draws a sample of a curve with its name. Both are one widget, so that they go to the next row together.
fn key(ui: &mut Ui, kind: &Kind) {
    let font = egui::TextStyle::Small.resolve(ui.style());
    let ink = ui.visuals().text_color();
    let name = ui.painter().layout_no_wrap(kind.name.clone(), font, ink);
    let before = SAMPLE + ui.spacing().item_spacing.x;
    let size = egui::vec2(before + name.size().x, name.size().y.max(1.5 * GRID));
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &kind.name));
    let left = rect.left_center();
    let ends = [left, left + egui::vec2(SAMPLE, 0.0)];
    let corner = left + egui::vec2(before, -0.5 * name.size().y);
    ui.painter().galley(corner, name, ink);
    let stroke = Stroke::new(kind.width, kind.colour);
    let painter = ui.painter();
    match kind.style {
        LineStyle::Solid => {
            painter.line_segment(ends, stroke);
        }
        LineStyle::Dashed { length } => {
            painter.extend(Shape::dashed_line(&ends, stroke, length, length / 2.0));
        }
        LineStyle::Dotted { spacing } => {
            painter.extend(Shape::dotted_line(
                &ends,
                kind.colour,
                spacing,
                kind.width / 2.0,
            ));
        }
    }
}

fn line(curve: &GradientCurve, of: fn(&CurvePoint) -> f64) -> Vec<[f64; 2]> {
    let points = curve.points.iter();
    points.map(|p| [p.distance, of(p)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;
    use crate::viewer::field::derived::Derived;
    use crate::viewer::field::settings::FieldSettings;

    #[test]
    fn no_two_curves_look_alike() {
        let table = Arc::new(CentroidTable::new(&Centroids::kronecker(11)));
        let mut settings = FieldSettings::default();
        // At a temperature that is none of the others, there are three of these.
        settings.potential.temperature = 0.5;
        let panel = FieldPanel::new(None, settings);
        let field = panel.field(&table);
        let others = Derived::default().other_curves(field, &table, 1);
        let kinds = kinds(&others);
        assert_eq!(kinds.len(), 5);
        for (i, kind) in kinds.iter().enumerate() {
            for other in &kinds[..i] {
                assert!(kind.colour != other.colour || kind.style != other.style);
            }
        }
    }
}
