//! Files that the window writes.

use super::*;
use crate::export::{Artifact, Look, Pictures};
use crate::viewer::exports::PictureKind;
use std::sync::mpsc::{Receiver, sync_channel};

/// A picture that is there once the sender has gone.
struct Late(Receiver<()>);

impl Pictures for Late {
    fn count(&self) -> usize {
        1
    }

    fn picture(&self, _: usize) -> image::RgbImage {
        let _ = self.0.recv();
        image::RgbImage::new(4, 4)
    }
}

#[test]
fn the_window_asks_before_an_export_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.gif");
    let mut window = done(1, Theme::Dark);
    let (sender, waits) = sync_channel(0);
    let exports = &mut window.state_mut().shared.exports;
    exports
        .write_pictures(PictureKind::Gif, Late(waits), path.clone())
        .unwrap();
    for viewport in window.input_mut().viewports.values_mut() {
        viewport.events.push(egui::ViewportEvent::Close);
    }
    window.run_steps(3);
    assert!(window.state().shared.exports.asks());
    window.get_by_label("Wait").click();
    window.run_steps(2);
    let exports = &window.state().shared.exports;
    assert!(!exports.asks() && exports.progress().is_some());
    drop(sender);
    until(&mut window, "the file", |app| {
        app.shared.exports.progress().is_none()
    });
    assert!(path.exists());
}

#[test]
fn exports_are_written_and_a_place_that_refuses_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(2, Theme::Dark);
    let paths = [
        folder.path().join("mask.png"),
        folder.path().join("no/folder/mask.png"),
    ];
    for path in &paths {
        let app = &mut window.state_mut().shared;
        let flow = app.snapshot(Look::Raw).unwrap();
        app.exports
            .write(Artifact::Labels, flow, path.clone())
            .unwrap();
        until(&mut window, "the file", |app| {
            app.shared.exports.progress().is_none()
        });
    }
    assert!(paths[0].exists() && !paths[1].exists());
    let errors = window.state().shared.errors.lines();
    assert!(
        errors.iter().any(|line| line.contains("no/folder")),
        "{errors:?}"
    );
}

/// What is said about all exports stays after the first of them.
#[test]
fn the_dialog_keeps_its_hint_beside_what_was_written() {
    let mut window = done(2, Theme::Dark);
    let app = &mut window.state_mut().shared;
    app.dialogs.export = true;
    app.exports.written = Some("mask.png".into());
    window.run_steps(3);
    for text in [
        "This photo",
        "Written: mask.png",
        "Masks have the photo's own size.",
    ] {
        assert!(window.query_by_label(text).is_some(), "{text}");
    }
    let top = |label: &str| window.get_by_label(label).rect().top();
    let choice = top("Animations show");
    assert!(choice > top(Artifact::Overlay.label()));
    assert!(choice < top(Artifact::Gif.label()));
}

#[test]
fn an_export_never_replaces_the_photo_that_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    image::RgbImage::from_pixel(24, 16, image::Rgb([90, 120, 30]))
        .save(&path)
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut window = window(options(&[&path], 2), Theme::Dark);
    until(&mut window, "a flow", |app| {
        app.shared.flow.is_some() && !app.shared.busy()
    });
    let app = &mut window.state_mut().shared;
    let flow = app.snapshot(Look::Raw).unwrap();
    let written = app.exports.write(Artifact::Labels, flow, path.clone());
    written.unwrap();
    until(&mut window, "the refusal", |app| {
        app.shared.exports.progress().is_none()
    });
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let errors = window.state().shared.errors.lines();
    assert!(
        errors.iter().any(|line| line.contains("photo.png")),
        "{errors:?}"
    );
}
