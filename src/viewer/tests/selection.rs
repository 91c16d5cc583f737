//! Pins, hidden classes and brushes: setting, showing and undoing them.

use super::*;
use eframe::egui::vec2;

#[test]
fn a_pixel_is_asked_pinned_and_unpinned() {
    let mut window = done(3, Theme::Dark);
    let middle = pos2(480.0, 380.0);
    click(&mut window, middle);
    let app = &window.state().shared;
    let pixel = app.hover.pixel.unwrap();
    assert_eq!(app.selection.pins, [pixel]);
    let flow = app.flow.as_ref().unwrap();
    let path = flow.path_of(pixel);
    assert_eq!(path.len(), 4);
    assert_eq!(
        flow.state_of(pixel, 1.5).unwrap()[0],
        (path[1][0] + path[2][0]) / 2.0
    );
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
    assert!(window.state().shared.selection.pins.is_empty());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    window.step();
    assert_eq!(window.state().shared.selection.pins, [pixel]);
}

/// Drags over the picture with modifiers held.
fn drag(window: &mut Window, from: egui::Pos2, to: egui::Pos2, modifiers: Modifiers) {
    window.event(Event::ModifiersChanged(modifiers));
    let button = |window: &mut Window, pos, pressed| {
        window.event(Event::PointerMoved(pos));
        window.event(Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers,
        });
        window.step();
    };
    button(window, from, true);
    for share in [0.3, 0.6, 1.0] {
        window.event(Event::PointerMoved(from.lerp(to, share)));
        window.step();
    }
    button(window, to, false);
    window.event(Event::ModifiersChanged(Modifiers::NONE));
    window.step();
}

#[test]
fn a_region_of_the_photo_is_brushed_cleared_and_brought_back() {
    let mut window = done(2, Theme::Dark);
    let (from, to) = (pos2(440.0, 340.0), pos2(520.0, 420.0));
    let lit = |window: &Window| {
        let brushed = &window.state().shared.selection.brushed;
        brushed.iter().filter(|lit| **lit).count()
    };
    drag(&mut window, from, to, Modifiers::SHIFT);
    let brushed = lit(&window);
    let pixels = window.state().shared.flow.as_ref().unwrap().pixels();
    assert!(brushed > 0 && brushed < pixels / 4, "{brushed} of {pixels}");
    assert!(window.query_by_label("Clear").is_some());
    let app = &window.state().shared;
    let camera = window.state().panels.canvas.camera;
    assert_eq!(camera, view::Camera::default());
    assert!(app.selection.pins.is_empty());

    press(&mut window, Key::Escape);
    assert_eq!(lit(&window), 0);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
    assert_eq!(lit(&window), brushed);
    // All frames of the drag are one change.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
    assert_eq!(lit(&window), 0);

    // While the brush is selected, a drag brushes without Shift; otherwise, it pans.
    press(&mut window, Key::B);
    drag(&mut window, from, to, Modifiers::NONE);
    assert_eq!(lit(&window), brushed);
    press(&mut window, Key::B);
    drag(&mut window, from, from + vec2(10.0, 0.0), Modifiers::NONE);
    assert_eq!(lit(&window), brushed);
    let camera = window.state().panels.canvas.camera;
    assert_ne!(camera, view::Camera::default());

    // Another photo has other pixels.
    press(&mut window, Key::PageDown);
    assert_eq!(lit(&window), 0);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.step();
    assert_eq!(lit(&window), 0);
}

#[test]
fn classes_have_no_shares_without_a_photo() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(options(&[folder.path()], 2), Theme::Dark);
    until(&mut window, "the model", |app| {
        app.shared.model.is_some() && !app.shared.busy()
    });
    window.run_steps(3);
    let class = window.state().shared.model.as_ref().unwrap().classes[0].clone();
    assert!(window.query_all_by_label(&class).next().is_some());
    assert!(window.query_all_by_label_contains("0.0 %").next().is_none());
}

#[test]
fn a_class_is_hidden_and_shown_again() {
    let mut window = done(2, Theme::Dark);
    let app = &window.state().shared;
    let class = app.model.as_ref().unwrap().card.classes[0].clone();
    let row = window.get_by(|node| {
        node.label()
            .is_some_and(|label| label.starts_with(&format!("{class},")))
    });
    row.click();
    window.run_steps(2);
    assert!(window.state().shared.selection.hidden.contains(&0));
    // The picture follows: a new colour table is uploaded to the device.
    let version = |window: &Window| {
        let renderer = &window.state().panels.canvas.renderer;
        renderer.as_ref().unwrap().classes_version()
    };
    let before = version(&window);
    press(&mut window, Key::A);
    window.step();
    assert!(window.state().shared.selection.hidden.is_empty());
    assert!(version(&window) > before);
}
