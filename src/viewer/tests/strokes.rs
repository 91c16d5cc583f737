//! Strokes of the mouse over the photo.

use super::correct::{MIDDLE, correcting, mask, paint};
use super::*;
use eframe::egui::vec2;

/// A slow frame may hold a whole stroke.
#[test]
fn a_stroke_within_one_frame_is_painted() {
    let mut window = correcting();
    press(&mut window, Key::Num3);
    let to = MIDDLE + vec2(60.0, 0.0);
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.event(Event::PointerMoved(MIDDLE));
    window.step();
    let stroke = [
        button(MIDDLE, true),
        Event::PointerMoved(to),
        button(to, false),
    ];
    window.input_mut().events.extend(stroke);
    window.run_steps(2);
    let at_once = mask(&window);
    assert!(at_once.is_some());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
    assert_eq!(mask(&window), None);
    paint(&mut window, &[MIDDLE, to]);
    assert_eq!(mask(&window), at_once);
}
