//! The description of a YOLO data set: a YAML file that names the classes, and the folders or lists of the splits.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::error::DataError;
use super::super::photo::has_photo_ending;
use super::super::split_name::{self, SPLITS, TRAINING};
use super::places::{self, Root};
use super::yaml::{self, Value};

/// Number of YAML files examined.
const LOOKED_AT: usize = 8;

/// The YAML file of classes and folders, with its contents; errors are reported only for data.yaml.
pub(super) fn description(dir: &Path) -> Option<(PathBuf, Result<Value, DataError>)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let ending = path
                .extension()
                .and_then(OsStr::to_str)
                .map(str::to_lowercase);
            matches!(ending.as_deref(), Some("yaml" | "yml"))
        })
        .collect();
    let stem = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "data");
    files.sort_by_key(|path| (!stem(path), path.clone()));
    files
        .into_iter()
        .take(LOOKED_AT)
        .find_map(|path| match yaml::read(&path) {
            Ok(value) => {
                let names_a_split = SPLITS.iter().any(|split| of_split(&value, split).is_some());
                let whole = names_a_split && value.get("names").is_some();
                whole.then_some((path, Ok(value)))
            }
            Err(error) if stem(&path) => Some((path, Err(error))),
            Err(_) => None,
        })
}

/// The entry of a split in a description: its key, in any spelling and letter case, and what it names.
fn of_split<'v>(value: &'v Value, split: &str) -> Option<(&'v str, &'v Value)> {
    let Value::Table(entries) = value else {
        return None;
    };
    let mut spellings = split_name::spellings(split).iter();
    spellings.find_map(|spelling| {
        let mut entries = entries.iter();
        let (key, named) = entries.find(|(key, _)| key.eq_ignore_ascii_case(spelling))?;
        Some((key.as_str(), named))
    })
}

/// Location of a split's photos.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A folder, with its subfolders.
    Folder(PathBuf),
    /// A text file with one path per line.
    List(PathBuf),
}

/// The names in a description: a list, or a table with class numbers as keys.
pub(super) fn names(path: &Path, value: &Value) -> Result<Vec<String>, DataError> {
    let wrong = |reason: &str| DataError::description(path, reason);
    let names = match value.get("names") {
        Some(Value::Table(entries)) => {
            let mut names = Vec::new();
            for (number, name) in entries {
                let number: u16 = number.parse().map_err(|_| {
                    wrong("names has a key that is not a class number: write 0: NAME")
                })?;
                names.push((number, name.text().unwrap_or_default().to_owned()));
            }
            names.sort();
            if names
                .iter()
                .enumerate()
                .any(|(at, (number, _))| at != usize::from(*number))
            {
                return Err(wrong(
                    "names leaves a number out or repeats one: number the classes from 0",
                ));
            }
            names.into_iter().map(|(_, name)| name).collect()
        }
        Some(Value::List(list)) => list
            .iter()
            .map(|name| name.text().unwrap_or_default().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    if names.is_empty() {
        Err(wrong("names no class: write a list under names"))
    } else {
        Ok(names)
    }
}

/// The folders and lists in a description.
#[derive(Default)]
pub(super) struct Named {
    pub places: Vec<(&'static str, Place)>,
    /// Those for validation and test that are not there, or lie outside of the data set: the split, and a line about it.
    absent: Vec<(&'static str, String)>,
}

/// The folders and lists in the description `path`. They are searched below its `path` and beside the file,
/// since data sets are moved.
///
/// # Errors
/// One for training that lies outside of the data set or is missing.
pub(super) fn named(dir: &Path, path: &Path, value: &Value) -> Result<Named, DataError> {
    let root = Root::of(dir);
    let base = value.get("path").and_then(Value::text).map(places::slashed);
    let base = base.and_then(|base| root.inside(Path::new(""), &base, Path::is_dir));
    let bases = [base.unwrap_or_default(), PathBuf::new()];
    let mut found = Named::default();
    for split in SPLITS {
        let Some((key, named)) = of_split(value, split) else {
            continue;
        };
        for name in named.texts() {
            // Some services write one `../` too many.
            let slashed = places::slashed(name);
            let trimmed = slashed.strip_prefix("../").unwrap_or(&slashed);
            let mut inside = bases
                .iter()
                .filter_map(|base| root.inside(base, trimmed, is_place))
                .peekable();
            let leads_out = inside.peek().is_none();
            let there = inside.map(|place| dir.join(place)).find_map(|place| {
                if place.is_dir() {
                    return Some(Place::Folder(place));
                }
                is_place(&place).then_some(Place::List(place))
            });
            let beside = || {
                (trimmed == "images" && holds_pairs(dir)).then(|| Place::Folder(dir.to_path_buf()))
            };
            let there = there.or_else(beside);
            if let Some(place) = there {
                found.places.push((split, place));
                continue;
            }
            let reason = absence(key, name, leads_out, split);
            if split == TRAINING {
                return Err(DataError::description(path, reason));
            }
            found
                .absent
                .push((split, format!("{}: {reason}", path.display())));
        }
    }
    Ok(found)
}

/// Why what a description names under a key is not read, and what to do.
fn absence(key: &str, name: &str, leads_out: bool, split: &str) -> String {
    let name = name.escape_debug();
    let (why, remedy) = match (leads_out, split) {
        (true, _) => (
            "leads out of the folder",
            "move the data there and write a path relative to it",
        ),
        (false, TRAINING) => (
            "is not beside this file",
            "put the photos there, and the .txt files into a folder labels beside it, or correct it",
        ),
        (false, _) => (
            "is not beside this file",
            "put the photos there, or correct it",
        ),
    };
    format!("{key} names \"{name}\", which {why}: {remedy}")
}

/// Whether a path is a folder or a list.
fn is_place(path: &Path) -> bool {
    path.is_dir() || (places::is_text(path) && path.is_file())
}

/// Whether a photo has a label file beside it. `flowseg segment` writes label files so if its output folder is that of
/// the photos, with a description of the usual folders.
fn holds_pairs(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut photos = entries
        .map(|entry| entry.path())
        .filter(|path| has_photo_ending(path));
    photos.any(|photo| places::text_like(&photo).is_some())
}

/// What the description names for other splits than training and is not there: the split, and a line about it. Empty
/// without a description that can be read.
pub(super) fn absent(dir: &Path) -> Vec<(&'static str, String)> {
    let Some((path, Ok(value))) = description(dir) else {
        return Vec::new();
    };
    named(dir, &path, &value).map_or_else(|_| Vec::new(), |named| named.absent)
}
