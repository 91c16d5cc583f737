//! The numbers of one pixel: its state, velocity and prediction, and the nearest centroids.

use super::app_state::AppState;
use super::theme::{self, GRID};
use crate::potential::{Operator, Potential};
use eframe::egui;

/// The number of centroids listed.
const NEAREST: usize = 5;

/// The potential of the probabilities: the paper's operator at its default settings.
const POTENTIAL: Potential = Potential {
    operator: Operator::Log,
    temperature: 1.0,
    epsilon: 1e-2,
};

pub struct PixelInfo {
    pub row: usize,
    pub column: usize,
    pub x: [f32; 3],
    pub velocity: Option<[f32; 3]>,
    /// `x1_hat = x + (1 - t) v`
    pub prediction: Option<[f32; 3]>,
    /// Class, distance and probability of the nearest centroids.
    pub nearest: Vec<(usize, f64, f64)>,
    /// The step from which on its class stays.
    pub settled: Option<u16>,
}

/// The numbers of a pixel at the playhead, or `None` while its state is still being read back.
pub fn pixel_info(app: &AppState, pixel: usize) -> Option<PixelInfo> {
    let (flow, model) = (app.flow.as_ref()?, app.model.as_ref()?);
    let position = app.playhead.position;
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
    Some(PixelInfo {
        row: pixel / flow.size[1],
        column: pixel % flow.size[1],
        x,
        velocity,
        prediction,
        nearest,
        settled: flow.settled.as_ref().map(|settled| settled[pixel]),
    })
}

pub fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

/// Draws the tooltip of a pixel.
pub fn tooltip(app: &AppState, ui: &mut egui::Ui, pixel: usize) {
    let Some(model) = &app.model else { return };
    let Some(info) = pixel_info(app, pixel) else {
        ui.weak("not read back yet");
        return;
    };
    ui.set_max_width(36.0 * GRID);
    let [a, b, c] = info.x;
    ui.monospace(format!(
        "pixel {}, {}   x = ({a:+.2}, {b:+.2}, {c:+.2})",
        info.column, info.row
    ));
    for &(class, distance, _) in info.nearest.iter().take(3) {
        ui.horizontal(|ui| {
            theme::swatch(ui, model.colours[class], 1.5 * GRID);
            ui.monospace(format!("{distance:5.2}  {}", model.names[class]));
        });
    }
    ui.weak("click to pin, Shift and drag to brush");
}
