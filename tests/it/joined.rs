//! Data sets of other forms, and several at once, as commands meet them.

use crate::common;

use common::{fails, flowseg, losses, train_data};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn photos(folder: &Path, count: usize) {
    fs::create_dir_all(folder).unwrap();
    for i in 0..count {
        let photo = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(6 * x) as u8, (8 * y) as u8, (40 * i) as u8])
        });
        photo.save(folder.join(format!("p{i}.png"))).unwrap();
    }
}

/// A plain data set of three classes with `count` pairs in both splits.
fn plain(root: &Path, count: usize) {
    for split in ["training", "validation"] {
        photos(&root.join("images").join(split), count);
        let labels = root.join("annotations").join(split);
        fs::create_dir_all(&labels).unwrap();
        for i in 0..count {
            let label = image::GrayImage::from_fn(40, 30, |_, y| image::Luma([(y / 10) as u8]));
            label.save(labels.join(format!("p{i}.png"))).unwrap();
        }
    }
    fs::write(root.join("classes.txt"), "sky\nroad\ncar\n").unwrap();
}

/// COCO's form, training only, with a car and a tree on every photo.
fn coco(root: &Path, count: usize) {
    photos(&root.join("train2017"), count);
    fs::create_dir_all(root.join("annotations")).unwrap();
    let images: Vec<Value> = (0..count)
        .map(|i| json!({"id": i, "file_name": format!("p{i}.png"), "width": 40, "height": 30}))
        .collect();
    let annotations: Vec<Value> = (0..2 * count)
        .map(|i| {
            let left = if i % 2 == 0 { 2 } else { 20 };
            let right = left + 15;
            json!({
                "id": i, "image_id": i / 2, "category_id": 3 + 7 * (i % 2), "iscrowd": 0,
                "segmentation": [[left, 5, right, 5, right, 25, left, 25]]
            })
        })
        .collect();
    let categories = json!([{"id": 3, "name": "Car"}, {"id": 10, "name": "tree"}]);
    let value = json!({"images": images, "annotations": annotations, "categories": categories});
    let path = root.join("annotations/instances_train2017.json");
    fs::write(path, value.to_string()).unwrap();
}

fn train(folder: &Path, data: &[&str], more: &[&str]) -> assert_cmd::Command {
    let settings = ["train.checkpoint_every=1", "train.validate_every=2"];
    let mut command = train_data(folder, data, &settings);
    command.args(more);
    command
}

#[test]
fn two_data_sets_with_other_classes_train_together_and_resume() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    plain(&at("streets"), 4);
    coco(&at("things"), 3);
    fs::write(at("things/dataset.toml"), "unlabelled = 'ignore'\n").unwrap();
    let weights = ["--set", "data.weights=[1,0.5]", "--set", "train.steps=2"];
    let output = train(folder.path(), &["streets,things"], &weights)
        .assert()
        .success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(
        text.contains("7 training and 4 validation photos"),
        "{text}"
    );
    let config = fs::read_to_string(at("run/config.toml")).unwrap();
    let table: toml::Table = config.parse().unwrap();
    let paths: Vec<&str> = table["data"]["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            at("streets").to_str().unwrap(),
            at("things").to_str().unwrap()
        ]
    );
    let provenance = &table["provenance"];
    assert_eq!(provenance["data"].as_str(), Some("streets + things"));
    assert_eq!(provenance["classes"].as_integer(), Some(4));
    assert_eq!(losses(&at("run")).len(), 2);
    // The card knows both, and the data of the first is scored with the classes of all.
    let bytes = fs::read(at("run/model.safetensors")).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let card: Value =
        serde_json::from_str(header["__metadata__"]["flowseg"].as_str().unwrap()).unwrap();
    assert_eq!(card["dataset"], "streets + things");
    assert_eq!(card["classes"], json!(["sky", "road", "car", "tree"]));
    let mut eval = flowseg();
    eval.current_dir(folder.path())
        .env("XDG_CACHE_HOME", at("cache"));
    eval.args([
        "eval",
        "--device",
        "cpu",
        "--steps",
        "1",
        "--model",
        "run/model.safetensors",
    ]);
    eval.args(["--data", "streets"]).assert().success();
    // Resumed, the list is the run's own; another one has other classes.
    let more = ["--resume", "--set", "train.steps=3"];
    train(folder.path(), &[], &more).assert().success();
    assert_eq!(losses(&at("run")).len(), 3);
    let alone = [&more[..], &["--set", "data.weights=[]"]].concat();
    fails(
        &mut train(folder.path(), &["streets"], &alone),
        &[
            "lacks the run's class \"tree\"",
            "all of the run's data folders",
        ],
    );
}

#[test]
fn data_reports_on_several_and_converts_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    plain(&at("streets"), 2);
    coco(&at("things"), 3);
    let data = |arguments: &[&str]| {
        let mut command = flowseg();
        command
            .current_dir(folder.path())
            .arg("data")
            .args(arguments);
        command
    };
    let output = data(&["streets", "things"]).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for words in [
        "streets: plain layout",
        "things: COCO JSON layout",
        "trained together: 5 classes",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let output = data(&["streets", "things", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(
        report["classes"],
        json!(["sky", "road", "car", "background", "tree"])
    );
    assert_eq!(report["data_sets"].as_array().unwrap().len(), 2);
    let alone = data(&["streets", "--json"]).assert().success();
    let alone: Value = serde_json::from_slice(&alone.get_output().stdout).unwrap();
    assert_eq!(alone, report["data_sets"][0]);
    data(&["things", "--convert", "plain"]).assert().success();
    assert_eq!(
        fs::read_to_string(at("plain/classes.txt")).unwrap(),
        "background\nCar\ntree\n"
    );
    let labels = image::open(at("plain/annotations/training/p0.png"))
        .unwrap()
        .into_luma8();
    assert_eq!(
        [0, 2, 16, 17, 20, 35].map(|x| labels.get_pixel(x, 10)[0]),
        [0, 1, 1, 0, 2, 0]
    );
    // A photo that is damaged is the command's failure, unless that is accepted.
    let photo = at("things/train2017/p1.png");
    fs::write(&photo, &fs::read(&photo).unwrap()[..40]).unwrap();
    fails(
        &mut data(&["things", "--convert", "other"]),
        &["1 photos of things", "--skip-bad"],
    );
    assert!(at("other/annotations/training/p2.png").is_file());
    data(&["things", "--convert", "other", "--skip-bad"])
        .assert()
        .success();
    fails(
        &mut data(&["streets", "things", "--convert", "x"]),
        &["one data folder"],
    );
    fails(
        &mut data(&["things", "--convert", "things/x"]),
        &["inside the data set"],
    );
}
