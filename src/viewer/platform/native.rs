use crate::job::LoadModel;
use crate::models;
use eframe::egui;
use std::path::PathBuf;
use std::thread::Builder;

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

/// Shows a dialog for a folder; `then` is called on another thread, with nothing if it was cancelled.
///
/// # Errors
/// The system cannot start another thread.
pub(crate) fn ask_folder(
    title: &str,
    then: impl FnOnce(Option<PathBuf>) + Send + 'static,
) -> std::io::Result<()> {
    // Some systems require the window's thread to create the dialog, but waiting for it can happen
    // elsewhere.
    let chosen = rfd::AsyncFileDialog::new().set_title(title).pick_folder();
    let wait = move || then(pollster::block_on(chosen).map(|folder| folder.path().to_owned()));
    Builder::new().name("flowseg-folder".into()).spawn(wait)?;
    Ok(())
}
