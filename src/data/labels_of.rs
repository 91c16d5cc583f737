//! The label file of a photo that lies in a data set's folder.

use std::path::Path;

use super::dataset::load_pair;
use super::layout;
use super::sample::LabelMap;
use super::split::{Pair, Split};

/// How many folders above a photo may be its data set's root.
const DEPTH: usize = 5;

/// The labels of a photo, where a folder above it holds a data set with these classes whose labels are
/// PNG files; none otherwise. Nothing but the label file's folder is listed.
pub fn labels_of(photo: &Path, classes: &[String]) -> Option<LabelMap> {
    let photo = photo.canonicalize().ok()?;
    let mut roots = photo.ancestors().skip(1).take(DEPTH);
    let contents = roots.find_map(|root| layout::detect_files(root).ok()?.describe(root).ok())?;
    if contents.classes.names != classes {
        return None;
    }
    let labels = contents.splits.into_iter().find_map(|split| {
        let images = split.images.canonicalize().ok()?;
        let labels = split.labels.canonicalize().ok()?;
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
    Some(sample.labels)
}
