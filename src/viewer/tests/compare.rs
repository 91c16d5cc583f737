//! Doubt, a second result beside the first, and the photos of a class.

use super::*;
use crate::compare::{Comparison, JointClasses};
use crate::encoding::Centroids;
use crate::flow::Source;
use crate::inference::Sampling;
use crate::sampler::Solver;
use crate::viewer::app_state::Phase;
use crate::viewer::commands::Command;
use crate::viewer::commands::run::run;
use crate::viewer::flow::Flow;
use crate::viewer::second::Choice;
use crate::viewer::view::Arrangement;
use crate::votes::Votes;
use std::collections::BTreeSet;

/// Waits until everything shown is computed.
fn compared(window: &mut Window) {
    until(window, "the computed panes", |app| {
        complete(app) && app.shared.is_compared()
    });
    window.run_steps(3);
}

/// Measures of uncertainty in three panes, and two results with their disagreement.
#[test]
fn pictures_of_doubt_and_of_comparisons() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, shade) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut doubt = done(2, theme);
        let view = &mut doubt.state_mut().shared.settings.view;
        view.arrangement = Arrangement::Grid;
        view.layers = [
            Layer::Probability,
            Layer::Margin,
            Layer::Entropy,
            Layer::Photo,
        ];
        compared(&mut doubt);
        results.add(doubt.try_snapshot(format!("viewer-doubt-{shade}")));

        let mut compare = done(4, theme);
        press(&mut compare, Key::K);
        compared(&mut compare);
        results.add(compare.try_snapshot(format!("viewer-compare-{shade}")));
    }
}

#[test]
fn a_model_whose_file_was_replaced_is_neither_compared_nor_listed_with() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b"]);
    let mut window = window(options(&[&model], 1), Theme::Dark);
    until(&mut window, "the flow", complete);
    let context = window.ctx.clone();
    let other = folder.path().join("new");
    let mut bytes = fs::read(&model).unwrap();
    bytes.push(b' ');
    fs::write(&other, bytes).unwrap();
    fs::rename(&other, &model).unwrap();
    let app = &mut window.state_mut().shared;
    let choice = app.suggested_comparison().unwrap();
    run(app, &context, Command::Compare(choice));
    run(app, &context, Command::ListClass(Some(0)));
    assert!(app.second.is_none() && app.class_photos.is_none());
    assert!(app.errors.first().unwrap().contains("has changed"));
}

/// A model is compared with its own weights, also after its file was replaced and it was opened again.
#[test]
fn a_second_result_follows_a_model_that_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b"]);
    let mut window = window(options(&[&model], 1), Theme::Dark);
    until(&mut window, "the flow", complete);
    let before = window.state().shared.settings.view.layers;
    press(&mut window, Key::K);
    compared(&mut window);
    model_file(folder.path(), &["a", "b", "c"]);
    let app = &mut window.state_mut().shared;
    app.choose_model(&model.to_string_lossy());
    until(&mut window, "both results", |app| {
        let second = app.shared.second.as_ref();
        let second = second.and_then(|second| second.model.as_ref());
        second.is_some_and(|model| model.card.classes.len() == 3)
            && complete(app)
            && app.shared.is_compared()
    });
    let app = &window.state().shared;
    let [first, second] = [
        app.model.as_ref(),
        app.second.as_ref().unwrap().model.as_ref(),
    ];
    assert_eq!(first.unwrap().file, second.unwrap().file);
    press(&mut window, Key::K);
    let app = &window.state().shared;
    assert!(app.second.is_none() && app.settings.view.layers == before);
}

#[test]
fn a_model_whose_file_is_replaced_while_it_is_read_is_not_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b"]);
    let mut window = window(options(&[&model], 1), Theme::Dark);
    until(&mut window, "the flow", complete);
    let before = window.state().shared.settings.view.layers;
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let choice = app.suggested_comparison().unwrap();
    app.compare(&context, choice);
    assert!(app.second.is_some());
    model_file(folder.path(), &["a", "b", "c"]);
    until(&mut window, "the end", |app| app.shared.second.is_none());
    let app = &window.state().shared;
    assert!(app.errors.first().unwrap().contains("has changed"));
    assert_eq!(app.settings.view.layers, before);
}

/// The second result of a model that recommends a number of steps follows that, until another is chosen.
#[test]
fn a_recommended_number_of_steps_is_not_a_choice() {
    let mut window = done(1, Theme::Dark);
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let choice = Choice {
        steps: None,
        ..app.suggested_comparison().unwrap()
    };
    app.compare(&context, choice.clone());
    compared(&mut window);
    let app = &window.state().shared;
    let second = app.second.as_ref().unwrap();
    let steps = app.model.as_ref().unwrap().card.default_steps();
    assert_eq!(second.choice, choice);
    let caption = crate::compare::caption(&choice.model, steps, choice.solver);
    assert_eq!(second.caption(), caption);
}

#[test]
fn both_results_are_of_the_photo_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["a", "b"]);
    let file = folder.path().join("photo.png");
    let photo = |shade: u8| image::RgbImage::from_pixel(60, 40, image::Rgb([shade, 90, 30]));
    photo(10).save(&file).unwrap();
    let mut window = window(options(&[&model, &file], 1), Theme::Dark);
    until(&mut window, "the flow", |app| {
        app.shared.photos.file().is_some() && complete(app)
    });
    // The first result cannot follow, as its mask may be corrected, also while it is still computed.
    photo(100).save(&file).unwrap();
    window.state_mut().shared.phase = Phase::Preparing;
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let choice = app.suggested_comparison().unwrap();
    app.compare(&context, choice);
    until(&mut window, "the report", |app| {
        let told = app.shared.errors.first();
        told.is_some_and(|told| told.contains("has changed"))
    });
    window.state_mut().shared.phase = Phase::Idle;
    compared(&mut window);
    photo(200).save(&file).unwrap();
    press(&mut window, Key::R);
    compared(&mut window);
    let app = &window.state().shared;
    let flows = [
        app.flow.as_ref(),
        app.second.as_ref().unwrap().flow.as_ref(),
    ];
    for flow in flows {
        assert_eq!(*flow.unwrap().photo, photo(200));
    }
}

#[test]
fn doubt_is_computed_for_the_shown_state() {
    let mut window = done(3, Theme::Dark);
    assert!(
        window.state().shared.is_compared(),
        "nobody asked for doubt"
    );
    for (key, layer) in [
        (Key::Num7, Layer::Probability),
        (Key::Num8, Layer::Margin),
        (Key::Num9, Layer::Entropy),
    ] {
        press(&mut window, key);
        assert_eq!(window.state().shared.active_layer(), layer);
        compared(&mut window);
        let app = &window.state().shared;
        assert!(app.doubt.of(app.flow.as_ref().unwrap()).is_some());
    }
    // Another state has another doubt, and so does another flow.
    press(&mut window, Key::Home);
    let ready = |app: &App| {
        let app = &app.shared;
        let flow = app.flow.as_ref();
        flow.is_some_and(|flow| app.doubt.ready(flow, app.playhead.position))
    };
    until(&mut window, "the doubt of the first state", ready);
    press(&mut window, Key::N);
    compared(&mut window);
    until(&mut window, "the doubt of the next photo", ready);
}

/// Samples both results anew, the first one from noise.
fn sample_from_noise(window: &mut Window) {
    let context = window.ctx.clone();
    let app = &mut window.state_mut().shared;
    let sampling = Sampling {
        source: Some(Source::Noise),
        ..app.flow_settings.sampling
    };
    run(app, &context, Command::Sample(sampling));
    compared(window);
}

/// A difference between two results of one model is never that of their sources.
#[test]
fn a_second_result_of_the_same_model_starts_at_the_same_source() {
    let mut window = done(2, Theme::Dark);
    press(&mut window, Key::K);
    compared(&mut window);
    let captions = |window: &Window| {
        let app = &window.state().shared;
        [app.caption(), app.second.as_ref().unwrap().caption()]
    };
    let of_photo = captions(&window);
    sample_from_noise(&mut window);
    assert_eq!(captions(&window), of_photo.map(|of| of + ", from noise"));
    let app = &window.state().shared;
    let source = |flow: &Option<Flow>| {
        let flow = flow.as_ref().unwrap();
        flow.states[0].host.as_ref().unwrap().x.clone()
    };
    let second = app.second.as_ref().unwrap();
    assert_eq!(source(&app.flow), source(&second.flow));
}

#[test]
fn a_second_result_that_no_pane_shows_is_not_uploaded() {
    let mut window = done(2, Theme::Dark);
    press(&mut window, Key::K);
    compared(&mut window);
    let app = window.state_mut();
    app.shared.settings.view.arrangement = Arrangement::Single;
    for (layer, uploaded) in [
        (Layer::Overlay, false),
        (Layer::Second, true),
        (Layer::Disagreement, true),
    ] {
        app.shared.settings.view.layers[0] = layer;
        let sources = app.panels.canvas.sources(&app.shared).unwrap().unwrap();
        assert_eq!(sources.second.is_some(), uploaded, "{layer:?}");
    }
}

/// What differs is never the time: until the second result has a state at the shown time, none is shown.
#[test]
fn a_second_result_is_shown_once_it_has_a_state_at_the_shown_time() {
    let mut window = done(2, Theme::Dark);
    press(&mut window, Key::K);
    compared(&mut window);
    let app = window.state_mut();
    let view = &mut app.shared.settings.view;
    (view.arrangement, view.layers[0]) = (Arrangement::Single, Layer::Second);
    let size = app.shared.flow.as_ref().unwrap().size;
    for at_end in [true, false] {
        let second = app.shared.second.as_mut().unwrap();
        let flow = second.flow.as_mut().unwrap();
        assert!(flow.states.len() > 1);
        if !at_end {
            // As if it were still being computed.
            flow.states.truncate(1);
            flow.settled = None;
        }
        assert!(second.class_at(0, size, 0.0).is_some());
        assert_eq!(second.class_at(0, size, 1.0).is_some(), at_end);
        let sources = app.panels.canvas.sources(&app.shared).unwrap().unwrap();
        assert_eq!(sources.second.is_some(), at_end);
    }
}

/// Another model starts at its own source, whatever that of the first result is.
#[test]
fn a_second_result_stays_if_only_the_first_starts_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let other = model_file(folder.path(), &["left", "right"]);
    let mut window = done(1, Theme::Dark);
    let context = window.ctx.clone();
    let choice = Choice {
        model: other.to_string_lossy().into(),
        steps: Some(1),
        solver: Solver::Euler,
    };
    window.state_mut().shared.compare(&context, choice);
    compared(&mut window);
    let ids = |window: &Window| {
        let app = &window.state().shared;
        let second = app.second.as_ref().unwrap();
        [&app.flow, &second.flow].map(|flow| flow.as_ref().unwrap().id)
    };
    let [first, second] = ids(&window);
    sample_from_noise(&mut window);
    let now = ids(&window);
    assert_ne!(now[0], first);
    assert_eq!(now[1], second);
}

#[test]
fn a_second_result_is_computed_shown_and_closed() {
    let mut window = done(4, Theme::Dark);
    // Without a second result, its layers cannot be shown.
    press(&mut window, Key::D);
    assert_eq!(window.state().shared.active_layer(), Layer::Overlay);
    let before = window.state().shared.settings.view.layers;
    press(&mut window, Key::K);
    compared(&mut window);
    let app = window.state();
    assert_ne!(app.shared.settings.view.layers, before);
    let (remembered, ..) = app
        .lessons
        .remembered(&app.shared, &app.panels, &app.layout);
    assert_eq!(remembered.view.layers, before);
    let check = |window: &Window| {
        let app = &window.state().shared;
        let (flow, model) = (app.flow.as_ref().unwrap(), app.model.as_ref().unwrap());
        let second = app.second.as_ref().unwrap();
        let of_second = second.flow.as_ref().unwrap();
        assert_eq!((flow.states.len(), of_second.states.len()), (5, 2));
        let (width, height) = flow.photo.dimensions();
        let size = [height, width].map(|side| side as usize);
        let outlines = app.settings.masks.outlines;
        let radius = outlines.radius(model.card.filter_radius());
        // As `flowseg compare` decides them.
        let labels = |flow: &Flow| {
            let (_, host) = flow.nearest(f32::MAX).unwrap();
            let votes = Votes::of(&model.centroids, &host.x, flow.size);
            votes.along(&flow.photo, radius).labels(size)
        };
        let names = &model.card.classes;
        let joint = JointClasses::new(names, names).unwrap();
        let truth = joint.truth(flow.truth.as_ref().unwrap().labels.clone(), names);
        let both = [labels(flow), labels(of_second)];
        let (expected, _) = Comparison::of_labels(&joint, both, size, Some(&truth));
        let found = second.comparison(flow).unwrap();
        assert_eq!(found.rows(), expected.rows());
        assert!(found.miou()[1].is_some());
        // The pointer shows both classes of the pixel.
        let pixel = flow.pixels() / 2;
        let (_, host) = of_second.nearest(f32::MAX).unwrap();
        let t = flow.time(app.playhead.position);
        assert_eq!(
            second.class_at(pixel, flow.size, t),
            Some(usize::from(host.labels[pixel]))
        );
        // Between its two states, it is that of the state between them.
        let x = of_second.state_of(pixel, 0.3).unwrap();
        assert_eq!(
            second.class_at(pixel, flow.size, 0.3),
            Some(usize::from(model.centroids.decode(&x)[0]))
        );
    };
    check(&window);
    // With other outlines, other masks are compared.
    for _ in 0..2 {
        press(&mut window, Key::G);
        window.run_steps(2);
        compared(&mut window);
        check(&window);
    }
    let layout = &window.state().layout;
    let panel = layout.tiles.find_pane(&PanelKind::Compare).unwrap();
    assert!(
        layout.active_tiles().contains(&panel),
        "its numbers are in front"
    );
    let view = window.state().shared.settings.view.clone();
    assert_eq!(view.arrangement, Arrangement::Grid);
    assert_eq!(view.layers[1..3], [Layer::Second, Layer::Disagreement]);
    press(&mut window, Key::D);
    assert_eq!(window.state().shared.active_layer(), Layer::Disagreement);
    // The next photo is segmented by both.
    press(&mut window, Key::N);
    compared(&mut window);
    press(&mut window, Key::End);
    check(&window);
    press(&mut window, Key::K);
    window.run_steps(2);
    let app = &window.state().shared;
    assert!(app.second.is_none() && app.errors.first().is_none());
    assert_eq!(app.settings.view.arrangement, Arrangement::Single);
    assert_eq!(app.active_layer(), Layer::Overlay);
}

#[test]
fn the_numbers_of_a_comparison_are_scrolled_to_in_a_narrow_window() {
    let mut window = done(2, Theme::Dark);
    press(&mut window, Key::K);
    compared(&mut window);
    window.set_size(Vec2::new(720.0, 1000.0));
    window.run_steps(3);
    let tiles = &window.state().layout.tiles;
    let panel = tiles.find_pane(&PanelKind::Compare).unwrap();
    let area = tiles.rect(panel).unwrap();
    let last = |window: &Window| window.get_by_label_contains("B \u{2212} A").rect();
    let before = last(&window);
    assert!(before.right() > area.right(), "{before} in {area}");
    let over = pos2(area.center().x, before.center().y);
    window.event(Event::PointerMoved(over));
    window.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(-400.0, 0.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    window.run_steps(10);
    let after = last(&window);
    assert!(after.right() <= area.right(), "{after} in {area}");
}

#[test]
fn models_of_other_classes_are_compared_and_missing_ones_reported() {
    let folder = tempfile::tempdir().unwrap();
    let other = model_file(folder.path(), &["background", "nothing else"]);
    let mut window = done(2, Theme::Dark);
    let context = window.ctx.clone();
    let choice = |model: String| Choice {
        model,
        steps: Some(1),
        solver: Solver::Euler,
    };
    let missing = folder.path().join("missing.safetensors");
    let missing = choice(missing.to_string_lossy().into());
    window.state_mut().shared.compare(&context, missing);
    until(&mut window, "the refusal", |app| {
        app.shared
            .errors
            .lines()
            .iter()
            .any(|line| line.contains("missing.safetensors"))
    });
    let other = choice(other.to_string_lossy().into());
    window.state_mut().shared.compare(&context, other);
    compared(&mut window);
    let app = &window.state().shared;
    let second = app.second.as_ref().unwrap();
    let classes = second.classes.as_ref().unwrap();
    assert_eq!(classes.names().len(), 21);
    assert!(second.comparison(app.flow.as_ref().unwrap()).is_some());
    // Closing restores the canvas as it was before the first comparison.
    window.state_mut().shared.stop_comparing();
    assert_eq!(
        window.state().shared.settings.view.arrangement,
        Arrangement::Single
    );
}

#[test]
fn the_photos_of_a_class_are_listed_and_opened() {
    let mut window = done(1, Theme::Dark);
    let context = window.ctx.clone();
    window.state_mut().shared.list_class(&context, Some(0));
    until(&mut window, "all photos", |app| {
        let listed = app.shared.class_photos.as_ref();
        listed.is_some_and(|listed| listed.progress() == [4, 4])
    });
    window.run_steps(2);
    let app = &window.state().shared;
    let rows = app.class_photos.as_ref().unwrap().rows(false);
    // The background is in every sample.
    assert_eq!(rows.len(), 4);
    assert!(rows.windows(2).all(|pair| pair[0].share >= pair[1].share));
    assert!(rows.iter().all(|row| row.iou.is_some()));
    // The share in the open photo is that of its mask.
    let flow = app.flow.as_ref().unwrap();
    let (_, host) = flow.nearest(f32::MAX).unwrap();
    let open = rows.iter().find(|row| row.index == 0).unwrap();
    assert!(
        (open.share - host.shares[0]).abs() < 0.02,
        "{} and {}",
        open.share,
        host.shares[0]
    );
    let other = rows.iter().find(|row| row.index != 0).unwrap();
    // Other panels name the photos as well; only this list says how well the class was found.
    let place = other.index;
    let iou = format!("{:.1}", 100.0 * other.iou.unwrap());
    let text = format!("IoU {iou:>5}   {}", other.name);
    window.get_by_label_contains(&text).click();
    until(&mut window, "the photo", |app| {
        complete(app) && app.shared.photos.place().0 == place
    });
    // The list stays when another photo is shown, and closes with the model.
    assert!(window.state().shared.class_photos.is_some());
    window.state_mut().shared.choose_model("cells");
    until(&mut window, "the other model", |app| {
        app.shared
            .model
            .as_ref()
            .is_some_and(|model| model.name == "cells")
    });
    assert!(window.state().shared.class_photos.is_none());
}

#[test]
fn the_photos_of_a_class_are_listed_with_the_settings_of_the_flow() {
    let mut window = done(1, Theme::Dark);
    let context = window.ctx.clone();
    window.state_mut().shared.list_class(&context, Some(1));
    let listed = |app: &App, steps| {
        let listed = app.shared.class_photos.as_ref();
        listed.is_some_and(|listed| {
            listed.progress() == [4, 4] && listed.settings.sampling.steps == steps
        })
    };
    until(&mut window, "all photos", |app| listed(app, 1));
    let app = &mut window.state_mut().shared;
    let sampling = Sampling {
        steps: 2,
        ..app.flow_settings.sampling
    };
    run(app, &context, Command::Sample(sampling));
    // An open list follows the flow.
    until(&mut window, "all photos again", |app| listed(app, 2));
    let app = &mut window.state_mut().shared;
    assert_eq!(app.class_photos.as_ref().unwrap().class, 1);
    // Another class of the same numbers.
    app.list_class(&context, Some(0));
    let photos = app.class_photos.as_ref().unwrap();
    assert_eq!((photos.class, photos.progress()), (0, [4, 4]));
}

/// Two models may agree in their classes' colours and differ in their centroids: a custom palette, or the same
/// points in more dimensions.
#[test]
fn other_centroids_of_the_same_colours_are_uploaded() {
    let mut window = window(options(&[], 1), Theme::Dark);
    let renderer = window.state_mut().panels.canvas.renderer.as_mut().unwrap();
    let versions = [3, 8, 8].map(|dims| {
        let centroids = Centroids::kronecker_in(2, dims);
        let colours = [[200, 30, 30], [30, 30, 200]];
        renderer
            .set_classes(&centroids, &colours, &BTreeSet::new())
            .unwrap();
        renderer.classes_version()
    });
    assert!(versions[1] > versions[0]);
    assert_eq!(versions[2], versions[1]);
}
