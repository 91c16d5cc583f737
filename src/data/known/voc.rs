//! Pascal VOC: `JPEGImages`, `SegmentationClass` and the lists of names in `ImageSets/Segmentation`, in
//! the folder itself or in `VOC2012` or `VOCdevkit/VOC2012` below it; palette indices 0..=20 are the
//! classes, and 255 marks outlines and difficult objects.
//!
//! Other programs write other classes in this form. They name them in `labelmap.txt`, whose colours are
//! then the labels, or in `class_names.txt`, a name per line in the order of the labels from 0, beside
//! `JPEGImages`.

use std::path::{Path, PathBuf};

use super::super::classes::ClassTable;
use super::super::contents::{Contents, holds, in_any_case};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::{Split, is_label_file};
use super::labelmap::{self, Lines, palette};
use crate::labels::IGNORE;
use crate::text_file;

pub(super) const COUNT: usize = 21;
const CLASSES: [&str; COUNT] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];
/// The folder of the splits' lists.
const LISTS: &str = "ImageSets/Segmentation";
/// The splits, each with the names of its list, of which the first is the usual one. Programs write `default` for data
/// without splits.
const SPLITS: [(&str, &[&str]); 3] = [
    ("training", &["train.txt", "training.txt", "default.txt"]),
    ("validation", &["val.txt", "valid.txt", "validation.txt"]),
    ("test", &["test.txt"]),
];
/// The folders of label files; labelme2voc has the second beside NumPy files in the first.
const LABELS: [&str; 2] = ["SegmentationClass", "SegmentationClassPNG"];
/// The hint of the error for a folder without any list.
pub(in super::super) const NO_LIST: &str =
    " (ImageSets/Segmentation has no list: add train.txt and val.txt, a photo's name per line)";
/// Files of class names, the first with colours.
const COLOURS: &str = labelmap::FILE;
const NAMES: &str = "class_names.txt";

/// The folder that holds `JPEGImages`, given the year's folder or the archive's. Without a folder of lists, it names
/// its classes.
pub(in super::super) fn root(dir: &Path) -> Option<PathBuf> {
    let mut roots = ["", "VOC2012", "VOCdevkit/VOC2012"]
        .map(|below| dir.join(below))
        .into_iter();
    roots.find(|root| {
        let is_there = |folder: &&str| root.join(folder).is_dir();
        is_there(&"JPEGImages")
            && LABELS.iter().any(is_there)
            && (is_there(&LISTS) || names_classes(root))
    })
}

/// Whether a file names the classes.
fn names_classes(root: &Path) -> bool {
    let mut files = [COLOURS, NAMES].into_iter();
    files.any(|file| root.join(file).is_file())
}

/// A hint for a folder with label files alone, as CVAT exports them without photos.
pub(in super::super) fn hint(dir: &Path) -> Option<&'static str> {
    let is_there = |folder: &str| dir.join(folder).is_dir();
    (is_there("SegmentationClass") && !is_there("JPEGImages"))
        .then_some(" (SegmentationClass is there: put the photos into JPEGImages beside it)")
}

/// All splits share their folders; lists of names distinguish them. Without a folder of lists there is one split.
///
/// # Errors
/// A file of class names that cannot be read or is invalid.
pub(in super::super) fn contents(root: &Path) -> Result<Contents, DataError> {
    let labels = LABELS.map(|folder| root.join(folder));
    let [usual, png] = labels;
    let labels = if png.is_dir() && !holds(&usual, is_label_file) {
        png
    } else {
        usual
    };
    let split = |name: &str, list: Option<PathBuf>| Split {
        name: name.to_owned(),
        images: root.join("JPEGImages"),
        labels: labels.clone(),
        list,
        ..Split::default()
    };
    let splits: Vec<Split> = if root.join(LISTS).is_dir() {
        let lists = lists(root);
        lists.map(|(name, list)| split(name, Some(list))).collect()
    } else {
        vec![split(SPLITS[0].0, None)]
    };
    let (colours, names) = (root.join(COLOURS), root.join(NAMES));
    if colours.is_file() {
        return labelmap::contents(&colours, Lines::Voc, splits);
    }
    let (classes, mapping) = if names.is_file() {
        let classes = ClassTable::from_file(names)?;
        let mapping = LabelMapping::plain(classes.len());
        (classes, mapping)
    } else {
        let names = CLASSES.map(str::to_owned).to_vec();
        (ClassTable::new(names), LabelMapping::new(class))
    };
    Ok(Contents {
        name: None,
        classes,
        mapping,
        splits,
    })
}

/// The splits that have a list, with it.
fn lists(root: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let lists = root.join(LISTS);
    SPLITS.into_iter().filter_map(move |(split, names)| {
        let names = names.iter().flat_map(|name| in_any_case(name));
        let mut paths = names.map(|name| lists.join(name));
        Some((split, paths.find(|list| list.is_file())?))
    })
}

/// The folder of the splits' lists, given the year's folder or the archive's.
pub(in super::super) fn lists_in(dir: &Path) -> Option<PathBuf> {
    Some(root(dir)?.join(LISTS)).filter(|lists| lists.is_dir())
}

/// The name of a split's list.
pub(in super::super) fn list_of(split: &str) -> Option<&'static str> {
    let (_, names) = SPLITS.iter().find(|(name, _)| *name == split)?;
    names.first().copied()
}

/// A note on a folder without lists, or on one whose classes are taken for Pascal VOC's because no file names them,
/// although its photos have other names.
pub(in super::super) fn assumed(root: &Path) -> Option<String> {
    if !root.join(LISTS).is_dir() {
        return Some(format!(
            "{LISTS} is missing: all photos are in the training split; for validation, add train.txt and val.txt there, \
             a photo's name per line"
        ));
    }
    if names_classes(root) {
        return None;
    }
    let first = |list: PathBuf| {
        let text = text_file::read(&list).ok()?;
        Some(text.split_whitespace().next()?.to_owned())
    };
    let mut names = lists(root).filter_map(|(_, list)| first(list));
    let other = names.find(|name| !is_published(name))?;
    Some(format!(
        "the classes are taken for Pascal VOC's, but photos such as {} are not from it: write the classes \
         into {}, one per line, in the order of the labels from 0",
        other.escape_debug(),
        root.join(NAMES).display()
    ))
}

/// Whether a photo is named as Pascal VOC's are: `2007_000032`, in the first years `000032`.
fn is_published(name: &str) -> bool {
    let number = match name.split_once('_') {
        Some((year, number)) if year.len() == 4 && is_digits(year) => number,
        _ => name,
    };
    number.len() == 6 && is_digits(number)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn class(raw: u16) -> Option<u16> {
    match raw {
        0..=20 => Some(raw),
        255 => Some(IGNORE),
        _ => None,
    }
}

/// The colour of a class, whose name may contain spaces.
pub(super) fn colour(class: &str) -> Option<[u8; 3]> {
    let class = class.replace(' ', "");
    let index = CLASSES.iter().position(|name| *name == class)?;
    Some(palette(index))
}

#[cfg(test)]
mod tests {
    use super::super::published_colours;
    use super::*;

    #[test]
    fn the_rule_gives_the_published_palette() {
        let names = CLASSES.map(str::to_owned);
        let colours = published_colours(&names).unwrap();
        // Background, aeroplane, bicycle, person and monitor.
        let known = [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
        ];
        for (class, colour) in known {
            assert_eq!(colours[class], colour);
        }
    }
}
