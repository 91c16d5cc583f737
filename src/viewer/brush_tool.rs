//! The brush of the canvas.

use super::app_state::AppState;
use super::brush::{Brush, count, region, within};
use super::brush_mask::BrushMask;
use super::commands::{Action, Command};
use super::theme::{self, GRID};
use super::view::Camera;
use eframe::egui::{self, Color32, Rect, Vec2, pos2, vec2};

#[derive(Default)]
pub(super) struct BrushTool {
    /// The pane in which the current drag began, and the point relative to the photo.
    start: Option<(Rect, Vec2)>,
    mask: BrushMask,
}

impl BrushTool {
    /// Brushes by a drag over the photo if Shift is held or the brush is selected. Returns whether it
    /// uses the drag.
    pub(super) fn drag(
        &mut self,
        app: &AppState,
        camera: Camera,
        response: &egui::Response,
        pane: Rect,
        photo: Vec2,
        commands: &mut Vec<Command>,
    ) -> bool {
        let Some(size) = app.flow.as_ref().map(|flow| flow.size) else {
            return false;
        };
        let context = &response.ctx;
        let wanted = app.brushing || context.input(|input| input.modifiers.shift);
        if response.hovered() && wanted {
            context.set_cursor_icon(egui::CursorIcon::Crosshair);
        }
        let place = |pane: Rect, at: egui::Pos2| within(camera.target(pane, photo), at);
        let begins = wanted && response.drag_started_by(egui::PointerButton::Primary);
        if begins {
            let from = context.input(|input| input.pointer.press_origin());
            self.start = from.map(|from| (pane, place(pane, from)));
        }
        let Some((pane, from)) = self.start else {
            return false;
        };
        if let Some(pointer) = response.interact_pointer_pos() {
            let pixels = region(size, from, place(pane, pointer));
            commands.push(Command::Brush(Brush { pixels, begins }));
        }
        if !response.dragged() {
            self.start = None;
        }
        true
    }

    /// Darkens the pixels of a pane that are not brushed.
    pub(super) fn darken(&mut self, app: &AppState, ui: &egui::Ui, clip: Rect, target: Rect) {
        let Some(flow) = &app.flow else { return };
        let brushed = &app.selection.brushed;
        if let Some(id) = self.mask.texture(ui.ctx(), flow.size, brushed) {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            let painter = ui.painter().with_clip_rect(clip);
            painter.image(id, target, whole, Color32::WHITE);
        }
    }
}

/// The number of brushed pixels, or how to brush, at the lower left of the canvas.
pub(super) fn hint(app: &AppState, ui: &mut egui::Ui, area: Rect, commands: &mut Vec<Command>) {
    let brushed = count(&app.selection.brushed);
    let text = match brushed {
        Some(count) => format!("{count} pixels brushed, lit in the Field panel's cube too"),
        None if app.brushing => {
            "Drag over the photo: its pixels light up in the Field panel's cube".to_owned()
        }
        None => return,
    };
    let at = area.left_bottom() + vec2(GRID, -GRID);
    let place = theme::badge(ui, at, egui::Align2::LEFT_BOTTOM, &text, false);
    if brushed.is_none() {
        return;
    }
    let size = vec2(8.0 * GRID, place.height());
    let button = Rect::from_min_size(place.right_top() + vec2(GRID / 2.0, 0.0), size);
    let clear = ui.put(button, egui::Button::new("Clear").small());
    // While a mask is corrected, Escape ends that.
    let help = if app.correct.on {
        "Clear the brush"
    } else {
        "Clear the brush (Escape)"
    };
    if clear.on_hover_text(help).clicked() {
        commands.push(Action::ClearBrush.into());
    }
}
