//! ADE20K SceneParse150: `images/{training,validation}` and `annotations/{training,validation}` with
//! `objectInfo150.txt` or `sceneCategories.txt`; 0 is "other objects", which is ignored, and 1..=150
//! are the classes 0..=149.

use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::{Contents, images_and_annotations, whole};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use crate::labels::IGNORE;
use crate::text_file;

/// The file of class names.
pub(in super::super) const OBJECT_INFO: &str = "objectInfo150.txt";
/// A file that some copies have instead.
pub(in super::super) const SCENES: &str = "sceneCategories.txt";
const CLASSES: usize = 150;

/// # Errors
/// The class table cannot be read or does not name 150 classes.
pub(in super::super) fn contents(dir: &Path) -> Result<Contents, DataError> {
    Ok(Contents {
        name: None,
        classes: classes(&dir.join(OBJECT_INFO))?,
        mapping: LabelMapping::new(class),
        splits: whole(images_and_annotations(dir)),
    })
}

fn class(raw: u16) -> Option<u16> {
    match raw {
        0 => Some(IGNORE),
        1..=150 => Some(raw - 1),
        _ => None,
    }
}

/// The first synonym in the last tab-separated field of each of the 150 rows.
fn classes(path: &Path) -> Result<ClassTable, DataError> {
    if !path.is_file() {
        return Ok(ClassTable::numbered(CLASSES));
    }
    let text = text_file::read(path)?;
    let names: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.rsplit('\t').next())
        .filter_map(|names| names.split([',', ';']).next())
        .map(|name| name.trim().to_owned())
        .collect();
    if names.len() != CLASSES {
        let reason = format!(
            "names {} classes, but {CLASSES} numbered lines are expected",
            names.len()
        );
        return Err(DataError::description(path, reason));
    }
    ClassTable::checked(path, names)
}
