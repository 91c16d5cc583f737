//! Commands: requests of panels, menus and keys. `table` lists those with a name, `enabled` says which
//! of these have an effect now, and `run` carries them all out.

mod buttons;
mod enabled;
mod group;
pub(super) mod run;
mod table;

pub(super) use buttons::{button, keys_now, toggle, tooltip};
pub(super) use enabled::{exports_list, is_enabled, is_on};
pub(super) use group::Group;
pub(super) use table::{
    Action, Entry, TABLE, entry, help, keys_of, pressed, pressed_numbers, text,
};

use super::brush::Brush;
use super::correct;
use super::exports::{Leave, NewFile};
use super::lessons;
use super::mask_queue::MaskSettings;
use super::photo_list::PhotoList;
use super::second::Choice;
use crate::export::{Artifact, Format, Look};
use crate::inference::Sampling;
use crate::texts::Language;
use eframe::egui::ColorImage;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A change of the shared state.
pub(super) enum Command {
    Action(table::Action),
    /// Classifies paths, and opens them.
    OpenPaths(Vec<PathBuf>),
    /// Shows a picture. The number, as of `ShowPhotos` and `ChooseModel`, is that of
    /// [`FileOpener::number`](super::file_open::FileOpener::number) when it was chosen, which may be before the answer
    /// to a question.
    PasteImage(Arc<ColorImage>, u64),
    ShowPhotos(PhotoList, u64),
    /// Opens a model by its name or path, and shows photos.
    ShowPhotosBy(String, PhotoList),
    /// Opens a model by its name or path.
    ChooseModel(String, u64),
    Compare(Choice),
    /// Moves the playhead and stops playing.
    GoTo(f32),
    /// Samples again, with these settings.
    Sample(Sampling),
    /// Samples again with another scale of the input.
    SetScale(f64),
    /// Changes how masks are made.
    SetMasks(MaskSettings),
    /// Starts or stops making the masks of all photos.
    SegmentAll(bool),
    /// Shows a photo by its place in the list.
    ShowPhoto(usize),
    /// States per second while playing.
    SetSpeed(f32),
    ShowFilmstrip(bool),
    /// Opacity of the overlay, 0 to 1.
    SetOpacity(f32),
    /// Position of the divider between two views, 0 to 1.
    SetDivider(f32),
    ActivatePane(usize),
    HoverPixel(Option<usize>),
    HoverClass(Option<usize>),
    TogglePin(usize),
    ToggleClass(usize),
    ShowOnlyClass(usize),
    /// Lists the open photos by a class, or closes the list.
    ListClass(Option<usize>),
    Brush(Brush),
    Correct(correct::Request),
    /// Chooses the n-th class of the model for painting, from 0.
    ChooseNth(usize),
    Lesson(lessons::Request),
    SetLanguage(Language),
    ReportError(String),
    ShowErrors(bool),
    DismissErrors(Range<usize>),
    /// Opens the export dialog with the exports of all masks first.
    OpenExportAll,
    CloseExport,
    CloseDevices,
    Export(Artifact, Look),
    /// Writes the masks made so far into a folder.
    ExportAll(Format),
    CancelExport,
    /// Answers the question about exports that are not complete when the window is to be closed.
    LeaveExports(Leave),
    /// Asks for a path and writes a file there.
    Save(NewFile),
}

impl From<table::Action> for Command {
    fn from(action: table::Action) -> Self {
        Command::Action(action)
    }
}
