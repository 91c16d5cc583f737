//! Labels in the folder for corrected photos: they are never replaced silently, never taken for the
//! network's mask, and found again for a list.

use super::correct::{MIDDLE, choose_third, correcting, mask, paint};
use super::*;
use crate::data::{Corrected, SavedPair, read_labels, save_corrected, write_labels};
use crate::labels::IGNORE;
use crate::viewer::commands::{Action, Command, run::run};
use crate::viewer::correct::{Correction, FineTuneRequest, Request};
use crate::viewer::pixel_info::pixel_info;
use eframe::egui::vec2;

pub(super) fn choose_folder(window: &mut Window, folder: &Path) {
    let context = window.ctx.clone();
    let choice = Command::Correct(Request::Folder(Some(folder.to_owned())));
    run(&mut window.state_mut().shared, &context, choice);
    window.step();
}

fn save(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    window.step();
}

/// Saves labels of the shown photo as another window would: the same class everywhere.
fn labelled(window: &Window, folder: &Path) -> (SavedPair, Vec<u16>) {
    let app = &window.state().shared;
    let photo = &app.flow.as_ref().unwrap().photo;
    let labels = vec![1; (photo.width() * photo.height()) as usize];
    let corrected = Corrected {
        name: &app.photos.item().unwrap().stem(),
        file: app.photos.file(),
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

/// A window with two photos whose masks are made, a folder with corrections of the second that it does not
/// know yet, and their labels.
fn listing(folder: &Path) -> (Window, PathBuf, Vec<u16>) {
    let model = model_file(folder, &["a", "b", "c"]);
    let [photos, root] = ["photos", "corrections"].map(|name| folder.join(name));
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
    until(&mut window, "the masks", |app| {
        app.shared.masks.counts() == [2, 0, 0] && complete(app)
    });
    (window, root, labels)
}

fn is_found(app: &App) -> bool {
    app.shared.masks.corrected(1).is_some()
}

#[test]
fn corrections_are_found_after_what_was_set_aside_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, root, _) = listing(folder.path());
    let app = &mut window.state_mut().shared;
    // As for a lesson.
    let aside = app.set_aside(app.flow_settings);
    choose_folder(&mut window, &root);
    until(&mut window, "what is looked up", |app| {
        !app.shared.correct.busy()
    });
    assert!(!is_found(window.state()));
    window.state_mut().shared.put_back(aside);
    until(&mut window, "the corrections", is_found);
}

#[test]
fn corrections_of_an_earlier_window_are_exported_with_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, root, labels) = listing(folder.path());
    choose_folder(&mut window, &root);
    until(&mut window, "the corrections", is_found);
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
fn a_model_whose_file_was_replaced_is_not_fine_tuned() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b"]);
    let mut window = window(options(&[&model], 1), Theme::Dark);
    until(&mut window, "the flow", complete);
    let root = folder.path().join("corrections");
    choose_folder(&mut window, &root);
    model_file(folder.path(), &["a", "b", "c"]);
    let context = window.ctx.clone();
    let start = Command::Correct(Request::FineTune(FineTuneRequest::Start));
    let app = &mut window.state_mut().shared;
    run(app, &context, start);
    let lines = app.errors.lines();
    assert!(
        lines.iter().any(|line| line.contains("has changed")),
        "{lines:?}"
    );
    assert!(!root.join("runs").exists());
}

#[test]
fn the_result_of_a_fine_tuning_goes_with_its_folder_and_model() {
    const RESULT: &str = "The training was stopped and can be continued.";
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let mut window = correcting();
    choose_folder(&mut window, &one);
    let end = |window: &mut Window| {
        let fine_tuning = &mut window.state_mut().shared.correct.fine_tuning;
        fine_tuning.end_stopped();
        fine_tuning.open();
        window.run_steps(2);
        assert!(window.query_by_label(RESULT).is_some());
    };
    end(&mut window);
    for (chosen, stays) in [(&one, true), (&other, false)] {
        choose_folder(&mut window, chosen);
        window.run_steps(2);
        assert_eq!(window.query_by_label(RESULT).is_some(), stays);
    }
    end(&mut window);
    let model = model_file(folder.path(), &["a", "b", "c"]);
    let model = model.to_string_lossy().into_owned();
    window.state_mut().shared.choose_model(&model);
    until(&mut window, "the model", |app| {
        let open = app.shared.model.as_ref();
        open.is_some_and(|open| open.name == model)
    });
    window.run_steps(2);
    assert!(window.query_by_label(RESULT).is_none());
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
    window.run_steps(2);
    // The reason was about the folder before.
    assert!(window.query_by_label("Other folder").is_none());
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
    choose_third(&mut window);
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

#[test]
fn a_comparison_shows_the_networks_mask() {
    let mut window = correcting();
    choose_third(&mut window);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(60.0, 0.0)]);
    press(&mut window, Key::M);
    window.run_steps(2);
    let shown = |window: &mut Window| {
        let app = window.state_mut();
        let sources = app.panels.canvas.sources(&app.shared).unwrap().unwrap();
        let (shared, is_drawn) = (&app.shared, sources.corrected.is_some());
        let flow = shared.flow.as_ref().unwrap().id;
        let is_shown = shared.shows_corrections();
        (is_drawn, shared.correct.mark(flow, is_shown))
    };
    assert_eq!(shown(&mut window), (true, Some("Corrected")));
    press(&mut window, Key::K);
    assert!(window.state().shared.second.is_some());
    assert_eq!(shown(&mut window), (false, None));
    // What is painted meanwhile is seen.
    press(&mut window, Key::M);
    assert!(shown(&mut window).0);
    press(&mut window, Key::M);
    press(&mut window, Key::K);
    press(&mut window, Key::End);
    assert_eq!(shown(&mut window), (true, Some("Corrected")));
}

/// Waits until nothing is saved, kept, prepared or looked up any longer, and the window knows of it.
fn settle(window: &mut Window) {
    until(window, "what is under way", |app| {
        !app.shared.correct.busy()
    });
    window.run_steps(2);
    until(window, "what followed", |app| !app.shared.correct.busy());
    window.run_steps(2);
}

/// Paints a dot without drawing a frame, with a label that the network gives no pixel.
fn ignore_a_dot(window: &mut Window) {
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    app.correct.class = IGNORE;
    for request in [Request::Press([1.5; 2]), Request::Release] {
        run(app, &context, Command::Correct(request));
    }
}

#[test]
fn saving_twice_at_once_asks_nothing_and_what_is_painted_then_is_not_called_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = correcting();
    choose_folder(&mut window, &folder.path().join("corrections"));
    settle(&mut window);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    let context = window.ctx.clone();
    let save = || Command::from(Action::Correct(Correction::Save));
    let app = &mut window.state_mut().shared;
    for _ in 0..2 {
        run(app, &context, save());
    }
    settle(&mut window);
    let correct = &window.state().shared.correct;
    assert!(!correct.asks() && !correct.is_unsaved());
    run(&mut window.state_mut().shared, &context, save());
    ignore_a_dot(&mut window);
    settle(&mut window);
    press(&mut window, Key::M);
    let status = window.state().shared.correct.status();
    let status = status.map(|(short, _)| short);
    assert_eq!(status, Some("Corrections not saved"));
}

#[test]
fn kept_corrections_ask_only_about_labels_that_they_do_not_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("corrections");
    let mut window = correcting();
    let kept = folder.path().join("kept");
    window.state_mut().shared.correct.keep_in(kept);
    choose_folder(&mut window, &root);
    settle(&mut window);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    save(&mut window);
    settle(&mut window);
    let file = fs::read_dir(root.join("annotations/training")).unwrap();
    let file = file.map(|entry| entry.unwrap().path()).next().unwrap();
    for (down, others) in [(0.0, false), (60.0, true)] {
        // Nothing has this label before.
        window.state_mut().shared.correct.class = IGNORE;
        paint(&mut window, &[MIDDLE + vec2(0.0, down)]);
        assert!(window.state().shared.correct.is_unsaved());
        press(&mut window, Key::N);
        window.run_steps(2);
        window.get_by_label("Keep for later").click();
        until(&mut window, "the next photo", |app| {
            app.shared.photos.place().0 == 1 && complete(app)
        });
        let (width, height, mut labels) = read_labels(&file).unwrap();
        if others {
            labels.fill(1);
            write_labels(&file, width, height, &labels, 3).unwrap();
        }
        press(&mut window, Key::P);
        until(&mut window, "the corrections", |app| {
            app.shared.photos.place().0 == 0 && app.shared.correct.is_unsaved()
        });
        save(&mut window);
        settle(&mut window);
        let correct = &window.state().shared.correct;
        assert_eq!((correct.asks(), correct.is_unsaved()), (others, others));
        if others {
            assert_eq!(read_labels(&file).unwrap().2, labels);
        }
    }
}

/// The masks of the shown photo: on the canvas, in exports and in the list.
type Shown = (Option<Vec<u16>>, Option<Vec<u16>>, Vec<u16>);

fn shown(window: &Window) -> Shown {
    let all = window.state().shared.all_masks().unwrap();
    let listed = all.masks[0].1.labels().unwrap();
    let exported = all.open.map(|(_, labels)| labels);
    (mask(window), exported, listed)
}

fn all(labels: &[u16]) -> Shown {
    let labels = labels.to_vec();
    (Some(labels.clone()), Some(labels.clone()), labels)
}

#[test]
fn canvas_list_and_exports_agree_after_another_folder_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let mut window = correcting();
    choose_folder(&mut window, &first);
    settle(&mut window);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    let painted = mask(&window).unwrap();
    save(&mut window);
    settle(&mut window);
    press(&mut window, Key::M);
    choose_folder(&mut window, &second);
    settle(&mut window);
    assert!(!window.state().shared.correct.is_unsaved());
    assert_eq!(shown(&window), all(&painted));
    // What the other folder has counts, too.
    choose_folder(&mut window, &first);
    settle(&mut window);
    let (_, labels) = labelled(&window, &second);
    choose_folder(&mut window, &second);
    settle(&mut window);
    assert_eq!(shown(&window), all(&labels));
}

/// A window whose mask was painted and saved into a folder, and is corrected no longer.
fn saved_in(folder: &Path) -> Window {
    let mut window = correcting();
    choose_folder(&mut window, folder);
    settle(&mut window);
    paint(&mut window, &[MIDDLE, MIDDLE + vec2(40.0, 20.0)]);
    save(&mut window);
    settle(&mut window);
    press(&mut window, Key::M);
    window
}

#[test]
fn canvas_and_list_agree_after_another_folder_is_chosen_in_a_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let mut window = saved_in(&first);
    let app = &mut window.state_mut().shared;
    // As for a lesson.
    let aside = app.set_aside(app.flow_settings);
    let (_, labels) = labelled(&window, &second);
    choose_folder(&mut window, &second);
    settle(&mut window);
    window.state_mut().shared.put_back(aside);
    settle(&mut window);
    assert_eq!(shown(&window), all(&labels));
}

#[test]
fn canvas_and_list_agree_after_another_window_saved_newer_corrections() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = saved_in(folder.path());
    let (_, labels) = labelled(&window, folder.path());
    for (key, place) in [(Key::N, 1), (Key::P, 0)] {
        press(&mut window, key);
        until(&mut window, "the other photo", |app| {
            app.shared.photos.place().0 == place && complete(app)
        });
    }
    settle(&mut window);
    assert_eq!(shown(&window), all(&labels));
}

#[test]
fn corrections_are_not_listed_from_a_folder_that_is_no_longer_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, root, _) = listing(folder.path());
    labelled(&window, &root);
    let context = window.ctx.clone();
    // The first photo is looked up in one of them while the other is chosen.
    for chosen in [root, folder.path().join("other")] {
        let choice = Command::Correct(Request::Folder(Some(chosen)));
        run(&mut window.state_mut().shared, &context, choice);
    }
    settle(&mut window);
    assert!(window.state().shared.masks.corrected(0).is_none());
    assert!(!is_found(window.state()));
}

#[test]
fn a_model_that_is_opened_again_keeps_the_classes_that_were_added() {
    let folder = tempfile::tempdir().unwrap();
    let file = model_file(folder.path(), &["a", "b"]);
    let mut of_file = options(&[], 2);
    of_file.model = Some(file.to_string_lossy().into());
    let mut window = window(of_file, Theme::Dark);
    until(&mut window, "the flow", complete);
    press(&mut window, Key::M);
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    let context = window.ctx.clone();
    let add = Command::Correct(Request::AddClass("owl".to_owned()));
    let app = &mut window.state_mut().shared;
    run(app, &context, add);
    app.choose_model(&file.to_string_lossy());
    until(&mut window, "the model", complete);
    let app = &window.state().shared;
    let model = app.model.as_ref().unwrap();
    assert_eq!(model.classes, ["a", "b", "owl"]);
    assert_eq!((model.names.len(), model.colours.len()), (3, 3));
    assert_eq!(app.correct.class, 2);
}

#[test]
fn corrections_that_cannot_be_kept_are_reported_once_while_one_paints() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let mut window = correcting();
    window.state_mut().shared.correct.keep_in(kept.clone());
    ignore_a_dot(&mut window);
    for (fails, reports) in [(true, true), (true, false), (false, false), (true, true)] {
        // Also the file that is written without being asked for, if it is due now.
        while window.state().shared.correct.busy() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if kept.is_dir() {
            fs::remove_dir_all(&kept).unwrap();
        }
        if fails {
            fs::write(&kept, "a file where a folder should be").unwrap();
        } else {
            fs::remove_file(&kept).unwrap();
        }
        window.state_mut().shared.errors = Default::default();
        window.state_mut().shared.correct.keep();
        settle(&mut window);
        assert_eq!(window.state().shared.errors.open, reports);
    }
}
