//! Usual names of folders and files that are not those of the plain layout.

use super::*;

#[test]
fn folders_of_masks_or_labels_are_annotations() {
    for name in ["masks", "labels"] {
        let dir = plain(1);
        let at = |path: &str| dir.path().join(path);
        fs::rename(at("annotations"), at(name)).unwrap();
        assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        assert!(report.problems().is_empty(), "{:?}", report.problems());
        assert_eq!((report.splits[0].pairs, report.splits[1].pairs), (1, 1));
        fs::remove_file(at("classes.txt")).unwrap();
        let words = format!("images and {name} are there");
        says(&message(detect(dir.path())), &[&words, "classes.txt"]);
    }
    // Outlines in text files have a form of their own.
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_pair(&at("images/train/a.png"), &at("masks/train/a.png"), [0; 8]);
    fs::create_dir_all(at("labels/train")).unwrap();
    fs::write(at("labels/train/a.txt"), "0 0 0 1 0 1 1\n").unwrap();
    fs::write(at("classes.txt"), "a\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
    // The masks have other classes than the outlines.
    assert!(labels_of(&at("images/train/a.png"), &["a".to_owned()]).is_none());
}

#[test]
fn a_folder_of_annotations_of_something_else_is_left_out() {
    for name in ["masks", "labels"] {
        let dir = plain(1);
        let at = |path: &str| dir.path().join(path);
        fs::rename(at("annotations"), at(name)).unwrap();
        // In the folder itself, and in one of a split.
        for file in ["annotations/p00.xml", "annotations/training/p00.xml"] {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(at(file), "<annotation/>").unwrap();
            assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
            let report = inspect(dir.path(), &|_, _| {}).unwrap();
            assert!(report.problems().is_empty(), "{:?}", report.problems());
            assert_eq!((report.splits[0].pairs, report.splits[1].pairs), (1, 1));
            let line = format!("the label files are those in {name}; annotations is not read");
            says(&report.notes().join("\n"), &[&line]);
        }
        // Label files in both are those of the usual folder.
        save_labels(&at("annotations/training/p00.png"), [4, 2], &[2; 8]);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        assert_eq!(dataset.load(0).unwrap().labels.data, [2; 8]);
    }
}

#[test]
fn labels_come_before_masks_that_were_made_of_the_photos() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_pair(&at("images/train/a.png"), &at("labels/train/a.png"), [0; 8]);
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    for mask in ["masks/a.png", "masks/train/a.png"] {
        save_labels(&at(mask), [4, 2], &[1; 8]);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        assert_eq!(dataset.load(0).unwrap().labels.data, [0; 8]);
    }
    // Labels of other splits.
    fs::rename(at("labels/train"), at("labels/test")).unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(0).unwrap().labels.data, [1; 8]);
}

#[test]
fn forms_that_are_not_read_are_recognised() {
    for (file, words) in [
        ("annotations.xml", ["CVAT", "COCO"]),
        ("train/_classes.csv", ["Roboflow", "label_suffix"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        save_photo(&dir.path().join("train/a.png"), 4, 2);
        fs::write(dir.path().join(file), "").unwrap();
        says(&message(detect(dir.path())), &words);
    }
}

#[test]
fn label_files_with_another_ending_are_named() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join("annotations/training").join(path);
    fs::rename(at("p00.png"), at("p00_mask.png")).unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["p00_mask.png is there", "label_suffix = \"_mask.png\""],
    );
}

#[test]
fn outlines_beside_photos_are_read_where_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let yaml = "train: images\nval: images\nnames:\n  0: \"a\"\n  1: \"b\"\n";
    fs::write(at("data.yaml"), yaml).unwrap();
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    save_photo(&at("p.png"), 4, 2);
    let opened = || Dataset::open(dir.path(), "training");
    says(&message(opened()), &["images", "folder labels"]);
    fs::write(at("p.txt"), "1 0 0 1 0 1 1 0 1\n").unwrap();
    let dataset = opened().unwrap();
    assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, "p"));
    assert_eq!(dataset.classes().names, ["background", "a", "b"]);
    assert_eq!(dataset.load(0).unwrap().labels.data, [2; 8]);
    assert_eq!(Dataset::open(dir.path(), "validation").unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn labels_of_a_photo_behind_a_link_are_found() {
    use std::os::unix::fs::symlink;

    let (dir, elsewhere) = (plain(1), tempfile::tempdir().unwrap());
    let stored = |name: &str| elsewhere.path().join(name);
    let at = |path: &str| dir.path().join(path);
    let links = [
        ("images/training/p00.png", "0815.png"),
        ("images/validation", "photos"),
    ];
    for (link, name) in links {
        fs::rename(at(link), stored(name)).unwrap();
        symlink(stored(name), at(link)).unwrap();
    }
    let classes = ["a", "b", "c"].map(str::to_owned);
    for photo in ["images/training/p00.png", "images/validation/p00.png"] {
        let found = labels_of(&at(photo), &classes).unwrap();
        assert_eq!(found.labels.data, [0, 1, 2, IGNORE, 2, 1, 0, 0], "{photo}");
    }
}
