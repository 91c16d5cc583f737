//! The numbers of one pixel: its state, velocity and prediction, and the nearest centroids.

use super::app_state::AppState;
use super::theme::{self, GRID};
use crate::votes::{Doubt, Votes};
use eframe::egui;

const NEAREST: usize = 5;
/// The number of axes of a state that fit on a line.
const SHOWN: usize = 3;

pub(super) struct PixelInfo {
    pub row: usize,
    pub column: usize,
    /// `[d]`
    pub x: Vec<f32>,
    pub velocity: Option<Vec<f32>>,
    /// `x1_hat = x + (1 - t) v`
    pub prediction: Option<Vec<f32>>,
    /// Class, distance and probability, 0 to 1, of the nearest centroids.
    pub nearest: Vec<(usize, f64, f64)>,
    /// The step from which it keeps its class.
    pub settled: Option<u16>,
    /// Lead of its class over the second, and entropy divided by ln N, both 0 to 1.
    pub doubt: [f32; 2],
}

/// The numbers of a pixel at the playhead, or `None` while its state is still being read back.
pub(super) fn pixel_info(app: &AppState, pixel: usize) -> Option<PixelInfo> {
    let (flow, model) = (app.flow.as_ref()?, app.model.as_ref()?);
    if pixel >= flow.pixels() {
        return None;
    }
    let position = app.playhead.position;
    let x = flow.state_of(pixel, position)?;
    let t = flow.time(position);
    let velocity = flow.velocity_of(pixel, position);
    let prediction = velocity.as_ref().map(|v| {
        let ahead = x.iter().zip(v).map(|(x, v)| x + (1.0 - t) * v);
        ahead.collect()
    });
    let centroids = &model.centroids;
    let probability = Votes::of(centroids, &x, [1, 1]);
    let mut nearest: Vec<(usize, f64, f64)> = (0..centroids.len())
        .map(|k| {
            let share = f64::from(probability.at(0)[k]);
            (k, distance(&x, centroids.code(k)), share)
        })
        .collect();
    nearest.sort_by(|a, b| a.1.total_cmp(&b.1));
    nearest.truncate(NEAREST);
    Some(PixelInfo {
        row: pixel / flow.size[1],
        column: pixel % flow.size[1],
        x,
        velocity,
        prediction,
        nearest,
        settled: flow.settled.as_ref().map(|settled| settled[pixel]),
        doubt: [Doubt::Margin, Doubt::Entropy].map(|doubt| doubt.of(probability.at(0))),
    })
}

/// The distance from a state to a centroid, `[d]` each.
pub(super) fn distance(x: &[f32], mu: &[f64]) -> f64 {
    let offsets = x.iter().zip(mu).map(|(&x, mu)| f64::from(x) - mu);
    offsets.map(|offset| offset * offset).sum::<f64>().sqrt()
}

/// Draws the tooltip of a pixel.
pub(super) fn tooltip(app: &AppState, ui: &mut egui::Ui, pixel: usize) {
    let Some(model) = &app.model else { return };
    let Some(info) = pixel_info(app, pixel) else {
        ui.weak("not read back yet");
        return;
    };
    ui.set_max_width(36.0 * GRID);
    let x: Vec<String> = info
        .x
        .iter()
        .take(SHOWN)
        .map(|x| format!("{x:+.2}"))
        .collect();
    let more = if info.x.len() > SHOWN { ", …" } else { "" };
    ui.monospace(format!(
        "pixel {}, {}   x = ({}{more})",
        info.column,
        info.row,
        x.join(", ")
    ));
    for &(class, distance, _) in info.nearest.iter().take(3) {
        ui.horizontal(|ui| {
            theme::swatch(ui, model.colours[class], 1.5 * GRID);
            ui.monospace(format!("{distance:5.2}  {}", model.names[class]));
        });
    }
    if let Some((name, colour)) = second_class(app, pixel) {
        ui.horizontal(|ui| {
            theme::swatch(ui, colour, 1.5 * GRID);
            ui.monospace(format!("    B  {name}"));
        });
    }
    ui.weak("click to pin, Shift-drag to brush");
}

/// The class of a pixel in the second result at the shown time, with its colour.
pub(super) fn second_class(app: &AppState, pixel: usize) -> Option<(&str, [u8; 3])> {
    let (flow, model, second) = (
        app.flow.as_ref()?,
        app.model.as_ref()?,
        app.second.as_ref()?,
    );
    let t = flow.time(app.playhead.position);
    let class = second.class_at(pixel, flow.size, t)?;
    let classes = second.classes.as_ref()?;
    let colour = classes.colours(&model.colours).get(class).copied()?;
    Some((classes.names().get(class)?.as_str(), colour))
}
