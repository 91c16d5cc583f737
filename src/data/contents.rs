//! The contents of a data set's folder, according to its layout.

use super::classes::ClassTable;
use super::mapping::LabelMapping;
use super::split::Split;
use std::path::{Path, PathBuf};

/// The classes, labels and splits of one folder.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The name of the data set, if a file states it.
    pub name: Option<String>,
    /// The names of the classes, by index.
    pub classes: ClassTable,
    /// Raw label -> class index.
    pub mapping: LabelMapping,
    /// The splits whose folders exist, in the order training, validation, test.
    pub splits: Vec<Split>,
}

/// The usual folder of label files.
pub(super) const ANNOTATIONS: &str = "annotations";

/// The names of splits, in order.
pub(super) const SPLITS: [&str; 3] = ["training", "validation", "test"];
/// The names that a split may have, the canonical one first, in the order of [`SPLITS`].
const SPELLINGS: [&[&str]; 3] = [
    &["training", "train"],
    &["validation", "val", "valid"],
    &["test"],
];

/// The canonical spelling of a split's name.
pub(super) fn canonical(split: &str) -> &str {
    match SPELLINGS.iter().find(|names| names.contains(&split)) {
        Some([first, ..]) => first,
        _ => split,
    }
}

/// How many files of a folder are looked at to tell what it holds.
const LOOKED_AT: usize = 64;

/// The name of the folder of label files beside `images`: `annotations` or, where that is missing, `masks`, or `labels`
/// if a split in it holds a PNG file. Of the last two, `labels` comes first if it shares a split with `images`:
/// `masks` may then be what a model made of them.
pub(super) fn label_folder(dir: &Path) -> &'static str {
    let is_there = |name: &str| dir.join(name).is_dir();
    if is_there(ANNOTATIONS) {
        return ANNOTATIONS;
    }
    let holds_labels = holds_png(&dir.join("labels"));
    let is_shared = |split: &&str| {
        let mut parents = ["images", "labels"].iter();
        parents.all(|parent| dir.join(parent).join(split).is_dir())
    };
    if holds_labels && SPELLINGS.into_iter().flatten().any(is_shared) {
        "labels"
    } else if is_there("masks") {
        "masks"
    } else if holds_labels {
        "labels"
    } else {
        ANNOTATIONS
    }
}

fn holds_png(labels: &Path) -> bool {
    let is_png = |path: PathBuf| {
        path.extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("png"))
    };
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let splits = SPELLINGS
        .into_iter()
        .flatten()
        .map(|split| labels.join(split));
    let files = |split: PathBuf| entries(split).take(LOOKED_AT).map(|entry| entry.path());
    splits.flat_map(files).any(is_png)
}

/// The places of the splits in the folders `images` and [`label_folder`]: under the first name of a split that
/// both have, or else the first that one of them has.
pub(super) fn images_and_annotations(dir: &Path) -> Vec<Split> {
    let labels = label_folder(dir);
    let parents = ["images", labels].map(|parent| dir.join(parent));
    let found = |names: &[&'static str]| {
        let is_in = |parent: &PathBuf, name: &str| parent.join(name).is_dir();
        let both = |name: &&str| parents.iter().all(|parent| is_in(parent, name));
        let any = |name: &&str| parents.iter().any(|parent| is_in(parent, name));
        let mut all = names.iter().copied();
        let name = all.clone().find(both).or_else(|| all.clone().find(any));
        (name.or(all.next()).unwrap_or_default(), "images")
    };
    places(dir, SPELLINGS.map(found), |name| {
        Path::new(labels).join(name)
    })
}

/// The splits training, validation and test, each with the photo folder `PARENT/NAME` and the label folder
/// that `labels` returns, whether they exist or not.
pub(super) fn places(
    dir: &Path,
    folders: [(&str, &str); 3],
    labels: impl Fn(&str) -> PathBuf,
) -> Vec<Split> {
    let place = |(split, (name, parent)): (&&str, (&str, &str))| Split {
        name: (*split).to_owned(),
        images: dir.join(parent).join(name),
        labels: dir.join(labels(name)),
        ..Split::default()
    };
    SPLITS.iter().zip(folders).map(place).collect()
}

/// Those splits of which both folders exist.
pub(super) fn whole(mut splits: Vec<Split>) -> Vec<Split> {
    splits.retain(|split| split.images.is_dir() && split.labels.is_dir());
    splits
}
