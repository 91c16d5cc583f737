//! What a page in a browser offers.

use crate::job::LoadModel;
use crate::{models, page};
use eframe::egui;
use std::cell::Cell;
use std::path::PathBuf;

thread_local! {
    /// The share of the model that has arrived, and what repaints the window.
    static LOADED: Cell<Option<f32>> = const { Cell::new(None) };
}

/// Opens a model by its name, fetched from beside the page, or a file of the page.
pub(crate) fn load_model(name: String, context: egui::Context) -> LoadModel {
    Box::new(move |device, wanted| {
        Box::pin(async move {
            let progress = |share| {
                LOADED.set(Some(share));
                context.request_repaint();
            };
            let fetched = models::fetch(&name, progress).await;
            LOADED.set(None);
            fetched?;
            page::next_turn().await;
            if !wanted() {
                return Err("another model was chosen".to_owned());
            }
            models::load(&name, &device).map_err(|error| error.to_string())
        })
    })
}

/// The share of the model that has arrived, 0 to 1, while it is fetched.
pub(crate) fn loaded() -> Option<f32> {
    LOADED.get()
}

pub(crate) fn drop_aside(value: impl Sized) {
    drop(value);
}

/// A page has no folders.
///
/// # Errors
/// Always.
pub(crate) fn ask_folder(
    _: &str,
    _: impl FnOnce(Result<Option<PathBuf>, String>) + 'static,
) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
