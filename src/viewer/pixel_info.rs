//! The numbers of one pixel: its state, velocity and prediction, and the nearest centroids.

use super::app_state::AppState;
use super::open_model::OpenModel;
use super::theme::{self, GRID};
use crate::votes::{Doubt, Votes};
use eframe::egui;

const NEAREST: usize = 5;
/// The number of axes of a state that fit on a line.
const SHOWN: usize = 3;

pub(super) struct PixelInfo {
    /// Column and row of its centre in the photo, from 0.
    pub place: [usize; 2],
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
    /// Its label in the corrected mask, if the canvas draws that and the network has another one.
    pub corrected: Option<u16>,
}

impl PixelInfo {
    /// The name and colour of the class that it has in the corrected mask, if that is another one.
    pub(super) fn corrected_class<'a>(&self, model: &'a OpenModel) -> Option<(&'a str, [u8; 3])> {
        let class = usize::from(self.corrected?);
        let name = model.names.get(class).map_or("no class", String::as_str);
        Some((name, model.colours.get(class).copied().unwrap_or([128; 3])))
    }
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
    let place = place_in_photo(pixel, flow.size, flow.photo.dimensions());
    let is_shown = app.shows_corrections();
    Some(PixelInfo {
        place,
        corrected: app.correct.corrected_label(flow.id, is_shown, place),
        x,
        velocity,
        prediction,
        nearest,
        settled: flow.settled.as_ref().map(|settled| settled[pixel]),
        doubt: [Doubt::Margin, Doubt::Entropy].map(|doubt| doubt.of(probability.at(0))),
    })
}

/// Column and row of the photo, from 0, at the centre of a pixel of the network. `size` is that of the
/// states, `[height, width]`, and `photo` the photo's width and height.
fn place_in_photo(pixel: usize, size: [usize; 2], photo: (u32, u32)) -> [usize; 2] {
    let [rows, columns] = size.map(|side| side.max(1));
    // Half a pixel of the network is one of twice as many.
    let scaled = |at: usize, of: usize, side: u32| (2 * at + 1) * side as usize / (2 * of);
    [
        scaled(pixel % columns, columns, photo.0),
        scaled(pixel / columns, rows, photo.1),
    ]
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
    let [column, row] = info.place;
    let x: Vec<String> = info
        .x
        .iter()
        .take(SHOWN)
        .map(|x| format!("{x:+.2}"))
        .collect();
    let more = if info.x.len() > SHOWN { ", …" } else { "" };
    ui.monospace(format!(
        "pixel {column}, {row}   x = ({}{more})",
        x.join(", ")
    ));
    for &(class, distance, _) in info.nearest.iter().take(3) {
        ui.horizontal(|ui| {
            theme::swatch(ui, model.colours[class], 1.5 * GRID);
            ui.monospace(format!("distance {distance:.2}  {}", model.names[class]));
        });
    }
    if let Some((name, colour)) = info.corrected_class(model) {
        ui.horizontal(|ui| {
            theme::swatch(ui, colour, 1.5 * GRID);
            ui.monospace(format!("{:>13}  {name}", "corrected"));
        });
    }
    if let Some((name, colour)) = second_class(app, pixel) {
        ui.horizontal(|ui| {
            theme::swatch(ui, colour, 1.5 * GRID);
            ui.monospace(format!("{:>13}  {name}", "B"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_named_by_their_place_in_the_photo() {
        let photo = (960, 720);
        assert_eq!(place_in_photo(0, [12, 16], photo), [30, 30]);
        assert_eq!(place_in_photo(17, [12, 16], photo), [90, 90]);
        assert_eq!(place_in_photo(191, [12, 16], photo), [930, 690]);
        // A photo smaller than the states.
        assert_eq!(place_in_photo(191, [12, 16], (8, 6)), [7, 5]);
        assert_eq!(place_in_photo(5, [2, 3], (3, 2)), [2, 1]);
    }
}
