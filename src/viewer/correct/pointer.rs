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
    /// the last frame. Returns whether it uses the button.
    pub(crate) fn follow(
        &mut self,
        app: &AppState,
        camera: Camera,
        response: &egui::Response,
        pane: Rect,
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
        let hover = response.hover_pos().map(|at| place(pane, at));
        if hover != app.correct.hover {
            ask(Request::Hover(hover));
        }
        let down = response.is_pointer_button_down_on()
            && context.input(|input| input.pointer.button_down(PointerButton::Primary));
        // A press that began and ended within one frame is a click, or nothing at all if the pointer moved between.
        let pressed = context.input(|input| {
            let ended = !input.pointer.button_down(PointerButton::Primary);
            press(&input.events).filter(|_| ended)
        });
        let pressed = pressed.filter(|at| pane.contains(*at) && is_on_top(response, *at));
        let begins = (down || response.clicked() || pressed.is_some()) && self.pane.is_none();
        if begins {
            let origin = context.input(|input| input.pointer.press_origin());
            let origin = origin.or(pressed).or(response.interact_pointer_pos());
            if let Some(origin) = origin {
                self.pane = Some(pane);
                ask(Request::Press(place(pane, origin)));
            }
        }
        if let Some(pane) = self.pane {
            for at in context.input(|input| moves(&input.events, begins)) {
                ask(Request::Drag(place(pane, at)));
            }
            if !down {
                self.pane = None;
                ask(Request::Release);
            }
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

/// Where the primary button was first pressed in a frame's events.
fn press(events: &[egui::Event]) -> Option<Pos2> {
    events.iter().find_map(|event| match event {
        egui::Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed: true,
            ..
        } => Some(*pos),
        _ => None,
    })
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

/// The positions of a stroke in a frame's events: after the press of the primary button, if it begins
/// there, and up to its release.
fn moves(events: &[egui::Event], begins: bool) -> Vec<Pos2> {
    let button = |event: &egui::Event, down: bool| {
        matches!(event, egui::Event::PointerButton { button: PointerButton::Primary, pressed, .. }
            if *pressed == down)
    };
    let pressed = events.iter().position(|event| button(event, true));
    let from = pressed.filter(|_| begins).map_or(0, |at| at + 1);
    let stroke = events[from..]
        .iter()
        .take_while(|event| !button(event, false));
    let moved = |event: &egui::Event| match event {
        egui::Event::PointerMoved(at) => Some(*at),
        _ => None,
    };
    stroke.filter_map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Event, Modifiers, pos2};

    #[test]
    fn a_stroke_is_what_lies_between_press_and_release() {
        let moved = |x: f32| Event::PointerMoved(pos2(x, 0.0));
        let button = |pressed| Event::PointerButton {
            pos: pos2(0.0, 0.0),
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::default(),
        };
        let of = |events: &[Event], begins| -> Vec<f32> {
            moves(events, begins).iter().map(|at| at.x).collect()
        };
        let frame = [
            moved(1.0),
            button(true),
            moved(2.0),
            button(false),
            moved(3.0),
        ];
        assert_eq!(of(&frame, true), [2.0]);
        assert_eq!(of(&[moved(1.0), button(false), moved(2.0)], false), [1.0]);
        assert_eq!(of(&[moved(1.0), moved(2.0)], false), [1.0, 2.0]);
        assert_eq!(of(&[button(true), button(false)], true), [0.0; 0]);
    }
}
