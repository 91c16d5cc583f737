//! The panel "Train live", with races of a few steps.

use super::*;
use crate::race::{NetworkSizes, RaceConfig, Record};
use crate::texts::{Language, Texts, fill};
use crate::train::objective::Objective;
use egui_kittest::kittest::NodeT;

/// A window with the panel in front, which paused the default race after that many steps.
fn racing(steps: u64, theme: Theme) -> Window {
    let mut window = window(
        Options {
            front: Front::Race { pause_after: steps },
            ..options(&[], 1)
        },
        theme,
    );
    until(&mut window, "the flow", complete);
    until(&mut window, "the race", |app| app.panels.race.settled());
    window.run_steps(3);
    window
}

/// Settings of a race that takes an instant.
fn short(steps: u64) -> RaceConfig {
    RaceConfig {
        classes: 5,
        size: [16, 16],
        steps,
        measure_every: 2,
        held_out: 2,
        solver_steps: 2,
        batch_size: 2,
        network: NetworkSizes {
            hidden_size: 16,
            heads: 2,
            pixel_width: 4,
            transformer_blocks: 1,
            ..NetworkSizes::default()
        },
        ..RaceConfig::default()
    }
}

/// A window with the panel in front, ready for a race with these settings.
fn ready(config: RaceConfig) -> Window {
    let mut window = racing(0, Theme::Dark);
    window.state_mut().panels.race.settings = config;
    window
}

fn step(app: &App) -> Option<u64> {
    app.panels.race.record.as_ref().map(Record::step)
}

fn press_button(window: &mut Window, name: &str) {
    window.get_by_label(name).click();
    window.step();
}

/// Idle, running (paused for the picture) and done, in both themes.
#[test]
fn pictures_of_a_race() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, shade) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut idle = racing(0, theme);
        results.add(idle.try_snapshot(format!("race-idle-{shade}")));

        let mut running = racing(4, theme);
        assert_eq!(step(running.state()), Some(4));
        results.add(running.try_snapshot(format!("race-running-{shade}")));

        let mut done = racing(0, theme);
        done.state_mut().panels.race.settings = RaceConfig {
            steps: 8,
            measure_every: 2,
            ..RaceConfig::default()
        };
        press_button(&mut done, "Start the race");
        until(&mut done, "the end", |app| {
            app.panels.race.race.is_none() && app.panels.race.settled()
        });
        done.event(Event::PointerGone);
        done.run_steps(3);
        results.add(done.try_snapshot(format!("race-done-{shade}")));
    }
}

#[test]
fn a_race_starts_pauses_steps_and_restarts_with_another_seed() {
    let mut window = ready(short(1_000_000));
    press_button(&mut window, "Start the race");
    until(&mut window, "a few steps", |app| step(app) > Some(4));
    press_button(&mut window, "Pause the race");
    until(&mut window, "the pause", |app| app.panels.race.settled());
    let paused = step(window.state()).unwrap();
    press_button(&mut window, "One training step of both sides, then pause");
    until(&mut window, "a step", |app| step(app) == Some(paused + 1));
    press_button(&mut window, "Continue the race");
    until(&mut window, "more steps", |app| {
        step(app) > Some(paused + 1)
    });
    press_button(&mut window, "Restart with the next seed");
    until(&mut window, "the new race", |app| step(app) == Some(0));
    let record = window.state().panels.race.record.as_ref().unwrap();
    assert_eq!(record.config.seed, 1);
    press_button(&mut window, "End the race here");
    until(&mut window, "the end", |app| app.panels.race.race.is_none());
    assert!(window.query_by_label("Start the race").is_some());
    assert!(!window.state().shared.errors.open);
}

/// More steps than reports fit into the queue of a race.
#[test]
fn a_race_goes_on_while_another_panel_covers_it() {
    let mut window = ready(short(1_000_000));
    press_button(&mut window, "Start the race");
    dock::reveal(&mut window.state_mut().layout, PanelKind::Canvas);
    until(&mut window, "steps out of sight", |app| {
        step(app) > Some(60)
    });
    dock::reveal(&mut window.state_mut().layout, PanelKind::Race);
    window.step();
    press_button(&mut window, "End the race here");
    until(&mut window, "the end", |app| {
        app.panels.race.race.is_none() && app.panels.race.settled()
    });
}

/// Everything that the panel says is in the texts of the language: nothing of the English ones is left.
#[test]
fn the_panel_speaks_the_chosen_language() {
    let mut window = ready(short(2));
    window.state_mut().shared.settings.language = Language::German;
    window.run_steps(2);
    let texts = &Texts::of(Language::German).race;
    press_button(&mut window, &texts.toolbar.start.name);
    until(&mut window, "the end", |app| {
        step(app) == Some(2) && app.panels.race.settled()
    });
    press_button(&mut window, &texts.toolbar.settings);
    window.run_steps(2);
    let controls = &texts.controls;
    let mut expected = vec![
        fill(&texts.toolbar.ended, &[("steps", "2")]),
        fill(&controls.side, &[("letter", "B")]),
        fill(&texts.figure.targets.name, &[("name", "vanilla")]),
        fill(&texts.figure.slice.name, &[("name", "reshaped")]),
    ];
    let figure = &texts.figure;
    let named = [
        &controls.browse,
        &controls.objective,
        &controls.time_zero,
        &controls.assigned,
        &figure.truth,
        &figure.loss,
        &figure.traversals,
    ];
    expected.extend(named.map(|texts| texts.name.clone()));
    for text in expected {
        assert!(window.query_all_by_label(&text).count() > 0, "{text}");
    }
    let english = &Texts::of(Language::English).race;
    for text in [&english.figure.loss.name, &english.controls.objective.name] {
        assert_eq!(window.query_all_by_label(text).count(), 0, "{text}");
    }
}

/// A screen reader finds everything that is drawn, with its numbers.
#[test]
fn everything_shown_has_a_name() {
    let mut config = short(2);
    config.b.objective = Objective::CrossEntropy;
    let mut window = ready(config);
    press_button(&mut window, "Start the race");
    until(&mut window, "the end", |app| {
        step(app) == Some(2) && app.panels.race.settled()
    });
    let record = window.state().panels.race.record.as_ref().unwrap();
    let score = |side: usize| 100.0 * record.last().unwrap()[side].miou;
    for name in [
        "Photo".to_owned(),
        "Ground truth".to_owned(),
        format!("vanilla: mIoU {:.1} %", score(0)),
        format!("cross-entropy: mIoU {:.1} %", score(1)),
        "mIoU (%)".to_owned(),
        "Loss".to_owned(),
        "Gradient by distance".to_owned(),
        "Traversals (%)".to_owned(),
        "Predicted targets, vanilla".to_owned(),
        "Velocity, cross-entropy".to_owned(),
        "Speed of the race".to_owned(),
        "Export the race".to_owned(),
    ] {
        assert!(window.query_all_by_label(&name).count() > 0, "{name}");
    }
    // Controls can be reached by the Tab key.
    let mut reached = false;
    for _ in 0..200 {
        press(&mut window, Key::Tab);
        reached |= window
            .get_by_label("Restart with the next seed")
            .accesskit_node()
            .is_focused();
    }
    assert!(reached);
}

#[test]
fn a_race_that_cannot_run_says_why() {
    let mut window = ready(RaceConfig {
        size: [4, 4],
        ..short(2)
    });
    press_button(&mut window, "Start the race");
    window.step();
    let says = |window: &Window, text: &str| window.query_by_label_contains(text).is_some();
    assert!(says(&window, "size is [4,4]"));
    window.state_mut().panels.race.settings = RaceConfig {
        data: None,
        ..short(2)
    };
    window.state_mut().panels.race.folder = "no-such-folder".into();
    press_button(&mut window, "Start the race");
    until(&mut window, "the failure", |app| {
        app.panels.race.race.is_none()
    });
    window.step();
    assert!(says(&window, "no-such-folder"));
}

/// The default race of a resting window requests no frames, and neither does a paused one.
#[test]
fn a_paused_race_rests() {
    let mut window = racing(2, Theme::Dark);
    window.run_steps(5);
    let rest = window.try_run().unwrap();
    assert!(rest <= 2, "{rest} frames");
}
