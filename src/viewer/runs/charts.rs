//! The charts: logged quantities over the steps, with all visible runs in each.

use super::axes::{DIGITS, X_MARKS, Y_MARKS, even_marks, log_marks, step_mark};
use super::shown::Shown;
use crate::format::{thousands, tick};
use crate::runs::{Curve, Curves, Status};
use crate::viewer::theme;
use eframe::egui::{self, Rect, RichText, UiBuilder};
use egui_material_icons::icons::ICON_FIT_SCREEN;
use egui_plot::{Line, Plot, PlotPoint, PlotPoints, Points};
use std::collections::HashMap;
use std::path::PathBuf;

struct Quantity {
    title: &'static str,
    curve: fn(&Curves) -> &Curve,
    /// The factor from logged to displayed values.
    scale: f64,
    unit: &'static str,
    /// Whether it is noisy enough to be smoothed.
    smoothed: bool,
    /// Whether the axis starts at 0.
    from_zero: bool,
    /// Whether it is logged so rarely that every point has a marker.
    marked: bool,
}

const LOSS: usize = 0;
/// The title of the chart that stays empty until the first validation.
const SCORE: &str = "mIoU";
/// In the order of the grid: two large charts above three small ones.
const QUANTITIES: [Quantity; 5] = [
    Quantity {
        title: "Loss",
        curve: |curves| &curves.loss,
        scale: 1.0,
        unit: "",
        smoothed: true,
        from_zero: false,
        marked: false,
    },
    Quantity {
        title: SCORE,
        curve: |curves| &curves.miou,
        scale: 100.0,
        unit: "%",
        smoothed: false,
        from_zero: true,
        marked: true,
    },
    Quantity {
        title: "Learning rate",
        curve: |curves| &curves.learning_rate,
        scale: 1.0,
        unit: "",
        smoothed: false,
        from_zero: true,
        marked: false,
    },
    Quantity {
        title: "Throughput",
        curve: |curves| &curves.photos_per_second,
        scale: 1.0,
        unit: "photos/s",
        smoothed: true,
        from_zero: true,
        marked: false,
    },
    Quantity {
        title: "Waiting for data",
        curve: |curves| &curves.waiting,
        scale: 100.0,
        unit: "%",
        smoothed: true,
        from_zero: true,
        marked: false,
    },
];

/// Curves with more points than this have no markers.
const MARKED: usize = 100;

impl Quantity {
    /// Whether the points of a curve have markers. A single one would not be seen without.
    fn has_markers(&self, points: usize) -> bool {
        points == 1 || (self.marked && points <= MARKED)
    }

    /// Values of the vertical axis, in the chart's own coordinates, that are shown besides the curves, whose
    /// least and greatest values are `extent`: an axis needs a range where they have none.
    fn included(&self, extent: Option<[f64; 2]>, log: bool) -> Vec<f64> {
        let whole = if self.unit == "%" { 100.0 } else { 1.0 };
        match extent {
            None => vec![0.0, whole],
            Some([low, high]) if self.from_zero && low.max(high) <= 0.0 => vec![0.0, 1.0],
            Some(_) if self.from_zero => vec![0.0],
            Some([low, high]) if high > low => Vec::new(),
            Some([value, _]) => {
                let around = match value.abs() {
                    _ if log => 0.5,
                    0.0 => 1.0,
                    size => size / 2.0,
                };
                vec![value - around, value + around]
            }
        }
    }
}

/// The charts with their display options.
pub(super) struct Charts {
    /// Weight of the past in the moving average, 0 to below 1.
    pub smoothing: f64,
    /// Whether the loss has a logarithmic axis.
    pub log: bool,
    fit: bool,
    /// Points ready for drawing, by run and index of the quantity.
    drawn: HashMap<(PathBuf, usize), Drawn>,
}

impl Default for Charts {
    fn default() -> Self {
        Self {
            smoothing: 0.6,
            log: false,
            fit: false,
            drawn: HashMap::new(),
        }
    }
}

/// A curve in the chart's own coordinates.
struct Drawn {
    /// Its inputs: the run's version, the smoothing and whether the axis is logarithmic.
    of: (u64, f64, bool),
    raw: Vec<PlotPoint>,
    smooth: Option<Vec<PlotPoint>>,
}

impl Charts {
    /// Draws the charts of the visible runs.
    pub(super) fn show(&mut self, runs: &[Shown], ui: &mut egui::Ui) {
        self.tools(ui);
        let known = |folder: &PathBuf| runs.iter().any(|shown| shown.run.folder == *folder);
        self.drawn.retain(|(folder, _), _| known(folder));
        let visible: Vec<&Shown> = runs.iter().filter(|shown| shown.visible).collect();
        for &shown in &visible {
            self.prepare(shown);
        }
        let last = visible.iter().map(|shown| shown.run.curves.last_step());
        let last = last.max().unwrap_or(0).max(1);
        // The last tick label of an axis extends past its end.
        let area = ui.available_rect_before_wrap();
        let area = area.with_max_x(area.max.x - 2.0 * theme::GRID);
        for (number, area) in cells(area).into_iter().enumerate() {
            ui.scope_builder(UiBuilder::new().max_rect(area).id_salt(number), |ui| {
                self.chart(number, &visible, last, ui);
            });
        }
        self.fit = false;
    }

    fn tools(&mut self, ui: &mut egui::Ui) {
        ui.add_space(theme::GRID / 2.0);
        ui.horizontal(|ui| {
            let label = ui.label("Smoothing");
            ui.spacing_mut().slider_width = 14.0 * theme::GRID;
            let slider = egui::Slider::new(&mut self.smoothing, 0.0..=0.99).fixed_decimals(2);
            ui.add(slider).labelled_by(label.id).on_hover_text(
                "Weight of the past in the moving average, 0 to 0.99; the raw curve remains visible behind it",
            );
            ui.add_space(theme::GRID);
            theme::checkbox(ui, &mut self.log, "Log scale for the loss");
            ui.add_space(theme::GRID);
            self.fit = theme::icon_button(ui, ICON_FIT_SCREEN, "Fit all charts").clicked();
        });
        ui.add_space(theme::GRID / 2.0);
    }

    /// Computes the points of a run whose inputs have changed.
    fn prepare(&mut self, shown: &Shown) {
        for (number, quantity) in QUANTITIES.iter().enumerate() {
            let log = self.log && number == LOSS;
            let smoothing = if quantity.smoothed {
                self.smoothing
            } else {
                0.0
            };
            let of = (shown.version, smoothing, log);
            let key = (shown.run.folder.clone(), number);
            if self.drawn.get(&key).is_some_and(|drawn| drawn.of == of) {
                continue;
            }
            let curve = (quantity.curve)(&shown.run.curves);
            let place = |points: &[[f64; 2]]| -> Vec<PlotPoint> {
                let scaled = points.iter().map(|[x, y]| [*x, y * quantity.scale]);
                scaled
                    .filter(|[_, y]| !log || *y > 0.0)
                    .map(|[x, y]| PlotPoint::new(x, if log { y.log10() } else { y }))
                    .collect()
            };
            let raw = place(curve);
            let smooth = (smoothing > 0.0).then(|| place(&smooth(curve, smoothing)));
            self.drawn.insert(key, Drawn { of, raw, smooth });
        }
    }

    /// The least and the greatest value of the visible curves of a quantity, in the chart's own coordinates.
    fn extent(&self, number: usize, visible: &[&Shown]) -> Option<[f64; 2]> {
        let curves = visible
            .iter()
            .filter_map(|shown| self.drawn.get(&(shown.run.folder.clone(), number)));
        let values = curves.flat_map(|drawn| drawn.raw.iter().map(|point| point.y));
        values.fold(None, |extent, y| {
            let [low, high] = extent.unwrap_or([y, y]);
            Some([low.min(y), high.max(y)])
        })
    }

    fn chart(&self, number: usize, visible: &[&Shown], last: u64, ui: &mut egui::Ui) {
        let quantity = &QUANTITIES[number];
        let log = self.log && number == LOSS;
        let extent = self.extent(number, visible);
        ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
        ui.horizontal(|ui| {
            ui.label(RichText::new(quantity.title).strong());
            if !quantity.unit.is_empty() {
                ui.label(RichText::new(quantity.unit).small().weak());
            }
            let why = match extent {
                Some(_) => None,
                None if quantity.title == SCORE => Some("not scored yet".to_owned()),
                None => {
                    first_step(visible).map(|step| format!("first at step {}", thousands(step)))
                }
            };
            if let Some(why) = why {
                ui.label(RichText::new(why).small().weak());
            }
        });
        let group = egui::Id::unique("steps of runs");
        let mut plot = Plot::new(quantity.title)
            .link_axis(group, [true, false])
            .link_cursor(group, [true, false])
            .allow_scroll(false)
            .include_x(0.0)
            .include_x(last as f64)
            .set_margin_fraction(egui::vec2(0.02, 0.08))
            .label_formatter(|_| None)
            .x_axis_label("step")
            .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
            .x_grid_spacer(|input| even_marks(&input, X_MARKS))
            .x_axis_formatter(|mark, _| step_mark(mark.value))
            .y_axis_formatter(move |mark, _| {
                let value = if log {
                    10f64.powf(mark.value)
                } else {
                    mark.value
                };
                tick(value, DIGITS)
            });
        plot = if log {
            plot.y_grid_spacer(log_marks)
        } else {
            plot.y_grid_spacer(|input| even_marks(&input, Y_MARKS))
        };
        for value in quantity.included(extent, log) {
            plot = plot.include_y(value);
        }
        if self.fit {
            plot = plot.reset();
        }
        let response = plot.show(ui, |plot| {
            for shown in visible {
                let Some(drawn) = self.drawn.get(&(shown.run.folder.clone(), number)) else {
                    continue;
                };
                let name = shown.run.folder.to_string_lossy();
                let colour = shown.colour;
                if let Some(smooth) = &drawn.smooth {
                    let faint = colour.gamma_multiply(0.3);
                    let raw = PlotPoints::Borrowed(&drawn.raw);
                    plot.line(
                        Line::new(format!("{name} raw"), raw)
                            .color(faint)
                            .width(1.0),
                    );
                    let smooth = PlotPoints::Borrowed(smooth);
                    plot.line(Line::new(name.clone(), smooth).color(colour).width(1.75));
                } else {
                    let raw = PlotPoints::Borrowed(&drawn.raw);
                    plot.line(Line::new(name.clone(), raw).color(colour).width(1.75));
                }
                if quantity.has_markers(drawn.raw.len()) {
                    let raw = PlotPoints::Borrowed(&drawn.raw);
                    plot.points(
                        Points::new(format!("{name} marks"), raw)
                            .color(colour)
                            .radius(2.5),
                    );
                }
            }
            plot.pointer_coordinate()
        });
        let chart = response
            .response
            .accessible_name(format!("{} over steps", quantity.title));
        if let Some(pointer) = response.inner.filter(|_| chart.hovered()) {
            self.read_out(number, visible, pointer.x, &chart);
        }
    }

    /// Shows the values of all runs nearest to the pointer.
    fn read_out(&self, number: usize, visible: &[&Shown], step: f64, chart: &egui::Response) {
        let quantity = &QUANTITIES[number];
        let rows: Vec<(&&Shown, [f64; 2])> = visible
            .iter()
            .filter_map(|shown| Some((shown, nearest((quantity.curve)(&shown.run.curves), step)?)))
            .collect();
        if rows.is_empty() {
            return;
        }
        egui::Tooltip::for_widget(chart)
            .at_pointer()
            .gap(2.0 * theme::GRID)
            .show(|ui| {
                egui::Grid::new("read-out")
                    .spacing([2.0 * theme::GRID, theme::GRID / 2.0])
                    .show(ui, |ui| {
                        for (shown, [step, value]) in rows {
                            let name = RichText::new(&shown.name).color(shown.colour);
                            ui.label(name);
                            ui.monospace(format!("step {}", thousands(step as u64)));
                            let value = tick(value * quantity.scale, DIGITS);
                            ui.monospace(format!("{value} {}", quantity.unit));
                            ui.end_row();
                        }
                    });
            });
    }
}

/// The step of the first numbers besides scores, if a run waits for them whose settings are there.
fn first_step(visible: &[&Shown]) -> Option<u64> {
    let mut waiting = visible.iter().map(|shown| &shown.run).filter(|run| {
        matches!(run.status, Status::Waiting | Status::Running) && run.curves.loss.is_empty()
    });
    waiting.find_map(|run| run.plan.log_every)
}

/// Two charts above three, with a gap of the grid between them.
fn cells(area: Rect) -> Vec<Rect> {
    let gap = 2.0 * theme::GRID;
    let upper = (0.58 * area.height()).round();
    let rows = [
        (2, 0.0, upper - gap / 2.0),
        (3, upper + gap / 2.0, area.height()),
    ];
    let mut cells = Vec::new();
    for (count, top, bottom) in rows {
        let width = (area.width() - gap * (count - 1) as f32) / count as f32;
        for column in 0..count {
            let left = column as f32 * (width + gap);
            let corner = area.min + egui::vec2(left, top);
            cells.push(Rect::from_min_size(corner, egui::vec2(width, bottom - top)));
        }
    }
    cells
}

/// The moving average with `weight` on the past, 0 to below 1, corrected for the bias towards 0 of its
/// start.
fn smooth(curve: &Curve, weight: f64) -> Curve {
    let (mut sum, mut total) = (0.0, 0.0);
    curve
        .iter()
        .map(|[step, value]| {
            sum = weight * sum + (1.0 - weight) * value;
            total = weight * total + (1.0 - weight);
            [*step, sum / total]
        })
        .collect()
}

/// The point of a curve with the nearest step.
fn nearest(curve: &Curve, step: f64) -> Option<[f64; 2]> {
    let after = curve.partition_point(|point| point[0] < step);
    let around = curve[after.saturating_sub(1)..].iter().take(2);
    around
        .min_by(|a, b| (a[0] - step).abs().total_cmp(&(b[0] - step).abs()))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_curve_starts_at_its_first_value_and_follows() {
        let steps: Curve = (0..200)
            .map(|i| [f64::from(i), if i < 100 { 3.0 } else { 1.0 }])
            .collect();
        let smoothed = smooth(&steps, 0.9);
        assert!((smoothed[0][1] - 3.0).abs() < 1e-12 && (smoothed[99][1] - 3.0).abs() < 1e-12);
        // After ten points of the new value, 1 - 0.9^10 of the change is covered.
        assert!((smoothed[109][1] - (1.0 + 2.0 * 0.9f64.powi(10))).abs() < 1e-4);
        assert_eq!(smooth(&steps, 0.0), steps);
    }

    #[test]
    fn every_axis_has_a_range_and_a_single_point_a_marker() {
        let [loss, miou, rate, ..] = &QUANTITIES;
        assert_eq!(loss.included(None, false), [0.0, 1.0]);
        assert_eq!(miou.included(None, false), [0.0, 100.0]);
        assert_eq!(loss.included(Some([6.0, 6.0]), false), [3.0, 9.0]);
        assert_eq!(loss.included(Some([2.0, 2.0]), true), [1.5, 2.5]);
        assert_eq!(rate.included(Some([0.0, 0.0]), false), [0.0, 1.0]);
        assert_eq!(rate.included(Some([0.5, 0.5]), false), [0.0]);
        assert!(loss.included(Some([1.0, 2.0]), false).is_empty());
        assert_eq!(
            [0, 1, 2].map(|points| loss.has_markers(points)),
            [false, true, false]
        );
        assert_eq!(
            [1, MARKED, MARKED + 1].map(|points| miou.has_markers(points)),
            [true, true, false]
        );
    }

    #[test]
    fn the_nearest_point_is_found() {
        let curve = vec![[10.0, 1.0], [20.0, 2.0], [40.0, 3.0]];
        for (step, expected) in [
            (-5.0, 1.0),
            (14.0, 1.0),
            (16.0, 2.0),
            (29.0, 2.0),
            (99.0, 3.0),
        ] {
            assert_eq!(nearest(&curve, step).unwrap()[1], expected, "{step}");
        }
        assert_eq!(nearest(&Curve::new(), 1.0), None);
    }
}
