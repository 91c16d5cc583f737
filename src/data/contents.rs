//! The contents of a data set's folder, according to its layout.

use super::classes::ClassTable;
use super::mapping::LabelMapping;
use super::photo::has_photo_ending;
use super::split::{Split, is_label_file};
use super::split_name::{SPELLINGS, SPLITS};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

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

/// The spellings of a name, of which programs use the first and CVAT also the second.
pub(super) fn in_any_case(name: &str) -> [String; 3] {
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    [
        name.to_owned(),
        first.to_uppercase() + rest,
        name.to_uppercase(),
    ]
}

/// How many files of a folder are looked at to tell what it holds.
const LOOKED_AT: usize = 64;

/// The names that the folder of label files may have.
const LABELS: [&str; 3] = [ANNOTATIONS, "labels", "masks"];

/// All names of splits.
fn spellings() -> impl Iterator<Item = &'static str> {
    SPELLINGS.into_iter().flatten().copied()
}

/// The name of the folder of label files beside `images`: the first of `annotations`, `labels` and `masks` that shares
/// a split with `images` and holds a label file in a split; `annotations` may hold something else, and `masks` may be
/// what a model made of the photos. Without such a folder, the first of `annotations` and `masks` that shares a split,
/// or else the first of all that holds a label file itself, or else the first of those two that is there, or else
/// `labels` if it holds a label file in a split.
pub(super) fn label_folder(dir: &Path) -> &'static str {
    let is_shared = |name: &&str| {
        let is_in = |parent: &str, split: &str| dir.join(parent).join(split).is_dir();
        spellings().any(|split| is_in("images", split) && is_in(name, split))
    };
    let in_splits = |name: &&str| {
        let folder = dir.join(name);
        spellings().any(|split| holds_below(&folder.join(split), is_label_file))
    };
    let itself = |name: &&str| holds(&dir.join(name), is_label_file);
    let mut all = LABELS.into_iter();
    let usual = [ANNOTATIONS, "masks"].into_iter();
    all.find(|name| is_shared(name) && in_splits(name))
        .or_else(|| usual.clone().find(is_shared))
        .or_else(|| LABELS.into_iter().find(itself))
        .or_else(|| usual.clone().find(|name| dir.join(name).is_dir()))
        .or_else(|| Some("labels").filter(in_splits))
        .unwrap_or(ANNOTATIONS)
}

/// What is to be said of folders that are not read, or are not divided into splits, in one line.
pub(super) fn assumed(dir: &Path) -> Option<String> {
    let labels = label_folder(dir);
    if is_undivided(dir) {
        let made = if labels == "masks" {
            "; if a model made these masks, rename their folder"
        } else {
            ""
        };
        return Some(format!(
            "images and {labels} have no folders of splits: all photos are in the training split; for validation, move \
             a part of both into images/val and {labels}/val, and the rest into images/train and {labels}/train{made}"
        ));
    }
    let is_left_out = labels != ANNOTATIONS && dir.join(ANNOTATIONS).is_dir();
    is_left_out.then(|| {
        format!(
            "the label files are those in {labels}; {ANNOTATIONS} is not read: it has no label file in a split of images"
        )
    })
}

/// Whether one of the first files of a folder is such a file.
pub(super) fn holds(folder: &Path, is_one: fn(&Path) -> bool) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .take(LOOKED_AT)
        .any(|entry| is_one(&entry.path()) && !entry.path().is_dir())
}

/// Whether one of the first files of a folder, or in subfolders of it, is such a file.
fn holds_below(folder: &Path, is_one: fn(&Path) -> bool) -> bool {
    let walk = WalkDir::new(folder).min_depth(1).follow_links(true);
    let mut entries = walk.into_iter().flatten().take(LOOKED_AT);
    entries.any(|entry| is_one(entry.path()))
}

/// The places of the splits in the folders `images` and [`label_folder`]: under the first name of a split that
/// both have, or else the first that one of them has. If no split has both folders, but photos and label files are in
/// `images` and the other folder themselves, they are the training split, the only one. Otherwise, folders of splits
/// that hold `images` and one of label files are, as `train/images` and `train/masks`.
pub(super) fn images_and_annotations(dir: &Path) -> Vec<Split> {
    let labels = label_folder(dir);
    let usual = arranged(dir, labels, |folder, split| Path::new(folder).join(split));
    if usual.iter().any(is_whole) {
        return usual;
    }
    let [images, label_files] = ["images", labels].map(|folder| dir.join(folder));
    if holds(&images, has_photo_ending) && holds(&label_files, is_label_file) {
        return vec![Split {
            name: SPLITS[0].to_owned(),
            images,
            labels: label_files,
            ..Split::default()
        }];
    }
    let is_in_splits = |name: &&str| {
        spellings().any(|split| {
            let split = dir.join(split);
            split.join("images").is_dir() && holds_below(&split.join(name), is_label_file)
        })
    };
    match LABELS.into_iter().find(is_in_splits) {
        Some(labels) => arranged(dir, labels, |folder, split| Path::new(split).join(folder)),
        None => usual,
    }
}

/// Whether the photos and label files of a folder are not divided into splits; see [`images_and_annotations`].
pub(super) fn is_undivided(dir: &Path) -> bool {
    images_and_annotations(dir).len() == 1
}

/// The splits training, validation and test, each with the folders that `place` returns for `images` or `labels` and a
/// name of the split.
fn arranged(dir: &Path, labels: &str, place: impl Fn(&str, &str) -> PathBuf) -> Vec<Split> {
    let folders = |split: &&str| ["images", labels].map(|folder| dir.join(place(folder, split)));
    let found = |(name, spellings): (&str, &[&str])| {
        let folders = spellings.iter().map(folders).collect();
        first_there(name, folders)
    };
    SPLITS.into_iter().zip(SPELLINGS).map(found).collect()
}

/// A split with the first of these folders of photos and of labels of which both exist, or else the first of which one
/// does, or else the first.
pub(super) fn first_there(name: &str, folders: Vec<[PathBuf; 2]>) -> Split {
    let both = |folders: &[PathBuf; 2]| folders.iter().all(|folder| folder.is_dir());
    let any = |folders: &[PathBuf; 2]| folders.iter().any(|folder| folder.is_dir());
    let place = folders.iter().position(both);
    let place = place.or_else(|| folders.iter().position(any)).unwrap_or(0);
    let [images, labels] = folders.into_iter().nth(place).unwrap_or_default();
    Split {
        name: name.to_owned(),
        images,
        labels,
        ..Split::default()
    }
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
    splits.retain(is_whole);
    splits
}

fn is_whole(split: &Split) -> bool {
    split.images.is_dir() && split.labels.is_dir()
}
