//! Strokes of the mouse over the photo.

use super::correct::{MIDDLE, choose_third, correcting, mask, paint};
use super::*;
use crate::labels::IGNORE;
use eframe::egui::{Pos2, vec2};

fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    }
}

/// Events of one frame.
fn frame(window: &mut Window, events: impl IntoIterator<Item = Event>) {
    window.input_mut().events.extend(events);
    window.step();
}

fn undo(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
}

/// A slow frame may hold a whole stroke.
#[test]
fn a_stroke_within_one_frame_is_painted() {
    let mut window = correcting();
    choose_third(&mut window);
    let to = MIDDLE + vec2(60.0, 0.0);
    window.event(Event::PointerMoved(MIDDLE));
    window.step();
    let stroke = [
        button(MIDDLE, true),
        Event::PointerMoved(to),
        button(to, false),
    ];
    frame(&mut window, stroke);
    window.step();
    let at_once = mask(&window);
    assert!(at_once.is_some());
    undo(&mut window);
    assert_eq!(mask(&window), None);
    paint(&mut window, &[MIDDLE, to]);
    assert_eq!(mask(&window), at_once);
}

#[test]
fn a_stroke_within_one_frame_may_end_in_another_pane() {
    let mut window = correcting();
    let app = &mut window.state_mut().shared;
    app.correct.class = IGNORE;
    app.settings.view.arrangement = view::Arrangement::SideBySide;
    window.run_steps(2);
    let (from, to) = (MIDDLE - vec2(240.0, 0.0), MIDDLE + vec2(120.0, 0.0));
    window.event(Event::PointerMoved(from));
    window.step();
    let stroke = [
        button(from, true),
        Event::PointerMoved(to),
        button(to, false),
    ];
    frame(&mut window, stroke);
    window.step();
    let at_once = mask(&window);
    assert!(at_once.is_some());
    undo(&mut window);
    assert_eq!(mask(&window), None);
    paint(&mut window, &[from, to]);
    assert_eq!(mask(&window), at_once);
}

#[test]
fn two_strokes_that_meet_in_a_frame_are_not_joined() {
    let mut window = correcting();
    window.state_mut().shared.correct.class = IGNORE;
    let (first, second) = (MIDDLE, MIDDLE + vec2(100.0, 0.0));
    window.event(Event::PointerMoved(first));
    window.step();
    frame(&mut window, [button(first, true)]);
    let between = [
        button(first, false),
        Event::PointerMoved(second),
        button(second, true),
    ];
    frame(&mut window, between);
    frame(&mut window, [button(second, false)]);
    window.step();
    let at_once = mask(&window);
    assert!(at_once.is_some());
    undo(&mut window);
    undo(&mut window);
    assert_eq!(mask(&window), None);
    paint(&mut window, &[first]);
    paint(&mut window, &[second]);
    assert_eq!(mask(&window), at_once);
}

/// A slow frame may hold the end of one stroke and the whole of another, or two whole ones.
#[test]
fn no_stroke_of_a_frame_is_lost() {
    let [first, second, third] = [0.0, 100.0, 160.0].map(|x| MIDDLE + vec2(x, 0.0));
    let whole = [
        button(first, true),
        button(first, false),
        Event::PointerMoved(second),
        button(second, true),
        Event::PointerMoved(third),
        button(third, false),
        Event::PointerMoved(first),
    ];
    // How many of the events come in a frame of their own.
    for alone in [0, 1] {
        let mut window = correcting();
        window.state_mut().shared.correct.class = IGNORE;
        window.event(Event::PointerMoved(first));
        window.step();
        let (before, rest) = whole.split_at(alone);
        frame(&mut window, before.iter().cloned());
        frame(&mut window, rest.iter().cloned());
        window.step();
        let at_once = mask(&window);
        assert!(at_once.is_some());
        undo(&mut window);
        assert!(mask(&window).is_some_and(|mask| Some(mask) != at_once));
        undo(&mut window);
        assert_eq!(mask(&window), None);
        paint(&mut window, &[first]);
        paint(&mut window, &[second, third]);
        assert_eq!(mask(&window), at_once);
    }
}

#[test]
fn a_stroke_shows_the_mask_if_no_pane_does() {
    let mut window = correcting();
    let app = &mut window.state_mut().shared;
    app.correct.class = IGNORE;
    app.settings.view.layers[0] = Layer::Photo;
    window.run_steps(2);
    paint(&mut window, &[MIDDLE]);
    assert!(mask(&window).is_some());
    let view = &mut window.state_mut().shared.settings.view;
    assert_eq!(view.layers[0], Layer::Overlay);
    // The second pane shows it.
    view.arrangement = view::Arrangement::SideBySide;
    (view.layers[0], view.layers[1]) = (Layer::Photo, Layer::Map);
    window.run_steps(2);
    paint(&mut window, &[MIDDLE - vec2(240.0, 0.0)]);
    let layers = window.state().shared.settings.view.layers;
    assert_eq!(layers[..2], [Layer::Photo, Layer::Map]);
}
