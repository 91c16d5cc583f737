//! The window as a user sees it, on any available adapter, such as Mesa's software one: each state is
//! compared with kept pictures, and interactions are checked by the state.

mod compare;
mod controls;
mod correct;
mod corrections;
mod exports;
mod fine_tuning;
mod hidden;
mod leaving;
mod lessons;
mod masks;
mod memory;
mod network;
mod opening;
mod race;
mod selection;
mod strokes;

use super::app::App;
use super::app_state::Devices;
use super::panels::PanelKind;
use super::{Front, Options, dock, view};
use crate::device::Choice;
use crate::gpu::canvas::Layer;
use crate::model::Fit;
use burn::tensor::Device;
use eframe::egui::{self, Event, Key, Modifiers, PointerButton, Theme, Vec2, pos2};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, SnapshotOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pixels that may differ from a kept picture: adapters round edges of text slightly differently, as do
/// processors a network's states. A moved panel differs in tens of thousands.
const DIFFERENT_PIXELS: usize = 2500;

type Window = Harness<'static, App>;

fn options(paths: &[&Path], steps: usize) -> Options {
    Options {
        device: Choice::Cpu,
        model: None,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        solver: None,
        steps: Some(steps),
        screenshot: None,
        front: Front::Photo,
        language: None,
        theme: None,
        size: None,
    }
}

fn window(options: Options, theme: Theme) -> Window {
    Harness::builder()
        .with_size(Vec2::new(1280.0, 800.0))
        .with_theme(theme)
        .with_max_steps(64)
        .with_options(SnapshotOptions::new().max_failed_pixels(DIFFERENT_PIXELS))
        .wgpu()
        .build_eframe(move |creation| {
            let devices = Devices {
                compute: "CPU".into(),
                note: None,
                adapter: "test adapter".into(),
                software: true,
            };
            let state = creation.wgpu_render_state.as_ref();
            let device = Device::flex();
            App::new(&creation.egui_ctx, state, device, devices, None, &options)
        })
}

/// Draws frames until a condition holds.
#[track_caller]
fn until(window: &mut Window, what: &str, holds: impl Fn(&App) -> bool) {
    let begin = Instant::now();
    loop {
        window.step();
        if holds(window.state()) {
            return;
        }
        let errors = window.state().shared.errors.lines();
        let late = begin.elapsed() > Duration::from_secs(120);
        assert!(!late, "{what}: timed out: {errors:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn complete(app: &App) -> bool {
    !app.shared.busy()
        && app
            .shared
            .flow
            .as_ref()
            .is_some_and(|flow| flow.settled.is_some())
}

/// A window with a complete flow, at its end.
fn done(steps: usize, theme: Theme) -> Window {
    let mut window = window(options(&[], steps), theme);
    until(&mut window, "the flow", complete);
    press(&mut window, Key::End);
    window.run_steps(3);
    window
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.step();
}

fn click(window: &mut Window, at: egui::Pos2) {
    window.event(Event::PointerMoved(at));
    window.step();
    for pressed in [true, false] {
        window.event(Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        window.step();
    }
}

/// A model file with its own classes and random weights.
fn model_file(folder: &Path, classes: &[&str]) -> PathBuf {
    let model = crate::model::testing::tiny(classes, [16, 24], |_| ());
    let path = folder.join("other.safetensors");
    crate::model::file::write(&path, &model, crate::model::tensors::Precision::Single).unwrap();
    path
}

/// Every panel in its empty, loading, done and failed state, in both themes. The field and the runs
/// panels have their own pictures.
#[test]
fn pictures_of_every_state() {
    let mut results = egui_kittest::SnapshotResults::new();
    let folder = tempfile::tempdir().unwrap();
    let missing = Path::new("no-such-photo.png");
    for (theme, shade) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut picture = |mut window: Window, state: &str| {
            for panels in [
                [PanelKind::Classes, PanelKind::Pixel],
                [PanelKind::Model, PanelKind::Charts],
            ] {
                for panel in panels {
                    dock::reveal(&mut window.state_mut().layout, panel);
                }
                window.run_steps(3);
                let name = format!("viewer-{state}-{:?}-{shade}", panels[0]).to_lowercase();
                results.add(window.try_snapshot(name));
            }
        };
        let mut empty = window(options(&[folder.path()], 2), theme);
        until(&mut empty, "the empty folder", |app| {
            app.shared.errors.open && !app.shared.busy()
        });
        // The folder has a different name every time, so its line is not part of the picture.
        empty.state_mut().shared.errors = Default::default();
        picture(empty, "empty");

        // Before the worker's first answer.
        let mut loading = window(options(&[missing], 2), theme);
        loading.state_mut().shared.silence();
        picture(loading, "loading");

        let mut failed = window(options(&[missing], 2), theme);
        until(&mut failed, "the failure", |app| app.shared.errors.open);
        picture(failed, "failed");

        let mut whole = done(4, theme);
        click(&mut whole, pos2(480.0, 380.0));
        whole.event(Event::PointerGone);
        whole.run_steps(3);
        picture(whole, "done");

        let mut keys = done(4, theme);
        press(&mut keys, Key::F4);
        press(&mut keys, Key::Questionmark);
        keys.run_steps(3);
        results.add(keys.try_snapshot(format!("viewer-keys-{shade}")));
    }
}

/// A mask has its data set's own colours if they are known and wanted.
#[test]
fn masks_take_the_colours_of_their_data_set() {
    let mut of_streets = options(&[], 2);
    of_streets.model = Some("street".into());
    let mut window = window(of_streets, Theme::Dark);
    until(&mut window, "the flow", complete);
    let colour = |window: &Window| {
        let model = window.state().shared.model.as_ref().unwrap();
        let road = model.card.classes.iter().position(|name| name == "road");
        model.colours[road.unwrap()]
    };
    let own = colour(&window);
    press(&mut window, Key::C);
    assert_eq!(colour(&window), [128, 64, 128]);
    press(&mut window, Key::C);
    assert_eq!(colour(&window), own);
}

#[test]
fn keys_scrub_and_play() {
    let mut window = done(4, Theme::Dark);
    assert_eq!(window.state().shared.playhead.position, 4.0);
    press(&mut window, Key::ArrowLeft);
    assert_eq!(window.state().shared.playhead.position, 3.0);
    press(&mut window, Key::Home);
    assert_eq!(window.state().shared.playhead.position, 0.0);
    assert!(!window.state().shared.playhead.playing);
    press(&mut window, Key::Space);
    assert!(window.state().shared.playhead.playing);
    until(&mut window, "the end", |app| {
        app.shared.playhead.position == 4.0
    });
    window.run_steps(2);
    assert!(!window.state().shared.playhead.playing);
}

#[test]
fn a_loop_draws_the_last_state_before_it_begins_again() {
    let mut window = done(4, Theme::Dark);
    let app = &mut window.state_mut().shared;
    app.settings.looping = true;
    app.go_to(3.5);
    app.playhead.playing = true;
    assert!(app.advance(100.0));
    assert_eq!(app.playhead.position, 4.0);
    assert!(app.advance(0.01));
    assert_eq!(app.playhead.position, 0.0);
    assert!(app.playhead.playing);
}

#[test]
fn a_flow_that_was_stopped_is_played_again_to_its_last_state() {
    let mut window = done(4, Theme::Dark);
    // As if it had been stopped half-way.
    window.state_mut().shared.flow_settings.sampling.steps = 8;
    window.state_mut().shared.go_to(7.0);
    assert_eq!(window.state().shared.playhead.position, 4.0);
    press(&mut window, Key::End);
    assert_eq!(window.state().shared.playhead.position, 4.0);
    press(&mut window, Key::Space);
    assert!(window.state().shared.playhead.position < 4.0);
    until(&mut window, "the last state", |app| {
        !app.shared.playhead.playing
    });
    assert_eq!(window.state().shared.playhead.position, 4.0);
}

/// An idle window requests no frames.
#[test]
fn an_idle_window_rests() {
    let mut window = done(2, Theme::Dark);
    window.run_steps(5);
    let rest = window.try_run().unwrap();
    assert!(rest <= 2, "{rest} frames");
}

#[test]
fn layers_and_arrangements_follow_their_keys() {
    let mut window = done(2, Theme::Dark);
    press(&mut window, Key::Num2);
    assert_eq!(window.state().shared.active_layer(), Layer::Raw);
    // The samples are scenes of the model's classes, so their labels are known.
    press(&mut window, Key::Num5);
    assert_eq!(window.state().shared.active_layer(), Layer::Truth);
    press(&mut window, Key::F3);
    let view = &window.state().shared.settings.view;
    assert_eq!(view.arrangement, view::Arrangement::Swipe);
    press(&mut window, Key::Plus);
    assert!(window.state().panels.canvas.camera.zoom > 1.2);
    press(&mut window, Key::F);
    assert_eq!(window.state().panels.canvas.camera.zoom, 1.0);
}

#[test]
fn the_model_panel_shows_the_fit_and_the_steps_of_a_model() {
    let mut window = done(1, Theme::Dark);
    dock::reveal(&mut window.state_mut().layout, PanelKind::Model);
    for (fit, steps, texts) in [
        (
            Fit::Aspect,
            None,
            ["photos keep their aspect ratio", "10 steps by default"],
        ),
        (
            Fit::Stretch,
            Some(7),
            ["photos are stretched", "7 steps recommended"],
        ),
    ] {
        let model = window.state_mut().shared.model.as_mut().unwrap();
        (model.card.fit, model.card.sampling_steps) = (fit, steps);
        window.run_steps(2);
        for text in texts {
            assert!(window.query_by_label(text).is_some(), "{text}");
        }
    }
}

/// A pixel under the pointer may be outside the next flow's smaller states.
#[test]
fn the_hovered_pixel_is_forgotten_with_its_flow() {
    let mut window = done(1, Theme::Dark);
    window.event(Event::PointerMoved(pos2(700.0, 540.0)));
    window.step();
    let pixel = window.state().shared.hover.pixel.unwrap();
    // Hide the canvas, which would update the pixel under the pointer.
    dock::reveal(&mut window.state_mut().layout, PanelKind::Runs);
    window.step();
    let app = &mut window.state_mut().shared;
    app.flow_settings.scale = 0.5;
    app.sample();
    until(&mut window, "the smaller flow", complete);
    let app = &window.state().shared;
    assert!(app.flow.as_ref().unwrap().pixels() <= pixel);
    assert_eq!(app.hover.pixel, None);
}

#[test]
fn sampling_is_cancelled_within_a_step() {
    let mut window = window(options(&[], 100), Theme::Dark);
    until(&mut window, "a state", |app| {
        app.shared
            .flow
            .as_ref()
            .is_some_and(|flow| flow.states.len() > 1)
    });
    press(&mut window, Key::Escape);
    assert!(!window.state().shared.busy());
    let states = |window: &Window| window.state().shared.flow.as_ref().unwrap().states.len();
    let before = states(&window);
    std::thread::sleep(Duration::from_millis(300));
    window.run_steps(3);
    assert_eq!(states(&window), before);
    assert!(before < 101);
}

/// A state and its numbers are two events, and the flow may be stopped between them.
#[test]
fn a_state_whose_numbers_do_not_arrive_is_dropped() {
    let mut window = done(2, Theme::Dark);
    let app = &mut window.state_mut().shared;
    let flow = app.flow.as_mut().unwrap();
    flow.push(1.0, None);
    app.playhead.position = 2.5;
    app.cancel();
    let flow = app.flow.as_ref().unwrap();
    assert_eq!(flow.states.len(), 3);
    assert!(flow.nearest(3.0).is_some());
    assert_eq!(app.playhead.position, 2.0);
}

#[test]
fn old_states_leave_graphics_memory_and_come_back() {
    let mut window = done(8, Theme::Dark);
    let app = &mut window.state_mut().shared;
    let dims = app.model.as_ref().unwrap().centroids.dims();
    let flow = app.flow.as_mut().unwrap();
    assert_eq!(flow.resident(), 9);
    flow.budget = 3 * 4 * dims * flow.pixels();
    press(&mut window, Key::ArrowLeft);
    window.run_steps(2);
    let resident = |window: &Window| window.state().shared.flow.as_ref().unwrap().resident();
    assert_eq!(resident(&window), 3);
    press(&mut window, Key::Home);
    window.run_steps(2);
    let app = window.state_mut();
    assert!(app.panels.canvas.sources(&app.shared).unwrap().is_some());
    assert!(resident(&window) <= 3);
}

/// Photos with extreme sides are visible, at least as a line.
#[test]
fn photos_of_extreme_shapes_are_visible() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(40_000, 20), (1, 2800), (20_000, 400)] {
        let path = folder.path().join(format!("{width}.png"));
        let red = image::RgbImage::from_pixel(width, height, image::Rgb([250, 20, 20]));
        red.save(&path).unwrap();
        let mut window = window(options(&[&path], 1), Theme::Dark);
        until(&mut window, "the flow", complete);
        press(&mut window, Key::Num1);
        window.run_steps(3);
        assert!(window.state().shared.errors.first().is_none());
        let picture = window.render().unwrap();
        let canvas = image::imageops::crop_imm(&picture, 10, 120, 900, 450).to_image();
        let seen = canvas.pixels().filter(|p| p[0] > 200 && p[1] < 60).count();
        assert!(
            seen >= 400,
            "{width} x {height}: {seen} pixels of the photo"
        );
    }
}

#[test]
fn a_tiny_window_has_room_for_everything() {
    let mut window = window(options(&[], 1), Theme::Dark);
    window.set_size(Vec2::splat(320.0));
    until(&mut window, "the flow", complete);
    for panel in [PanelKind::Canvas, PanelKind::Field, PanelKind::Runs] {
        dock::reveal(&mut window.state_mut().layout, panel);
        window.run_steps(3);
    }
    assert!(window.state().shared.errors.first().is_none());
}

/// Class names in scripts that the built-in fonts lack are drawn, whatever fonts this machine has: the
/// harness refuses to draw a missing glyph.
#[test]
fn class_names_of_every_script_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = [
        ["人行道", "机动车", "天空树", "建筑物"],
        ["شارع", "سماء", "شجرة", "إشارة مرور"],
        ["सड़क", "पेड़", "आकाश", "भवन"],
        ["дорога", "небо", "лес", "дом"],
        ["δρόμος", "ουρανός", "🌳", "\u{e000}"],
    ];
    for names in scripts {
        let pictures = [0, 1].map(|turn| {
            let mut names = names;
            names.rotate_left(turn);
            let mut of_script = options(&[], 1);
            let model = model_file(folder.path(), &names);
            of_script.model = Some(model.to_string_lossy().into());
            let mut window = window(of_script, Theme::Dark);
            until(&mut window, "the flow", complete);
            window.run_steps(3);
            window.render().unwrap()
        });
        assert_ne!(pictures[0], pictures[1], "{names:?}");
    }
}

fn still(app: &App) -> bool {
    app.still()
}

/// A screenshot of runs, of a folder of runs or of a model alone does not wait for a photo.
#[test]
fn runs_and_models_alone_come_to_rest() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/a");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("metrics.jsonl"), "{\"step\":1,\"loss\":2.0}\n").unwrap();
    for path in [run, folder.path().join("runs")] {
        let mut window = window(options(&[&path], 1), Theme::Dark);
        until(&mut window, "rest", still);
        let state = window.state();
        assert!(state.shared.errors.first().is_none());
        assert!(
            state
                .layout
                .active_tiles()
                .contains(&state.layout.tiles.find_pane(&PanelKind::Runs).unwrap())
        );
    }
    let model = model_file(folder.path(), &["left", "right"]);
    // Runs show the classes of their own model, once there is one.
    let run = folder.path().join("runs/a");
    fs::copy(&model, run.join("best.safetensors")).unwrap();
    let mut of_run = window(options(&[&run], 1), Theme::Dark);
    until(&mut of_run, "the run's model", |app| {
        let model = app.shared.model.as_ref();
        still(app) && model.is_some_and(|model| model.card.classes == ["left", "right"])
    });
    let mut window = window(options(&[&model], 1), Theme::Dark);
    until(&mut window, "rest", still);
    let app = &window.state().shared;
    assert_eq!(app.model.as_ref().unwrap().card.classes, ["left", "right"]);
    assert!(complete(window.state()) && app.errors.first().is_none());
}

#[test]
fn the_report_for_bug_reports_is_shown_and_copied() {
    let mut window = done(2, Theme::Dark);
    window.get_by_label("Help").click();
    window.run_steps(2);
    window.get_by_label_contains("Devices and system").click();
    until(&mut window, "the adapters", |app| {
        app.panels.device.is_complete()
    });
    window.run_steps(2);
    window.get_by_label_contains("Copy").click();
    window.step();
    let copied = window.output().platform_output.commands.iter();
    let copied: Vec<String> = copied
        .filter_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    let [text] = &copied[..] else {
        panic!("{copied:?}")
    };
    let adapters = crate::device::adapters();
    let name = &adapters[0].info.name;
    for part in [
        "Compute: ",
        "Graphics: ",
        "flowseg 0.",
        "wgpu:0",
        name,
        "max_buffer_size",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    press(&mut window, Key::Escape);
    assert!(!window.state().shared.dialogs.devices);
}
