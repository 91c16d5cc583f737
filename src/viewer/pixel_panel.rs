//! The pixel panel: the numbers of one pixel, and its distances to the final winner and runner-up over
//! t.

use super::app_state::AppState;
use super::commands::Command;
use super::flow::Flow;
use super::open_model::OpenModel;
use super::panel::Panel;
use super::pixel_info::{PixelInfo, distance, pixel_info, second_class};
use super::runs::axes::fixed;
use super::theme::{self, GRID};
use eframe::egui;
use egui_plot::{Legend, Line, PlotPoints, VLine};

/// Shows the pixel under the pointer, or else the one pinned last.
#[derive(Default)]
pub(super) struct PixelPanel;

impl Panel for PixelPanel {
    fn title(&self) -> &'static str {
        "Pixel"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let pins = &app.selection.pins;
        let Some(pixel) = app.hover.pixel.or(pins.last().copied()) else {
            theme::empty(
                ui,
                "Point at the picture to inspect a pixel; click to pin it.",
            );
            return;
        };
        pin_row(pins, ui, commands);
        let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
            return;
        };
        let Some(info) = pixel_info(app, pixel) else {
            theme::empty(ui, "The state is still being read back.");
            return;
        };
        let now = f64::from(flow.time(app.playhead.position));
        egui::ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            // While a mask is corrected, the numbers stay where they are.
            if !app.correct.on {
                corrected(ui, model, &info);
            }
            numbers(ui, &info);
            if app.correct.on {
                corrected(ui, model, &info);
            }
            nearest(ui, model, &info);
            if let Some((name, colour)) = second_class(app, pixel) {
                ui.horizontal(|ui| {
                    ui.weak("Second result");
                    theme::swatch(ui, colour, 1.5 * GRID);
                    ui.label(name);
                });
            }
            distances(ui, flow, model, pixel, now);
        });
    }
}

/// The class in the corrected mask, if it is not the network's.
fn corrected(ui: &mut egui::Ui, model: &OpenModel, info: &PixelInfo) {
    if let Some((name, colour)) = info.corrected_class(model) {
        ui.horizontal(|ui| {
            ui.weak("Corrected");
            theme::swatch(ui, colour, 1.5 * GRID);
            ui.label(name);
        });
    }
}

/// The pinned pixels as buttons that unpin them.
fn pin_row(pins: &[usize], ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    if pins.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.weak("Pinned");
        for (i, &pixel) in pins.iter().enumerate() {
            let text = format!("{}", i + 1);
            let button = ui.small_button(text);
            if theme::named(button, &format!("Unpin pixel {}", i + 1), "Unpin").clicked() {
                commands.push(Command::TogglePin(pixel));
            }
        }
    });
}

fn numbers(ui: &mut egui::Ui, info: &PixelInfo) {
    egui::Grid::new("pixel numbers")
        .num_columns(2)
        .spacing([2.0 * GRID, GRID / 2.0])
        .show(ui, |ui| {
            let mut row = |name: &str, help: &str, value: String| {
                ui.weak(name).on_hover_text(help);
                ui.monospace(value);
                ui.end_row();
            };
            let vector = |x: Vec<f32>| {
                let all: Vec<String> = x.iter().map(|x| format!("{x:+.3}")).collect();
                // Three per line: the first three are the displayed colour.
                let lines: Vec<String> = all.chunks(3).map(|some| some.join(" ")).collect();
                lines.join("\n")
            };
            let none = || "-".to_owned();
            let [x, y] = info.place;
            let place = format!("column {x}, row {y}");
            row(
                "Pixel",
                "Column and row in the photo, from 0, of the centre of the network's pixel",
                place,
            );
            row(
                "State x",
                "Its position among the centroids, each axis about -1 to 1; the first three axes are its colour",
                vector(info.x.clone()),
            );
            row(
                "Velocity v",
                "Mean over the step shown, in units per unit of t",
                info.velocity.clone().map_or_else(none, vector),
            );
            row(
                "Predicted target",
                "Where it ends if it goes on as in this step: x + (1 - t) v",
                info.prediction.clone().map_or_else(none, vector),
            );
            let settled = info
                .settled
                .map_or_else(none, |step| format!("step {step}"));
            row("Settled", "The step from which it keeps its class", settled);
            let [margin, entropy] = info.doubt;
            row(
                "Margin",
                "Lead of its class over the second: p1 - p2, 1 if certain",
                format!("{margin:.3}"),
            );
            row(
                "Entropy",
                "Entropy of the N classes divided by ln N: 0 if certain, 1 if all are equally probable",
                format!("{entropy:.3}"),
            );
        });
}

fn nearest(ui: &mut egui::Ui, model: &OpenModel, info: &PixelInfo) {
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
            for &(class, distance, probability) in &info.nearest {
                theme::swatch(ui, model.colours[class], 1.5 * GRID);
                ui.label(&model.names[class]);
                ui.monospace(format!("{distance:.3}"));
                ui.monospace(format!("{:5.1} %", 100.0 * probability));
                ui.end_row();
            }
        });
}

/// The distances to the last state's nearest and second nearest centroid over t.
fn distances(ui: &mut egui::Ui, flow: &Flow, model: &OpenModel, pixel: usize, now: f64) {
    let path = flow.path_of(pixel);
    let Some(last) = path.last() else { return };
    theme::section(ui, "Distance over t");
    let centroids = &model.centroids;
    let mut order: Vec<usize> = (0..centroids.len()).collect();
    let from_end = |class: usize| distance(last, centroids.code(class));
    order.sort_by(|&a, &b| from_end(a).total_cmp(&from_end(b)));
    let settled = flow.settled.as_ref().and_then(|settled| {
        let step = usize::from(settled[pixel]);
        Some(f64::from(flow.states.get(step)?.t))
    });
    fixed("distance over t", "t")
        .height(18.0 * GRID)
        .include_x(1.0)
        .legend(Legend::default())
        .show(ui, |plot| {
            for (name, &class) in ["winner", "runner-up"].iter().zip(&order) {
                let line: PlotPoints<'_> = path
                    .iter()
                    .zip(&flow.states)
                    .map(|(x, state)| {
                        let d = distance(x, centroids.code(class));
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
