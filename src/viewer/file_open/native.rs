//! Dialogs of the desktop, and threads that wait for them.

use super::{Begun, Dialog, FileOpener, Found, MODEL, classify, model_of};
use crate::data::PHOTO_EXTENSIONS;
use crate::viewer::platform;
use eframe::egui;
use std::path::PathBuf;
use std::thread::Builder;

impl FileOpener {
    /// Shows a dialog and classifies the chosen paths.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(in crate::viewer) fn ask(&self, kind: Dialog) -> std::io::Result<()> {
        // Some systems require the window's thread to create the dialog, but waiting for it can happen
        // elsewhere.
        let dialog = rfd::AsyncFileDialog::new();
        let begun = self.begun.clone();
        match kind {
            Dialog::Photos => {
                let chosen = dialog
                    .set_title("Open photos")
                    .add_filter("Photos", &PHOTO_EXTENSIONS)
                    .pick_files();
                self.spawn(move || found(&begun, chosen, |files| classify(&paths(&files))))
            }
            Dialog::Folder => {
                let chosen = dialog.set_title("Open a folder of photos").pick_folder();
                self.spawn(move || found(&begun, chosen, |folder| classify(&paths(&[folder]))))
            }
            Dialog::Model => {
                let chosen = dialog
                    .set_title("Open a model")
                    .add_filter("FlowSeg models", &[MODEL])
                    .pick_file();
                self.spawn(move || found(&begun, chosen, |file| classify(&paths(&[file]))))
            }
            Dialog::Runs => {
                let chosen = dialog.set_title("Open training runs").pick_folders();
                self.spawn(move || {
                    found(&begun, chosen, |folders| {
                        let runs = paths(&folders);
                        Found {
                            of_run: model_of(&runs),
                            runs,
                            ..Found::default()
                        }
                    })
                })
            }
        }
    }

    pub(super) fn spawn(
        &self,
        work: impl FnOnce() -> Option<Found> + Send + 'static,
    ) -> std::io::Result<()> {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let running = self.running.clone();
        Builder::new().name("flowseg-open".into()).spawn(move || {
            if let Some(found) = work() {
                // Without a receiver, the window has closed.
                let _ = sender.send(found);
            }
            drop(running);
            wake();
        })?;
        Ok(())
    }

    /// The paths of dropped files.
    pub(in crate::viewer) fn dropped(&self, files: &[egui::DroppedFileHandle]) -> Vec<PathBuf> {
        files.iter().map(|file| file.path().to_owned()).collect()
    }
}

/// Waits for a dialog and classifies what is chosen in it; `None` if it is cancelled.
fn found<T>(
    begun: &Begun,
    dialog: impl Future<Output = Option<T>>,
    classify: impl FnOnce(T) -> Found,
) -> Option<Found> {
    let instead = "pass paths to `flowseg view`, drop files onto the window";
    match platform::chosen(dialog, instead) {
        Ok(chosen) => {
            let number = begun.next();
            chosen.map(|chosen| Found {
                number,
                ..classify(chosen)
            })
        }
        Err(error) => Some(Found {
            errors: vec![error],
            ..Found::default()
        }),
    }
}

fn paths(files: &[rfd::FileHandle]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_owned()).collect()
}
