//! Labelme and YOLO folders.

use serde_json::{Value, json};

use super::coco::write_json;
use super::*;

const I: u16 = IGNORE;

pub(super) fn shape(label: &str, kind: &str, points: Value) -> Value {
    json!({"label": label, "points": points, "shape_type": kind, "flags": {}, "group_id": null})
}

pub(super) fn labelme(image: &str, shapes: &[Value]) -> Value {
    json!({
        "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": null,
        "imageHeight": 4, "imageWidth": 6
    })
}

#[test]
fn shapes_of_labelme_are_drawn_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let shapes = [
        shape("dog", "rectangle", json!([[4.0, 3.0], [1.0, 1.0]])),
        shape("cat", "polygon", json!([[0, 0], [3, 0], [3, 4], [0, 4]])),
        shape("cat", "point", json!([[5, 0]])),
        shape("cat", "linestrip", json!([[5, 0], [5, 3]])),
        shape("__ignore__", "circle", json!([[5.5, 3.5], [5.5, 4.0]])),
    ];
    write_json(&at("a.json"), &labelme("a.png", &shapes));
    save_photo(&at("a.png"), 6, 4);
    assert_eq!(detect(dir.path()).unwrap(), Layout::Labelme);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);
    let drawn = [
        1, 1, 1, 0, 0, 0, //
        1, 1, 1, 2, 0, 0, //
        1, 1, 1, 2, 0, 0, //
        1, 1, 1, 0, 0, I,
    ];
    assert_eq!(dataset.load(0).unwrap().labels.data, drawn);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    // They may be meant so.
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &[
            "2 shapes without an area",
            "shape 3",
            "cat",
            "point",
            "a.json",
        ],
    );
    // A list of labels determines the classes and their order.
    fs::write(at("labels.txt"), "__ignore__\n_background_\ndog\nCat\n").unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["_background_", "dog", "Cat"]);
    assert_eq!(dataset.load(0).unwrap().labels.data[..3], [2, 2, 2]);
    fs::write(at("labels.txt"), "__ignore__\n_background_\ndog\n").unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    says(
        &message(dataset.load(0)),
        &["a.json", "shape 2", "\"cat\"", "labels.txt"],
    );
}

#[test]
fn masks_of_labelme_are_stencils() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_labels(&at("mask.bin"), [2, 2], &[255, 0, 1, 1]);
    let bytes = fs::read(at("mask.bin")).unwrap();
    let text = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let with = |text: &str| {
        let mut mask = shape("cat", "mask", json!([[4, 2], [5, 3]]));
        mask["mask"] = json!(text);
        write_json(&at("a.json"), &labelme("a.png", &[mask]));
        Dataset::open(dir.path(), "training").unwrap().load(0)
    };
    save_photo(&at("a.png"), 6, 4);
    let labels = with(&text).unwrap().labels.data;
    assert_eq!(labels[12..], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1]);
    says(&message(with("@@")), &["a.json", "shape 1", "mask"]);
    says(&message(with("aGVsbG8=")), &["a.json", "shape 1", "mask"]);
    says(&message(with("")), &["shape 1", "without its picture"]);
}

#[test]
fn turned_rectangles_and_embedded_photos_of_labelme() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let corners = json!([[0, 0], [3, 0], [3, 4], [0, 4]]);
    for (name, kind) in [
        ("a", "oriented_rectangle"),
        ("b", "rotation"),
        ("c", "quadrilateral"),
        ("d", "ellipse"),
    ] {
        let shapes = [shape("cat", kind, corners.clone())];
        write_json(
            &at(&format!("{name}.json")),
            &labelme(&format!("{name}.png"), &shapes),
        );
        save_photo(&at(&format!("{name}.png")), 6, 4);
    }
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    for photo in [0, 1, 2] {
        let row = [1, 1, 1, 0, 0, 0];
        assert_eq!(dataset.load(photo).unwrap().labels.data, row.repeat(4));
    }
    says(
        &message(dataset.load(3)),
        &["d.json", "has the kind ellipse and 4 points"],
    );
    let mut file = labelme("gone.jpg", &[shape("cat", "polygon", corners)]);
    file["imageData"] = json!("iVBORw0KGgo=");
    write_json(&at("it's.json"), &file);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &[
            "embedded in this file",
            "open('it\\'s.jpg','wb').write(base64.b64decode(json.load(open('it\\'s.json','rb'))['imageData']))",
        ],
    );
}

#[test]
fn photos_of_labelme_are_found_inside_the_folder_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join("data").join(path);
    let shapes = [shape(
        "cat",
        "polygon",
        json!([[0, 0], [6, 0], [6, 4], [0, 4]]),
    )];
    let save = |json: &str, named: &str| write_json(&at(json), &labelme(named, &shapes));
    for photo in [
        "images/a.jpg",
        "json/b.png",
        "c.JPG",
        "train/d.png",
        "val/e.png",
    ] {
        save_photo(&at(photo), 6, 4);
    }
    save_photo(&dir.path().join("secret.png"), 6, 4);
    save("json/a.json", "..\\images\\a.jpg");
    save("json/b.json", "C:\\Users\\me\\Desktop\\b.png");
    save("c.json", "/home/me/other-name.jpg");
    save("train/d.json", "d.png");
    save("val/e.json", "e.png");
    save("json/f.json", "../../secret.png");
    save("json/g.json", "gone.png");
    fs::write(at("json/h.json"), "{\"shapes\": [{\"label\": ").unwrap();
    fs::write(at("json/settings.json"), "{\"theme\": \"dark\"}").unwrap();
    let root = dir.path().join("data");
    let dataset = Dataset::open(&root, "training").unwrap();
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(
        names[..4],
        ["c", "images-a", "json-b", "json-f"].map(str::to_owned)
    );
    let check = dataset.check(None, &mut |_, _| {}, &|| false).unwrap();
    let bad: Vec<String> = check
        .bad
        .iter()
        .map(|(_, error)| error.to_string())
        .collect();
    let bad = bad.join("\n");
    assert_eq!(check.bad.len(), 3, "{bad}");
    says(
        &bad,
        &[
            "f.json",
            "leads out",
            "g.json",
            "gone.png",
            "h.json",
            "export it again",
        ],
    );
    assert_eq!(dataset.checked(check, true).unwrap().len(), 4);
    assert_eq!(
        Dataset::open(&root, "validation").unwrap().sample_name(0),
        "val-e"
    );
    // Two label files for one photo, and a photo without one.
    save("json/i.json", "b.png");
    save_photo(&at("json/j.png"), 6, 4);
    let report = inspect(&root, &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &["i.json is left out", "j.png has no labels"],
    );
}

#[test]
fn large_sizes_and_other_sizes_than_the_photo_s_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    save_photo(&dir.path().join("a.png"), 6, 4);
    let with = |width: u64, height: u64| {
        let mut value = labelme(
            "a.png",
            &[shape(
                "cat",
                "polygon",
                json!([[0, 0], [6, 0], [6, 4], [0, 4]]),
            )],
        );
        (value["imageWidth"], value["imageHeight"]) = (json!(width), json!(height));
        write_json(&path, &value);
        Dataset::open(dir.path(), "training").unwrap().load(0)
    };
    says(
        &message(with(100_000, 100_000)),
        &["a.json", "100000x100000", "limit"],
    );
    says(&message(with(6, 5)), &["a.png", "6x4", "6x5"]);
    // Without a stated size, the photo's is used.
    assert_eq!(with(0, 0).unwrap().labels.data[..6], [1; 6]);
}

/// A photo of 4x2 with an outline around its left half, and one over the upper left quarter.
pub(super) const OUTLINES: &str = "1 0 0 0.5 0 0.5 0.5 0 0.5\n\n0 0 0 0.5 0 0.5 1 0 1\n";
pub(super) const HALF: [u16; 8] = [2, 2, 0, 0, 1, 1, 0, 0];

#[test]
fn yolo_folders_with_and_without_a_description() {
    let yaml =
        "path: ../datasets/x\ntrain: images/train\nval: images/val\nnames:\n  0: road\n  1: car\n";
    let roboflow = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: [road, car]\n";
    for (description, photos, labels) in [
        (Some(("data.yaml", yaml)), "images/SPLIT", "labels/SPLIT"),
        (
            Some(("data.yaml", roboflow)),
            "SPLIT/images",
            "SPLIT/labels",
        ),
        (
            Some(("classes.txt", "road\ncar\n")),
            "images/SPLIT",
            "labels/SPLIT",
        ),
        (None, "images/SPLIT", "labels/SPLIT"),
        (None, "SPLIT/images", "SPLIT/labels"),
        (None, "images", "labels"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let valid = if photos.starts_with("SPLIT") {
            "valid"
        } else {
            "val"
        };
        for split in ["train", valid] {
            save_photo(&at(&photos.replace("SPLIT", split)).join("a.jpg"), 4, 2);
            let labels = at(&labels.replace("SPLIT", split));
            fs::create_dir_all(&labels).unwrap();
            fs::write(labels.join("a.txt"), OUTLINES).unwrap();
        }
        if let Some((name, text)) = description {
            fs::write(at(name), text).unwrap();
        }
        assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        let names = match description {
            Some(_) => ["background", "road", "car"],
            None => ["background", "class 0", "class 1"],
        };
        assert_eq!(dataset.classes().names, names, "{photos}");
        // The smaller one is on top, in any order.
        assert_eq!(dataset.load(0).unwrap().labels.data, HALF);
        assert_eq!(dataset.load_labels(0).unwrap().data, HALF);
        assert_eq!(dataset.sample_name(0), "a");
        if photos.contains("SPLIT") {
            assert_eq!(Dataset::open(dir.path(), "val").unwrap().len(), 1);
        }
    }
}

#[test]
fn a_copy_of_coco_for_yolo_is_yolo_s() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for split in ["train2017", "val2017"] {
        save_photo(&at(&format!("images/{split}/a.jpg")), 4, 2);
        fs::create_dir_all(at(&format!("labels/{split}"))).unwrap();
        fs::write(at(&format!("labels/{split}/a.txt")), OUTLINES).unwrap();
    }
    let value = json!({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]});
    write_json(&at("annotations/instances_val2017.json"), &value);
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
    assert_eq!(
        Dataset::open(dir.path(), "training")
            .unwrap()
            .load(0)
            .unwrap()
            .labels
            .data,
        HALF
    );
    write_json(&at("annotations/instances_train2017.json"), &value);
    assert_eq!(detect(dir.path()).unwrap(), Layout::Coco);
}

#[test]
fn descriptions_of_yolo_stay_in_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join("data").join(path);
    for photo in ["images/a.jpg", "images/b.jpg"] {
        save_photo(&at(photo), 4, 2);
    }
    fs::create_dir_all(at("labels")).unwrap();
    fs::write(at("labels/a.txt"), OUTLINES).unwrap();
    let with = |text: &str| {
        fs::write(at("data.yaml"), text).unwrap();
        Dataset::open(&dir.path().join("data"), "training")
    };
    for out in ["/etc", "../../secret", "C:\\data"] {
        let error = message(with(&format!("train: '{out}'\nnames: [a, b]\n")));
        says(&error, &["data.yaml", "leads out", "train"]);
    }
    says(
        &message(with("train: gone\nnames: [a, b]\n")),
        &["data.yaml", "gone", "not beside"],
    );
    says(
        &message(with("train: images\nnames: []\n")),
        &["data.yaml", "names"],
    );
    says(
        &message(with("train: images\nnames: {0: a, 2: b}\n")),
        &["data.yaml", "leaves a number out"],
    );
    says(&message(with("train: [images\n")), &["data.yaml", "YAML"]);
    // Classes are numbers here, whatever their names.
    let alike = with("train: images\nnames: [a, A, a]\n").unwrap();
    assert_eq!(alike.classes().names, ["background", "a", "A", "a (2)"]);
    fs::write(
        at("list.txt"),
        "./images/a.jpg\nimages/b.jpg\nimages/c.jpg\n../../secret.jpg\n",
    )
    .unwrap();
    let listed = with("train: list.txt\nnames: [a, b]\n").unwrap();
    // A photo without a label file is left out.
    assert_eq!(
        (listed.len(), listed.load(0).unwrap().labels.data),
        (1, HALF.to_vec())
    );
    let report = inspect(&dir.path().join("data"), &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &[
            "1 photo on a list is missing, and so is its label file: images/c.jpg",
            "secret.jpg",
            "leads out",
        ],
    );
    assert_eq!(report.problems().len(), 2, "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &["1 photo of the training split has no label file and is left out, the first is"],
    );
    // CVAT's lists name the folder that the data set is expected in.
    fs::write(at("list.txt"), "data/images/a.jpg\n").unwrap();
    let listed = with("train: list.txt\nnames: [a, b]\n").unwrap();
    assert_eq!(listed.load(0).unwrap().labels.data, HALF.to_vec());
}

#[test]
fn lines_that_are_no_outlines_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/a.jpg"), 4, 2);
    fs::create_dir_all(at("labels")).unwrap();
    fs::write(at("data.yaml"), "train: images\nnames: [a, b]\n").unwrap();
    let with = |text: &str| {
        fs::write(at("labels/a.txt"), text).unwrap();
        Dataset::open(dir.path(), "training").unwrap().load(0)
    };
    for (text, words) in [
        ("0 0.5 0.5 1 1\n", &["line 1", "box"][..]),
        ("\n2 0 0 1 0 1 1\n", &["line 2", "class 2", "there are 2"]),
        ("x 0 0 1 0 1 1\n", &["line 1", "class number"]),
        ("0 0 0 1 0 1\n", &["line 1", "5 numbers"]),
        (
            "0 0 0 1 0 1 1 0\n",
            &["line 1", "odd number of coordinates"],
        ),
        ("0 0 0 640 0 640 480\n", &["line 1", "share"]),
        ("0 0 0 1 nan 1 1\n", &["line 1", "share"]),
    ] {
        let error = message(with(text));
        says(&error, words);
        says(&error, &["labels/a.txt"]);
    }
    // An empty file is all background, and coordinates slightly beyond the edge are clamped.
    assert_eq!(with("").unwrap().labels.data, [0; 8]);
    let all = with("0.0 -0.001 0 1.001 0 1 1.0 0 1\n").unwrap();
    assert_eq!(all.labels.data, [1; 8]);
}

#[test]
fn shapes_belong_to_the_turned_photo_unless_their_size_says_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("images")).unwrap();
    fs::create_dir_all(at("labels")).unwrap();
    // Stored as 4x2, upright 2x4.
    fs::write(at("images/a.png"), super::photos::turned(4, 2)).unwrap();
    fs::write(at("labels/a.txt"), "0 0 0 1 0 1 0.5 0 0.5\n").unwrap();
    let yolo = Dataset::open(dir.path(), "training")
        .unwrap()
        .load(0)
        .unwrap();
    assert_eq!((yolo.labels.width, yolo.labels.height), (2, 4));
    assert_eq!(yolo.labels.data, [1, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(yolo.image.dimensions(), (2, 4));
    fs::remove_dir_all(at("labels")).unwrap();
    for (size, expected) in [([2, 4], (2, 4)), ([4, 2], (4, 2))] {
        let mut value = labelme("a.png", &[shape("x", "rectangle", json!([[0, 0], [2, 2]]))]);
        (value["imageWidth"], value["imageHeight"]) = (json!(size[0]), json!(size[1]));
        write_json(&at("images/a.json"), &value);
        let sample = Dataset::open(dir.path(), "training")
            .unwrap()
            .load(0)
            .unwrap();
        assert_eq!(sample.image.dimensions(), expected);
        assert_eq!(sample.labels.data[0], 1);
    }
}

/// Variants of a text with one byte changed, and truncated ones.
fn spoilt(text: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    let bytes = text.as_bytes();
    let changed = (0..bytes.len()).flat_map(move |at| {
        [b'9', b'-', b'"', b'[', 0xff].map(|new| {
            let mut other = bytes.to_vec();
            other[at] = new;
            other
        })
    });
    changed.chain((0..bytes.len()).map(|end| bytes[..end].to_vec()))
}

#[test]
fn no_change_of_a_byte_makes_a_reader_panic() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for path in ["coco/a.png", "labelme/a.png", "yolo/images/a.png"] {
        save_photo(&at(path), 6, 4);
    }
    fs::create_dir_all(at("yolo/labels")).unwrap();
    let yaml = "path: .\ntrain: images\nnames:\n  0: a\n  1: 'b'\n";
    fs::write(at("yolo/data.yaml"), yaml).unwrap();
    fs::write(at("yolo/labels/a.txt"), OUTLINES).unwrap();
    let coco = json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 6, "height": 4}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 2, "segmentation": [[0.5, 1, 6, 1, 6, 4]]},
            {"id": 2, "image_id": 1, "category_id": 2, "iscrowd": 1,
             "segmentation": {"size": [4, 6], "counts": "623000000>"}}
        ],
        "categories": [{"id": 2, "name": "x"}]
    });
    let shapes = [shape("x", "polygon", json!([[0, 0], [3.5, 0], [3, 4]]))];
    let labelme = labelme("a.png", &shapes).to_string();
    for (file, text) in [
        ("coco/annotations.json", coco.to_string().as_str()),
        ("labelme/a.json", &labelme),
        ("yolo/labels/a.txt", OUTLINES),
        ("yolo/data.yaml", yaml),
    ] {
        let root = at(file.split('/').next().unwrap());
        let mut loaded = 0;
        for bytes in spoilt(text) {
            fs::write(at(file), bytes).unwrap();
            let read = Dataset::open(&root, "training").and_then(|data| data.load(0));
            match read {
                Ok(_) => loaded += 1,
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
        assert!(loaded > 0, "{file}");
        fs::write(at(file), text).unwrap();
    }
}

#[test]
fn outlines_of_two_points_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let shapes = [
        shape("cat", "polygon", json!([[0, 0], [3, 0], [3, 4]])),
        shape("dog", "polygon", json!([[0, 0], [3, 4]])),
    ];
    write_json(&at("a.json"), &labelme("a.png", &shapes));
    save_photo(&at("a.png"), 6, 4);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    says(
        &report.problems()[0],
        &[
            "1 shape without an area is left out: ",
            "shape 2",
            "dog",
            "a polygon of 2 points",
        ],
    );
    // The names of shapes don't count from anything.
    says(&report.notes().join("\n"), &["no pixel has the class dog"]);
    assert!(!report.to_string().contains("count from 0"));
}

#[test]
fn folders_of_splits_with_photos_or_label_files_alone_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    let write_labels = |path: &str| {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), OUTLINES).unwrap();
    };
    save_photo(&at("images/train/a.jpg"), 4, 2);
    write_labels("labels/train/a.txt");
    fs::write(at("classes.txt"), "road\ncar\n").unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    save_photo(&at("images/val/b.jpg"), 4, 2);
    save_photo(&at("images/test2017/c.jpg"), 4, 2);
    let photos =
        "images/val holds 1 photo, but no validation split is read: its labels are missing";
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    says(&report().problems()[0], &[photos]);
    says(
        &report().notes().join("\n"),
        &["images/test2017 holds 1 photo, but no test split is read"],
    );
    says(
        &message(Dataset::open(dir.path(), "validation")),
        &["it has training; ", photos],
    );
    fs::remove_dir_all(at("images/val")).unwrap();
    write_labels("labels/val/b.txt");
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    says(
        &report().problems()[0],
        &["labels/val holds 1 label file, but no validation split is read: its photos are missing"],
    );
}

#[test]
fn folders_of_photos_that_another_split_uses_are_no_splits() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    let shapes = [shape("cat", "polygon", json!([[0, 0], [6, 0], [6, 4]]))];
    for photo in ["train/a.png", "val/b.png", "val_predictions/b.png"] {
        save_photo(&at(photo), 6, 4);
    }
    write_json(&at("train/a.json"), &labelme("a.png", &shapes));
    assert_eq!(detect(dir.path()).unwrap(), Layout::Labelme);
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    says(
        &report().problems()[0],
        &["val holds 1 photo, but no validation split is read"],
    );
    write_json(&at("train/b.json"), &labelme("../val/b.png", &shapes));
    assert!(report().problems().is_empty(), "{:?}", report().problems());
}
