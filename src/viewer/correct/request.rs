//! Requests of panels, keys and menus: plain data.

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The diameter of the brush in pixels of the photo.
pub(super) const DIAMETER: RangeInclusive<f32> = 1.0..=400.0;
/// The factor by which a key changes it.
pub(super) const GROWTH: f32 = 1.25;

/// The effect of pressing the button on the photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tool {
    #[default]
    Brush,
    /// Restores the network's label.
    Eraser,
    /// Gives the chosen class to a connected region.
    Fill,
}

/// Actions of the keyboard and the menu while a mask is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Correction {
    Tool(Tool),
    /// Limits strokes to the network's region, and makes fills use it.
    Snap,
    Pick,
    Smaller,
    Larger,
    Save,
    ChooseFolder,
    FineTune,
}

/// Requests of the panels. Points are in pixels of the photo.
pub(crate) enum Request {
    /// The point of the photo under the pointer, if there is one.
    Hover(Option<[f32; 2]>),
    Press([f32; 2]),
    /// The stroke continues to a point.
    Drag([f32; 2]),
    /// The stroke ends.
    Release,
    /// Chooses the class to paint; `u16::MAX` is none.
    Choose(u16),
    Diameter(f32),
    /// Appends a class.
    AddClass(String),
    /// The folder for corrected photos that was typed; nothing if that was given up.
    Folder(Option<PathBuf>),
    Leave(Answer),
    FineTune(FineTuneRequest),
}

/// An answer to a question about saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Save,
    /// Keeps them in the recovery file, from which they are restored when the photo is opened again.
    Later,
    Discard,
    Cancel,
    /// Saves over labels that are there already.
    Replace,
    /// Saves into another folder.
    OtherFolder,
}

/// A button of the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FineTuneRequest {
    Open,
    Close,
    /// Starts a new run.
    Start,
    /// Resumes the run that was stopped.
    Resume,
    Stop,
    Take,
    /// Closes the window while the run continues.
    LetRun,
}
