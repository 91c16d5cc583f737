//! Opening: dialogs, dropped and named paths. Folders are listed on a thread of their own, since a
//! disk may be slow.

use crate::files;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

/// Endings of files that are opened as photos.
pub const PHOTOS: &[&str] = &[
    "jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "pnm", "ppm", "pgm", "tga",
];

/// What a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Photos.
    Photos,
    /// A folder of photos.
    Folder,
    /// A model file.
    Model,
    /// Training runs.
    Runs,
}

/// What paths turned out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Photos.
    pub photos: Vec<PathBuf>,
    /// Which of them to show.
    pub shown: usize,
    /// Training runs.
    pub runs: Vec<PathBuf>,
    /// A model file.
    pub model: Option<PathBuf>,
    /// What can't be opened, one line each.
    pub problems: Vec<String>,
}

/// The threads that look.
pub struct Opener {
    sender: SyncSender<Found>,
    found: Receiver<Found>,
    wake: std::sync::Arc<dyn Fn() + Send + Sync>,
}

impl Opener {
    /// `wake` is called when something was found.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (sender, found) = sync_channel(4);
        Self {
            sender,
            found,
            wake: std::sync::Arc::new(wake),
        }
    }

    /// What was found since the last time.
    pub fn poll(&self) -> Option<Found> {
        self.found.try_recv().ok()
    }

    /// Finds out what paths are.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn look(&self, paths: Vec<PathBuf>) -> std::io::Result<()> {
        self.spawn(move || Some(look(&paths)))
    }

    /// Shows a dialog and finds out what was chosen.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn ask(&self, ask: Ask) -> std::io::Result<()> {
        // The dialog itself belongs to the window's thread on some systems, waiting for it does not.
        let dialog = rfd::AsyncFileDialog::new();
        match ask {
            Ask::Photos => {
                let chosen = dialog
                    .set_title("Open photos")
                    .add_filter("Photos", PHOTOS)
                    .pick_files();
                self.spawn(move || {
                    let files = pollster::block_on(chosen)?;
                    Some(look(&paths(&files)))
                })
            }
            Ask::Folder => {
                let chosen = dialog.set_title("Open a folder of photos").pick_folder();
                self.spawn(move || Some(look(&paths(&[pollster::block_on(chosen)?]))))
            }
            Ask::Model => {
                let chosen = dialog
                    .set_title("Open a model")
                    .add_filter("FlowSeg models", &["safetensors"])
                    .pick_file();
                self.spawn(move || Some(look(&paths(&[pollster::block_on(chosen)?]))))
            }
            Ask::Runs => {
                let chosen = dialog.set_title("Open training runs").pick_folders();
                self.spawn(move || {
                    let folders = paths(&pollster::block_on(chosen)?);
                    Some(Found {
                        runs: folders,
                        ..Found::default()
                    })
                })
            }
        }
    }

    fn spawn(&self, work: impl FnOnce() -> Option<Found> + Send + 'static) -> std::io::Result<()> {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        Builder::new().name("flowseg-open".into()).spawn(move || {
            if let Some(found) = work()
                && sender.send(found).is_ok()
            {
                wake();
            }
        })?;
        Ok(())
    }
}

fn paths(files: &[rfd::FileHandle]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_owned()).collect()
}

fn is_photo(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| PHOTOS.contains(&ending.as_str()))
}

/// Finds out what paths are: runs, folders of photos, models; everything else is taken for a photo.
/// One photo alone brings the other photos of its folder along.
pub fn look(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            if path.join("metrics.jsonl").exists() || path.join("config.toml").exists() {
                found.runs.push(path.clone());
                continue;
            }
            match photos_in(path) {
                Ok(photos) if photos.is_empty() => found.problems.push(format!(
                    "{} holds no photos: choose a folder with JPEG, PNG, WebP or TIFF files",
                    path.display()
                )),
                Ok(photos) => found.photos.extend(photos),
                Err(error) => found.problems.push(error),
            }
        } else if path.extension().is_some_and(|e| e == "safetensors") {
            found.model = Some(path.clone());
        } else {
            found.photos.push(path.clone());
        }
    }
    if let ([only], [path]) = (paths, found.photos.as_slice())
        && only == path
        && let Some(folder) = path.parent()
        && let Ok(photos) = photos_in(folder)
        && let Some(at) = photos.iter().position(|photo| photo == path)
    {
        found.photos = photos;
        found.shown = at;
    }
    found
}

/// The photos of a folder, in the order that a person would put numbered names in.
fn photos_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    // A file named without a folder lies in the current one, and its siblings are named like it.
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(listed).map_err(|source| {
        let path = listed.to_owned();
        files::FileError::Read { path, source }.to_string()
    })?;
    let mut photos: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| folder.join(entry.file_name()))
        .filter(|path| is_photo(path))
        .collect();
    photos.sort_by_cached_key(|path| natural(&path.to_string_lossy()));
    Ok(photos)
}

/// Text split into words and numbers, so that 9 comes before 10.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    let mut digits = String::new();
    for c in name.to_lowercase().chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            parts.push((digits.parse().unwrap_or(u64::MAX), String::new()));
            digits.clear();
        }
        if c != '\0'
            && let Some((_, text)) = parts.last_mut()
        {
            text.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let mut names = ["img10.png", "img9.png", "IMG1.png", "a.png"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a.png", "IMG1.png", "img9.png", "img10.png"]);
    }

    #[test]
    fn a_photo_brings_its_folder_and_a_run_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["b2.png", "b10.png", "a.JPG", "notes.txt"] {
            std::fs::write(path(name), "").unwrap();
        }
        let found = look(&[path("b10.png")]);
        assert_eq!(
            found.photos,
            [path("a.JPG"), path("b2.png"), path("b10.png")]
        );
        assert_eq!(found.shown, 2);
        let two = look(&[path("b10.png"), path("a.JPG")]);
        assert_eq!(two.photos, [path("b10.png"), path("a.JPG")]);

        let empty = path("empty");
        std::fs::create_dir(&empty).unwrap();
        assert!(look(std::slice::from_ref(&empty)).problems[0].contains("holds no photos"));
        std::fs::write(empty.join("metrics.jsonl"), "").unwrap();
        assert_eq!(look(std::slice::from_ref(&empty)).runs, [empty]);
        assert_eq!(
            look(&[path("m.safetensors")]).model,
            Some(path("m.safetensors"))
        );
    }
}
