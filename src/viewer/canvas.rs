//! The canvas: the photo and its state, panned and zoomed to the pixel, and the pixel's story.

use super::flow::Layer;
use super::{App, theme};
use eframe::egui::{self, Color32, ColorImage, Rect, TextureHandle, TextureOptions, Vec2};

/// Where the canvas looks.
pub struct Canvas {
    zoom: f32,
    offset: Vec2,
    layer: Option<TextureHandle>,
}

impl Default for Canvas {
    fn default() -> Self {
        Self {
            zoom: 1.0,
            offset: Vec2::ZERO,
            layer: None,
        }
    }
}

/// Draws the canvas.
pub fn show(app: &mut App, ui: &mut egui::Ui) {
    if let Some(error) = &app.error {
        ui.centered_and_justified(|ui| {
            ui.label(error);
        });
        return;
    }
    let Some(flow) = &app.flow else {
        ui.centered_and_justified(|ui| {
            ui.label("opening");
        });
        return;
    };
    let (area, response) =
        ui.allocate_exact_size(ui.available_size(), egui::Sense::click_and_drag());
    let photo = egui::vec2(flow.photo.width() as f32, flow.photo.height() as f32);
    let fit = (area.width() / photo.x).min(area.height() / photo.y);
    if response.hovered() {
        let scroll = ui.input(|input| input.smooth_scroll_delta.y);
        let wanted = app.canvas.zoom * (scroll * 0.005).exp() * ui.input(|i| i.zoom_delta());
        let zoom = wanted.clamp(0.5, 64.0 / fit.min(1.0));
        if let Some(pointer) = response.hover_pos() {
            // The point under the pointer stays where it is.
            let from = pointer - area.center() - app.canvas.offset;
            app.canvas.offset += from * (1.0 - zoom / app.canvas.zoom);
        }
        app.canvas.zoom = zoom;
    }
    app.canvas.offset += response.drag_delta();
    if response.double_clicked() {
        (app.canvas.zoom, app.canvas.offset) = (1.0, Vec2::ZERO);
    }
    let target = Rect::from_center_size(
        area.center() + app.canvas.offset,
        photo * fit * app.canvas.zoom,
    );
    let painter = ui.painter().with_clip_rect(area);
    let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
    if matches!(app.layer, Layer::Photo | Layer::Overlay) {
        painter.image(flow.picture().id(), target, whole, Color32::WHITE);
    }
    let ready = !flow.states.is_empty();
    if ready && app.layer != Layer::Photo {
        let position = app.position;
        let image: ColorImage = match app.layer {
            Layer::Raw => flow.raw(&flow.between(position)),
            layer => {
                let at = (position.round() as usize).min(flow.states.len() - 1);
                let opacity = if layer == Layer::Map {
                    1.0
                } else {
                    app.opacity
                };
                let labels = &flow.states[at].labels;
                flow.map(labels, &app.centroids, opacity, app.highlighted)
            }
        };
        match &mut app.canvas.layer {
            Some(texture) => texture.set(image, TextureOptions::NEAREST),
            None => {
                let texture = ui
                    .ctx()
                    .load_texture("layer", image, TextureOptions::NEAREST);
                app.canvas.layer = Some(texture);
            }
        }
        if let Some(texture) = &app.canvas.layer {
            painter.image(texture.id(), target, whole, Color32::WHITE);
        }
    }
    if let Some(pointer) = response.hover_pos().filter(|_| ready) {
        let at = (pointer - target.min) / target.size();
        if (0.0..1.0).contains(&at.x) && (0.0..1.0).contains(&at.y) {
            let column = (at.x * flow.size[1] as f32) as usize;
            let row = (at.y * flow.size[0] as f32) as usize;
            response.on_hover_ui_at_pointer(|ui| pixel(app, ui, row, column));
        }
    }
}

/// Why a pixel is where it is: its state and the nearest centroids.
fn pixel(app: &App, ui: &mut egui::Ui, row: usize, column: usize) {
    let Some(flow) = &app.flow else { return };
    let pixels = flow.size[0] * flow.size[1];
    let at = row * flow.size[1] + column;
    let x = flow.between(app.position);
    let state = [0, 1, 2].map(|c| x[c * pixels + at]);
    ui.monospace(format!(
        "pixel {column}, {row}   x = ({:+.2}, {:+.2}, {:+.2})",
        state[0], state[1], state[2]
    ));
    let mut distances: Vec<(f64, usize)> = app
        .centroids
        .points()
        .iter()
        .enumerate()
        .map(|(k, mu)| {
            let square: f64 = (0..3).map(|a| (f64::from(state[a]) - mu[a]).powi(2)).sum();
            (square.sqrt(), k)
        })
        .collect();
    distances.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (distance, k) in distances.into_iter().take(5) {
        let [r, g, b] = app.centroids.colour(k);
        ui.horizontal(|ui| {
            let size = Vec2::splat(1.5 * theme::GRID);
            let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
            ui.painter()
                .rect_filled(rect, 2.0, Color32::from_rgb(r, g, b));
            ui.monospace(format!("{distance:5.2}  {}", app.model.card.classes[k]));
        });
    }
    let last = flow.states.len() - 1;
    let settled = (0..=last)
        .rev()
        .take_while(|&i| flow.states[i].labels[at] == flow.states[last].labels[at])
        .last()
        .unwrap_or(last);
    ui.small(format!("settled at step {settled} of {last}"));
}
