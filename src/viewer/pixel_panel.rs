//! Dialog a pixel: its class, state, velocity and prediction, the five nearest centroids, and how its
//! distances to winner and runner-up went.

use super::app_state::{AppState, Shown};
use super::flow::Flow;
use super::theme::{self, GRID};
use crate::potential::{Operator, Potential};
use eframe::egui;
use egui_plot::{Legend, Line, Plot, PlotPoints, VLine};

/// Centroids listed.
const NEAREST: usize = 5;

/// The potential that probabilities are told by: the paper's operator at its default settings.
const POTENTIAL: Potential = Potential {
    operator: Operator::Log,
    temperature: 1.0,
    epsilon: 1e-2,
};

/// What a pixel answers.
struct Answer {
    row: usize,
    column: usize,
    x: [f32; 3],
    velocity: Option<[f32; 3]>,
    /// `x1_hat = x + (1 - t) v`
    prediction: Option<[f32; 3]>,
    /// Class, distance and probability of the nearest centroids.
    nearest: Vec<(usize, f64, f64)>,
    settled: Option<u16>,
}

fn ask(app: &AppState, flow: &Flow, model: &Shown, pixel: usize) -> Option<Answer> {
    let position = app.play.position;
    let x = flow.state_of(pixel, position)?;
    let t = flow.time(position);
    let velocity = flow.velocity_of(pixel, position);
    let prediction = velocity.map(|v| std::array::from_fn(|c| x[c] + (1.0 - t) * v[c]));
    let point = x.map(f64::from);
    let points = model.centroids.points();
    let probability = POTENTIAL.at(point, points, 0).probability;
    let mut nearest: Vec<(usize, f64, f64)> = points
        .iter()
        .enumerate()
        .map(|(k, mu)| (k, distance(point, *mu), probability[k]))
        .collect();
    nearest.sort_by(|a, b| a.1.total_cmp(&b.1));
    nearest.truncate(NEAREST);
    Some(Answer {
        row: pixel / flow.size[1],
        column: pixel % flow.size[1],
        x,
        velocity,
        prediction,
        nearest,
        settled: flow.settled.as_ref().map(|settled| settled[pixel]),
    })
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

/// The tool tip under the pointer.
pub fn brief(app: &AppState, ui: &mut egui::Ui, pixel: usize) {
    let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
        return;
    };
    let Some(answer) = ask(app, flow, model, pixel) else {
        ui.weak("not read back yet");
        return;
    };
    ui.set_max_width(36.0 * GRID);
    let [a, b, c] = answer.x;
    ui.monospace(format!(
        "pixel {}, {}   x = ({a:+.2}, {b:+.2}, {c:+.2})",
        answer.column, answer.row
    ));
    for &(class, distance, _) in answer.nearest.iter().take(3) {
        ui.horizontal(|ui| {
            theme::swatch(ui, model.colours[class], 1.5 * GRID);
            ui.monospace(format!("{distance:5.2}  {}", model.names[class]));
        });
    }
    ui.weak("click to pin, Shift and drag to brush");
}

/// Draws the panel: the pixel under the pointer, else the last pinned one.
pub fn show(app: &mut AppState, ui: &mut egui::Ui) {
    let pixel = app.hovered_pixel.or(app.selection.pins.last().copied());
    let Some(pixel) = pixel else {
        theme::empty(ui, "Point at the picture to ask a pixel; click to pin it.");
        return;
    };
    pin_row(app, ui);
    let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
        return;
    };
    let Some(answer) = ask(app, flow, model, pixel) else {
        theme::empty(ui, "The state is still being read back.");
        return;
    };
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            numbers(ui, &answer);
            nearest(ui, model, &answer);
            distances(app, ui, flow, model, pixel);
        });
}

/// The pinned pixels as buttons; a click unpins.
fn pin_row(app: &mut AppState, ui: &mut egui::Ui) {
    if app.selection.pins.is_empty() {
        return;
    }
    let mut gone = None;
    ui.horizontal_wrapped(|ui| {
        ui.weak("Pinned");
        for (i, &pixel) in app.selection.pins.iter().enumerate() {
            let text = format!("{}", i + 1);
            let button = ui.small_button(text);
            if theme::named(button, &format!("Unpin pixel {}", i + 1), "Unpin").clicked() {
                gone = Some(pixel);
            }
        }
    });
    if let Some(pixel) = gone {
        app.toggle_pin(pixel);
    }
}

fn numbers(ui: &mut egui::Ui, answer: &Answer) {
    egui::Grid::new("pixel numbers")
        .num_columns(2)
        .spacing([2.0 * GRID, GRID / 2.0])
        .show(ui, |ui| {
            let mut row = |name: &str, help: &str, value: String| {
                ui.weak(name).on_hover_text(help);
                ui.monospace(value);
                ui.end_row();
            };
            let vector = |[a, b, c]: [f32; 3]| format!("{a:+.3} {b:+.3} {c:+.3}");
            let none = || "-".to_owned();
            let place = format!("column {}, row {}", answer.column, answer.row);
            row("Pixel", "At the network's size", place);
            row(
                "State x",
                "Its colour in centroid space, each axis from -1 to 1",
                vector(answer.x),
            );
            row(
                "Velocity v",
                "Units a unit of t, over the step shown",
                answer.velocity.map_or_else(none, vector),
            );
            row(
                "Target x1",
                "Where it is heading: x + (1 - t) v",
                answer.prediction.map_or_else(none, vector),
            );
            let settled = answer
                .settled
                .map_or_else(none, |step| format!("step {step}"));
            row("Settled", "The step from which on its class stays", settled);
        });
}

fn nearest(ui: &mut egui::Ui, model: &Shown, answer: &Answer) {
    theme::section(ui, "Nearest centroids");
    egui::Grid::new("nearest centroids")
        .num_columns(4)
        .spacing([GRID, GRID / 2.0])
        .show(ui, |ui| {
            ui.label("");
            ui.weak("class");
            ui.weak("distance").on_hover_text("|x - mu|");
            ui.weak("p").on_hover_text("Equation 9, T = log, tau = 1");
            ui.end_row();
            for &(class, distance, probability) in &answer.nearest {
                theme::swatch(ui, model.colours[class], 1.5 * GRID);
                ui.label(&model.names[class]);
                ui.monospace(format!("{distance:.3}"));
                ui.monospace(format!("{:5.1} %", 100.0 * probability));
                ui.end_row();
            }
        });
}

/// Distances to winner and runner-up of the last state, over t.
fn distances(app: &AppState, ui: &mut egui::Ui, flow: &Flow, model: &Shown, pixel: usize) {
    let path = flow.path_of(pixel);
    let Some(last) = path.last() else { return };
    theme::section(ui, "Distance over t");
    let points = model.centroids.points();
    let mut order: Vec<usize> = (0..points.len()).collect();
    let end = last.map(f64::from);
    order.sort_by(|&a, &b| distance(end, points[a]).total_cmp(&distance(end, points[b])));
    let now = f64::from(flow.time(app.play.position));
    let settled = flow.settled.as_ref().and_then(|settled| {
        let step = usize::from(settled[pixel]);
        Some(f64::from(flow.states.get(step)?.t))
    });
    Plot::new("distance over t")
        .height(18.0 * GRID)
        .include_x(0.0)
        .include_x(1.0)
        .include_y(0.0)
        .x_axis_label("t")
        .allow_scroll(false)
        .allow_drag(false)
        .legend(Legend::default())
        .show(ui, |plot| {
            for (name, &class) in ["winner", "runner-up"].iter().zip(&order) {
                let line: PlotPoints<'_> = path
                    .iter()
                    .zip(&flow.states)
                    .map(|(x, state)| {
                        let d = distance(x.map(f64::from), points[class]);
                        [f64::from(state.t), d]
                    })
                    .collect();
                let [r, g, b] = model.colours[class];
                let name = format!("{name}: {}", model.names[class]);
                let colour = egui::Color32::from_rgb(r, g, b);
                plot.line(Line::new(name, line).color(colour).width(2.0));
            }
            plot.vline(VLine::new("now", now).color(theme::ACCENT));
            if let Some(settled) = settled {
                let grey = egui::Color32::GRAY;
                let line = VLine::new("settled", settled).color(grey);
                plot.vline(line.style(egui_plot::LineStyle::dashed_dense()));
            }
        });
}
