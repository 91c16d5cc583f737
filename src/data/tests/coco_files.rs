//! COCO JSON in several files, and photos that none lists.

use serde_json::{Value, json};

use super::coco::{rectangle, write_json};
use super::*;

/// Writes a file with one rectangle on each of these photos of 6x4.
pub(super) fn list(json: &Path, photos: &[&str]) {
    let numbered = || photos.iter().enumerate();
    let images: Vec<Value> = numbered()
        .map(|(id, name)| json!({"id": id, "file_name": name, "width": 6, "height": 4}))
        .collect();
    let annotations: Vec<Value> = numbered()
        .map(|(id, _)| {
            let shape = rectangle(0.0, 0.0, 2.0, 2.0);
            json!({"id": id, "image_id": id, "category_id": 1, "segmentation": shape})
        })
        .collect();
    let categories = json!([{"id": 1, "name": "cat"}]);
    let value = json!({"images": images, "annotations": annotations, "categories": categories});
    write_json(json, &value);
}

#[test]
fn a_second_file_of_a_split_with_other_photos_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for name in ["p0", "p1", "p2", "p3"] {
        save_photo(&at(&format!("images/{name}.png")), 6, 4);
    }
    list(&at("annotations/batch1.json"), &["p0.png", "p1.png"]);
    list(&at("annotations/batch2.json"), &["p2.png", "p3.png"]);
    // Other annotations of the same photos.
    list(&at("annotations/batch3.json"), &["p1.png"]);
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 2);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    says(
        &report.problems()[0],
        &[
            "batch2.json is not read, but lists 2 photos that",
            "batch1.json does not",
        ],
    );
    // They are told with their file.
    assert_eq!(report.splits[0].missing_labels, 0);
}

#[test]
fn a_file_of_both_splits_beside_one_per_split_is_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for name in ["p0", "p1", "p2"] {
        save_photo(&at(&format!("images/{name}.png")), 6, 4);
    }
    list(&at("annotations/instances_train.json"), &["p0.png"]);
    list(&at("annotations/instances_val.json"), &["p1.png"]);
    let both = at("annotations/instances_trainval.json");
    list(&both, &["./p0.png", "p1.png"]);
    let problems = || {
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        report.problems().to_vec()
    };
    assert!(problems().is_empty(), "{:?}", problems());
    list(&both, &["p0.png", "p1.png", "p2.png"]);
    says(
        &problems().join("\n"),
        &["instances_trainval.json is not read, but lists 1 photo that"],
    );
}

#[test]
fn photos_that_no_file_lists_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for name in ["p0", "p1", "p2"] {
        save_photo(&at(&format!("images/{name}.png")), 6, 4);
    }
    list(&at("annotations/instances_train.json"), &["p0.png"]);
    list(&at("annotations/instances_val.json"), &["p1.png"]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    let notes = report.notes().join("\n");
    for split in ["training", "validation"] {
        let line = format!("1 photo of the {split} split has no entry in a JSON file");
        says(&notes, &[&line, "p2.png"]);
    }
    assert_eq!(report.splits[0].missing_labels, 1);
}
