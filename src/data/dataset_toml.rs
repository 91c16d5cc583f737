//! `dataset.toml`: a data set that describes itself.
//!
//! ```toml
//! name = "My streets"
//! classes = ["road", "car"]      # or the name of a file, one class a line
//! ignore = [0, 255]              # raw label values without a class
//! offset = 1                     # subtracted from every other raw label
//! label_suffix = "_labels.png"   # what follows a photo's name; ".png" unless said
//!
//! [splits.training]
//! images = "photos/train"
//! labels = "labels/train"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::IGNORE;
use super::classes::ClassTable;
use super::error::DataError;
use super::layout::Contents;
use super::mapping::LabelMapping;
use super::split::Split;
use crate::text_file::{self, BACKSLASH};

/// The file that makes a folder a data set of its own description.
pub(super) const FILE: &str = "dataset.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: Option<String>,
    classes: Classes,
    #[serde(default)]
    ignore: Vec<u16>,
    #[serde(default)]
    offset: i64,
    image_suffix: Option<String>,
    label_suffix: Option<String>,
    splits: BTreeMap<String, SplitDescription>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected an array of names or the name of a file"
)]
enum Classes {
    Names(Vec<String>),
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitDescription {
    images: PathBuf,
    labels: PathBuf,
    image_suffix: Option<String>,
    label_suffix: Option<String>,
}

/// Reads `DIR/dataset.toml`.
///
/// # Errors
/// The file cannot be read or parsed, has unknown or missing keys, names no class, or names a
/// folder that does not exist.
pub(super) fn describe(dir: &Path) -> Result<Contents, DataError> {
    let path = dir.join(FILE);
    let text = text_file::read(&path)?;
    let wrong = |error| DataError::description(&path, text_file::toml_reason(&text, &error));
    let described: Description = toml::from_str(&text).map_err(wrong)?;
    let classes = match described.classes {
        Classes::Names(names) => ClassTable::checked(&path, names)?,
        Classes::File(file) => ClassTable::from_file(dir.join(file))?,
    };
    let (count, ignore, offset) = (classes.len() as i64, described.ignore, described.offset);
    let mapping = LabelMapping::new(|raw| {
        if ignore.contains(&raw) {
            return Some(IGNORE);
        }
        let class = i64::from(raw).checked_sub(offset)?;
        u16::try_from(class)
            .ok()
            .filter(|_| (0..count).contains(&class))
    });
    let mut splits = Vec::new();
    for (name, split) in described.splits {
        let folder = |key: &str, given: PathBuf| {
            let full = dir.join(&given);
            if full.is_dir() {
                return Ok(full);
            }
            let given = given.to_string_lossy();
            let escaped = given.contains(|c: char| c.is_control() || c == '\\');
            let hint = if escaped { BACKSLASH } else { "" };
            let given = given.escape_debug();
            let reason =
                format!("splits.{name}.{key} = \"{given}\" is no folder beside this file{hint}");
            Err(DataError::description(&path, reason))
        };
        splits.push(Split {
            images: folder("images", split.images)?,
            labels: folder("labels", split.labels)?,
            image_suffix: split
                .image_suffix
                .or_else(|| described.image_suffix.clone()),
            label_suffix: split
                .label_suffix
                .or_else(|| described.label_suffix.clone())
                .unwrap_or_else(|| ".png".to_owned()),
            name,
            ..Split::default()
        });
    }
    if splits.is_empty() {
        return Err(DataError::description(
            &path,
            "has no split: add [splits.training]",
        ));
    }
    // The table of splits arrives in alphabetical order, in which "test" would come first.
    let order = ["training", "validation", "test"];
    splits.sort_by_key(|split| {
        order
            .iter()
            .position(|name| *name == split.name)
            .unwrap_or(3)
    });
    Ok(Contents {
        name: described.name,
        classes,
        mapping,
        splits,
    })
}
