//! Files that the window writes.

use super::*;
use crate::export::{Artifact, Look};

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
