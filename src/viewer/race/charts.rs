//! Curves of both sides.

use super::cell::{COLOURS, heading};
use super::shown::Shown;
use crate::format::tick;
use crate::race::{BINS, Point, Record, WIDTH};
use crate::texts::{FigureTexts, Named};
use crate::viewer::runs::axes::{DIGITS, X_MARKS, even_marks_to, fixed, step_mark};
use crate::viewer::theme::GRID;
use eframe::egui::Ui;
use egui_plot::{Line, PlotPoints, Points};

/// A value over the steps.
type Value = fn(&Point) -> Option<f64>;

struct Chart {
    texts: fn(&FigureTexts) -> &Named,
    /// `None` for the gradient over the distance.
    value: Option<Value>,
}

const CHARTS: [Chart; 4] = [
    Chart {
        texts: |texts| &texts.miou,
        value: Some(|point| Some(100.0 * point.miou)),
    },
    Chart {
        texts: |texts| &texts.loss,
        value: Some(|point| point.loss),
    },
    Chart {
        texts: |texts| &texts.gradient,
        value: None,
    },
    Chart {
        texts: |texts| &texts.traversals,
        value: Some(|point| Some(100.0 * point.crossing)),
    },
];

/// Draws one of four charts.
pub(super) fn show(
    ui: &mut Ui,
    record: &Record,
    shown: &Shown,
    texts: &FigureTexts,
    number: usize,
) {
    let Chart { texts: of, value } = &CHARTS[number];
    let Named { name, help } = of(texts);
    heading(ui, name, None);
    let curves = [0, 1].map(|side| match value {
        Some(value) => over_steps(record, side, *value),
        None => by_distance(shown, side),
    });
    let right = match value {
        Some(_) if record.config.seconds.is_none() => record.config.steps as f64,
        Some(_) => record.step() as f64,
        None => f64::from(BINS as f32 * WIDTH),
    };
    let over_steps = value.is_some();
    let mut area = ui.available_size();
    // The last tick label of an axis extends past its end.
    area.x -= GRID;
    let axis = if over_steps {
        &texts.step
    } else {
        &texts.distance
    };
    let response = fixed(number, axis)
        .width(area.x)
        .height(area.y)
        .include_x(right.max(1e-3))
        .include_y(top(&curves))
        .y_axis_min_width(3.0 * GRID)
        .label_formatter(|_| None)
        .show_background(false)
        .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
        .x_grid_spacer(move |input| even_marks_to(&input, 0.7 * X_MARKS, right))
        .x_axis_formatter(move |mark, _| {
            if over_steps {
                step_mark(mark.value)
            } else {
                tick(mark.value, DIGITS)
            }
        })
        .show(ui, |plot| {
            for (side, curve) in curves.into_iter().enumerate() {
                let name = ["a", "b"][side];
                let line = Line::new(name, PlotPoints::from(curve.clone()));
                plot.line(line.color(COLOURS[side]).width(2.0));
                if curve.len() < 3 {
                    let points = Points::new(format!("{name} marks"), PlotPoints::from(curve));
                    plot.points(points.color(COLOURS[side]).radius(2.5));
                }
            }
        });
    response
        .response
        .accessible_name(name.as_str())
        .on_hover_text(help);
}

/// How far the vertical axis goes at least: it has a range before the first value, and where all are 0.
fn top(curves: &[Vec<[f64; 2]>]) -> f64 {
    let values = curves.iter().flatten().map(|[_, value]| *value);
    let most = values.fold(0.0, f64::max);
    if most > 0.0 { most } else { 1.0 }
}

fn over_steps(record: &Record, side: usize, value: Value) -> Vec<[f64; 2]> {
    let points = record.points[side].iter();
    points
        .filter_map(|point| Some([point.step as f64, value(point)?]))
        .collect()
}

fn by_distance(shown: &Shown, side: usize) -> Vec<[f64; 2]> {
    let gradient = shown.side(side).and_then(|side| side.gradient.as_ref());
    gradient.map_or_else(Vec::new, |gradient| gradient.points().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_range_before_the_first_value() {
        assert_eq!(top(&[vec![], vec![]]), 1.0);
        assert_eq!(top(&[vec![[0.0, 0.0]], vec![]]), 1.0);
        assert_eq!(top(&[vec![[0.0, 0.25]], vec![[0.0, 3.5]]]), 3.5);
    }
}
