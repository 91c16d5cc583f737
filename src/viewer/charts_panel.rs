//! The charts panel: settled pixels, class shares and mean speed over t.

use super::app_state::AppState;
use super::commands::Command;
use super::flow::Flow;
use super::open_model::OpenModel;
use super::panel::Panel;
use super::runs::axes::{DIGITS, fixed};
use super::theme::{self, GRID};
use crate::format::tick;
use crate::trajectory;
use eframe::egui;
use egui_plot::{Line, PlotPoints, VLine};

/// The least height of a chart, in points.
const LEAST: f32 = 13.0 * GRID;
/// The most classes in the chart of shares.
const CLASSES: usize = 12;
/// The lines of the first chart: the classes of the state and of the predicted target (equation 4).
const KEYS: [(&str, egui::Color32); 2] = [
    ("state", theme::ACCENT),
    ("predicted target", egui::Color32::from_rgb(236, 140, 70)),
];

#[derive(Default)]
pub(super) struct ChartsPanel;

impl Panel for ChartsPanel {
    fn title(&self) -> &'static str {
        "Charts"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
            theme::empty(ui, "Open a photo to see charts of its flow.");
            return;
        };
        let now = f64::from(flow.time(app.playhead.position));
        let height = ((ui.available_height() - 13.0 * GRID) / 3.0).max(LEAST);
        let charts = [
            // First, since a low panel, as in the lesson about it, shows no other.
            ("Pixels at their final class", "%", settled(flow), &KEYS[..]),
            (
                "Share of each class",
                "%",
                shares(flow, model, app.hover.class),
                &[],
            ),
            ("Mean speed |v|", "", speed(flow), &[]),
        ];
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                for (title, unit, lines, keys) in charts {
                    heading(ui, title, keys);
                    if let Some(t) = chart(ui, title, unit, height, now, lines) {
                        commands.push(Command::GoTo(flow.position_at(t as f32)));
                    }
                }
            });
    }
}

type Lines<'a> = Vec<Line<'a>>;

fn shares<'a>(flow: &Flow, model: &OpenModel, hovered: Option<usize>) -> Lines<'a> {
    let hosts: Vec<_> = flow
        .states
        .iter()
        .filter_map(|state| Some((state.t, state.host.as_ref()?)))
        .collect();
    let most = |class: usize| {
        let shares = hosts.iter().map(|(_, host)| host.shares[class]);
        shares.fold(0.0, f32::max)
    };
    let mut classes: Vec<usize> = (0..model.card.classes.len()).collect();
    classes.sort_by(|&a, &b| most(b).total_cmp(&most(a)));
    classes.truncate(CLASSES);
    // A class added by hand has no share.
    if let Some(hovered) = hovered
        && hovered < model.card.classes.len()
        && !classes.contains(&hovered)
    {
        classes.push(hovered);
    }
    classes
        .into_iter()
        .map(|class| {
            let points: PlotPoints<'a> = hosts
                .iter()
                .map(|(t, host)| [f64::from(*t), 100.0 * f64::from(host.shares[class])])
                .collect();
            let [r, g, b] = model.colours[class];
            let width = if hovered == Some(class) { 3.0 } else { 1.5 };
            Line::new(model.names[class].clone(), points)
                .color(egui::Color32::from_rgb(r, g, b))
                .width(width)
        })
        .collect()
}

fn settled<'a>(flow: &Flow) -> Lines<'a> {
    let Some(settled) = &flow.settled else {
        return Vec::new();
    };
    let shares = trajectory::settled_share(settled, flow.states.len());
    let points: PlotPoints<'a> = flow
        .states
        .iter()
        .zip(shares)
        .map(|(state, share)| [f64::from(state.t), 100.0 * f64::from(share)])
        .collect();
    let steps = flow.states.iter().zip(&flow.foreseen);
    let foreseen: PlotPoints<'a> = steps
        .map(|(state, share)| [f64::from(state.t), 100.0 * f64::from(*share)])
        .collect();
    let lines = KEYS.into_iter().zip([points, foreseen]);
    lines
        .map(|((name, colour), points)| Line::new(name, points).color(colour).width(2.0))
        .collect()
}

/// The title of a chart, with the names of its lines in their colours.
fn heading(ui: &mut egui::Ui, title: &str, keys: &[(&str, egui::Color32)]) {
    ui.add_space(GRID / 2.0);
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.horizontal_wrapped(|ui| {
            ui.label(egui::RichText::new(title).strong());
            for (name, colour) in keys {
                ui.label(egui::RichText::new(*name).small().color(*colour));
            }
        });
    });
}

fn speed<'a>(flow: &Flow) -> Lines<'a> {
    let points: PlotPoints<'a> = speeds(flow).into_iter().flatten().collect();
    vec![Line::new("|v|", points).color(theme::ACCENT).width(2.0)]
}

/// The mean speed over each step, at both of its times: `[t, |v|]`.
fn speeds(flow: &Flow) -> Vec<[[f64; 2]; 2]> {
    let steps = flow.states.iter().zip(flow.states.iter().skip(1));
    steps
        .filter_map(|(before, after)| {
            // It is known with the state that the step leads to.
            let speed = f64::from(after.host.as_ref()?.speed?);
            Some([before.t, after.t].map(|t| [f64::from(t), speed]))
        })
        .collect()
}

/// Draws one chart; returns the time that was clicked or dragged to.
fn chart(
    ui: &mut egui::Ui,
    title: &str,
    unit: &'static str,
    height: f32,
    now: f64,
    lines: Lines<'_>,
) -> Option<f64> {
    let response = fixed(title, "t")
        .height(height)
        .include_x(1.0)
        .y_axis_min_width(5.0 * GRID)
        .y_axis_formatter(move |mark, _| {
            let number = tick(mark.value, DIGITS);
            if unit.is_empty() {
                number
            } else {
                format!("{number} {unit}")
            }
        })
        .show(ui, |plot| {
            for line in lines {
                plot.line(line);
            }
            plot.vline(VLine::new("now", now).color(theme::ACCENT));
            plot.pointer_coordinate().map(|point| point.x)
        });
    let pressed = response.response.clicked() || response.response.dragged();
    response.inner.filter(|_| pressed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;
    use crate::viewer::flow::testing;
    use crate::viewer::worker_events::OpenedPhoto;
    use std::sync::Arc;

    #[test]
    fn a_speed_is_drawn_over_its_step() {
        let centroids = Centroids::kronecker(2);
        let mut flow = testing::flow(&centroids, &[[0u16], [1], [0]], [1, 1]);
        for (step, speed) in [(1, 3.0), (2, 5.0)] {
            flow.states[step].host.as_mut().unwrap().speed = Some(speed);
        }
        let expected = [[[0.0, 3.0], [0.5, 3.0]], [[0.5, 5.0], [1.0, 5.0]]];
        assert_eq!(speeds(&flow), expected);
        // A flow of one step has a line as well.
        flow.states.truncate(2);
        assert_eq!(speeds(&flow), expected[..1]);
    }

    #[test]
    fn a_time_is_found_between_its_states() {
        let opened = OpenedPhoto {
            photo: Arc::new(image::RgbImage::new(1, 1)),
            digest: 0,
            picture: None,
            truth: None,
            truth_picture: None,
            size: [1, 1],
        };
        let mut flow = Flow::new(String::new(), opened);
        for t in [0.0, 0.25, 1.0] {
            flow.push(t, None);
        }
        for (t, position) in [
            (0.0, 0.0),
            (0.125, 0.5),
            (0.25, 1.0),
            (1.0, 2.0),
            (2.0, 2.0),
        ] {
            assert!((flow.position_at(t) - position).abs() < 1e-6);
        }
    }
}
