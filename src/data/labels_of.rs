//! The label file of a photo that lies in a data set's folder.

use super::dataset::{Dataset, LabelMap};
use super::layout;
use std::path::Path;

/// How many folders above a photo may be its data set's root.
const DEPTH: usize = 5;

/// The labels of a photo, where a folder above it holds a data set in a known layout with these
/// classes; none otherwise.
pub fn labels_of(photo: &Path, classes: &[String]) -> Option<LabelMap> {
    let photo = photo.canonicalize().ok()?;
    let roots = photo.ancestors().skip(1).take(DEPTH);
    let (root, contents) = roots
        .filter_map(|root| Some((root, layout::detect(root).ok()?.describe(root).ok()?)))
        .next()?;
    for split in &contents.splits {
        let Ok(dataset) = Dataset::open(root, &split.name) else {
            continue;
        };
        let names = (0..dataset.classes().len()).map(|i| dataset.classes().name(i));
        if !names.eq(classes.iter().map(String::as_str)) {
            return None;
        }
        let found = (0..dataset.len()).find(|&i| {
            let path = dataset.image_path(i);
            path.and_then(|path| path.canonicalize().ok()) == Some(photo.clone())
        });
        if let Some(i) = found {
            return dataset.load(i).ok().map(|sample| sample.labels);
        }
    }
    None
}
