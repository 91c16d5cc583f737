//! Labels in the folder for corrected photos: they are never replaced silently, never taken for the
//! network's mask, and found again for a list.

use super::correct::{MIDDLE, correcting, mask, paint};
use super::*;
use crate::data::{Corrected, SavedPair, read_labels, save_corrected, write_labels};
use crate::viewer::commands::{Command, run::run};
use crate::viewer::correct::Request;
use crate::viewer::pixel_info::pixel_info;
use eframe::egui::vec2;

fn choose_folder(window: &mut Window, folder: &Path) {
    let context = window.ctx.clone();
    let choice = Command::Correct(Request::Folder(Some(folder.to_owned())));
    run(&mut window.state_mut().shared, &context, choice);
    window.step();
}

fn save(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    window.step();
}

/// Saves labels of the shown sample as another window would: the same class everywhere.
fn labelled(window: &Window, folder: &Path) -> (SavedPair, Vec<u16>) {
    let app = &window.state().shared;
    let photo = &app.flow.as_ref().unwrap().photo;
    let labels = vec![1; (photo.width() * photo.height()) as usize];
    let corrected = Corrected {
        name: &app.photos.item().unwrap().stem(),
        file: None,
        photo,
        labels: &labels,
        classes: &app.model.as_ref().unwrap().card.classes,
    };
    (save_corrected(folder, &corrected).unwrap(), labels)
}

/// What the canvas says about the mask at the end of the flow.
fn mark(window: &Window) -> Option<&'static str> {
    let app = &window.state().shared;
    app.correct.mark(app.flow.as_ref().unwrap().id, true)
}

#[test]
fn labels_in_a_folder_chosen_later_are_replaced_only_after_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = correcting();
    let (pair, labels) = labelled(&window, folder.path());
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    let painted = mask(&window).unwrap();
    choose_folder(&mut window, folder.path());
    let on_disk = || read_labels(&pair.labels).unwrap().2;
    for answer in ["Cancel", "Replace"] {
        save(&mut window);
        until(&mut window, "the question", |app| app.shared.correct.asks());
        window.run_steps(2);
        assert_eq!(on_disk(), labels);
        assert!(window.state().shared.correct.is_unsaved());
        window.get_by_label(answer).click();
        window.run_steps(2);
    }
    until(&mut window, "the labels", |app| {
        !app.shared.correct.is_unsaved()
    });
    assert_eq!(on_disk(), painted);
    // These are its own now.
    paint(&mut window, &[MIDDLE + vec2(0.0, 60.0)]);
    save(&mut window);
    until(&mut window, "the labels", |app| {
        !app.shared.correct.is_unsaved()
    });
    assert_eq!(Some(on_disk()), mask(&window));
}

#[test]
fn labels_of_a_data_set_are_shown_only_while_they_are_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(2, Theme::Dark);
    let (pair, labels) = labelled(&window, folder.path());
    let [width, height] = {
        let photo = &window.state().shared.flow.as_ref().unwrap().photo;
        [photo.width(), photo.height()].map(|side| side as usize)
    };
    let classes = window.state().shared.model.as_ref().unwrap().classes.len();
    // Without the mark of a correction.
    write_labels(&pair.labels, width, height, &labels, classes).unwrap();
    choose_folder(&mut window, folder.path());
    until(&mut window, "the labels", |app| !app.shared.correct.busy());
    assert_eq!((mask(&window), mark(&window)), (None, None));
    press(&mut window, Key::M);
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    assert_eq!(mask(&window).as_ref(), Some(&labels));
    assert_eq!(mark(&window), Some("Saved labels"));
    press(&mut window, Key::M);
    assert_eq!((mask(&window), mark(&window)), (None, None));
    // Those that were saved as corrections are shown, and named.
    labelled(&window, folder.path());
    press(&mut window, Key::R);
    until(&mut window, "the corrections", |app| {
        let flow = app.shared.flow.as_ref();
        complete(app) && flow.is_some_and(|flow| app.shared.correct.holds(flow.id))
    });
    assert_eq!(mask(&window), Some(labels));
    assert_eq!(mark(&window), Some("Saved labels"));
}

#[test]
fn corrections_of_an_earlier_window_are_exported_with_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b", "c"]);
    let [photos, root] = ["photos", "corrections"].map(|name| folder.path().join(name));
    fs::create_dir(&photos).unwrap();
    let labels = vec![2; 60 * 40];
    for (shade, name) in [(10, "a"), (90, "b")] {
        let path = photos.join(format!("{name}.png"));
        let photo =
            image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([4 * x as u8, shade, 6 * y as u8]));
        photo.save(&path).unwrap();
        if name == "b" {
            let corrected = Corrected {
                name,
                file: Some(&path),
                photo: &photo,
                labels: &labels,
                classes: &["a", "b", "c"].map(str::to_owned),
            };
            save_corrected(&root, &corrected).unwrap();
        }
    }
    let mut window = window(options(&[&model, &photos], 2), Theme::Dark);
    choose_folder(&mut window, &root);
    until(&mut window, "the masks", |app| {
        app.shared.masks.counts() == [2, 0, 0] && app.shared.masks.corrected(1).is_some()
    });
    let app = &window.state().shared;
    assert!(app.masks.corrected(0).is_none());
    let all = app.all_masks().unwrap();
    assert_eq!(all.masks.len(), 2);
    assert_eq!(all.masks[1].1.labels().unwrap(), labels);
}

#[test]
fn the_ground_truth_is_what_was_saved_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b", "c"]);
    let root = folder.path().join("data");
    let [images, annotations] =
        ["images", "annotations"].map(|name| root.join(name).join("training"));
    for path in [&images, &annotations] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(root.join("classes.txt"), "a\nb\nc\n").unwrap();
    image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([4 * x as u8, 90, 6 * y as u8]))
        .save(images.join("a.png"))
        .unwrap();
    write_labels(annotations.join("a.png"), 60, 40, &[0; 60 * 40], 3).unwrap();
    let mut window = window(options(&[&model, &images], 2), Theme::Dark);
    until(&mut window, "the flow", |app| {
        app.shared.photos.file().is_some() && complete(app)
    });
    choose_folder(&mut window, &root);
    press(&mut window, Key::M);
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    window.run_steps(2);
    window.state_mut().shared.correct.class = 2;
    paint(&mut window, &[MIDDLE]);
    let painted = mask(&window).unwrap();
    assert!(painted.contains(&0) && painted.contains(&2));
    save(&mut window);
    until(&mut window, "the labels", |app| {
        !app.shared.correct.is_unsaved()
    });
    let flow = window.state().shared.flow.as_ref().unwrap();
    assert_eq!(flow.truth.as_ref().unwrap().labels.data, painted);
}

#[test]
fn a_question_says_why_labels_were_not_saved_until_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no-folder");
    fs::write(&file, "a file where a folder should be").unwrap();
    let mut window = correcting();
    choose_folder(&mut window, &file);
    until(&mut window, "the mask", |app| !app.shared.correct.busy());
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    press(&mut window, Key::N);
    window.run_steps(2);
    assert!(window.query_by_label("Other folder").is_none());
    window.get_by_label("Save labels").click();
    until(&mut window, "the error", |app| app.shared.errors.open);
    window.run_steps(2);
    assert!(window.query_by_label("Other folder").is_some());
    choose_folder(&mut window, &folder.path().join("corrections"));
    window.get_by_label("Save labels").click();
    until(&mut window, "the next photo", |app| {
        app.shared.photos.place().0 == 1 && complete(app)
    });
    let problems = window.state().shared.errors.lines();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn hidden_corrections_are_told_from_the_networks_mask() {
    let mut window = correcting();
    press(&mut window, Key::Num3);
    let class = window.state().shared.correct.class;
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(60.0, 0.0)]);
    assert_eq!(mark(&window), None);
    press(&mut window, Key::M);
    window.event(Event::PointerGone);
    window.run_steps(3);
    assert_eq!(mark(&window), Some("Corrected"));
    let labels = mask(&window).unwrap();
    let app = &window.state().shared;
    let flow = app.flow.as_ref().unwrap();
    let corrected = |pixel| pixel_info(app, pixel).and_then(|info| info.corrected);
    assert!((0..flow.pixels()).any(|pixel| corrected(pixel) == Some(class)));
    let count = labels.iter().filter(|label| **label == class).count();
    let shares = app.correct.shares(flow.id, true).unwrap();
    assert_eq!(
        shares[usize::from(class)],
        count as f32 / labels.len() as f32
    );
    let status = app.correct.status().map(|(short, _)| short);
    assert_eq!(status, Some("Corrections not saved"));
}
