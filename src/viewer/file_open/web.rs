//! The browser's dialog and dropped files. Their contents become files of the page.

use super::{Dialog, FileOpener, Found, MODEL, classify};
use crate::data::PHOTO_EXTENSIONS;
use crate::{files, page};
use eframe::egui;
use std::path::{Path, PathBuf};

impl FileOpener {
    /// Opens whatever the user chooses in the page's field for files, as long as the page is open.
    pub(in crate::viewer) fn listen(&self) {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        page::on_files(move |read| {
            // A full channel means that several files are still being opened.
            let _ = sender.try_send(found(read));
            wake();
            page::focus();
        });
    }

    /// Shows a dialog.
    ///
    /// # Errors
    /// Never.
    pub(in crate::viewer) fn ask(&self, kind: Dialog) -> std::io::Result<()> {
        let endings = |endings: &[&str]| -> Vec<String> {
            endings.iter().map(|ending| format!(".{ending}")).collect()
        };
        match kind {
            Dialog::Photos => page::ask_for_files(&endings(&PHOTO_EXTENSIONS), true),
            Dialog::Model => page::ask_for_files(&endings(&[MODEL]), false),
            Dialog::Folder | Dialog::Runs => {}
        }
        Ok(())
    }

    /// Reads dropped files, which are then opened.
    pub(in crate::viewer) fn dropped(&self, files: &[egui::DroppedFileHandle]) -> Vec<PathBuf> {
        if files.is_empty() {
            return Vec::new();
        }
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let (files, running) = (files.to_vec(), self.running.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let (mut read, mut errors) = (Vec::new(), Vec::new());
            for file in files {
                let name = file.path().to_string_lossy().into_owned();
                match file.bytes_async().await {
                    Ok(bytes) => read.push((name, bytes)),
                    Err(error) => errors.push(format!("cannot read {name}: {error}")),
                }
            }
            let mut found = found(read);
            found.errors.extend(errors);
            let _ = sender.try_send(found);
            drop(running);
            wake();
        });
        Vec::new()
    }

    pub(super) fn spawn(&self, work: impl FnOnce() -> Option<Found>) -> std::io::Result<()> {
        if let Some(found) = work() {
            let _ = self.sender.try_send(found);
            (self.wake)();
        }
        Ok(())
    }
}

/// Keeps files and classifies them.
fn found(read: Vec<(String, Vec<u8>)>) -> Found {
    let mut paths = Vec::new();
    for (name, bytes) in read {
        let path = PathBuf::from(name);
        files::keep(Path::new(&path), bytes);
        paths.push(path);
    }
    classify(&paths)
}
