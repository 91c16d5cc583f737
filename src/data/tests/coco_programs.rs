//! COCO JSON with the peculiarities of the programs that write it.

use serde_json::{Value, json};

use super::coco::{rectangle, write_json};
use super::*;

const I: u16 = IGNORE;

/// A folder with a file of these annotations of one photo of 6x4, `a.png`.
fn annotated(categories: Value, annotations: &[Value]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    save_photo(&dir.path().join("a.png"), 6, 4);
    let images = json!([{"id": 1, "file_name": "a.png", "width": 6, "height": 4}]);
    let value = json!({"images": images, "annotations": annotations, "categories": categories});
    write_json(&dir.path().join("annotations.json"), &value);
    dir
}

fn cat_and_dog() -> Value {
    json!([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
}

/// An annotation of the left columns by run lengths, which is marked as a crowd.
fn runs(id: u64, category: u64, columns: u64) -> Value {
    json!({
        "id": id, "image_id": 1, "category_id": category, "iscrowd": 1,
        "segmentation": {"size": [4, 6], "counts": [0, 4 * columns, 24 - 4 * columns]}
    })
}

fn first_row(dir: &Path) -> Vec<u16> {
    let dataset = Dataset::open(dir, "training").unwrap();
    dataset.load(0).unwrap().labels.data[..6].to_vec()
}

#[test]
fn run_lengths_of_cvat_are_no_crowds() {
    let by_cvat = |mut annotation: Value| {
        annotation["attributes"] = json!({"occluded": false});
        annotation
    };
    let annotations = [by_cvat(runs(1, 1, 3)), by_cvat(runs(2, 2, 1))];
    let dir = annotated(cat_and_dog(), &annotations);
    assert_eq!(first_row(dir.path()), [2, 1, 1, 0, 0, 0]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    assert!(!report.to_string().contains("crowd"), "{report}");
    // A setting may still say that they are.
    fs::write(dir.path().join("dataset.toml"), "crowds = 'ignore'\n").unwrap();
    assert_eq!(first_row(dir.path()), [I, I, I, 0, 0, 0]);
    // Attributes of any other form say nothing.
    let mut other = runs(1, 1, 3);
    other["attributes"] = json!(["occluded"]);
    let dir = annotated(cat_and_dog(), &[other]);
    assert_eq!(first_row(dir.path()), [I, I, I, 0, 0, 0]);
}

#[test]
fn a_setting_says_whether_many_crowds_are_meant() {
    // The class of the dog also has an outline.
    let outline = json!({"id": 3, "image_id": 1, "category_id": 2, "segmentation": rectangle(5.0, 0.0, 6.0, 4.0)});
    let annotations = [runs(1, 2, 3), runs(2, 2, 1), outline];
    let dir = annotated(cat_and_dog(), &annotations);
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(first_row(dir.path()), [I, I, I, 0, 0, 2]);
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    let line = "2 annotations are crowds and ignored, the first is annotation 1";
    says(&report().problems()[0], &[line, "crowds = \"ignore\""]);
    let toml = dir.path().join("dataset.toml");
    fs::write(&toml, "crowds = 'ignore'\n").unwrap();
    assert_eq!(first_row(dir.path()), [I, I, I, 0, 0, 2]);
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    says(&report().notes().join("\n"), &[line]);
    fs::write(&toml, "crowds = 'class'\n").unwrap();
    assert_eq!(first_row(dir.path()), [2, 2, 2, 0, 0, 2]);
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    fs::write(&toml, "crowds = 'both'\n").unwrap();
    let error = message(Dataset::open(dir.path(), "training"));
    says(&error, &["dataset.toml", "both", "class", "ignore"]);
}

#[test]
fn a_few_crowds_among_many_annotations_are_usual() {
    let of = |crowds: u64| {
        let outline = |id: u64| json!({"id": id, "image_id": 1, "category_id": 1, "segmentation": rectangle(0.0, 0.0, 1.0, 1.0)});
        let outlines = (crowds..41).map(outline);
        let all: Vec<Value> = (0..crowds)
            .map(|id| runs(id, 1, 1))
            .chain(outlines)
            .collect();
        let dir = annotated(cat_and_dog(), &all);
        inspect(dir.path(), &|_, _| {}).unwrap().problems().len()
    };
    // 2 of 41 are less than one in twenty, 3 are more.
    assert_eq!([of(2), of(3)], [0, 1]);
}

#[test]
fn the_setting_for_crowds_is_for_coco_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/a.jpg"), 4, 2);
    fs::create_dir_all(at("labels")).unwrap();
    fs::write(at("labels/a.txt"), super::shapes::OUTLINES).unwrap();
    fs::write(at("dataset.toml"), "crowds = 'class'\n").unwrap();
    let error = message(Dataset::open(dir.path(), "training"));
    says(&error, &["crowds in its dataset.toml", "COCO", "remove it"]);
    let pixels = plain(1);
    fs::write(pixels.path().join("dataset.toml"), "crowds = 'class'\n").unwrap();
    let error = message(Dataset::open(pixels.path(), "training"));
    says(&error, &["dataset.toml", "crowds", "outlines"]);
}

#[test]
fn boxes_without_an_outline_are_ignored() {
    let boxed = |id: u64, bbox: Value| json!({"id": id, "image_id": 1, "category_id": 1, "segmentation": [], "bbox": bbox});
    let outline = json!({"id": 1, "image_id": 1, "category_id": 2, "segmentation": rectangle(0.0, 0.0, 2.0, 4.0)});
    let annotations = [
        outline,
        boxed(2, json!([1, 0, 3, 4])),
        // Not of this form.
        boxed(3, json!([0, 0, 0, 4])),
        boxed(4, json!([])),
        boxed(5, json!("none")),
    ];
    let dir = annotated(cat_and_dog(), &annotations);
    // The outline, which is smaller than the box, covers it.
    assert_eq!(first_row(dir.path()), [2, 2, I, I, 0, 0]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 2, "{:?}", report.problems());
    says(
        &report.problems().join("\n"),
        &[
            "1 annotation is a box without an outline, whose pixels are ignored: annotation 2",
            "3 annotations without an outline are left out, the first is annotation 3",
        ],
    );
    // Boxes alone are another task.
    let dir = annotated(cat_and_dog(), &[boxed(2, json!([1, 0, 3, 4]))]);
    let error = message(Dataset::open(dir.path(), "training"));
    says(&error, &["boxes without outlines"]);
}

#[test]
fn the_project_of_roboflow_is_no_class() {
    let names = |categories: &Value, of: u64| {
        let shape = rectangle(0.0, 0.0, 2.0, 4.0);
        let annotation = json!({"id": 1, "image_id": 1, "category_id": of, "segmentation": shape});
        let dir = annotated(categories.clone(), &[annotation]);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        let label = dataset.load(0).unwrap().labels.data[0];
        (dataset.classes().names.join(","), label)
    };
    let category =
        |id: u64, name: &str, above: &str| json!({"id": id, "name": name, "supercategory": above});
    let roboflow = json!([
        category(0, "Pets", "none"),
        category(1, "cat", "Pets"),
        category(2, "dog", "Pets")
    ]);
    assert_eq!(names(&roboflow, 2), ("background,cat,dog".into(), 2));
    // It is one where an annotation has it, or where not all others are below it.
    let all = "background,Pets,cat,dog".to_owned();
    assert_eq!(names(&roboflow, 0), (all.clone(), 1));
    let mut beside = roboflow;
    beside[2]["supercategory"] = json!("none");
    assert_eq!(names(&beside, 1), (all, 2));
    let alone = json!([category(1, "cat", "none")]);
    assert_eq!(names(&alone, 1), ("background,cat".into(), 1));
}
