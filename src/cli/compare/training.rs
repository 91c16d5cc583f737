//! Says where the photos of a data set's training are compared on.

use crate::data;
use crate::terminal::{self, err};
use std::path::{Path, PathBuf};

/// Says which of the folders given as photos are data sets with photos for training and others for validation, and
/// how to compare on the latter alone.
pub(super) fn note(named: &[PathBuf]) {
    for folder in named.iter().filter(|folder| is_split(folder)) {
        let folder = folder.to_string_lossy();
        let folder = terminal::name(&folder);
        err!(
            "{folder} is a data set, and its photos include those of training: --data {folder} compares on the \
             validation split"
        );
    }
}

/// Whether a folder is a data set with a split for training and one for validation.
fn is_split(folder: &Path) -> bool {
    let contents = data::detect(folder).and_then(|layout| layout.describe(folder));
    contents.is_ok_and(|contents| {
        let has = |start: &str| {
            let mut splits = contents.splits.iter();
            splits.any(|split| split.name.starts_with(start))
        };
        has("train") && has("val")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_data_set_with_training_and_validation_is_told_from_a_folder_of_photos() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let add = |split: &str| {
            for part in ["images", "annotations"] {
                let part = path(part).join(split);
                fs::create_dir_all(&part).unwrap();
                fs::write(part.join("a.png"), "").unwrap();
            }
        };
        add("validation");
        fs::write(path("classes.txt"), "sky\nroad\n").unwrap();
        assert!(!is_split(folder.path()));
        add("training");
        assert!(is_split(folder.path()));
        assert!(!is_split(&path("images")));
        assert!(!is_split(&path("images/validation")));
        assert!(!is_split(&path("images/validation/a.png")));
    }
}
