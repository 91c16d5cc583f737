//! YOLO data sets whose labels are the pixels of PNG files: their description has `masks_dir`, the name of the folder
//! that is `labels` elsewhere. `label_mapping` gives values of pixels their classes or `ignore_label`; without it they
//! are the classes. 255 is ignored.

use std::collections::HashMap;
use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use super::super::split_name::{SPLITS, TRAINING};
use super::places;
use super::yaml::Value;
use super::yolo_description::{Place, named, names};
use crate::labels::IGNORE;

/// The key of the folder of label files.
pub(super) const MASKS: &str = "masks_dir";
/// What `label_mapping` calls ignored pixels.
const IGNORED: &str = "ignore_label";

/// The classes and splits of the data set in `dir` with this description at `path`. Splits other than training without
/// their folder of label files are left out.
///
/// # Errors
/// A description that names no class, no folder of label files, several folders or a list for a split, or whose
/// `label_mapping` has other entries than values with their classes; a missing folder of the training split.
pub(super) fn contents(dir: &Path, path: &Path, value: &Value) -> Result<Contents, DataError> {
    let wrong = |reason: String| DataError::description(path, reason);
    let classes = ClassTable::checked(path, names(path, value)?)?;
    let mapping = match value.get("label_mapping") {
        Some(Value::Table(entries)) => mapped(entries, classes.len()).map_err(wrong)?,
        _ => LabelMapping::plain(classes.len()),
    };
    let masks = value.get(MASKS).and_then(Value::text).map(places::slashed);
    let masks = masks.and_then(|masks| places::inside(Path::new(""), &masks));
    let masks = masks.ok_or_else(|| {
        wrong(format!(
            "{MASKS} names no folder beside images: write {MASKS}: masks"
        ))
    })?;
    let found = named(dir, path, value)?.places;
    let mut splits = Vec::new();
    for split in SPLITS {
        let mut own = found.iter().filter(|(of, _)| *of == split);
        let Some((_, place)) = own.next() else {
            continue;
        };
        let (Place::Folder(images), None) = (place, own.next()) else {
            let reason = format!(
                "the {split} split has a list or several folders, which are not read with {MASKS}: name one folder"
            );
            return Err(wrong(reason));
        };
        let relative = images.strip_prefix(dir).unwrap_or(images);
        let labels = places::swapped(relative, "images", &masks).ok_or_else(|| {
            let shown = relative.display();
            wrong(format!(
                "{shown} has no part images for {MASKS} to replace: put the photos into images"
            ))
        })?;
        let labels = dir.join(labels);
        if labels.is_dir() {
            splits.push(Split {
                name: split.to_owned(),
                images: images.clone(),
                labels,
                ..Split::default()
            });
        } else if split == TRAINING {
            let reason = format!(
                "the folder of label files {} is missing: put it there, or correct {MASKS}",
                labels.display()
            );
            return Err(wrong(reason));
        }
    }
    Ok(Contents {
        name: None,
        classes,
        mapping,
        splits,
    })
}

/// The mapping of the entries of `label_mapping`, with so many classes.
///
/// # Errors
/// What is wrong with the first entry that is not a whole number with the number of a class or [`IGNORED`].
fn mapped(entries: &[(String, Value)], count: usize) -> Result<LabelMapping, String> {
    let mut classes: HashMap<i64, u16> = HashMap::new();
    for (raw, class) in entries {
        let number = class.text().map(|text| (text, text.parse::<u16>()));
        let class = match number {
            None | Some((IGNORED, _)) => IGNORE,
            Some((_, Ok(class))) if usize::from(class) < count => class,
            Some((text, _)) => {
                let text = text.escape_debug();
                return Err(format!(
                    "label_mapping gives {raw} the class {text}, but there are {count} classes: write a number from 0 to {} or {IGNORED}",
                    count - 1
                ));
            }
        };
        let raw = raw.parse::<i64>().map_err(|_| {
            let raw = raw.escape_debug();
            format!("label_mapping has the value {raw}: values of pixels are whole numbers")
        })?;
        classes.insert(raw, class);
    }
    Ok(LabelMapping::new(|raw| {
        let class = classes.get(&i64::from(raw)).copied();
        class.or_else(|| [255, IGNORE].contains(&raw).then_some(IGNORE))
    }))
}
