//! Mouse input over the canvas while a mask is corrected.

use super::request::{Request, Tool};
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::view::Camera;
use eframe::egui::{self, Color32, PointerButton, Pos2, Rect, Stroke, Vec2};

#[derive(Default)]
pub(crate) struct Pointer {
    /// The pane in which the button was pressed.
    pane: Option<Rect>,
}

impl Pointer {
    /// Paints with the primary button from the moment it is pressed, following every mouse motion since
    /// the last frame, in the coordinates of the pane in which it was pressed. Returns whether it uses the button.
    pub(crate) fn follow(
        &mut self,
        app: &AppState,
        camera: Camera,
        response: &egui::Response,
        panes: &[Rect],
        photo: Vec2,
        commands: &mut Vec<Command>,
    ) -> bool {
        if !app.correct.is_ready() {
            self.pane = None;
            return false;
        }
        let context = &response.ctx;
        let place = |pane: Rect, at: Pos2| {
            let target = camera.target(pane, photo);
            let at = (at - target.min) / target.size() * photo;
            [at.x, at.y]
        };
        let mut ask = |request| commands.push(Command::Correct(request));
        let hover = response.hover_pos();
        let hover = hover.map(|at| place(pane_at(panes, at), at));
        if hover != app.correct.hover {
            ask(Request::Hover(hover));
        }
        let events = context.input(|input| input.events.clone());
        // After a release, a press within the same frame is not reported.
        let released = events.iter().any(|event| pressed(event) == Some(false));
        let is_down = released || response.is_pointer_button_down_on();
        let mut paints = self.pane.is_some();
        for event in &events {
            match (self.pane, pressed(event), place_of(event)) {
                (Some(pane), None, Some(at)) => ask(Request::Drag(place(pane, at))),
                (Some(_), Some(false), _) => {
                    self.pane = None;
                    ask(Request::Release);
                }
                (None, Some(true), Some(at)) if is_down && is_on_top(response, at) => {
                    let pane = pane_at(panes, at);
                    self.pane = Some(pane);
                    paints = true;
                    ask(Request::Press(place(pane, at)));
                }
                _ => {}
            }
        }
        // A stroke also ends without a release, such as when the window loses the pointer.
        let held = context.input(|input| input.pointer.button_down(PointerButton::Primary));
        if !(held && is_down) && self.pane.take().is_some() {
            ask(Request::Release);
        }
        if paints {
            // The paint is drawn in the next frame.
            context.request_repaint();
            return true;
        }
        // Clicks have no other effect.
        response.clicked() || response.double_clicked()
    }

    /// Draws a ring of the brush's diameter.
    pub(crate) fn ring(
        &self,
        app: &AppState,
        ui: &egui::Ui,
        camera: Camera,
        response: &egui::Response,
        pane: Rect,
        photo: Vec2,
    ) {
        let Some(at) = response.hover_pos().filter(|_| app.correct.is_ready()) else {
            return;
        };
        if app.correct.tool == Tool::Fill {
            ui.set_cursor_icon(egui::CursorIcon::Crosshair);
            return;
        }
        let scale = camera.target(pane, photo).width() / photo.x;
        let radius = (app.correct.diameter / 2.0 * scale).max(1.0);
        // If the ring is too small to be seen, show a cross.
        let cursor = if radius < 4.0 {
            egui::CursorIcon::Crosshair
        } else {
            egui::CursorIcon::None
        };
        ui.set_cursor_icon(cursor);
        let painter = ui.painter().with_clip_rect(pane);
        painter.circle_stroke(at, radius, Stroke::new(3.0, Color32::from_black_alpha(140)));
        painter.circle_stroke(at, radius, Stroke::new(1.0, Color32::WHITE));
        if cursor == egui::CursorIcon::None {
            painter.circle_filled(at, 1.5, Color32::WHITE);
        }
    }
}

/// The pane at a point, or else the first one.
fn pane_at(panes: &[Rect], at: Pos2) -> Rect {
    let under = panes.iter().find(|pane| pane.contains(at));
    under.or(panes.first()).copied().unwrap_or(Rect::NOTHING)
}

/// Whether an event presses the primary button, or else releases it; `None` for any other event.
fn pressed(event: &egui::Event) -> Option<bool> {
    match event {
        egui::Event::PointerButton {
            button: PointerButton::Primary,
            pressed,
            ..
        } => Some(*pressed),
        _ => None,
    }
}

/// Where a motion of the pointer leads, or one of its buttons is pressed or released.
fn place_of(event: &egui::Event) -> Option<Pos2> {
    match event {
        egui::Event::PointerMoved(at) => Some(*at),
        egui::Event::PointerButton { pos, .. } => Some(*pos),
        _ => None,
    }
}

/// Whether a press at a point concerns a widget, and none that covers it there.
fn is_on_top(response: &egui::Response, at: Pos2) -> bool {
    let layer = response.ctx.layer_id_at(at);
    layer.is_none_or(|layer| layer == response.layer_id)
        && response.ctx.viewport(|viewport| {
            let widgets = viewport.prev_pass.widgets.get_layer(response.layer_id);
            let of_point = widgets
                .filter(|widget| widget.sense.interactive() && widget.interact_rect.contains(at));
            let top = of_point.last();
            top.is_some_and(|widget| widget.id == response.id && widget.enabled)
        })
}
