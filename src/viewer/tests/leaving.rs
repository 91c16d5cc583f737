//! Commands that would lose corrections: nothing is asked in vain, and what was kept comes back if its
//! photo stays.

use super::correct::{MIDDLE, correcting, mask, paint};
use super::*;
use crate::viewer::commands::{Command, run::run};
use eframe::egui::vec2;
use std::sync::Arc;

/// A window with unsaved corrections, which can be kept in a folder, and the corrected mask.
pub(super) fn corrected(folder: &Path) -> (Window, Vec<u16>) {
    let mut window = correcting();
    let kept = folder.join("kept");
    window.state_mut().shared.correct.keep_in(kept);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    let painted = mask(&window).unwrap();
    (window, painted)
}

/// A file with the ending of a model that is none.
fn no_model(folder: &Path) -> String {
    let path = folder.join("wrong.safetensors");
    fs::write(&path, "not a model").unwrap();
    path.to_string_lossy().into_owned()
}

fn send(window: &mut Window, command: Command) {
    let context = window.ctx.clone();
    run(&mut window.state_mut().shared, &context, command);
}

fn keep_for_later(window: &mut Window) {
    window.run_steps(2);
    window.get_by_label("Keep for later").click();
    until(window, "the recovery file", |app| {
        !app.shared.correct.asks()
    });
}

#[track_caller]
fn comes_back(window: &mut Window, painted: &[u16]) {
    until(window, "the corrections", |app| {
        app.shared.correct.is_ready() && app.shared.correct.is_unsaved()
    });
    assert_eq!(mask(window).as_deref(), Some(painted));
}

#[test]
fn a_photo_that_is_shown_already_is_not_left() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, painted) = corrected(folder.path());
    let (shown, count) = window.state().shared.photos.place();
    for place in [shown, count] {
        send(&mut window, Command::ShowPhoto(place));
        assert!(!window.state().shared.correct.asks());
    }
    assert_eq!(mask(&window), Some(painted));
}

#[test]
fn kept_corrections_come_back_if_nothing_else_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, painted) = corrected(folder.path());
    let number = window.state().shared.opener.number();
    let commands = [
        // An empty picture.
        Command::PasteImage(Arc::default(), number),
        Command::ChooseModel(no_model(folder.path()), number),
    ];
    for (at, command) in commands.into_iter().enumerate() {
        send(&mut window, command);
        assert!(window.state().shared.correct.asks());
        keep_for_later(&mut window);
        until(&mut window, "the error", |app| {
            app.shared.errors.lines().len() > at
        });
        comes_back(&mut window, &painted);
    }
}

#[test]
fn kept_corrections_come_back_if_the_window_is_not_closed_because_of_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, painted) = corrected(folder.path());
    assert!(window.state_mut().shared.correct.holds_window());
    keep_for_later(&mut window);
    assert!(!window.state().shared.correct.is_unsaved());
    // The question about the training.
    window.state_mut().shared.correct.fine_tuning.open();
    press(&mut window, Key::Escape);
    comes_back(&mut window, &painted);
}

#[test]
fn kept_corrections_do_not_come_back_before_what_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, painted) = corrected(folder.path());
    let app = &mut window.state_mut().shared;
    // They are being read from the recovery file.
    app.correct.leave_photo();
    app.restore_correction();
    let aside = app.set_aside(app.flow_settings);
    until(&mut window, "the recovery file", |app| {
        !app.shared.correct.busy()
    });
    assert!(!window.state().shared.correct.on);
    window.state_mut().shared.put_back(aside);
    comes_back(&mut window, &painted);
}

#[test]
fn nothing_is_painted_while_another_model_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = correcting();
    let app = &mut window.state_mut().shared;
    app.choose_model(&no_model(folder.path()));
    assert!(app.correct.on && !app.correct.is_ready());
    until(&mut window, "the mask", |app| {
        app.shared.errors.open && app.shared.correct.is_ready()
    });
}

#[test]
fn files_wait_for_the_answer_about_another_photo() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = corrected(folder.path());
    let photo = folder.path().join("one.png");
    image::RgbImage::new(40, 30).save(&photo).unwrap();
    press(&mut window, Key::N);
    assert!(window.state().shared.correct.asks());
    window.state_mut().shared.open_paths(vec![photo]);
    until(&mut window, "the list of files", |app| {
        !app.shared.opener.busy()
    });
    window.run_steps(2);
    window.get_by_label("Discard").click();
    until(&mut window, "the next photo", |app| {
        app.shared.photos.place().0 == 1
    });
    until(&mut window, "the file", |app| {
        app.shared.photos.file().is_some()
    });
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("a path is enough".into())
    }
}

#[test]
fn dropped_files_wait_for_the_answer_about_another_photo() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = corrected(folder.path());
    let photo = folder.path().join("one.png");
    image::RgbImage::new(40, 30).save(&photo).unwrap();
    press(&mut window, Key::N);
    assert!(window.state().shared.correct.asks());
    let dropped: egui::DroppedFileHandle = Arc::new(Dropped(photo));
    window.input_mut().dropped_files.push(dropped);
    window.run_steps(2);
    assert!(window.state().shared.correct.asks());
    window.get_by_label("Discard").click();
    until(&mut window, "the file", |app| {
        app.shared.photos.file().is_some()
    });
}

#[test]
fn files_dropped_while_a_pasted_picture_waits_for_an_answer_are_opened_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = corrected(folder.path());
    let photo = folder.path().join("one.png");
    image::RgbImage::new(40, 30).save(&photo).unwrap();
    let picture = egui::ColorImage::filled([40, 30], egui::Color32::RED);
    window.event(Event::PasteImage(Arc::new(picture)));
    window.run_steps(2);
    assert!(window.state().shared.correct.asks());
    window.state_mut().shared.open_paths(vec![photo]);
    until(&mut window, "the list of files", |app| {
        !app.shared.opener.busy()
    });
    window.run_steps(2);
    window.get_by_label("Discard").click();
    until(&mut window, "the file", |app| {
        app.shared.photos.file().is_some()
    });
}
