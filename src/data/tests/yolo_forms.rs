//! Descriptions of YOLO data sets of other tasks than outlines.

use super::shapes::OUTLINES;
use super::*;

const I: u16 = IGNORE;

#[test]
fn poses_are_no_outlines() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/a.jpg"), 4, 2);
    fs::create_dir_all(at("labels")).unwrap();
    // A box and three points have as many numbers as an outline.
    fs::write(at("labels/a.txt"), OUTLINES).unwrap();
    let text = "train: images\nnames: [person, dog]\nkpt_shape: [3, 2]\n";
    fs::write(at("data.yaml"), text).unwrap();
    let error = message(Dataset::open(dir.path(), "training"));
    says(
        &error,
        &["data.yaml", "holds poses (kpt_shape), not outlines"],
    );
}

/// A pair of 4x2 with a description; the values are those of the label file.
fn semantic(description: &str, values: [u8; 8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let [image, labels] =
        ["images", "masks"].map(|folder| dir.path().join(folder).join("train/a.png"));
    save_pair(&image, &labels, values);
    fs::write(dir.path().join("data.yaml"), description).unwrap();
    dir
}

const SEMANTIC: &str = "path: streets\ntrain: images/train\nval: images/val\nmasks_dir: masks\nnames: {0: road, 1: car}\n";

#[test]
fn label_files_in_the_folder_that_yolo_calls_masks_dir() {
    let plain = semantic(SEMANTIC, [0, 1, 1, 255, 0, 0, 1, 0]);
    assert_eq!(detect(plain.path()).unwrap(), Layout::Yolo);
    let dataset = Dataset::open(plain.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["road", "car"]);
    assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, "a"));
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [0, 1, 1, I, 0, 0, 1, 0]
    );
    let mapped =
        |mapping: &str, values| semantic(&format!("{SEMANTIC}label_mapping: {mapping}\n"), values);
    let values = [0, 7, 26, 255, 7, 7, 26, 0];
    let dir = mapped("{-1: ignore_label, 0: null, 7: 0, 26: 1}", values);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [I, 0, 1, I, 0, 0, 1, I]
    );
    // A value that the table lacks has no class, even if it is the number of one.
    let dir = mapped("{7: 0, 26: 1}", values);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    says(&message(dataset.load(0)), &["masks/train/a.png"]);
    for (mapping, words) in [
        (
            "{7: 2}",
            &["the class 2", "there are 2", "ignore_label"][..],
        ),
        ("{7: road}", &["the class road"]),
        ("{sky: 1}", &["the value sky", "whole numbers"]),
    ] {
        let error = message(Dataset::open(mapped(mapping, values).path(), "training"));
        says(&error, words);
        says(&error, &["data.yaml", "label_mapping"]);
    }
}

#[test]
fn missing_folders_of_masks_dir_are_named() {
    let dir = semantic(SEMANTIC, [0; 8]);
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/val/b.png"), 4, 2);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.splits.len(), 1);
    says(
        &report.problems().join("\n"),
        &["images/val holds 1 photo, but no validation split is read"],
    );
    let opened = |description: &str| {
        fs::write(at("data.yaml"), description).unwrap();
        message(Dataset::open(dir.path(), "training"))
    };
    let other = SEMANTIC.replace("masks_dir: masks", "masks_dir: annotations");
    says(
        &opened(&other),
        &["data.yaml", "annotations/train", "masks_dir"],
    );
    let outside = SEMANTIC.replace("masks_dir: masks", "masks_dir: ../masks");
    says(&opened(&outside), &["data.yaml", "masks_dir: masks"]);
    let list = SEMANTIC.replace("train: images/train", "train: [images/train, images/val]");
    says(
        &opened(&list),
        &["data.yaml", "training split", "name one folder"],
    );
    // Label files have no pixels without a shape.
    fs::write(at("dataset.toml"), "unlabelled = 'ignore'\n").unwrap();
    says(&opened(SEMANTIC), &["unlabelled", "masks_dir", "remove it"]);
}
