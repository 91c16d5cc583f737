//! Files that the window writes.

use super::correct::{MIDDLE, correcting, mask, paint};
use super::*;
use crate::export::{Artifact, Format, Look, Pictures};
use crate::viewer::app_event::AppEvent;
use crate::viewer::app_state::{Dialogs, ExportFirst};
use crate::viewer::commands::{Action, Command, run::run};
use crate::viewer::exports::PictureKind;
use crate::viewer::lessons::Request;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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

/// Begins an export that ends once what is returned is dropped.
fn begin_late(window: &mut Window, path: &Path) -> SyncSender<()> {
    let (sender, waits) = sync_channel(0);
    let exports = &mut window.state_mut().shared.exports;
    exports
        .write_pictures(PictureKind::Gif, Late(waits), path.to_owned())
        .unwrap();
    sender
}

/// Asks the window to close, as the system does.
fn close(window: &mut Window) {
    for viewport in window.input_mut().viewports.values_mut() {
        viewport.events.push(egui::ViewportEvent::Close);
    }
    window.run_steps(3);
}

/// Whether the window asked the system to close it in the latest frame.
fn closes(window: &Window) -> bool {
    let root = &egui::ViewportId::ROOT;
    let output = window.output().viewport_output.get(root);
    output.is_some_and(|output| output.commands.contains(&egui::ViewportCommand::Close))
}

#[test]
fn the_window_asks_before_an_export_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.gif");
    let mut window = done(1, Theme::Dark);
    let sender = begin_late(&mut window, &path);
    close(&mut window);
    assert!(window.state().shared.exports.asks());
    window.get_by_label("Wait").click();
    window.run_steps(2);
    let exports = &window.state().shared.exports;
    assert!(!exports.asks() && exports.progress().is_some());
    assert!(window.query_by_label("Closes after the export").is_some());
    assert!(!closes(&window));
    drop(sender);
    until(&mut window, "the file", |app| {
        app.shared.exports.progress().is_none()
    });
    assert!(closes(&window) && path.exists());
}

#[test]
fn a_photo_is_corrected_again_if_the_window_stays_open_for_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = correcting();
    paint(&mut window, &[MIDDLE]);
    let _sender = begin_late(&mut window, &folder.path().join("late.gif"));
    close(&mut window);
    assert!(window.state().shared.correct.asks());
    window.get_by_label("Discard").click();
    until(&mut window, "the request to close", |app| {
        !app.shared.correct.is_leaving()
    });
    assert!(closes(&window));
    close(&mut window);
    assert!(window.state().shared.exports.asks());
    window.get_by_label("Cancel").click();
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    assert!(!window.state().shared.exports.is_closing());
}

#[test]
fn a_window_that_is_to_stay_open_does_not_close_after_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = correcting();
    let sender = begin_late(&mut window, &folder.path().join("late.gif"));
    close(&mut window);
    window.get_by_label("Wait").click();
    window.run_steps(2);
    assert!(window.state().shared.exports.waits());
    paint(&mut window, &[MIDDLE]);
    assert!(mask(&window).is_some());
    close(&mut window);
    assert!(window.state().shared.correct.asks());
    window.get_by_label("Cancel").click();
    window.run_steps(2);
    assert!(!window.state().shared.correct.asks());
    drop(sender);
    until(&mut window, "the file", |app| {
        app.shared.exports.progress().is_none()
    });
    assert!(!closes(&window));
}

#[test]
fn files_wait_for_the_answer_about_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("one.png");
    image::RgbImage::new(40, 30).save(&photo).unwrap();
    let mut window = done(1, Theme::Dark);
    let _sender = begin_late(&mut window, &folder.path().join("late.gif"));
    close(&mut window);
    assert!(window.state().shared.exports.asks());
    window.state_mut().shared.open_paths(vec![photo]);
    until(&mut window, "the list of files", |app| {
        !app.shared.opener.busy()
    });
    window.run_steps(2);
    assert!(window.state().shared.photos.file().is_none());
    window.get_by_label("Cancel").click();
    until(&mut window, "the file", |app| {
        app.shared.photos.file().is_some()
    });
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
            .write(Artifact::Mask(Format::Index), flow, path.clone())
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
    app.dialogs.export = Some(ExportFirst::Photo);
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
    assert!(choice > top(Artifact::Mask(Format::Overlay).label()));
    assert!(choice < top(Artifact::Gif.label()));
}

/// The first of two buttons with one label is that of what was asked for.
#[test]
fn export_all_begins_with_all_masks_and_says_nothing_of_earlier_exports() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = super::masks::of_folder(folder.path());
    until(&mut window, "the masks", |app| {
        super::masks::counts(app) == [3, 1, 0]
    });
    until(&mut window, "the flow", complete);
    let context = window.ctx.clone();
    for (command, all_first) in [
        (Command::from(Action::Export), false),
        (Command::OpenExportAll, true),
        (Command::from(Action::Export), false),
    ] {
        let app = &mut window.state_mut().shared;
        app.exports.written = Some("mask.png".into());
        run(app, &context, command);
        assert_eq!(app.exports.said(), None);
        window.run_steps(3);
        let top = |label: &str| window.get_by_label(label).rect().top();
        let all = top("All masks made so far: 3 of 4");
        assert_eq!(all < top("This photo"), all_first);
        assert!(window.query_by_label_contains("--format coco").is_some());
    }
    let app = &mut window.state_mut().shared;
    run(app, &context, Command::CloseExport);
    assert!(app.dialogs == Dialogs::default());
    // Nor does what was written belong to another model.
    app.exports.written = Some("mask.png".into());
    app.choose_model("scenes");
    assert_eq!(app.exports.said(), None);
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
    let written = app
        .exports
        .write(Artifact::Mask(Format::Index), flow, path.clone());
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

#[test]
fn a_lesson_tells_only_of_its_own_animation() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(2, Theme::Dark);
    let sender = begin_late(&mut window, &folder.path().join("other.gif"));
    let ask = |window: &mut Window, request: Request| {
        let app = &mut window.state_mut().shared;
        app.emit(AppEvent::Lesson(request));
        window.step();
        until(window, "the card", |app| {
            app.lessons.is_open() && complete(app) && app.still()
        });
        window.run_steps(2);
    };
    ask(&mut window, Request::Open(1));
    let bar = egui::Role::ProgressIndicator;
    assert!(window.query_by_role(bar).is_none());
    drop(sender);
    until(&mut window, "the other file", |app| {
        app.shared.exports.written.is_some()
    });
    window.run_steps(2);
    assert!(window.query_by_label_contains("other.gif").is_none());
    let own = folder.path().join("own.gif");
    window.state_mut().lessons.destination = Some(own.clone());
    ask(&mut window, Request::Save(PictureKind::Gif));
    until(&mut window, "the animation", |app| {
        app.shared.exports.written.as_ref() == Some(&own)
    });
    window.run_steps(2);
    assert!(window.query_by_label_contains("own.gif").is_some());
    // Nothing of the next card is saved yet.
    ask(&mut window, Request::Next);
    assert!(window.query_by_label_contains("own.gif").is_none());
}
