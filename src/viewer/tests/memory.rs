//! What the window remembers from one start to the next.

use super::*;
use crate::viewer::field;
use crate::viewer::memory::Memory;
use crate::viewer::settings::{self, Settings};
use ron::value::RawValue;

/// What another start of the program reads from a file whose text was changed.
fn remembered(change: impl Fn(String) -> String) -> Memory {
    let mut memory = Memory {
        settings: Settings {
            recent: vec!["/data/kept.jpg".into()],
            ..Settings::default()
        },
        panels: dock::tree(),
        field: field::FieldSettings {
            classes: 40,
            ..Default::default()
        },
    };
    memory.settings.choose_steps(Some(33));
    memory.settings.view.fine = false;
    let text = change(ron::to_string(&memory).unwrap());
    Memory::of(RawValue::from_ron(&text).unwrap())
}

#[test]
fn what_is_remembered_survives_a_file() {
    let read = remembered(|text| text);
    let steps = read.settings.chosen_steps();
    assert_eq!((steps, read.field.classes), (Some(33), 40));
    assert!(!read.settings.view.fine);
    assert!(dock::is_sound(&read.panels));
}

/// A later version has another panel, another solver, another layer and one more setting: each loses
/// only itself.
#[test]
fn what_this_version_does_not_know_costs_nothing_else() {
    for (from, to) in [
        ("Pane(Runs)", "Pane(Depth)"),
        ("solver:euler", "solver:adaptive(tolerance:1e-3)"),
        ("layers:(Overlay", "layers:(Depth"),
        (
            "recent_models:[]",
            "recent_models:[],favourites:{\"a\":Some(1)}",
        ),
        ("target:4", "target:\"all\""),
    ] {
        let read = remembered(|text| {
            assert!(text.contains(from), "{from} is not in {text}");
            text.replace(from, to)
        });
        assert_eq!(read.settings.recent, [Path::new("/data/kept.jpg")], "{to}");
        let steps = read.settings.chosen_steps();
        assert_eq!((steps, read.field.classes), (Some(33), 40), "{to}");
        assert_eq!(read.settings.solver, crate::sampler::Solver::Euler, "{to}");
        assert!(dock::is_sound(&read.panels), "{to}");
    }
    let read = Memory::of(RawValue::from_ron("[1, 2]").unwrap());
    assert_eq!(read.settings.chosen_steps(), None);
    assert!(dock::is_sound(&read.panels));
}

/// Numbers that would make the window unusable are corrected before the first frame.
#[test]
fn a_window_opens_with_absurd_remembered_numbers() {
    let memory = remembered(|text| {
        let text = text.replace("scale:1.0)", "scale:0.0)");
        let text = text.replace("speed:6.0", "speed:NaN");
        let text = text.replace("steps:33", "steps:0");
        text.replace("opacity:0.7", "opacity:NaN")
    });
    assert_eq!(memory.settings.scale, *settings::SCALE.start());
    let steps = memory.settings.chosen_steps();
    assert_eq!((memory.settings.speed, steps), (6.0, Some(1)));
    assert_eq!(memory.settings.view.opacity, 0.7);
}
