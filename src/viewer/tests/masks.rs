//! The list of photos and their masks, which are made in the background.

use super::*;
use crate::export::Look;
use crate::flow::Prediction;
use crate::inference::{Sampling, Tiling};
use crate::sampler::Solver;
use crate::viewer::commands::{Command, run::run};
use crate::viewer::mask_queue::{MaskSettings, MaskState};
use crate::viewer::mask_store::StoredMask;
use crate::votes::{Outlines, Votes};
use egui_kittest::kittest::NodeT;
use image::RgbImage;

/// A window on a folder of three photos and one file that is not a photo, with a small model.
pub(super) fn of_folder(folder: &Path) -> Window {
    let model = model_file(folder, &["a", "b", "c"]);
    let photos = folder.join("photos");
    fs::create_dir(&photos).unwrap();
    for (i, name) in ["a.png", "b.png", "d.png"].into_iter().enumerate() {
        let photo = RgbImage::from_fn(60, 40, |x, y| {
            image::Rgb([4 * x as u8, 90, 6 * (y + i as u32) as u8])
        });
        photo.save(photos.join(name)).unwrap();
    }
    fs::write(photos.join("c.png"), "no photo").unwrap();
    window(options(&[&model, &photos], 2), Theme::Dark)
}

pub(super) fn counts(app: &App) -> [usize; 3] {
    app.shared.masks.counts()
}

fn send(window: &mut Window, command: Command) {
    let context = window.ctx.clone();
    run(&mut window.state_mut().shared, &context, command);
    window.step();
}

#[test]
fn a_folder_is_segmented_in_the_background_and_any_mask_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| !app.shared.busy() && app.still());
    // Opening a folder shows the Photos panel, with the state of each photo.
    window.run_steps(2);
    assert!(window.query_by_label("c.png, failed").is_some());
    window.get_by_label("d.png, mask made").click();
    window.run_steps(2);
    assert_eq!(window.state().shared.photos.place(), (3, 4));
    until(&mut window, "the mask", |app| {
        app.shared.masks.picture(3).is_some()
    });
    until(&mut window, "the flow", complete);
    // It is that of the flow, which is drawn at its last step.
    let app = &window.state().shared;
    let flow = app.flow.as_ref().unwrap();
    let last = flow
        .states
        .last()
        .and_then(|state| state.host.as_ref())
        .unwrap();
    let model = app.model.as_ref().unwrap();
    let radius = Outlines::Photo.radius(model.card.filter_radius());
    let votes = Votes::of(&model.centroids, &last.x, flow.size).along(&flow.photo, radius);
    let MaskState::Done(mask) = app.masks.state(3) else {
        panic!("it is done")
    };
    assert_eq!(mask.labels().unwrap(), votes.labels([40, 60]));
    let drawn = flow.mask.as_ref().unwrap();
    assert_eq!(
        (drawn.size, &drawn.labels),
        ([60, 40], &votes.labels([40, 60]))
    );
    // Other solver steps give other masks: all are made again, the shown one first.
    send(&mut window, Command::SegmentAll(false));
    let mut sampling = window.state().shared.flow_settings.sampling;
    sampling.steps = 3;
    send(&mut window, Command::Sample(sampling));
    assert_eq!(counts(window.state()), [0, 0, 4]);
    // Those that are there hold until then.
    assert_eq!(window.state().shared.all_masks().unwrap().masks.len(), 3);
    window.run_steps(2);
    let row = "a.png, mask made with other settings";
    assert!(window.query_by_label(row).is_some());
    send(&mut window, Command::SegmentAll(true));
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
}

#[test]
fn a_queue_stops_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the list", |app| {
        app.shared.photos.place().1 == 4
    });
    send(&mut window, Command::SegmentAll(false));
    until(&mut window, "the flow", complete);
    let before = counts(window.state());
    window.run_steps(5);
    assert_eq!(counts(window.state()), before);
    window.get_by_label_contains("Segment all").click();
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
}

#[test]
fn windows_and_looks_show_a_mask_of_their_own_at_the_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b", "c"]);
    let mut window = window(options(&[&model], 2), Theme::Dark);
    until(&mut window, "the flow", complete);
    assert_eq!(counts(window.state())[0], 0);
    let mut masks = window.state().shared.settings.masks;
    masks.tiling = Tiling::Windows(3);
    send(&mut window, Command::SetMasks(masks));
    until(&mut window, "the mask", |app| {
        app.shared.masks.picture(0).is_some()
    });
    // Only the mask of the shown photo.
    assert_eq!(counts(window.state())[0], 1);
    let shown = |window: &mut Window| {
        let context = window.ctx.clone();
        let app = window.state_mut();
        let mut picture = crate::viewer::mask_picture::MaskPicture::default();
        picture.ready(&app.shared, &context).is_some()
    };
    until(&mut window, "the flow", complete);
    press(&mut window, Key::End);
    assert!(shown(&mut window));
    // A comparison is of the flows' states.
    for compares in [true, false] {
        press(&mut window, Key::K);
        window.run_steps(2);
        assert_eq!(window.state().shared.second.is_some(), compares);
        assert_eq!(shown(&mut window), !compares);
    }
    press(&mut window, Key::Home);
    assert!(!shown(&mut window));
    // The flow's own mask needs no other run of the network.
    for (outlines, has_own) in [(Outlines::Photo, true), (Outlines::Network, false)] {
        masks = MaskSettings {
            tiling: Tiling::Off,
            outlines,
            ..masks
        };
        send(&mut window, Command::SetMasks(masks));
        press(&mut window, Key::End);
        assert_eq!(shown(&mut window), has_own);
        press(&mut window, Key::Home);
        assert!(!shown(&mut window));
    }
}

fn network_mask(app: &App, at: usize) -> Option<std::sync::Arc<StoredMask>> {
    match app.shared.masks.state(at) {
        MaskState::Done(mask) => Some(mask.clone()),
        _ => None,
    }
}

#[test]
fn corrections_begin_with_the_mask_that_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b", "c"]);
    let mut window = window(options(&[&model], 2), Theme::Dark);
    until(&mut window, "the flow", complete);
    press(&mut window, Key::M);
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    let shown = |app: &App| app.shared.correct.mask(app.shared.flow.as_ref()?.id);
    let plain = shown(window.state()).unwrap();
    let mut masks = window.state().shared.settings.masks;
    masks.tiling = Tiling::Windows(3);
    send(&mut window, Command::SetMasks(masks));
    assert!(!window.state().shared.correct.is_ready());
    until(&mut window, "the other mask", |app| {
        app.shared.correct.is_ready()
    });
    let made = network_mask(window.state(), 0).unwrap();
    assert_eq!(shown(window.state()), made.labels().ok());
    masks.tiling = Tiling::Off;
    send(&mut window, Command::SetMasks(masks));
    until(&mut window, "the first mask", |app| {
        app.shared.correct.is_ready() && shown(app).as_ref() == Some(&plain)
    });
}

#[test]
fn photos_that_failed_are_segmented_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| complete(app) && app.still());
    let whole = RgbImage::new(60, 40);
    whole.save(folder.path().join("photos/c.png")).unwrap();
    window.run_steps(2);
    window.get_by_label_contains("Segment all").click();
    until(&mut window, "the last mask", |app| counts(app) == [4, 0, 0]);
}

#[test]
fn a_mask_of_tiles_that_fails_is_reported_and_made_when_the_photo_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| complete(app) && app.still());
    send(&mut window, Command::SegmentAll(false));
    let photo = folder.path().join("photos/a.png");
    let kept = folder.path().join("kept.png");
    fs::rename(&photo, &kept).unwrap();
    let mut masks = window.state().shared.settings.masks;
    masks.tiling = Tiling::Windows(3);
    send(&mut window, Command::SetMasks(masks));
    until(&mut window, "the failure", |app| counts(app) == [0, 1, 3]);
    let app = &window.state().shared;
    let lines = app.errors.lines();
    let told = |line: &String| {
        line.contains("that of one pass") && line.contains("keeps the mask made before")
    };
    assert!(lines.iter().any(told), "{lines:?}");
    // The mask that was made in one pass is listed meanwhile.
    assert!(app.masks.is_older(0) && app.masks.mask(0).is_some());
    window.run_steps(2);
    let row = "a.png, mask made with other settings";
    assert!(window.query_by_label(row).is_some());
    // Without a complete flow, no mask of one pass is shown.
    let flow = window.state_mut().shared.flow.as_mut().unwrap();
    let settled = flow.settled.take();
    masks.tiling = Tiling::Windows(2);
    send(&mut window, Command::SetMasks(masks));
    until(&mut window, "the second failure", |app| {
        let lines = app.shared.errors.lines();
        lines
            .iter()
            .any(|line| line.contains("passes or tiles failed, while the list keeps"))
    });
    let flow = window.state_mut().shared.flow.as_mut().unwrap();
    flow.settled = settled;
    fs::rename(&kept, &photo).unwrap();
    press(&mut window, Key::R);
    until(&mut window, "the mask", |app| {
        network_mask(app, 0).is_some() && complete(app)
    });
    assert!(!window.state().shared.masks.is_older(0));
}

#[test]
fn a_chosen_number_of_steps_lasts_until_another_is_chosen() {
    let mut window = done(2, Theme::Dark);
    let app = &mut window.state_mut().shared;
    // The timeline offers fewer than the model recommends.
    app.model.as_mut().unwrap().card.sampling_steps = Some(150);
    let with = |steps, solver| Sampling {
        steps,
        solver,
        ..Sampling::default()
    };
    for (sampling, chosen) in [
        (with(7, Solver::Euler), Some(7)),
        (with(100, Solver::Euler), None),
        (with(5, Solver::Heun), Some(5)),
        (with(5, Solver::Euler), Some(5)),
    ] {
        app.choose_sampling(sampling);
        assert_eq!(app.settings.chosen_steps(), chosen);
    }
    // The number that this model recommends, chosen for another one.
    app.settings.choose_steps(Some(100));
    app.flow_settings.sampling.steps = 100;
    app.choose_sampling(with(100, Solver::Heun));
    assert_eq!(app.settings.chosen_steps(), Some(100));
}

#[test]
fn a_model_that_always_takes_one_step_is_offered_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, prediction| {
        let change = |card: &mut crate::model::Card| card.prediction = prediction;
        let model = crate::model::testing::tiny(&["a", "b"], [16, 24], change);
        let path = folder.path().join(name);
        let precision = crate::model::tensors::Precision::Single;
        crate::model::file::write(&path, &model, precision).unwrap();
        path
    };
    let disabled = |window: &Window| {
        let nodes = window.root().children_recursive();
        let drags = nodes.filter(|node| node.accesskit_node().role() == egui::Role::SpinButton);
        drags
            .filter(|node| node.accesskit_node().is_disabled())
            .count()
    };
    let flow = file("flow.safetensors", Prediction::Velocity);
    let mut window = window(options(&[&flow], 2), Theme::Dark);
    until(&mut window, "the flow", complete);
    assert_eq!(disabled(&window), 0);
    let one = file("one.safetensors", Prediction::Logits);
    let app = &mut window.state_mut().shared;
    app.choose_model(&one.to_string_lossy());
    until(&mut window, "the other model", |app| {
        complete(app) && app.shared.flow_settings.sampling.steps == 1
    });
    window.run_steps(2);
    assert_eq!(disabled(&window), 1);
    // As from a flow of another model that was to be kept.
    let sampling = Sampling {
        steps: 5,
        ..window.state().shared.flow_settings.sampling
    };
    send(&mut window, Command::Sample(sampling));
    until(&mut window, "the flow", complete);
    press(&mut window, Key::End);
    let context = window.ctx.clone();
    let app = &window.state().shared;
    assert_eq!(app.flow_settings.sampling.steps, 1);
    assert_eq!(app.settings.chosen_steps(), Some(2));
    // Its mask is that of its only step.
    let mut picture = crate::viewer::mask_picture::MaskPicture::default();
    assert!(picture.ready(app, &context).is_some());
}

/// The shown flow has its own number of states while another one is chosen.
#[test]
fn a_mask_stays_at_the_last_step_of_its_flow() {
    let mut window = done(2, Theme::Dark);
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let mut picture = crate::viewer::mask_picture::MaskPicture::default();
    for steps in [2, 5] {
        app.flow_settings.sampling.steps = steps;
        assert!(picture.ready(app, &context).is_some(), "{steps}");
    }
}

/// The flow of a photo that is gone stays, with its own settings and the masks made with them.
#[test]
fn a_photo_that_is_gone_keeps_its_flow_and_the_masks() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| complete(app) && app.still());
    send(&mut window, Command::SegmentAll(false));
    fs::remove_file(folder.path().join("photos/a.png")).unwrap();
    let mut sampling = window.state().shared.flow_settings.sampling;
    sampling.steps = 3;
    send(&mut window, Command::Sample(sampling));
    until(&mut window, "the failure", |app| {
        app.shared.errors.first().is_some() && complete(app)
    });
    assert_eq!(window.state().shared.state_count(), 3);
    assert_eq!(counts(window.state())[0], 3);
}

#[test]
fn masks_of_a_changed_photo_or_model_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| complete(app) && app.still());
    RgbImage::new(30, 20)
        .save(folder.path().join("photos/a.png"))
        .unwrap();
    press(&mut window, Key::R);
    until(&mut window, "the new mask", |app| {
        network_mask(app, 0).is_some_and(|mask| mask.size == [30, 20]) && complete(app)
    });
    // Also if the size is the same.
    let dark = network_mask(window.state(), 0).unwrap();
    RgbImage::from_pixel(30, 20, image::Rgb([240, 250, 230]))
        .save(folder.path().join("photos/a.png"))
        .unwrap();
    press(&mut window, Key::R);
    until(&mut window, "the mask of the other photo", |app| {
        let after = network_mask(app, 0);
        after.is_some_and(|after| !std::sync::Arc::ptr_eq(&after, &dark)) && complete(app)
    });
    let before = network_mask(window.state(), 1).unwrap();
    let model = folder.path().join("other.safetensors");
    window
        .state_mut()
        .shared
        .choose_model(&model.to_string_lossy());
    until(&mut window, "the masks", |app| {
        let after = network_mask(app, 1);
        let is_new = after.is_some_and(|after| !std::sync::Arc::ptr_eq(&after, &before));
        is_new && counts(app) == [3, 1, 0] && complete(app)
    });
}

/// The mask of a photo that has taken the place of the shown one is not drawn over it.
#[test]
fn a_mask_of_a_replaced_photo_is_refused_until_it_is_sampled_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
    until(&mut window, "rest", |app| complete(app) && app.still());
    send(&mut window, Command::SegmentAll(false));
    RgbImage::from_pixel(60, 40, image::Rgb([240, 250, 230]))
        .save(folder.path().join("photos/a.png"))
        .unwrap();
    let mut masks = window.state().shared.settings.masks;
    masks.tiling = Tiling::Windows(3);
    send(&mut window, Command::SetMasks(masks));
    until(&mut window, "the refusal", |app| counts(app) == [0, 1, 3]);
    let lines = window.state().shared.errors.lines();
    let told = "a.png has changed since it was segmented";
    assert!(lines.iter().any(|line| line.contains(told)), "{lines:?}");
    press(&mut window, Key::R);
    until(&mut window, "the mask", |app| {
        network_mask(app, 0).is_some() && complete(app)
    });
}

/// A mask that is being prepared for corrections is prepared again when its settings change.
#[test]
fn corrections_begin_with_the_outlines_that_were_chosen_last() {
    let mut window = done(2, Theme::Dark);
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    app.toggle_correct();
    let masks = MaskSettings {
        outlines: Outlines::Network,
        ..app.settings.masks
    };
    run(app, &context, Command::SetMasks(masks));
    until(&mut window, "the mask", |app| app.shared.correct.is_ready());
    let app = &window.state().shared;
    let labels = |app: &App| app.shared.snapshot(Look::Map).unwrap().labels().unwrap().1;
    let id = app.flow.as_ref().unwrap().id;
    let prepared = app.correct.mask(id).unwrap();
    assert_eq!(prepared, labels(window.state()));
    window.state_mut().shared.settings.masks.outlines = Outlines::Photo;
    assert_ne!(prepared, labels(window.state()));
}
