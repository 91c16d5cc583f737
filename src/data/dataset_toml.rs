//! `dataset.toml`: describes a data set, or adds to a detected layout. [`HELP`] says how.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::classes::ClassTable;
use super::contents::Contents;
use super::drawn::{Marked, Settings, Unlabelled};
use super::error::DataError;
use super::known::labelmap;
use super::mapping::LabelMapping;
use super::split::{Split, set_apart};
use super::split_name::{SPLITS, canonical};
use crate::labels::IGNORE;
use crate::text_file::{self, BACKSLASH};

/// How to write the file, for users.
pub const HELP: &str = r#"dataset.toml in the folder describes data in no known layout:

  name = "My streets"
  # The names of the classes, or the name of a file with one class per line.
  classes = ["road", "sidewalk", "car", "sky"]
  # Raw label values without a class, and classes to leave out.
  ignore = [0, "sky"]
  # Subtracted from every other raw label; classes then count from 0.
  offset = 1
  # What follows a photo's name; any photo's ending unless said.
  image_suffix = "_photo.jpg"
  # What follows it in its label file's name; ".png" or ".tif" unless said.
  label_suffix = "_labels.png"

  # Also validation and test; suffixes may stand here as well.
  [splits.training]
  images = "photos/train"
  labels = "labels/train"

  # Other names for classes; several may become one.
  [map]
  sidewalk = "road"
  # The class of a raw label value.
  255 = "car"

Without classes and splits the layout is detected, and name, map and classes in ignore apply to it. If labels are outlines (COCO, Labelme, YOLO), unlabelled is the class of pixels without a shape: "background", the default, "ignore", or the name of a class. crowds = "class" gives what COCO files mark as crowds the class of its category, and "ignore" says that they are crowds, which are ignored.
labelmap.txt beside images and annotations, or beside a dataset.toml with splits and without offset and numbers in ignore or map (NAME:RED,GREEN,BLUE:: in each line), gives coloured labels their classes, and palette labels if it lists all colours in use."#;

/// The error for `unlabelled` or `crowds` with label files.
pub(super) const NOT_DRAWN: &str =
    "unlabelled and crowds are for labels that are outlines (COCO, Labelme, YOLO); remove them";

/// The file that describes a data set.
pub(super) const FILE: &str = "dataset.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: Option<String>,
    classes: Option<Classes>,
    #[serde(default)]
    ignore: Vec<Ignored>,
    offset: Option<i64>,
    image_suffix: Option<String>,
    label_suffix: Option<String>,
    splits: Option<BTreeMap<String, SplitDescription>>,
    #[serde(default)]
    map: BTreeMap<String, String>,
    unlabelled: Option<String>,
    crowds: Option<Marked>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a raw label value or the name of a class"
)]
enum Ignored {
    Raw(u16),
    Class(String),
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

/// The contents of the file.
pub(super) enum Described {
    /// The whole data set.
    Whole(Contents),
    /// Options for a detected layout.
    Options(Options),
}

/// Options for a detected layout.
#[derive(Default)]
pub(super) struct Options {
    /// What the file says of labels that are outlines.
    pub drawn: Option<Settings>,
    name: Option<String>,
    relabel: Relabel,
}

/// New names for classes, and classes to ignore.
#[derive(Default)]
struct Relabel {
    map: BTreeMap<String, String>,
    ignored: Vec<String>,
}

/// Whether `DIR/dataset.toml` describes the whole data set. True for one that cannot be parsed, for
/// which [`read`] returns the error.
pub(super) fn is_whole(dir: &Path) -> bool {
    let path = dir.join(FILE);
    path.is_file() && !matches!(read(dir), Ok(Some(Described::Options(_))))
}

/// Reads `DIR/dataset.toml`, if it exists.
///
/// # Errors
/// The file cannot be read or parsed, has unknown or missing keys, names no class, or names a
/// folder that does not exist.
pub(super) fn read(dir: &Path) -> Result<Option<Described>, DataError> {
    let path = dir.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = text_file::read(&path)?;
    let wrong = |error| DataError::description(&path, text_file::toml_reason(&text, &error));
    let mut described: Description = toml::from_str(&text).map_err(wrong)?;
    let (mut raw, mut relabel) = (Vec::new(), Relabel::default());
    for ignored in std::mem::take(&mut described.ignore) {
        match ignored {
            Ignored::Raw(value) => raw.push(value),
            Ignored::Class(name) => relabel.ignored.push(name),
        }
    }
    relabel.map = std::mem::take(&mut described.map);
    if described.classes.is_some() || described.splits.is_some() {
        let maps_values = relabel.map.keys().any(|key| key.parse::<u16>().is_ok());
        let mut contents = whole(dir, described, &raw, maps_values)?;
        relabel.apply(&path, &mut contents)?;
        return Ok(Some(Described::Whole(contents)));
    }
    let of_pixels = [
        (!raw.is_empty(), "a number in ignore"),
        (described.offset.is_some(), "offset"),
        (described.image_suffix.is_some(), "image_suffix"),
        (described.label_suffix.is_some(), "label_suffix"),
    ];
    if let Some((_, key)) = of_pixels.into_iter().find(|(is_there, _)| *is_there) {
        let reason = format!("{key} requires classes and splits");
        return Err(DataError::description(&path, reason));
    }
    let unlabelled = match described.unlabelled {
        Some(name) => Some(unlabelled(&path, name.trim())?),
        None => None,
    };
    let crowds = described.crowds;
    let drawn = Settings { unlabelled, crowds };
    Ok(Some(Described::Options(Options {
        drawn: (drawn != Settings::default()).then_some(drawn),
        name: described.name,
        relabel,
    })))
}

/// The meaning of `unlabelled`; its keywords may be in any letter case, as names of classes are.
fn unlabelled(path: &Path, name: &str) -> Result<Unlabelled, DataError> {
    match name.to_lowercase().as_str() {
        "background" => Ok(Unlabelled::Background),
        "ignore" => Ok(Unlabelled::Ignored),
        "" => {
            let reason =
                "unlabelled is empty: write \"background\", \"ignore\" or the name of a class";
            Err(DataError::description(path, reason))
        }
        _ => Ok(Unlabelled::Class(name.to_owned())),
    }
}

impl Options {
    ///
    /// # Errors
    /// Classes that the data set does not have.
    pub(super) fn apply(self, dir: &Path, contents: &mut Contents) -> Result<(), DataError> {
        contents.name = self.name.or_else(|| contents.name.take());
        self.relabel.apply(&dir.join(FILE), contents)
    }
}

impl Relabel {
    fn apply(&self, path: &Path, contents: &mut Contents) -> Result<(), DataError> {
        if self.map.is_empty() && self.ignored.is_empty() {
            return Ok(());
        }
        let old = &contents.classes;
        let class = |key: &str, name: &str| {
            old.find(name).ok_or_else(|| {
                let name = name.escape_debug();
                let reason =
                    format!("{key} names the class \"{name}\", which the data set does not have");
                DataError::description(path, reason)
            })
        };
        // `None` for a class that is ignored, else its name and whether that is its own.
        let mut names: Vec<Option<(&str, bool)>> = old
            .names
            .iter()
            .map(|name| Some((name.as_str(), true)))
            .collect();
        let mut values: Vec<(u16, &str)> = Vec::new();
        for (from, to) in &self.map {
            if to.trim().is_empty() {
                let from = from.escape_debug();
                let reason = format!(
                    "map gives the class \"{from}\" an empty name: to leave it out, write \
                     ignore = [\"{from}\"]"
                );
                return Err(DataError::description(path, reason));
            }
            match (old.find(from), from.parse()) {
                (None, Ok(value)) => values.push((value, to.trim())),
                _ => names[usize::from(class("map", from)?)] = Some((to.trim(), false)),
            }
        }
        let is_free = |value: u16| {
            let mut splits = contents.splits.iter();
            splits.all(|split| split.leaves_to_pixels(value))
        };
        if let Some((value, _)) = values.iter().find(|(value, _)| !is_free(*value)) {
            let reason = format!(
                "map names the value {value}, but labels of this data set are not, or not all, values of pixels: \
                 remove it"
            );
            return Err(DataError::description(path, reason));
        }
        for name in &self.ignored {
            names[usize::from(class("ignore", name)?)] = None;
        }
        let count = names.len();
        names.extend(values.iter().map(|(_, to)| Some((*to, false))));
        let (table, indices) = merged(&names);
        let new = |class: u16| indices.get(usize::from(class)).copied().unwrap_or(IGNORE);
        let mut mapping = contents.mapping.then(new);
        for ((value, _), class) in values.iter().zip(&indices[count..]) {
            mapping = mapping.with(*value, *class);
        }
        contents.mapping = mapping;
        contents.classes = ClassTable::checked(path, table.names)?;
        Ok(())
    }
}

/// The table of these names, each with whether it is the class's own, and the index of each. A new
/// name is the class of the same name, in any letter case; own names are distinct, also where only the
/// letter case differs.
fn merged(names: &[Option<(&str, bool)>]) -> (ClassTable, Vec<u16>) {
    let own = names.iter().flatten().filter(|(_, is_own)| *is_own);
    let own = ClassTable {
        names: own.map(|(name, _)| (*name).to_owned()).collect(),
    };
    let mut table = ClassTable::default();
    let index = |name: &Option<(&str, bool)>| match *name {
        None => IGNORE,
        Some((name, true)) => table.find_exactly_or_add(name),
        Some((name, false)) => match own.find(name) {
            Some(class) => table.find_exactly_or_add(own.name(usize::from(class))),
            None => table.find_or_add(name.to_owned()),
        },
    };
    let indices = names.iter().map(index).collect();
    (table, indices)
}

/// A data set whose classes and splits are in the file.
fn whole(
    dir: &Path,
    described: Description,
    ignore: &[u16],
    maps_values: bool,
) -> Result<Contents, DataError> {
    let path = dir.join(FILE);
    let lacks = |key: &str| DataError::description(&path, format!("has no {key}: add {key}"));
    let classes = match described.classes {
        Some(Classes::Names(names)) => ClassTable::checked(&path, names)?,
        Some(Classes::File(file)) => ClassTable::from_file(dir.join(file))?,
        None => return Err(lacks("classes")),
    };
    if described.unlabelled.is_some() || described.crowds.is_some() {
        return Err(DataError::description(&path, NOT_DRAWN));
    }
    let (count, offset) = (classes.len() as i64, described.offset.unwrap_or_default());
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
    for (name, split) in described.splits.unwrap_or_default() {
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
                format!("splits.{name}.{key} = \"{given}\" is not a folder beside this file{hint}");
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
                .or_else(|| described.label_suffix.clone()),
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
    let mut named = BTreeSet::new();
    let mut names = splits.iter().map(|split| canonical(&split.name));
    if let Some(name) = names.find(|name| !named.insert(*name)) {
        let reason = format!("two of its splits are {name}: join them");
        return Err(DataError::description(&path, reason));
    }
    // The table of splits is sorted alphabetically, with "test" first.
    splits.sort_by_key(|split| {
        SPLITS
            .iter()
            .position(|name| *name == split.name)
            .unwrap_or(3)
    });
    let colours = dir.join(labelmap::FILE);
    if colours.is_file() {
        // Colours are classes already.
        let of_values = [
            (described.offset.is_some(), "offset"),
            (!ignore.is_empty(), "numbers in ignore"),
            (maps_values, "numbers in map"),
        ];
        let refused = of_values.into_iter().find(|(is_there, _)| *is_there);
        let refused = refused.map(|(_, key)| {
            format!(
                "gives colours their classes, but {} has {key}, for values of pixels: remove one of the two",
                path.display()
            )
        });
        set_apart(&mut splits);
        splits = labelmap::beside_a_list(&colours, &classes, splits, refused);
    }
    Ok(Contents {
        name: described.name,
        classes,
        mapping,
        splits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_shows_every_key_in_a_valid_file() {
        let example: Vec<&str> = HELP
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .collect();
        let described: Description = toml::from_str(&example.join("\n")).unwrap();
        assert!(described.classes.is_some() && described.splits.is_some());
        // Shown on 80 columns it can be copied.
        assert!(example.iter().all(|line| line.len() + 2 <= 78));
        assert_eq!((described.ignore.len(), described.map.len()), (2, 2));
        for key in [
            "offset",
            "image_suffix",
            "label_suffix",
            "unlabelled",
            "crowds",
            "name",
        ] {
            assert!(HELP.contains(key), "{key}");
        }
    }
}
