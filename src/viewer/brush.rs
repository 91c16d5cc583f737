//! Brushing: pixels of the photo that are lit in it and in the field's cube at once.

use super::app_state::AppState;
use super::canvas_panel::badge;
use super::theme::GRID;
use eframe::egui::{self, Color32, ColorImage, Rect, TextureHandle, TextureOptions, Vec2, vec2};
use std::sync::Arc;

/// How dark a pixel is that is not brushed, 0 to 255.
const DARKNESS: u8 = 190;

/// Pixels that were brushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Brush {
    /// One entry a pixel at the network's size, in row-major order.
    pub pixels: Vec<bool>,
    /// Whether this begins a brush; else it goes on with the one before, of the same drag.
    pub begins: bool,
}

/// The pixels of a picture `[height, width]` that a rectangle touches; its corners are points of the
/// picture, 0 to 1 from the left and from the top.
pub fn region([height, width]: [usize; 2], from: Vec2, to: Vec2) -> Vec<bool> {
    let span = |a: f32, b: f32, count: usize| {
        let of = |at: f32| ((at * count as f32).max(0.0) as usize).min(count.saturating_sub(1));
        of(a.min(b))..=of(a.max(b))
    };
    let (columns, rows) = (span(from.x, to.x, width), span(from.y, to.y, height));
    (0..height * width)
        .map(|pixel| columns.contains(&(pixel % width)) && rows.contains(&(pixel / width)))
        .collect()
}

/// What lies over the photo where it is not brushed.
#[derive(Default)]
pub struct BrushMask {
    made: Option<(Arc<Vec<bool>>, TextureHandle)>,
}

impl BrushMask {
    /// The mask over a picture `[height, width]`; none where nothing is brushed.
    pub fn texture(
        &mut self,
        context: &egui::Context,
        [height, width]: [usize; 2],
        brushed: &Arc<Vec<bool>>,
    ) -> Option<egui::TextureId> {
        if brushed.len() != height * width || brushed.is_empty() {
            self.made = None;
            return None;
        }
        if let Some((of, texture)) = &self.made
            && Arc::ptr_eq(of, brushed)
        {
            return Some(texture.id());
        }
        let colour = |lit: &bool| Color32::from_black_alpha(if *lit { 0 } else { DARKNESS });
        let image = ColorImage::new([width, height], brushed.iter().map(colour).collect());
        let texture = context.load_texture("brush", image, TextureOptions::NEAREST);
        let id = texture.id();
        self.made = Some((brushed.clone(), texture));
        Some(id)
    }
}

/// Brushes with a drag over the photo, where Shift is held or the brush was chosen. Says whether
/// the drag is taken.
pub fn drag(app: &mut AppState, response: &egui::Response, pane: Rect, photo: Vec2) -> bool {
    let Some(size) = app.flow.as_ref().map(|flow| flow.size) else {
        return false;
    };
    let context = &response.ctx;
    let wanted = app.brushing || context.input(|input| input.modifiers.shift);
    if response.hovered() && wanted {
        context.set_cursor_icon(egui::CursorIcon::Crosshair);
    }
    let camera = app.settings.view.camera;
    let place = |pane: Rect, at: egui::Pos2| {
        let target = camera.target(pane, photo);
        ((at - target.min) / target.size()).clamp(Vec2::ZERO, Vec2::splat(1.0))
    };
    let begins = wanted && response.drag_started_by(egui::PointerButton::Primary);
    if begins {
        let from = context.input(|input| input.pointer.press_origin());
        app.brush_from = from.map(|from| (pane, place(pane, from)));
    }
    let Some((pane, from)) = app.brush_from else {
        return false;
    };
    if let Some(pointer) = response.interact_pointer_pos() {
        let pixels = region(size, from, place(pane, pointer));
        app.brush(Brush { pixels, begins });
    }
    if !response.dragged() {
        app.brush_from = None;
    }
    true
}

/// Darkens what is not brushed in a pane.
pub fn mask(app: &mut AppState, ui: &egui::Ui, clip: Rect, target: Rect) {
    let Some(size) = app.flow.as_ref().map(|flow| flow.size) else {
        return;
    };
    if let Some(id) = app.mask.texture(ui.ctx(), size, &app.selection.brushed) {
        let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
        let painter = ui.painter().with_clip_rect(clip);
        painter.image(id, target, whole, Color32::WHITE);
    }
}

/// What is brushed and how to be rid of it, or how to brush, at the lower left of the canvas.
pub fn hint(app: &mut AppState, ui: &mut egui::Ui, area: Rect) {
    let text = match count(&app.selection.brushed) {
        Some(count) => format!("{count} pixels brushed, lit in the Field panel's cube too"),
        None if app.brushing => {
            "Drag over the photo: its pixels light up in the Field panel's cube".to_owned()
        }
        None => return,
    };
    let at = area.left_bottom() + vec2(GRID, -GRID);
    let place = badge(ui, at, egui::Align2::LEFT_BOTTOM, &text, false);
    if app.selection.brushed.is_empty() {
        return;
    }
    let size = vec2(8.0 * GRID, place.height());
    let button = Rect::from_min_size(place.right_top() + vec2(GRID / 2.0, 0.0), size);
    let clear = ui.put(button, egui::Button::new("Clear").small());
    if clear.on_hover_text("Clear the brush (Escape)").clicked() {
        app.clear_brush();
    }
}

/// How many pixels are brushed, in words; none where none is.
pub fn count(brushed: &[bool]) -> Option<String> {
    let count = brushed.iter().filter(|lit| **lit).count();
    (count > 0).then(|| count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_takes_the_pixels_that_it_touches() {
        // Three columns, two rows: from the middle of the first to the middle of the second.
        let brushed = region([2, 3], vec2(0.5, 0.2), vec2(0.1, 0.3));
        assert_eq!(brushed, [true, true, false, false, false, false]);
        let all = region([2, 3], vec2(-1.0, 0.0), vec2(7.0, 1.0));
        assert_eq!(all, [true; 6]);
        assert!(region([0, 0], Vec2::ZERO, vec2(1.0, 1.0)).is_empty());
    }

    #[test]
    fn a_veil_is_made_once_for_a_brush_and_never_for_another_size() {
        let context = egui::Context::default();
        let mut mask = BrushMask::default();
        let brushed = Arc::new(vec![true, false, false, false]);
        let first = mask.texture(&context, [2, 2], &brushed).unwrap();
        assert_eq!(mask.texture(&context, [2, 2], &brushed), Some(first));
        let other = Arc::new(vec![false, true, false, false]);
        assert_ne!(mask.texture(&context, [2, 2], &other), Some(first));
        assert_eq!(mask.texture(&context, [3, 3], &other), None);
        assert_eq!(mask.texture(&context, [2, 2], &Arc::default()), None);
    }
}
