//! A window that is hidden, such as a minimised one: it is not drawn, and its threads go on.

use super::leaving::corrected;
use super::masks::{counts, of_folder};
use super::*;
use eframe::egui::{RawInput, ViewportCommand, ViewportEvent, ViewportId};

/// A turn of a hidden window, which may be asked to close. Returns what it demands of the system.
fn turn(window: &mut Window, closes: bool) -> Vec<ViewportCommand> {
    let mut input = RawInput::default();
    if closes {
        for viewport in input.viewports.values_mut() {
            viewport.events.push(ViewportEvent::Close);
        }
    }
    let context = window.ctx.clone();
    let output = context.run_logic(&input, |context| window.state_mut().follow(context));
    let commands = output.viewport_commands.get(&ViewportId::ROOT);
    commands.cloned().unwrap_or_default()
}

/// Takes turns of a hidden window until a condition holds.
#[track_caller]
fn until_hidden(window: &mut Window, what: &str, holds: impl Fn(&App) -> bool) {
    let begin = Instant::now();
    while !holds(window.state()) {
        turn(window, false);
        let late = begin.elapsed() > Duration::from_secs(120);
        assert!(!late, "{what}: timed out");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_hidden_window_goes_on_making_masks() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = of_folder(folder.path());
    until_hidden(&mut window, "the masks", |app| counts(app) == [3, 1, 0]);
}

#[test]
fn a_hidden_window_asks_before_it_closes_and_keeps_corrections() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = corrected(folder.path());
    let commands = turn(&mut window, true);
    for expected in [
        ViewportCommand::CancelClose,
        ViewportCommand::Minimized(false),
        ViewportCommand::Focus,
    ] {
        assert!(commands.contains(&expected), "{commands:?}");
    }
    assert!(window.state().shared.correct.asks());
    let kept = folder.path().join("kept");
    until_hidden(&mut window, "the recovery file", |_| {
        fs::read_dir(&kept).is_ok_and(|mut files| files.next().is_some())
    });
}
