//! Lessons: how the cards look, that the window answers their questions, and that it is afterwards as
//! it was.

use super::*;
use crate::texts::{Language, Texts};
use crate::vector_field::FieldKind;
use crate::viewer::exports::PictureKind;
use crate::viewer::lessons::Request;
use crate::viewer::view::Arrangement;
use eframe::egui::accessibility::is_input;
use egui_kittest::kittest::NodeT;

const CARDS: usize = 6;

/// A window with a small model's complete flow.
fn small(folder: &Path) -> Window {
    let mut of_small = options(&[], 3);
    of_small.model = Some(
        model_file(folder, &["left", "right", "top"])
            .to_string_lossy()
            .into(),
    );
    let mut window = window(of_small, Theme::Dark);
    window.state_mut().lessons.hurry = true;
    until(&mut window, "the flow", complete);
    window.run_steps(3);
    window
}

fn request(window: &mut Window, request: Request) {
    let app = window.state_mut();
    app.shared
        .emit(crate::viewer::app_event::AppEvent::Lesson(request));
    window.step();
}

/// Opens a card and waits until the window has measured it.
#[track_caller]
fn open(window: &mut Window, card: usize) {
    request(window, Request::Open(card));
    until(window, "the card", |app| {
        app.lessons.is_open() && complete(app) && app.still()
    });
}

fn leave(window: &mut Window) {
    request(window, Request::Leave);
    until(window, "the window as it was", complete);
    window.run_steps(3);
}

/// Everything that a lesson might change.
fn state(window: &Window) -> (egui_tiles::Tree<PanelKind>, String) {
    let app = window.state();
    let shared = &app.shared;
    let selection = &shared.selection;
    let flow = shared.flow.as_ref().map(|flow| {
        let times: Vec<f32> = flow.states.iter().map(|state| state.t).collect();
        (flow.name.clone(), flow.size, times, flow.settled.clone())
    });
    let text = format!(
        "{}\n{}\n{:?}",
        ron::to_string(&shared.settings).unwrap(),
        ron::to_string(&app.panels.field.settings).unwrap(),
        (
            app.panels.canvas.camera,
            shared.playhead,
            (&selection.pins, &selection.hidden, &selection.brushed),
            selection.can_undo(),
            shared.flow_settings,
            (shared.active_pane, shared.brushing, shared.correct.on),
            shared
                .model
                .as_ref()
                .map(|model| (&model.name, &model.colours)),
            (
                shared.photos.place(),
                shared.photos.item().map(|item| item.name())
            ),
            (shared.second.is_some(), shared.class_photos.is_some()),
            flow,
        )
    );
    (app.layout.clone(), text)
}

#[test]
fn every_card_looks_as_it_did() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, shade) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut window = done(10, theme);
        window.state_mut().lessons.hurry = true;
        for card in 0..CARDS {
            open(&mut window, card);
            // The right answer to some, a wrong one to others.
            match card {
                1 => request(&mut window, Request::Check),
                _ => request(&mut window, Request::Choose(1)),
            }
            window.run_steps(4);
            results.add(window.try_snapshot(format!("viewer-lesson-{}-{shade}", card + 1)));
        }
    }
}

#[test]
fn a_flow_with_other_settings_than_the_chosen_ones_is_sampled_again_after_a_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    // As if they had been chosen while a model was being opened.
    window.state_mut().shared.flow_settings.sampling.steps = 2;
    open(&mut window, 0);
    leave(&mut window);
    let app = &window.state().shared;
    let flow = app.flow.as_ref().unwrap();
    let now = app.flow_settings;
    assert_eq!((flow.settings, now.sampling.steps), (Some(now), 2));
}

/// From every card to every other one, the window is afterwards as it was.
#[test]
fn lessons_leave_the_window_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    // Choices that the lessons must not forget.
    let app = window.state_mut();
    app.shared.settings.view.arrangement = Arrangement::Swipe;
    app.shared.settings.view.divider = 0.3;
    app.shared.settings.looping = true;
    app.shared.settings.filmstrip = false;
    app.shared.active_pane = 1;
    app.shared.selection.toggle_pin(7);
    app.shared.selection.toggle_class(1);
    app.panels.field.settings.target = 2;
    app.panels.field.settings.potential.temperature = 3.0;
    app.panels.canvas.camera.zoom = 2.5;
    dock::reveal(&mut app.layout, PanelKind::Model);
    press(&mut window, Key::ArrowLeft);
    window.run_steps(4);
    let before = state(&window);
    for first in 0..CARDS {
        for second in 0..CARDS {
            open(&mut window, first);
            assert_ne!(state(&window), before);
            open(&mut window, second);
            request(&mut window, Request::Choose(0));
            request(&mut window, Request::Check);
            leave(&mut window);
            assert_eq!(state(&window), before, "{first}, then {second}");
        }
    }
    // All cards forwards and backwards, by keys.
    let key = |window: &mut Window, key| {
        window.key_press_modifiers(Modifiers::COMMAND, key);
        window.run_steps(3);
    };
    press(&mut window, Key::F6);
    window.run_steps(3);
    for direction in [Key::ArrowRight, Key::ArrowLeft] {
        for _ in 0..2 * CARDS {
            key(&mut window, direction);
        }
    }
    press(&mut window, Key::F6);
    until(&mut window, "the window as it was", complete);
    window.run_steps(3);
    assert_eq!(state(&window), before);
    // The selection can still be undone.
    key(&mut window, Key::Z);
    assert!(window.state().shared.selection.hidden.is_empty());
}

/// What the user does during a lesson ends with it, even if another photo or model was opened.
#[test]
fn a_photo_and_a_model_opened_in_a_lesson_close_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("own.png");
    image::RgbImage::from_pixel(24, 16, image::Rgb([90, 120, 30]))
        .save(&photo)
        .unwrap();
    let mut window = small(folder.path());
    press(&mut window, Key::End);
    window.run_steps(2);
    let before = state(&window);
    open(&mut window, 5);
    window.state_mut().shared.open_paths(vec![photo.clone()]);
    until(&mut window, "the photo", |app| {
        app.shared
            .flow
            .as_ref()
            .is_some_and(|flow| flow.name == "own.png")
            && complete(app)
    });
    // The card follows the new photo.
    until(&mut window, "the card", App::still);
    let app = &window.state().shared;
    assert_eq!(
        (app.selection.pins.len(), app.flow_settings.sampling.steps),
        (1, 10)
    );
    press(&mut window, Key::F3);
    leave(&mut window);
    let (layout, text) = state(&window);
    assert_eq!(layout, before.0);
    let recent = format!("recent:[{:?}]", photo.canonicalize().unwrap());
    assert_eq!(text.replace(&recent, "recent:[]"), before.1);

    open(&mut window, 0);
    window.state_mut().shared.choose_model("scenes");
    until(&mut window, "the other model", |app| {
        let model = app.shared.model.as_ref();
        model.is_some_and(|model| model.name == "scenes") && complete(app)
    });
    leave(&mut window);
    assert_eq!(state(&window).1.replace(&recent, "recent:[]"), before.1);
}

#[test]
fn nothing_of_a_replaced_model_comes_back_after_a_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    open(&mut window, 5);
    let shown = |window: &Window| window.state().shared.flow.as_ref().unwrap().id;
    let choose = |window: &mut Window, name: &str| {
        window.state_mut().shared.choose_model(name);
        until(window, "the other model", |app| {
            let model = app.shared.model.as_ref();
            model.is_some_and(|model| model.name == name) && complete(app)
        });
    };
    choose(&mut window, "scenes");
    let of_lesson = shown(&window);
    model_file(folder.path(), &["left", "right", "top", "bottom"]);
    leave(&mut window);
    // A flow that was set aside is older than those of the lesson.
    assert!(shown(&window) > of_lesson);
    let app = &window.state().shared;
    assert_eq!(app.model.as_ref().unwrap().classes.len(), 4);
    assert!(app.masks.done().next().is_none());
}

#[test]
fn a_comparison_ends_if_its_model_cannot_come_back_after_a_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    let layers = window.state().shared.settings.view.layers;
    press(&mut window, Key::K);
    until(&mut window, "both results", |app| {
        complete(app) && app.shared.is_compared()
    });
    open(&mut window, 5);
    window.state_mut().shared.choose_model("scenes");
    until(&mut window, "the other model", |app| {
        let model = app.shared.model.as_ref();
        model.is_some_and(|model| model.name == "scenes") && complete(app)
    });
    fs::remove_file(folder.path().join("other.safetensors")).unwrap();
    request(&mut window, Request::Leave);
    until(&mut window, "the failure", |app| {
        app.shared.errors.first().is_some() && !app.shared.busy()
    });
    let app = &window.state().shared;
    assert!(app.second.is_none() && app.settings.view.layers == layers);
}

/// A window closed during a lesson is remembered as it was before, with the chosen language.
#[test]
fn a_lesson_is_not_remembered_but_the_language_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    let (layout, _) = state(&window);
    open(&mut window, 3);
    window.state_mut().shared.settings.language = Language::German;
    window.step();
    let title = &Texts::of(Language::German).lessons.cards[3].title;
    assert!(window.query_by_label(title).is_some());
    let app = window.state();
    let (settings, panels, field) = app
        .lessons
        .remembered(&app.shared, &app.panels, &app.layout);
    assert_eq!(settings.view.arrangement, Arrangement::Single);
    assert_eq!(
        (settings.chosen_steps(), settings.language),
        (Some(3), Language::German)
    );
    assert!(*panels == layout && field.models_table);
    leave(&mut window);
    assert_eq!(window.state().shared.settings.language, Language::German);
}

/// Whether the comment on the answer says that it is right.
fn verdict(window: &Window) -> Option<bool> {
    window
        .state()
        .panels
        .lessons
        .verdict(&window.state().shared)
}

/// Of the choices of each card, exactly one is right, and the position of the second card is where the
/// pixel settles.
#[test]
fn the_window_answers_every_question() {
    let mut window = done(10, Theme::Dark);
    window.state_mut().lessons.hurry = true;
    for card in (0..CARDS).filter(|card| *card != 1) {
        open(&mut window, card);
        assert_eq!(verdict(&window), None, "not answered yet");
        let right = (0..3).map(|choice| {
            request(&mut window, Request::Choose(choice));
            verdict(&window).unwrap()
        });
        let right: Vec<bool> = right.collect();
        assert_eq!(
            right.iter().filter(|right| **right).count(),
            1,
            "card {card}: {right:?}"
        );
    }
    open(&mut window, 1);
    assert_eq!(window.state().shared.playhead.position, 0.0);
    let pixel = window.state().shared.selection.pins[0];
    let settled = window
        .state()
        .shared
        .flow
        .as_ref()
        .unwrap()
        .settled
        .clone()
        .unwrap();
    let step = settled[pixel];
    assert!(step > 0, "the pinned pixel changes its class");
    for at in 0..=10 {
        window.state_mut().shared.go_to(f32::from(at));
        request(&mut window, Request::Check);
        assert_eq!(
            verdict(&window),
            Some(at == step),
            "at step {at}, settled at {step}"
        );
    }
}

/// Cards that count particles take the fields that they ask about, and say so where those are not shown.
#[test]
fn an_answer_does_not_depend_on_which_fields_are_shown() {
    let mut window = done(10, Theme::Dark);
    window.state_mut().lessons.hurry = true;
    let texts = &Texts::of(Language::English).lessons;
    let checked = |app: &App| app.panels.lessons.verdict(&app.shared).is_some();
    for card in [3, 4] {
        open(&mut window, card);
        let right = (0..3).find(|&choice| {
            request(&mut window, Request::Choose(choice));
            verdict(&window) == Some(true)
        });
        assert!(right.is_some());
        // The reshaped field alone is what neither card asks about.
        let settings = &mut window.state_mut().panels.field.settings;
        settings.speed = 100;
        (settings.compare, settings.kind) = (false, FieldKind::Reshaped);
        window.run_steps(3);
        assert_eq!(verdict(&window), None);
        // One field is enough for the first of them.
        let hidden = [&texts.hidden, &texts.hidden_both][card - 3];
        assert!(window.query_by_label(hidden).is_some());
        window.state_mut().panels.field.settings.compare = true;
        until(&mut window, "the counts", checked);
        assert_eq!(verdict(&window), Some(true), "card {card}");
        window.step();
        assert!(window.query_by_label_contains("{share}").is_none());
    }
}

/// A right answer about one target does not turn into a wrong one about the next.
#[test]
fn another_target_takes_back_an_answer_that_is_no_longer_right() {
    let mut window = done(10, Theme::Dark);
    window.state_mut().lessons.hurry = true;
    open(&mut window, 3);
    let right = (0..3).find(|&choice| {
        request(&mut window, Request::Choose(choice));
        verdict(&window) == Some(true)
    });
    assert!(right.is_some());
    window.state_mut().panels.field.settings.speed = 100;
    for target in 0..11 {
        window.state_mut().panels.field.settings.target = target;
        window.run_steps(3);
        until(&mut window, "the counts", App::still);
        window.run_steps(2);
        match verdict(&window) {
            Some(right) => assert!(right, "target {target}"),
            None => return,
        }
    }
    panic!("all targets have the same right answer");
}

/// In a window of the usual least size, no button is cut off.
#[test]
fn the_cards_buttons_fit_into_a_small_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    window.set_size(Vec2::new(1024.0, 700.0));
    open(&mut window, 2);
    for language in Language::ALL {
        window.state_mut().shared.settings.language = language;
        window.run_steps(6);
        let texts = &Texts::of(language).lessons;
        for name in [&texts.leave, &texts.save, &texts.save_frames] {
            let places: Vec<_> = window.query_all_by_label(name).map(|n| n.rect()).collect();
            let fits =
                |place: &eframe::egui::Rect| place.right() <= 1024.0 && place.bottom() <= 700.0;
            let fit = !places.is_empty() && places.iter().all(fits);
            assert!(fit, "{language:?}, {name}: {places:?}");
        }
    }
}

/// The chart of what the last card asks about is in view.
#[test]
fn the_last_card_shows_when_pixels_settle() {
    let mut window = done(10, Theme::Dark);
    open(&mut window, 5);
    let chart = window.get_by_label("Pixels at their final class").rect();
    let tiles = &window.state().layout.tiles;
    let charts = tiles.find_pane(&PanelKind::Charts).unwrap();
    let panel = tiles.rect(charts).unwrap();
    // Below its title, a chart is at least 104 points high.
    assert!(panel.contains_rect(chart) && chart.bottom() + 104.0 < panel.bottom());
}

/// Everything that can be pressed has a name and can be reached by Tab.
#[test]
fn cards_have_names_for_screen_readers_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = small(folder.path());
    dock::reveal(&mut window.state_mut().layout, PanelKind::Lessons);
    window.run_steps(2);
    let texts = &Texts::of(Language::English).lessons;
    window.get_by_label_contains(&texts.cards[2].title).click();
    window.run_steps(2);
    assert!(window.state().lessons.is_open());
    for card in 0..CARDS {
        open(&mut window, card);
        let of_card = &texts.cards[card];
        assert!(window.query_by_label(&of_card.title).is_some());
        assert!(window.query_by_label(&of_card.text).is_some());
        let names = if card == 1 {
            vec![&texts.check]
        } else {
            of_card.choices.iter().collect()
        };
        let buttons = [
            &texts.back,
            &texts.next,
            &texts.leave,
            &texts.save,
            &texts.save_frames,
        ];
        let buttons = buttons.into_iter();
        for name in names.into_iter().chain(buttons) {
            let [low, high] = if card == 5 {
                ["50", "90"]
            } else {
                ["10", "40"]
            };
            let name = crate::texts::fill(name, &[("low", low), ("high", high)]);
            let found = window.query_all_by_label(&name).count();
            assert!(found > 0, "card {card}: {name}");
        }
        let unnamed = window.unnamed_widgets();
        assert!(unnamed.is_empty(), "card {card}: {unnamed:#?}");
    }
    let inputs = window.root().children_recursive();
    let inputs = inputs.filter(|node| is_input(node.accesskit_node().role()));
    assert!(inputs.count() > 20);
    // A choice by Tab and Space alone.
    open(&mut window, 2);
    let wanted = &texts.cards[2].choices[1];
    for _ in 0..200 {
        let focused = window
            .query_by_label(wanted)
            .is_some_and(|node| node.is_focused());
        if focused {
            break;
        }
        press(&mut window, Key::Tab);
    }
    press(&mut window, Key::Space);
    window.run_steps(2);
    assert_eq!(verdict(&window), Some(true));
}

/// The animation of a card about the photo and of one about the field: one picture for each state, with
/// a caption, and the window as before.
#[test]
fn animations_are_captioned_and_leave_the_card_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = done(10, Theme::Dark);
    window.state_mut().lessons.hurry = true;
    for (card, count) in [(1, 21), (2, 12)] {
        open(&mut window, card);
        let before = state(&window);
        let gif = folder.path().join(format!("{card}.gif"));
        window.state_mut().lessons.destination = Some(gif.clone());
        request(&mut window, Request::Save(PictureKind::Gif));
        until(&mut window, "the animation", |app| {
            app.shared.exports.written.as_ref() == Some(&gif)
        });
        until(&mut window, "the card", App::still);
        assert_eq!(state(&window), before, "{card}");
        let file = std::io::BufReader::new(fs::File::open(&gif).unwrap());
        let decoder = image::codecs::gif::GifDecoder::new(file).unwrap();
        let frames = image::AnimationDecoder::into_frames(decoder);
        let frames = frames.collect_frames().unwrap();
        assert_eq!(frames.len(), count);
        let first = frames[0].buffer();
        assert_ne!(first, frames[count - 1].buffer(), "{card}: nothing moves");
        // Ink on paper below the picture.
        let (width, height) = first.dimensions();
        let caption = image::imageops::crop_imm(first, 0, height - 70, width, 70).to_image();
        let light = caption.pixels().filter(|p| p[0] > 240).count();
        let dark = caption.pixels().filter(|p| p[0] < 80).count();
        assert!(
            light > 10 * dark && dark > 100,
            "{card}: {light} light, {dark} dark"
        );
    }
    // The same pictures every time, and none after giving up.
    let frames = ["a", "b"].map(|name| folder.path().join(name));
    for path in &frames {
        open(&mut window, 1);
        window.state_mut().lessons.destination = Some(path.clone());
        request(&mut window, Request::Save(PictureKind::Frames));
        until(&mut window, "the pictures", |app| {
            app.shared.exports.written.as_ref() == Some(path)
        });
    }
    for at in 0..21 {
        let [a, b] = [0, 1].map(|i| fs::read(frames[i].join(format!("{at:04}.png"))).unwrap());
        assert_eq!(a, b, "picture {at}");
    }
    open(&mut window, 1);
    let never = folder.path().join("never");
    window.state_mut().lessons.destination = Some(never.clone());
    request(&mut window, Request::Save(PictureKind::Frames));
    window.run_steps(8);
    request(&mut window, Request::Save(PictureKind::Frames));
    until(&mut window, "the card", App::still);
    window.run_steps(8);
    assert!(!never.exists() && window.state().panels.lessons.taken().is_none());
}
