//! Lists a data set's files, for commands that must not overwrite them.

use super::layout;
use std::path::{Path, PathBuf};

/// Maximum depth of searched folders.
const DEPTH: usize = 3;

/// All photos and labels of the data set in a folder, paired or not, its lists and its class tables;
/// empty for a folder without a data set.
pub fn files_in(dir: &Path) -> Vec<PathBuf> {
    let contents = layout::detect(dir).and_then(|layout| layout.describe(dir));
    let Ok(contents) = contents else {
        return Vec::new();
    };
    let mut files = Vec::new();
    // Class tables and lists are text; other tables, such as scores, may be overwritten.
    gather(dir, 0, &mut files);
    files.retain(|path| path.extension().is_some_and(|e| e == "txt" || e == "toml"));
    for split in contents.splits {
        gather(&split.images, DEPTH, &mut files);
        gather(&split.labels, DEPTH, &mut files);
        files.extend(split.list);
    }
    files
}

fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() {
            files.push(path);
        } else if depth > 0 {
            gather(&path, depth - 1, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn photos_labels_and_tables_are_part_of_a_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for part in ["images", "annotations"] {
            fs::create_dir_all(path(part).join("training")).unwrap();
        }
        let parts = [
            "images/training/a.png",
            "images/training/b.png",
            "annotations/training/a.png",
            "classes.txt",
        ];
        for name in parts {
            fs::write(path(name), "a\nb\n").unwrap();
        }
        fs::write(path("scores.json"), "").unwrap();
        let mut found = files_in(folder.path());
        found.sort();
        let mut expected = parts.map(path);
        expected.sort();
        assert_eq!(found, expected);
        assert!(files_in(&path("images")).is_empty());
        assert!(files_in(Path::new("scenes:3")).is_empty());
    }

    #[test]
    fn annotations_are_part_of_a_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for part in ["annotations", "train2017"] {
            fs::create_dir_all(path(part)).unwrap();
        }
        let json = r#"{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}"#;
        let parts = ["annotations/instances_train2017.json", "train2017/a.png"];
        for name in parts {
            fs::write(path(name), json).unwrap();
        }
        let found = files_in(folder.path());
        assert!(
            parts.iter().all(|name| found.contains(&path(name))),
            "{found:?}"
        );
    }
}
