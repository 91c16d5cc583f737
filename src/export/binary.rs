//! Masks as folders of black and white PNGs, one per class.

use super::error::{ExportError, FOREIGN};
use super::mask::Mask;
use crate::files::{self, FileError};
use crate::own_png::{is_own_png, is_unchanged, write_with_digest};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Maximum length of a class's name in a file name, in bytes.
const NAME: usize = 80;
/// An empty file that is in a folder while its masks are being replaced.
const UNFINISHED: &str = ".flowseg-unfinished";
/// An empty file in the folder of a mask without any class: without it, a folder whose files were removed would look
/// the same.
const NO_CLASS: &str = ".flowseg-no-class";

/// Writes `INDEX-NAME.png` into a folder for every class that has a pixel: white where the class is,
/// black elsewhere. A new folder appears once all files are written. From an existing one, files that
/// an earlier mask left for other classes are removed, also for those of another model, and [`masks`] refuses it
/// until that is done.
///
/// # Errors
/// The disk cannot be written, or the folder holds a file of such a name that this program did not write.
pub(super) fn write(mask: &Mask, folder: &Path) -> Result<(), ExportError> {
    if folder.is_dir() {
        // Whether another program has changed one, before the work: that reads them whole.
        let masks = masks_in(folder)?;
        if let Some(foreign) = masks.iter().find(|path| !is_own_png(path)) {
            files::refuse_existing(foreign, FOREIGN)?;
        }
        let unfinished = folder.join(UNFINISHED);
        files::write_atomic(&unfinished, b"")?;
        fill(mask, folder)?;
        return Ok(files::remove_file(&unfinished)?);
    }
    files::write_folder(folder, |temporary| {
        fill(mask, temporary).map_err(|error| match error {
            ExportError::File(error) => error.moved(temporary, folder).into(),
            other => other,
        })
    })
}

fn fill(mask: &Mask, folder: &Path) -> Result<(), ExportError> {
    let present: BTreeSet<u16> = mask.labels.iter().copied().collect();
    let named: Vec<(u16, PathBuf)> = (0..mask.classes.len() as u16)
        .filter(|class| present.contains(class))
        .map(|class| (class, folder.join(file_name(mask, class))))
        .collect();
    // Before anything is written: where letter case does not count, a new file may have the old one's place.
    for path in masks_in(folder)? {
        if !named.iter().any(|(_, kept)| *kept == path) {
            files::remove_file(&path)?;
        }
    }
    let no_class = folder.join(NO_CLASS);
    if named.is_empty() {
        files::write_atomic(&no_class, b"")?;
    } else {
        files::remove_file(&no_class)?;
    }
    for (class, path) in named {
        let labels = mask.labels.iter();
        let samples: Vec<u8> = labels
            .map(|&label| if label == class { 255 } else { 0 })
            .collect();
        let mut bytes = Vec::new();
        let written = write_with_digest(
            &mut bytes,
            mask.size(),
            |encoder| {
                encoder.set_color(png::ColorType::Grayscale);
                encoder.set_depth(png::BitDepth::Eight);
                Ok(())
            },
            &samples,
        );
        written.map_err(|error| ExportError::write(&path, error))?;
        files::write_atomic(&path, &bytes)?;
    }
    Ok(())
}

/// The masks in a folder; `None` if it is missing, if not all of them were written, or if they were removed.
pub fn masks(folder: &Path) -> Option<Vec<PathBuf>> {
    let masks = masks_in(folder).ok()?;
    let is_there = |name: &str| folder.join(name).exists();
    let is_whole = !masks.is_empty() || is_there(NO_CLASS);
    (is_whole && !is_there(UNFINISHED)).then_some(masks)
}

/// A file in the folder that has the name of a mask but was not written by this program, or was changed by another one.
pub(super) fn foreign_in(folder: &Path) -> Option<PathBuf> {
    let masks = masks_in(folder).unwrap_or_default();
    masks.into_iter().find(|path| !is_unchanged(path))
}

/// The files in a folder that have the names of masks of any class table.
fn masks_in(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |source| FileError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let entries: io::Result<Vec<fs::DirEntry>> = entries.collect();
    let entries = entries.map_err(failed)?.into_iter();
    let masks = entries.filter(|entry| is_mask_name(&entry.file_name()));
    let paths = masks.map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_file()).collect())
}

/// Whether a name is as [`file_name`] makes them: an index, a hyphen, and a name, which may be empty.
fn is_mask_name(name: &OsStr) -> bool {
    let stem = name.to_str().and_then(|name| name.strip_suffix(".png"));
    let index = stem.and_then(|stem| stem.split_once('-'));
    index.is_some_and(|(index, _)| {
        !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The index distinguishes names that differ only in letter case or in characters that no file name may
/// contain.
fn file_name(mask: &Mask, class: u16) -> String {
    let digits = mask.classes.len().saturating_sub(1).to_string().len();
    let name = files::name_part(mask.name(class), NAME);
    format!("{class:0digits$}-{name}.png")
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write_to(folder: &Path, classes: &[&str], labels: [u16; 2]) -> Result<(), ExportError> {
        let classes: Vec<String> = classes.iter().map(|name| (*name).to_owned()).collect();
        let mask = Mask {
            photo: &RgbImage::new(2, 1),
            labels: &labels,
            classes: &classes,
            colours: &[],
        };
        write(&mask, folder)
    }

    #[test]
    fn masks_of_another_class_table_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a.binary");
        write_to(&folder, &["sky", "car"], [0, 1]).unwrap();
        assert_eq!(names(&folder), ["0-sky.png", "1-car.png"]);
        let mine = folder.join("notes-1.png");
        RgbImage::new(1, 1).save(&mine).unwrap();
        write_to(&folder, &["sky", "vehicle"], [1, 1]).unwrap();
        assert_eq!(names(&folder), ["1-vehicle.png", "notes-1.png"]);
        assert_eq!(foreign_in(&folder), None);
    }

    #[test]
    fn a_folder_with_missing_masks_is_told_from_a_whole_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a.binary");
        assert_eq!(masks(&folder), None);
        let classes = ["sky", "car"];
        write_to(&folder, &classes, [0, 1]).unwrap();
        assert_eq!(masks(&folder).unwrap().len(), 2);
        // What a killed run leaves.
        let unfinished = folder.join(UNFINISHED);
        fs::write(&unfinished, "").unwrap();
        fs::remove_file(folder.join("1-car.png")).unwrap();
        assert_eq!(masks(&folder), None);
        write_to(&folder, &classes, [0, 1]).unwrap();
        assert_eq!(names(&folder), ["0-sky.png", "1-car.png"]);
        assert_eq!(masks(&folder).unwrap().len(), 2);
        for name in names(&folder) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        assert_eq!(masks(&folder), None);
        // No class has a pixel.
        write_to(&folder, &classes, [255, 255]).unwrap();
        assert_eq!(names(&folder), [NO_CLASS]);
        assert_eq!(masks(&folder), Some(Vec::new()));
        write_to(&folder, &classes, [0, 0]).unwrap();
        assert_eq!(names(&folder), ["0-sky.png"]);
    }

    #[test]
    fn a_picture_of_another_program_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a.binary");
        for (name, labels) in [("0-sky.png", [0, 0]), ("2024-beach.png", [1, 1])] {
            fs::create_dir_all(&folder).unwrap();
            let mine = folder.join(name);
            RgbImage::new(1, 1).save(&mine).unwrap();
            let before = fs::read(&mine).unwrap();
            let error = write_to(&folder, &["sky", "car"], labels).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(foreign_in(&folder), Some(mine.clone()));
            assert_eq!(fs::read(&mine).unwrap(), before);
            assert_eq!(names(&folder), [name]);
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}
