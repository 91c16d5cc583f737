//! What the fingerprint of a data set depends on besides names and sizes.

use super::shapes::OUTLINES;
use super::*;

fn fingerprint(dir: &Path) -> String {
    Dataset::open(dir, "training").unwrap().fingerprint()
}

#[test]
fn another_meaning_of_the_same_files_is_another_fingerprint() {
    let dir = plain(2);
    let described = |more: &str| {
        let text = format!(
            "classes = [\"a\", \"b\", \"c\"]\n{more}[splits.training]\nimages = \"images/training\"\n\
             labels = \"annotations/training\"\n"
        );
        fs::write(dir.path().join("dataset.toml"), text).unwrap();
        fingerprint(dir.path())
    };
    let undescribed = fingerprint(dir.path());
    let prints = [
        described(""),
        described("ignore = [0]\n"),
        described("offset = 1\n"),
        described("offset = 1\nignore = [0]\n"),
    ];
    assert_eq!(described(""), prints[0]);
    fs::remove_file(dir.path().join("dataset.toml")).unwrap();
    assert_eq!(fingerprint(dir.path()), undescribed);
    for (i, print) in prints.iter().enumerate() {
        assert!(!prints[..i].contains(print), "{i}: {prints:?}");
    }
}

#[test]
fn another_class_in_a_text_of_the_same_size_is_another_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for split in ["train", "val"] {
        save_photo(&at(&format!("images/{split}/a.jpg")), 4, 2);
        let labels = at(&format!("labels/{split}"));
        fs::create_dir_all(&labels).unwrap();
        fs::write(labels.join("a.txt"), OUTLINES).unwrap();
    }
    fs::write(at("classes.txt"), "road\ncar\n").unwrap();
    let labelled = |text: &str| {
        fs::write(at("labels/train/a.txt"), text).unwrap();
        fingerprint(dir.path())
    };
    let first = labelled(OUTLINES);
    let other = OUTLINES.replacen("1 0 0 0.5", "0 0 0 0.5", 1);
    assert!(other.len() == OUTLINES.len() && other != OUTLINES);
    assert_ne!(labelled(&other), first);
    assert_eq!(labelled(OUTLINES), first);
}
