//! Files opened while the window shows others.

use super::*;
use crate::models;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{Command, run::run};
use crate::viewer::photo_list::PhotoList;

#[test]
fn another_model_takes_over_and_a_wrong_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(2, Theme::Dark);
    let wrong = folder.path().join("wrong.safetensors");
    fs::write(&wrong, "not a model").unwrap();
    window
        .state_mut()
        .shared
        .choose_model(&wrong.to_string_lossy());
    until(&mut window, "a refusal", |app| app.shared.errors.open);
    let app = &window.state().shared;
    assert!(app.errors.lines()[0].contains("wrong.safetensors"));
    assert!(app.model.is_some() && !app.busy());

    let other = model_file(folder.path(), &["left", "right"]);
    window
        .state_mut()
        .shared
        .choose_model(&other.to_string_lossy());
    until(&mut window, "the other model", |app| {
        let model = app.shared.model.as_ref();
        model.is_some_and(|model| model.card.classes == ["left", "right"]) && complete(app)
    });
    let recent = &window.state().shared.settings.recent_models;
    assert!(recent[0].ends_with("other.safetensors"));
}

#[test]
fn only_a_model_that_the_user_chose_is_opened_again_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(1, Theme::Dark);
    let app = &mut window.state_mut().shared;
    assert!(app.model.is_some());
    assert_eq!(app.chosen_model(), None);
    let other = model_file(folder.path(), &["left", "right"]);
    let other = other.to_string_lossy().into_owned();
    app.choose_model(&other);
    // Also before it is open.
    assert_eq!(app.chosen_model().as_ref(), Some(&other));
    until(&mut window, "the other model", complete);
    let app = &window.state().shared;
    assert_eq!(app.chosen_model(), Some(other));
}

#[test]
fn a_model_opened_into_an_empty_list_brings_the_samples_and_places_for_their_masks() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let mut window = window(options(&[&empty], 1), Theme::Dark);
    until(&mut window, "the empty folder", |app| {
        app.shared.errors.open && !app.shared.busy() && !app.shared.opener.busy()
    });
    let model = model_file(folder.path(), &["left", "right"]);
    window.state_mut().shared.open_paths(vec![model]);
    until(&mut window, "the model", |app| {
        let model = app.shared.model.as_ref();
        complete(app) && model.is_some_and(|model| model.card.classes == ["left", "right"])
    });
    let app = &window.state().shared;
    let samples = app.photos.items().len();
    assert!(samples > 0);
    assert_eq!(app.masks.counts(), [0, 0, samples]);
}

#[test]
fn files_opened_by_mistake_are_reported_and_the_window_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut good = Vec::new();
    let picture = image::RgbImage::new(40, 30);
    picture
        .write_to(
            &mut std::io::Cursor::new(&mut good),
            image::ImageFormat::Png,
        )
        .unwrap();
    fs::write(path("text.png"), "this is no picture").unwrap();
    fs::write(path("cut.png"), &good[..good.len() / 2]).unwrap();
    fs::write(path("empty.jpg"), "").unwrap();
    // An undamaged header that promises 3600 megapixels.
    let mut huge = Vec::new();
    let mut header = png::Encoder::new(&mut huge, 60_000, 60_000)
        .write_header()
        .unwrap();
    header.write_chunk(png::chunk::IDAT, &[0; 64]).unwrap();
    drop(header);
    fs::write(path("huge.png"), huge).unwrap();
    fs::create_dir(path("nothing")).unwrap();
    let mut window = done(2, Theme::Dark);
    for name in [
        "text.png",
        "cut.png",
        "empty.jpg",
        "huge.png",
        "gone.png",
        "nothing",
    ] {
        window
            .state_mut()
            .shared
            .open_paths(vec![path(name), path(name)]);
        let reported = |app: &App| app.shared.errors.lines().iter().any(|l| l.contains(name));
        until(&mut window, name, reported);
    }
    let lines = window.state().shared.errors.lines();
    let of = |name: &str| lines.iter().find(|line| line.contains(name)).unwrap();
    // "Too large" is a different error than "damaged".
    assert!(of("huge.png").contains("60000"), "{}", of("huge.png"));
    assert!(!of("cut.png").contains("large"), "{}", of("cut.png"));
    image::RgbImage::new(1, 1).save(path("one.png")).unwrap();
    window
        .state_mut()
        .shared
        .open_paths(vec![path("one.png"), path("one.png")]);
    until(&mut window, "a picture of one pixel", |app| {
        complete(app)
            && app
                .shared
                .flow
                .as_ref()
                .is_some_and(|flow| flow.name == "one.png")
    });
}

#[test]
fn pasted_text_opens_the_files_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("my photo.png");
    image::RgbImage::new(20, 10).save(&photo).unwrap();
    let mut window = done(1, Theme::Dark);
    let uri = url::Url::from_file_path(&photo).unwrap();
    window.event(Event::Paste(format!("{uri}\r\n")));
    until(&mut window, "the pasted photo", |app| {
        app.shared
            .flow
            .as_ref()
            .is_some_and(|flow| flow.name == "my photo.png")
            && complete(app)
    });
}

#[test]
fn photos_opened_before_a_model_fails_get_one_that_suits_them() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.png");
    image::RgbImage::new(60, 40).save(&photo).unwrap();
    let wrong = folder.path().join("wrong.safetensors");
    fs::write(&wrong, "not a model").unwrap();
    let mut window = done(1, Theme::Dark);
    let app = &mut window.state_mut().shared;
    let name = |app: &AppState| app.model.as_ref().map(|model| model.name.clone());
    assert_eq!(name(app).as_deref(), Some(models::FOR_SAMPLES));
    app.show_by(&wrong.to_string_lossy(), PhotoList::files(vec![photo], 0));
    until(&mut window, "the photo", |app| {
        app.shared.errors.open && complete(app)
    });
    assert_eq!(
        name(&window.state().shared).as_deref(),
        Some(models::FOR_PHOTOS)
    );
}

#[test]
fn settings_changed_before_a_model_fails_apply_to_the_one_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.safetensors");
    fs::write(&wrong, "not a model").unwrap();
    let mut window = done(2, Theme::Dark);
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    app.choose_model(&wrong.to_string_lossy());
    let mut sampling = app.flow_settings.sampling;
    sampling.steps = 3;
    run(app, &context, Command::Sample(sampling));
    until(&mut window, "the flow", |app| {
        app.shared.errors.open && complete(app)
    });
    let flow = window.state().shared.flow.as_ref().unwrap();
    assert_eq!(flow.states.len(), 4);
}

#[test]
fn a_flow_that_stays_keeps_its_settings() {
    let mut window = done(2, Theme::Dark);
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let (before, chosen) = (app.flow_settings, app.settings.chosen_steps());
    let mut sampling = before.sampling;
    sampling.steps = 3;
    run(app, &context, Command::Sample(sampling));
    assert_eq!(app.flow_settings.sampling.steps, 3);
    // The flow that is shown has its own.
    assert_eq!(app.state_count(), 3);
    app.cancel();
    assert_eq!((app.flow_settings, app.state_count()), (before, 3));
    assert_eq!(app.settings.chosen_steps(), chosen);
    assert!(complete(window.state()));
}

#[test]
fn the_class_to_paint_is_found_in_another_model_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let models = [["left", "right"], ["right", "top"]].map(|classes| {
        let folder = folder.path().join(classes[0]);
        fs::create_dir(&folder).unwrap();
        let model = model_file(&folder, &classes);
        (model.to_string_lossy().into_owned(), classes)
    });
    let mut of_first = options(&[], 1);
    of_first.model = Some(models[0].0.clone());
    let mut window = window(of_first, Theme::Dark);
    until(&mut window, "the flow", complete);
    // The second class of each model: the first one of the other, or none.
    for (name, classes) in [&models[1], &models[0]] {
        let app = &mut window.state_mut().shared;
        app.correct.class = 1;
        app.choose_model(name);
        until(&mut window, "the other model", |app| {
            let model = app.shared.model.as_ref();
            model.is_some_and(|model| model.card.classes == *classes) && complete(app)
        });
        assert_eq!(window.state().shared.correct.class, 0);
    }
}
