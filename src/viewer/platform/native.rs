//! What the desktop offers.

use crate::job::LoadModel;
use crate::models;
use eframe::egui;
use std::path::PathBuf;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Nobody closes a dialog sooner after it was asked for: there was none.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Opens a model by its name or path. The context repaints the window while it is fetched, elsewhere.
pub(crate) fn load_model(name: String, _: egui::Context) -> LoadModel {
    Box::new(move |device| models::load(&name, device).map_err(|error| error.to_string()))
}

/// The share of the model that has arrived, 0 to 1, while it comes from far away.
pub(crate) fn loaded() -> Option<f32> {
    None
}

/// Drops a value without waiting for its threads.
pub(crate) fn drop_aside(value: impl Send + 'static) {
    let close = move || drop(value);
    // If no thread can be started, the closure and what it owns are dropped here.
    let _ = Builder::new().name("flowseg-close".into()).spawn(close);
}

/// Waits for what the user chooses in a dialog; nothing if they cancel it. `instead` says what to do
/// without dialogs.
///
/// # Errors
/// The system offers no dialogs, such as a desktop on Linux without a portal and zenity; one line.
pub(crate) fn chosen<T>(
    dialog: impl Future<Output = Option<T>>,
    instead: &str,
) -> Result<Option<T>, String> {
    let begin = Instant::now();
    let chosen = pollster::block_on(dialog);
    if chosen.is_none() && begin.elapsed() < AT_ONCE {
        return Err(format!(
            "this system offers no file dialog: {instead}, or install a desktop portal or zenity"
        ));
    }
    Ok(chosen)
}

/// Shows a dialog for a folder; `then` is called on another thread, with nothing if it was cancelled, and
/// as in [`chosen`] if there is no dialog.
///
/// # Errors
/// The system cannot start another thread.
pub(crate) fn ask_folder(
    title: &str,
    then: impl FnOnce(Result<Option<PathBuf>, String>) + Send + 'static,
) -> std::io::Result<()> {
    // Some systems require the window's thread to create the dialog, but waiting for it can happen
    // elsewhere.
    let chosen = rfd::AsyncFileDialog::new().set_title(title).pick_folder();
    let wait = move || {
        let folder = self::chosen(chosen, "type the path of the folder");
        then(folder.map(|folder| folder.map(|folder| folder.path().to_owned())));
    };
    Builder::new().name("flowseg-folder".into()).spawn(wait)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_that_is_gone_at_once_was_none_and_a_cancelled_one_is_no_error() {
        let missing = chosen(std::future::ready(None::<u8>), "drop files");
        let says = |text: String| text.contains("drop files, or install a desktop portal");
        assert!(missing.is_err_and(says));
        assert_eq!(chosen(std::future::ready(Some(1)), ""), Ok(Some(1)));
        let slow = async {
            std::thread::sleep(AT_ONCE);
            None::<u8>
        };
        let cancelled = chosen(slow, "");
        assert_eq!(cancelled, Ok(None));
    }
}
