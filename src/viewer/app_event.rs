//! Changes of the shared state that panels may react to.

use super::lessons::Request;
use std::path::PathBuf;

pub(super) enum AppEvent {
    ModelOpened,
    /// Another photo is shown, or the same one was opened again.
    PhotoOpened,
    /// Other photos were opened.
    PhotosShown,
    /// Runs are shown in place of those before.
    RunsOpened(Vec<PathBuf>),
    /// A run that the window started can be followed, beside those shown.
    RunBegun(PathBuf),
    /// A second result is being computed.
    ComparisonStarted,
    /// A folder or several photos were opened for segmentation.
    PhotosListed,
    Zoom(Zoom),
    PanelsReset,
    Lesson(Request),
}

#[derive(Clone, Copy)]
pub(super) enum Zoom {
    Fit,
    /// One screen pixel per photo pixel.
    Actual,
    By(f32),
}
