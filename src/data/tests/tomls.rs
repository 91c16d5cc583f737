//! Data sets that describe themselves.

use super::*;

/// A folder with one pair, `photos/a.png` and `masks/a_L.png`, and a description.
fn described(toml: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (image, labels) = (
        dir.path().join("photos/a.png"),
        dir.path().join("masks/a_L.png"),
    );
    save_pair(&image, &labels, [1, 2, 3, 0, 9, 1, 1, 1]);
    fs::write(dir.path().join("dataset.toml"), toml).unwrap();
    dir
}

const SPLIT: &str = "[splits.training]\nimages = \"photos\"\nlabels = \"masks\"\n";

#[test]
fn raw_labels_are_shifted_and_ignored() {
    let dir = described(&format!(
        "name = \"Mine\"\nclasses = [\"x\", \"y\", \"z\"]\nignore = [0, 9]\noffset = 1\nlabel_suffix = \"_L.png\"\n{SPLIT}"
    ));
    assert_eq!(detect(dir.path()).unwrap(), Layout::DatasetToml);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!((dataset.name(), dataset.len()), ("Mine", 1));
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [0, 1, 2, IGNORE, IGNORE, 0, 0, 0]
    );
}

#[test]
fn classes_may_stand_in_a_file_and_suffixes_in_a_split() {
    let dir = described(&format!(
        "classes = \"names.txt\"\nignore = [9]\n{SPLIT}label_suffix = \"_L.png\"\n"
    ));
    fs::write(dir.path().join("names.txt"), "n\ne\nw\ns\n").unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["n", "e", "w", "s"]);
    assert_eq!(
        dataset.load(0).unwrap().labels.data[..5],
        [1, 2, 3, 0, IGNORE]
    );
}

#[test]
fn photos_and_labels_may_share_a_folder() {
    let dir = described(
        "classes = [\"a\", \"b\", \"c\", \"d\"]\nignore = [9]\nlabel_suffix = \"_L.png\"\n\
         [splits.all]\nimages = \"both\"\nlabels = \"both\"\n",
    );
    let (image, labels) = (
        dir.path().join("both/a.png"),
        dir.path().join("both/a_L.png"),
    );
    save_pair(&image, &labels, [0; 8]);
    assert_eq!(Dataset::open(dir.path(), "all").unwrap().len(), 1);
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    let opened = |toml: &str| message(Dataset::open(described(toml).path(), "training"));
    says(
        &opened("classes = [\"a\"]\n[splits.training]\nimages = \n"),
        &["dataset.toml", "line 3"],
    );
    says(
        &opened(&format!("klasses = 1\n{SPLIT}")),
        &["dataset.toml", "klasses"],
    );
    says(
        &opened(&format!("classes = 7\n{SPLIT}")),
        &["array of names or the name of a file"],
    );
    says(
        &opened(&format!("classes = []\n{SPLIT}")),
        &["names no class"],
    );
    says(
        &opened("classes = [\"a\"]\n[splits]\n"),
        &["add [splits.training]"],
    );
    let absent = "classes = [\"a\"]\n[splits.training]\nimages = \"gone\"\nlabels = \"masks\"\n";
    says(
        &opened(absent),
        &["splits.training.images", "\"gone\"", "no folder"],
    );
    // Without the suffix no photo has labels.
    says(
        &opened(&format!("classes = [\"a\"]\n{SPLIT}")),
        &["training split", "is empty"],
    );
}
