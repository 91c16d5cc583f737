//! COCO JSON: instances, crowds, panoptic files, and faulty files.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::*;

pub(super) fn write_json(path: &Path, value: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

/// A rectangle as a COCO polygon.
pub(super) fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Value {
    json!([[left, top, right, top, right, bottom, left, bottom]])
}

/// Two photos of 6x4 with sparse category ids: overlapping instances and a crowd in the first, nothing
/// in the second.
fn instances() -> Value {
    json!({
        "info": {"description": "made by a test"},
        "images": [
            {"id": 17, "file_name": "a.png", "width": 6, "height": 4},
            {"id": 4, "file_name": "b.png", "width": 6, "height": 4}
        ],
        "annotations": [
            // The smaller dog covers the cat, although the cat comes last.
            {"id": 1, "image_id": 17, "category_id": 90, "segmentation": rectangle(1.0, 1.0, 2.0, 3.0)},
            {"id": 2, "image_id": 17, "category_id": 7, "iscrowd": 0, "area": 1,
             "segmentation": rectangle(0.0, 0.0, 4.0, 4.0)},
            {"id": 3, "image_id": 17, "category_id": 7, "iscrowd": 1,
             "segmentation": {"size": [4, 6], "counts": [20, 4]}}
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 90, "name": "dog"}]
    })
}

fn official(value: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_json(
        &dir.path().join("annotations/instances_train2017.json"),
        value,
    );
    for name in ["a", "b"] {
        save_photo(&dir.path().join(format!("train2017/{name}.png")), 6, 4);
    }
    dir
}

const I: u16 = IGNORE;
const DRAWN: [u16; 24] = [
    1, 1, 1, 1, 0, I, //
    1, 2, 1, 1, 0, I, //
    1, 2, 1, 1, 0, I, //
    1, 1, 1, 1, 0, I,
];

#[test]
fn smaller_areas_lie_over_larger_ones_and_crowds_are_ignored() {
    let dir = official(&instances());
    assert_eq!(detect(dir.path()).unwrap(), Layout::Coco);
    let dataset = Dataset::open(dir.path(), "train").unwrap();
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);
    let sample = dataset.load(0).unwrap();
    assert_eq!((sample.name.as_str(), &sample.image), ("a", &photo(6, 4)));
    assert_eq!(sample.labels.data, DRAWN);
    assert_eq!(dataset.load_labels(0).unwrap(), sample.labels);
    // A photo without annotations is background.
    assert_eq!(dataset.load(1).unwrap().labels.data, [0; 24]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    assert_eq!(report.layout, "COCO JSON");
    assert_eq!(report.splits[0].class_pixels, [4 + 24, 14, 2]);
    // The check's cache also depends on the annotation file.
    let memory = tempfile::tempdir().unwrap();
    let checked = || {
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        let check = dataset
            .check(Some(memory.path()), &mut |_, _| {}, &|| false)
            .unwrap();
        dataset
            .checked(check, false)
            .unwrap()
            .class_pixels()
            .to_vec()
    };
    assert_eq!(checked()[0], [(0, 4), (1, 14), (2, 2)]);
    let mut changed = instances();
    changed["annotations"][2]["iscrowd"] = json!(false);
    let path = dir.path().join("annotations/instances_train2017.json");
    write_json(&path, &changed);
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(checked()[0], [(0, 4), (1, 18), (2, 2)]);
}

#[test]
fn the_usual_arrangements_of_files_are_found() {
    for (json, photos, split) in [
        ("train/_annotations.coco.json", "train", "training"),
        ("valid/_annotations.coco.json", "valid", "validation"),
        ("annotations/instances_default.json", "images", "training"),
        ("annotations/val.json", "images/val", "validation"),
        (
            "annotations/instances_val2017.json",
            "val2017",
            "validation",
        ),
        ("annotations.json", "", "training"),
        ("result.json", "images", "training"),
        ("test/labels.json", "test/data", "test"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        write_json(&at(json), &instances());
        for name in ["a.png", "b.png"] {
            save_photo(&at(photos).join(name), 6, 4);
        }
        let dataset = Dataset::open(dir.path(), split).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(dataset.load(0).unwrap().labels.data, DRAWN, "{json}");
    }
    // A list of classes does not make it another layout.
    let dir = official(&instances());
    fs::create_dir_all(dir.path().join("images")).unwrap();
    fs::write(dir.path().join("classes.txt"), "cat\ndog\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Coco);
    // Captions and key points are not regions; of two files for a split one counts.
    let dir = official(&instances());
    let at = |path: &str| dir.path().join(path);
    for other in ["captions_train2017.json", "person_keypoints_train2017.json"] {
        write_json(
            &at("annotations").join(other),
            &json!({"images": [], "annotations": []}),
        );
    }
    write_json(
        &at("annotations/other_train2017.json"),
        &json!({"images": [], "categories": []}),
    );
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 2);
}

#[test]
fn names_are_matched_whatever_their_unicode_form_and_machine() {
    let mut value = instances();
    value["images"][0]["file_name"] = json!("C:\\Users\\me\\stra\u{df}e-\u{e9}.png");
    value["images"][1]["file_name"] = json!("sub\\b.png");
    value["categories"][0]["name"] = json!("\u{8eca}");
    let dir = official(&value);
    let at = |path: &str| dir.path().join("train2017").join(path);
    fs::rename(at("a.png"), at("stra\u{df}e-e\u{301}.png")).unwrap();
    save_photo(&at("sub/b.png"), 6, 4);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().name(1), "\u{8eca}");
    let names: Vec<String> = (0..2).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(names, ["stra\u{df}e-e\u{301}", "sub-b"].map(str::to_owned));
    assert_eq!(dataset.load(0).unwrap().labels.data, DRAWN);
}

#[test]
fn photos_may_have_another_ending_than_is_listed() {
    // Frames of an animation, which are named after it, and were extracted as PNG files.
    let mut value = instances();
    value["images"][0]["file_name"] = json!("clip-0001.gif");
    value["images"][1]["file_name"] = json!("clip-0002.gif");
    let dir = official(&value);
    let at = |name: &str| dir.path().join("train2017").join(name);
    fs::rename(at("a.png"), at("clip-0001.png")).unwrap();
    fs::rename(at("b.png"), at("clip-0002.png")).unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let names: Vec<String> = (0..2).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(names, ["clip-0001", "clip-0002"]);
    assert_eq!(dataset.load(0).unwrap().labels.data, DRAWN);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    // A photo that is listed itself does not stand for another.
    value["images"][1]["file_name"] = json!("clip-0001.png");
    write_json(
        &dir.path().join("annotations/instances_train2017.json"),
        &value,
    );
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    says(
        &report.problems()[0],
        &["lists clip-0001.gif", "copy the photo there"],
    );
}

#[test]
fn what_is_wrong_with_one_photo_leaves_the_others_usable() {
    let spoilt: [(&str, Value, &[&str]); 9] = [
        (
            "/images/0/width",
            json!(100_000),
            &["100000x4", "a.png", "limit"],
        ),
        ("/images/0/height", json!(5), &["6x4", "6x5"]),
        (
            "/images/0/file_name",
            json!("gone.png"),
            &["gone.png", "copy the photo"],
        ),
        (
            "/images/0/file_name",
            json!("../../etc/passwd"),
            &["etc/passwd", "leads out"],
        ),
        (
            "/images/0/file_name",
            json!("/etc/passwd"),
            &["/etc/passwd", "leads out"],
        ),
        (
            "/annotations/0/category_id",
            json!(8),
            &["annotation 1", "category 8"],
        ),
        (
            "/annotations/0/segmentation/0",
            json!([1, 1, 2, 2, 3, 3, 4]),
            &["annotation 1", "odd number"],
        ),
        (
            "/annotations/2/segmentation/counts",
            json!([20, 5]),
            &["annotation 3", "25 pixels"],
        ),
        (
            "/annotations/2/segmentation/size",
            json!([6, 4]),
            &["annotation 3", "4x6", "6x4"],
        ),
    ];
    for (place, wrong, words) in spoilt {
        let mut value = instances();
        *value.pointer_mut(place).unwrap() = wrong;
        let dir = official(&value);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        let check = |data: &Dataset| data.check(None, &mut |_, _| {}, &|| false).unwrap();
        let bad = check(&dataset).bad;
        assert_eq!(bad.len(), 1, "{place}");
        let line = bad[0].1.to_string();
        says(&line, words);
        assert!(line.contains("train2017") && !line.contains('\n'), "{line}");
        says(
            &message(dataset.clone().checked(check(&dataset), false)),
            &["1 of 2 pairs", "--skip-bad"],
        );
        let kept = dataset.clone().checked(check(&dataset), true).unwrap();
        assert_eq!(kept.sample_name(0), "b");
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    }
}

#[test]
fn annotations_of_nothing_are_left_out_and_named() {
    let mut value = instances();
    let annotations = value["annotations"].as_array_mut().unwrap();
    annotations.push(json!({"id": 9, "image_id": 99, "category_id": 7, "segmentation": rectangle(0.0, 0.0, 1.0, 1.0)}));
    annotations.push(json!({"id": 10, "image_id": 17, "category_id": 7, "segmentation": []}));
    annotations
        .push(json!({"id": 11, "image_id": 17, "category_id": 7, "segmentation": [[1, 1, 2, 2]]}));
    value["images"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 18, "file_name": "b.png"}));
    let dir = official(&value);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(
        (dataset.len(), dataset.load(0).unwrap().labels.data),
        (2, DRAWN.to_vec())
    );
    let problems = inspect(dir.path(), &|_, _| {})
        .unwrap()
        .problems()
        .join("\n");
    says(
        &problems,
        &[
            "1 annotation of an image that it does not list is left out: annotation 9 with image 99",
            "2 annotations without an outline are left out, the first is annotation 10",
            "1 image is listed twice, and its first entry counts: b.png",
        ],
    );
}

#[test]
fn whole_numbers_may_have_a_decimal_point_and_shapes_be_empty_objects() {
    let mut value = instances();
    value["images"][0]["id"] = json!(17.0);
    value["images"][0]["width"] = json!(6.0);
    value["annotations"][0]["category_id"] = json!(90.0);
    value["annotations"][1]["image_id"] = json!(17.0);
    value["annotations"][2]["segmentation"] = json!({"size": [4.0, 6.0], "counts": [20.0, 4.0]});
    value["annotations"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 12.0, "image_id": 17, "category_id": 7, "segmentation": {}}));
    let dir = official(&value);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(0).unwrap().labels.data, DRAWN);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &["1 annotation without an outline", "annotation 12"],
    );
    value["images"][0]["width"] = json!(6.5);
    let dir = official(&value);
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["instances_train2017.json", "6.5", "whole number"],
    );
}

#[test]
fn files_that_cannot_be_used_are_one_line() {
    let opened = |text: &str| {
        let dir = official(&instances());
        let path = dir.path().join("annotations/instances_train2017.json");
        fs::write(path, text).unwrap();
        message(Dataset::open(dir.path(), "training"))
    };
    let whole = instances().to_string();
    let cut = opened(&whole[..whole.len() / 2]);
    says(
        &cut,
        &["instances_train2017.json", "line 1", "export it again"],
    );
    says(
        &opened(&whole.replace("\"categories\"", "\"kinds\"")),
        &["categories"],
    );
    let mut boxes = instances();
    for annotation in boxes["annotations"].as_array_mut().unwrap() {
        annotation.as_object_mut().unwrap().remove("segmentation");
    }
    says(&opened(&boxes.to_string()), &["boxes without outlines"]);
    let text = whole.replace("[20,4]", "\"no runs\"");
    let dir = official(&instances());
    fs::write(
        dir.path().join("annotations/instances_train2017.json"),
        text,
    )
    .unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    says(
        &message(dataset.load(0)),
        &["annotation 3 of a.png", "damaged"],
    );
}

#[test]
fn settings_say_what_unannotated_pixels_are() {
    let dir = official(&instances());
    let with = |toml: &str| {
        fs::write(dir.path().join("dataset.toml"), toml).unwrap();
        Dataset::open(dir.path(), "training")
    };
    let ignored = with("name = 'Pets'\nunlabelled = \"ignore\"\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Coco);
    assert_eq!(
        (ignored.name(), ignored.classes().names.join(",")),
        ("Pets", "cat,dog".into())
    );
    assert_eq!(
        ignored.load(0).unwrap().labels.data[..6],
        [0, 0, 0, 0, I, I]
    );
    let cased = with("unlabelled = \"Ignore\"\n").unwrap();
    assert_eq!(cased.classes().names, ["cat", "dog"]);
    says(
        &message(with("unlabelled = ''\n")),
        &["dataset.toml", "unlabelled is empty"],
    );
    let mapped = with("unlabelled = 'grass'\nignore = ['Dog']\n[map]\nCAT = 'animal'\n").unwrap();
    assert_eq!(mapped.classes().names, ["grass", "animal"]);
    assert_eq!(
        mapped.load(0).unwrap().labels.data[6..12],
        [1, I, 1, 1, 0, I]
    );
    let merged = with("[map]\ncat = 'pet'\ndog = 'Pet'\n").unwrap();
    assert_eq!(merged.classes().names, ["background", "pet"]);
    assert_eq!(
        merged.load(0).unwrap().labels.data[6..12],
        [1, 1, 1, 1, 0, I]
    );
    says(
        &message(with("[map]\ncow = 'pet'\n")),
        &["dataset.toml", "\"cow\"", "does not have"],
    );
    says(
        &message(with("ignore = [3]\n")),
        &["dataset.toml", "ignore", "classes and splits"],
    );
    says(&message(with("ignore = [")), &["dataset.toml", "line 1"]);
    // Label images have no unannotated pixels.
    let pixels = plain(1);
    fs::write(
        pixels.path().join("dataset.toml"),
        "unlabelled = 'ignore'\n",
    )
    .unwrap();
    says(
        &message(Dataset::open(pixels.path(), "training")),
        &["dataset.toml", "outlines"],
    );
    fs::write(pixels.path().join("dataset.toml"), "[map]\nc = 'A'\n").unwrap();
    let pixels = Dataset::open(pixels.path(), "training").unwrap();
    assert_eq!(pixels.classes().names, ["a", "b"]);
    assert_eq!(
        pixels.load(0).unwrap().labels.data,
        [0, 1, 0, I, 0, 1, 0, 0]
    );
}

#[test]
fn segments_of_panoptic_files_are_the_colours_of_a_png() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let value = json!({
        "images": [{"id": 5, "file_name": "a.jpg", "width": 3, "height": 1}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": [
            {"id": 66_051, "category_id": 1, "iscrowd": 0, "area": 1},
            {"id": 7, "category_id": 200, "iscrowd": 1, "area": 1}
        ]}],
        "categories": [{"id": 1, "name": "person", "isthing": 1}, {"id": 200, "name": "sky", "isthing": 0}]
    });
    write_json(&at("annotations/panoptic_val2017.json"), &value);
    // The instances of the same split are not used.
    write_json(&at("annotations/instances_val2017.json"), &instances());
    save_photo(&at("val2017/a.jpg"), 3, 1);
    let png = at("annotations/panoptic_val2017/a.png");
    let save = |bytes: &[u8; 9]| {
        save_png(
            &png,
            [3, 1],
            png::ColorType::Rgb,
            png::BitDepth::Eight,
            bytes,
        )
    };
    // 3 + 256 * 2 + 65536 * 1 is the first id.
    save(&[3, 2, 1, 0, 0, 0, 7, 0, 0]);
    let dataset = Dataset::open(dir.path(), "validation").unwrap();
    assert_eq!(dataset.classes().names, ["person", "sky"]);
    // Pixels without a segment and crowds are ignored.
    assert_eq!(dataset.load(0).unwrap().labels.data, [0, I, I]);
    for (unlabelled, names, labels) in [
        ("ignore", "person,sky", [0, I, I]),
        ("sky", "person,sky", [0, 1, I]),
        ("background", "background,person,sky", [1, 0, I]),
    ] {
        let toml = format!("unlabelled = '{unlabelled}'\n");
        fs::write(at("dataset.toml"), toml).unwrap();
        let dataset = Dataset::open(dir.path(), "validation").unwrap();
        assert_eq!(dataset.classes().names.join(","), names);
        assert_eq!(dataset.load(0).unwrap().labels.data, labels);
    }
    fs::remove_file(at("dataset.toml")).unwrap();
    save(&[3, 2, 1, 0, 0, 0, 9, 0, 0]);
    says(
        &message(dataset.load(0)),
        &["a.png", "segment 9", "does not list"],
    );
    save_labels(&png, [3, 1], &[1, 2, 3]);
    says(&message(dataset.load(0)), &["a.png", "RGB"]);
    fs::remove_dir_all(at("annotations/panoptic_val2017")).unwrap();
    fs::remove_file(at("annotations/instances_val2017.json")).unwrap();
    let dataset = Dataset::open(dir.path(), "validation").unwrap();
    says(
        &message(dataset.load(0)),
        &["panoptic_val2017.json", "unpack"],
    );
}

#[test]
fn large_files_take_time_in_proportion_to_their_size() {
    let dir = tempfile::tempdir().unwrap();
    let count = 40_000usize;
    let images: Vec<Value> = (0..count)
        .map(|i| json!({"id": i, "file_name": format!("{i}.jpg"), "width": 6, "height": 4}))
        .collect();
    let annotations: Vec<Value> = (0..4 * count)
        .map(|i| json!({"id": i, "image_id": i * 7 % count, "category_id": 1, "segmentation": rectangle(0.0, 0.0, 1.0, 1.0)}))
        .collect();
    let value = json!({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]});
    write_json(&dir.path().join("annotations.json"), &value);
    let start = Instant::now();
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), count);
    // Quadratic time would take hours.
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn polygons_of_a_million_points_are_drawn() {
    let corner = |i: usize| {
        let angle = i as f64 / 1e6 * std::f64::consts::TAU;
        [3.0 + 2.9 * angle.cos(), 2.0 + 1.9 * angle.sin()]
    };
    let mut value = instances();
    value["annotations"][1]["segmentation"][0] =
        json!((0..1_000_000).flat_map(corner).collect::<Vec<f64>>());
    let dir = official(&value);
    let labels = Dataset::open(dir.path(), "training")
        .unwrap()
        .load(0)
        .unwrap()
        .labels;
    assert_eq!(labels.data[..6], [0, 1, 1, 1, 1, I]);
}

#[test]
fn two_entries_of_one_id_are_refused() {
    let opened = |place: &str, id: u64| {
        let mut value = instances();
        *value.pointer_mut(place).unwrap() = json!(id);
        let dir = official(&value);
        message(Dataset::open(dir.path(), "training"))
    };
    let file = "instances_train2017.json";
    says(
        &opened("/images/1/id", 17),
        &[file, "images", "a.png", "b.png", "id 17"],
    );
    says(
        &opened("/categories/1/id", 7),
        &[file, "categories", "cat", "dog", "id 7"],
    );
    // The same entry twice is none the worse.
    let mut value = instances();
    for list in ["images", "categories"] {
        let again = value[list][0].clone();
        value[list].as_array_mut().unwrap().push(again);
    }
    let dir = official(&value);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(
        (dataset.len(), dataset.load(0).unwrap().labels.data),
        (2, DRAWN.to_vec())
    );
}

#[test]
fn crowds_and_classes_of_crowds_alone_are_told() {
    let report = |value: &Value| inspect(official(value).path(), &|_, _| {}).unwrap();
    let mut value = instances();
    let found = report(&value);
    assert!(found.problems().is_empty(), "{:?}", found.problems());
    says(
        &found.notes().join("\n"),
        &["1 annotation is a crowd and ignored", "annotation 3"],
    );
    value["annotations"][1]["iscrowd"] = json!(1);
    let found = report(&value);
    assert_eq!(found.problems().len(), 2, "{:?}", found.problems());
    says(
        &found.problems().join("\n"),
        &[
            "2 annotations are crowds and ignored",
            "write crowds = \"class\" into dataset.toml",
            "instances_train2017.json: every",
            "class cat",
        ],
    );
}
