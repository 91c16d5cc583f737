//! The folder for corrected photos.

use crate::viewer::app_state::AppState;
use std::path::Path;

/// The folder for corrected photos: the one chosen in this window, or else the remembered one.
pub(super) fn folder(app: &AppState) -> Option<&Path> {
    let chosen = app.correct.folder.as_deref();
    chosen.or(app.settings.corrections.as_deref())
}

/// The folder's name for the user.
pub(super) fn folder_name(app: &AppState) -> Option<String> {
    let folder = folder(app)?;
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    Some(name.to_string_lossy().into_owned())
}
