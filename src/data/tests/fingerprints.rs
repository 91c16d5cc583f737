//! What the fingerprint of a data set depends on besides names and sizes.

use super::shapes::OUTLINES;
use super::*;
use std::collections::BTreeSet;

fn fingerprint(dir: &Path) -> String {
    Dataset::open(dir, "training").unwrap().fingerprint()
}

/// That of the views of whole photos, which depend on no label.
fn of_views(dir: &Path) -> String {
    let config = LoaderConfig {
        augment: None,
        ..LoaderConfig::default()
    };
    view_fingerprint(&Dataset::open(dir, "training").unwrap(), &config)
}

#[test]
fn another_meaning_of_the_same_files_is_another_fingerprint() {
    let dir = plain(2);
    let mut views = BTreeSet::new();
    let mut described = |more: &str| {
        let text = format!(
            "classes = [\"a\", \"b\", \"c\"]\n{more}[splits.training]\nimages = \"images/training\"\n\
             labels = \"annotations/training\"\n"
        );
        fs::write(dir.path().join("dataset.toml"), text).unwrap();
        views.insert(of_views(dir.path()));
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
    assert_eq!(views.len(), 1);
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
        (fingerprint(dir.path()), of_views(dir.path()))
    };
    let first = labelled(OUTLINES);
    let other = OUTLINES.replacen("1 0 0 0.5", "0 0 0 0.5", 1);
    assert!(other.len() == OUTLINES.len() && other != OUTLINES);
    let second = labelled(&other);
    assert_ne!(second.0, first.0);
    assert_eq!(second.1, first.1);
    assert_eq!(labelled(OUTLINES), first);
}
