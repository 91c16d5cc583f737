//! The texts of the panel "Train live", and of the pictures of a race.

use super::Named;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RaceTexts {
    pub(crate) title: String,
    /// Shown before the first race.
    pub(crate) intro: String,
    /// Shown until the first measurement.
    pub(crate) measuring: String,
    /// With the `error`.
    pub(crate) failed: String,
    pub(crate) toolbar: ToolbarTexts,
    pub(crate) controls: ControlTexts,
    pub(crate) figure: FigureTexts,
    pub(crate) picture: PictureTexts,
}

/// The row of buttons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolbarTexts {
    /// What the button shows, and its name and tooltip.
    pub(crate) start_button: String,
    pub(crate) start: Named,
    pub(crate) r#continue: String,
    pub(crate) pause: String,
    pub(crate) step: String,
    pub(crate) stop: String,
    pub(crate) restart: String,
    pub(crate) settings: String,
    pub(crate) speed: Named,
    pub(crate) full_speed: String,
    /// A limit of one step a second, and of `steps` a second.
    pub(crate) one_step: String,
    pub(crate) some_steps: String,
    pub(crate) export: String,
    pub(crate) animation: String,
    pub(crate) last_frame: String,
    pub(crate) curves: String,
    pub(crate) table: String,
    pub(crate) opening: String,
    /// At a `step` of `steps`.
    pub(crate) counted: String,
    /// At a `step` of `steps`, of a race that ends after `seconds` if it has not ended by then.
    pub(crate) timed: String,
    /// A `status` as above, of a paused race.
    pub(crate) paused: String,
    /// After `steps`.
    pub(crate) ended: String,
}

/// The settings of the next race.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlTexts {
    pub(crate) shared: String,
    /// The headings; a side has a `letter`.
    pub(crate) scene: String,
    pub(crate) side: String,
    pub(crate) view: String,
    pub(crate) classes: Named,
    pub(crate) folder: Named,
    /// The hint in an empty field for a folder.
    pub(crate) procedural: String,
    pub(crate) browse: Named,
    pub(crate) size: Named,
    /// A size of `side` by `side` pixels.
    pub(crate) pixels: String,
    pub(crate) steps: Named,
    pub(crate) solver_steps: Named,
    pub(crate) seed: Named,
    /// With the `device`.
    pub(crate) device: Named,
    pub(crate) slice_across: Named,
    pub(crate) slice_at: Named,
    pub(crate) turn: Named,
    pub(crate) red: Named,
    pub(crate) green: Named,
    pub(crate) blue: Named,
    pub(crate) objective: Named,
    pub(crate) vanilla: Named,
    pub(crate) reshaped: Named,
    pub(crate) annealed: Named,
    pub(crate) twin: Named,
    pub(crate) operator: Named,
    pub(crate) log: Named,
    pub(crate) sqrt: Named,
    pub(crate) linear: Named,
    pub(crate) unit: Named,
    pub(crate) temperature: Named,
    pub(crate) epsilon: Named,
    pub(crate) prediction: Named,
    pub(crate) target: Named,
    pub(crate) velocity: Named,
    pub(crate) times: Named,
    pub(crate) early: Named,
    pub(crate) uniform: Named,
    pub(crate) middle: Named,
    pub(crate) time_zero: Named,
    pub(crate) order: Named,
    pub(crate) by_index: Named,
    pub(crate) assigned: Named,
}

/// What is measured, in the window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FigureTexts {
    pub(crate) photo: Named,
    pub(crate) truth: Named,
    /// With the `name` of a side, its `miou`, the solver's `steps` and the count of `scenes`.
    pub(crate) mask: Named,
    pub(crate) miou: Named,
    pub(crate) loss: Named,
    pub(crate) gradient: Named,
    pub(crate) traversals: Named,
    /// The horizontal axes of these charts.
    pub(crate) step: String,
    pub(crate) distance: String,
    /// With the `name` of a side.
    pub(crate) targets: Named,
    /// With the `name` of a side, the `axis` that the slice is across, and where `at`.
    pub(crate) slice: Named,
}

/// What is written into pictures of a race.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PictureTexts {
    /// Side `a` against side `b`.
    pub(crate) against: String,
    /// A `step` of `steps`, and one of a race that ends by time.
    pub(crate) counted: String,
    pub(crate) timed: String,
    pub(crate) photo: String,
    pub(crate) truth: String,
    /// With the `name` of a side and its `miou`.
    pub(crate) score: String,
    pub(crate) miou: String,
    pub(crate) loss: String,
    pub(crate) traversals: String,
    /// With the `seed`, the solver's `steps`, the count of `scenes` and of `classes`.
    pub(crate) caption: String,
}
