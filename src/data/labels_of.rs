//! Finds the labels of a photo in a data set's folder.

use std::path::Path;

use super::layout;
use super::pair::load_pair;
use super::split::{Pair, Split};
use crate::labels::LabelMap;

/// Maximum number of folders between a photo and its data set's root.
const DEPTH: usize = 5;

/// The labels of a photo if a folder above it is a data set with these classes and PNG labels. Only the
/// label file's folder is listed.
pub fn labels_of(photo: &Path, classes: &[String]) -> Option<LabelMap> {
    labels_and_classes(photo, |found| found == classes).map(|(labels, _)| labels)
}

/// The labels and class names of a photo if a folder above it is a data set in a known layout whose
/// classes are `wanted`. Only the label file's folder is listed.
pub fn labels_and_classes(
    photo: &Path,
    wanted: impl FnOnce(&[String]) -> bool,
) -> Option<(LabelMap, Vec<String>)> {
    let photo = dunce::canonicalize(photo).ok()?;
    let mut roots = photo.ancestors().skip(1).take(DEPTH);
    let contents = roots.find_map(|root| layout::detect_files(root).ok()?.describe(root).ok())?;
    let classes = contents.classes.names;
    if !wanted(&classes) {
        return None;
    }
    let labels = contents.splits.into_iter().find_map(|split| {
        let images = dunce::canonicalize(&split.images).ok()?;
        let labels = dunce::canonicalize(&split.labels).ok()?;
        let split = Split {
            images,
            labels,
            ..split
        };
        split.labels_of(&photo)
    })?;
    let pair = Pair {
        name: String::new(),
        image: photo,
        labels,
        drawing: None,
    };
    let sample = load_pair(&pair, &contents.mapping, classes.len()).ok()?;
    Some((sample.labels, classes))
}
