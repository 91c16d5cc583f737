//! The browser's dialog and dropped files. Their contents become files of the page.

use super::{Dialog, FileOpener, Found, MODEL, classify};
use crate::data::PHOTO_EXTENSIONS;
use crate::{files, page};
use eframe::egui;
use std::cell::Cell;
use std::path::{Path, PathBuf};

thread_local! {
    /// The number of the opening of the latest drop.
    static LATEST_DROP: Cell<u64> = const { Cell::new(0) };
    /// The number of files opened so far.
    static OPENED: Cell<u64> = const { Cell::new(0) };
}

impl FileOpener {
    /// Opens whatever the user chooses in the page's field for files, as long as the page is open.
    pub(in crate::viewer) fn listen(&self) {
        let (sender, wake, begun) = (self.sender.clone(), self.wake.clone(), self.begun.clone());
        page::on_files(move || {
            let (sender, wake, number) = (sender.clone(), wake.clone(), begun.next());
            move |read: Vec<(String, Vec<u8>)>| {
                // A full channel means that several files are still being opened.
                let kept = read.into_iter().map(|(name, bytes)| keep(&name, bytes));
                let _ = sender.try_send(found(number, kept));
                wake();
                page::focus();
            }
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
        let number = self.begun.next();
        LATEST_DROP.set(number);
        wasm_bindgen_futures::spawn_local(async move {
            let mut kept = Vec::new();
            for file in files {
                // What is dropped later takes its place, however long this takes.
                if LATEST_DROP.get() != number {
                    return;
                }
                let name = file.path().to_string_lossy().into_owned();
                let read = file.bytes_async().await;
                let read = read.map_err(|error| format!("cannot read {name}: {error}"));
                kept.push(read.and_then(|bytes| keep(&name, bytes)));
            }
            let _ = sender.try_send(found(number, kept));
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

/// Classifies files that were kept, of the opening with this number.
fn found(number: u64, kept: impl IntoIterator<Item = Result<PathBuf, String>>) -> Found {
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    for file in kept {
        match file {
            Ok(path) => paths.push(path),
            Err(error) => errors.push(error),
        }
    }
    let mut found = Found {
        number,
        ..classify(&paths)
    };
    found.errors.extend(errors);
    found
}

/// Keeps a file under a path of its own: a browser tells no folders, so that several files may have
/// the same name.
fn keep(name: &str, bytes: Vec<u8>) -> Result<PathBuf, String> {
    let number = OPENED.get() + 1;
    OPENED.set(number);
    let path = Path::new(&number.to_string()).join(name);
    files::keep(&path, bytes).map_err(|error| error.to_string())?;
    Ok(path)
}
