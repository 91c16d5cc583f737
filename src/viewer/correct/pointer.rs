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
        let (held, press, released) = context.input(|input| {
            let held = input.pointer.button_down(PointerButton::Primary);
            (held, press(&input.events, held), has_release(&input.events))
        });
        let pressed = press.map(|(_, at)| at).filter(|at| {
            let in_pane = panes.iter().any(|pane| pane.contains(*at));
            in_pane && is_on_top(response, *at)
        });
        // After a release, a press within the same frame is not reported.
        let presses_again = released && pressed.is_some();
        let down = held && (response.is_pointer_button_down_on() || presses_again);
        let continues = self.pane.is_some();
        if let Some(pane) = self.pane {
            for at in context.input(|input| moves(&input.events, 0)) {
                ask(Request::Drag(place(pane, at)));
            }
            // The button may be down again.
            if !down || released {
                self.pane = None;
                ask(Request::Release);
            }
        }
        // A press that began and ended within one frame is a click, or nothing at all if the pointer moved between.
        let begins = if continues {
            down && self.pane.is_none()
        } else {
            down || response.clicked() || (pressed.is_some() && !held)
        };
        let origin = context.input(|input| input.pointer.press_origin());
        let origin = origin.or(pressed).or(response.interact_pointer_pos());
        let origin = origin.filter(|_| begins);
        if let Some(origin) = origin {
            let pane = pane_at(panes, origin);
            ask(Request::Press(place(pane, origin)));
            let from = press.map_or(0, |(at, _)| at + 1);
            for at in context.input(|input| moves(&input.events, from)) {
                ask(Request::Drag(place(pane, at)));
            }
            if down {
                self.pane = Some(pane);
            } else {
                ask(Request::Release);
            }
        }
        if continues || origin.is_some() {
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

/// The index of the press of the primary button in a frame's events that begins a stroke, and where it is: the
/// last one if the button is held at the end, otherwise the first.
fn press(events: &[egui::Event], held: bool) -> Option<(usize, Pos2)> {
    let mut presses = events.iter().enumerate().filter_map(|(i, event)| {
        let at = match event {
            egui::Event::PointerButton { pos, .. } => *pos,
            _ => return None,
        };
        is_button(event, true).then_some((i, at))
    });
    if held {
        presses.next_back()
    } else {
        presses.next()
    }
}

/// Whether an event is a press, or else a release, of the primary button.
fn is_button(event: &egui::Event, down: bool) -> bool {
    matches!(event, egui::Event::PointerButton { button: PointerButton::Primary, pressed, .. }
        if *pressed == down)
}

fn has_release(events: &[egui::Event]) -> bool {
    events.iter().any(|event| is_button(event, false))
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

/// The positions of a stroke in a frame's events, from the event with this index up to the button's release.
fn moves(events: &[egui::Event], from: usize) -> Vec<Pos2> {
    let stroke = events.iter().skip(from);
    let stroke = stroke.take_while(|event| !is_button(event, false));
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
        let of = |events: &[Event], from| -> Vec<f32> {
            moves(events, from).iter().map(|at| at.x).collect()
        };
        let frame = [
            moved(1.0),
            button(true),
            moved(2.0),
            button(false),
            moved(3.0),
        ];
        assert_eq!(press(&frame, false).unwrap().0, 1);
        assert_eq!(of(&frame, 2), [2.0]);
        assert_eq!(of(&[moved(1.0), button(false), moved(2.0)], 0), [1.0]);
        assert_eq!(of(&[moved(1.0), moved(2.0)], 0), [1.0, 2.0]);
        assert_eq!(of(&[button(true), button(false)], 1), [0.0; 0]);
        // The button is held from the second press.
        let twice = [&frame[..], &[button(true), moved(4.0)]].concat();
        assert_eq!(press(&twice, true).unwrap().0, 5);
        assert_eq!(of(&twice, 6), [4.0]);
    }
}
