//! How training and scoring handle data sets with bad pairs.

use crate::common;

use assert_cmd::Command;
use common::{fails, flowseg, train_data};
use std::fs;
use std::path::Path;

/// A data set with three classes and `count` pairs of 40 x 30 pixels in each split.
fn data_set(root: &Path, count: usize) {
    fs::create_dir_all(root).unwrap();
    fs::write(root.join("classes.txt"), "a\nb\nc\n").unwrap();
    for split in ["training", "validation"] {
        let (images, labels) = (
            root.join("images").join(split),
            root.join("annotations").join(split),
        );
        fs::create_dir_all(&images).unwrap();
        fs::create_dir_all(&labels).unwrap();
        for i in 0..count {
            let photo = image::RgbImage::from_fn(40, 30, |x, y| {
                image::Rgb([(6 * x) as u8, (8 * y) as u8, (40 * i) as u8])
            });
            photo.save(images.join(format!("p{i}.png"))).unwrap();
            let label = image::GrayImage::from_fn(40, 30, |_, y| image::Luma([(y / 10) as u8]));
            label.save(labels.join(format!("p{i}.png"))).unwrap();
        }
    }
}

/// Truncates a photo.
fn spoil(photo: &Path) {
    let bytes = fs::read(photo).unwrap();
    fs::write(photo, &bytes[..bytes.len() / 2]).unwrap();
}

/// `flowseg train` with a small network and its own cache of checked pairs.
fn train(folder: &Path, more: &[&str]) -> Command {
    let data = folder.join("data").display().to_string();
    let settings = ["train.steps=3", "train.validate_every=3"];
    let mut command = train_data(folder, &[&data], &settings);
    command.args(more);
    command
}

#[test]
fn a_bad_pair_ends_a_run_before_its_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    data_set(&at("data"), 5);
    spoil(&at("data/images/training/p3.png"));
    spoil(&at("data/images/validation/p1.png"));
    let refused = [
        "1 of 5 pairs",
        "training split",
        "p3.png is cut short",
        "--skip-bad",
    ];
    fails(&mut train(folder.path(), &[]), &refused);
    assert!(!at("run").exists(), "a refused run leaves no folder");
    let done = train(folder.path(), &["--skip-bad"]).assert().success();
    let log = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    for word in [
        "p3.png",
        "p1.png",
        "1 of 5 pairs of the training split are left out",
    ] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    let out = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    assert!(out.contains("4 training and 4 validation photos"), "{out}");
    assert!(at("run/model.safetensors").is_file());
    if cfg!(target_os = "linux") {
        assert_eq!(
            fs::read_dir(at("cache/flowseg/checked")).unwrap().count(),
            2
        );
    }
}

#[test]
fn a_dry_run_leaves_bad_pairs_out_where_the_run_would() {
    let folder = tempfile::tempdir().unwrap();
    data_set(&folder.path().join("data"), 3);
    spoil(&folder.path().join("data/images/training/p0.png"));
    fails(
        &mut train(folder.path(), &["--dry-run"]),
        &["p0.png is cut short"],
    );
    let skipping = ["--dry-run", "--skip-bad"];
    train(folder.path(), &skipping).assert().success();
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_starts_from_an_installed_model_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("share/flowseg/models");
    fs::create_dir_all(&models).unwrap();
    let scenes = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/assets/models/scenes.safetensors"
    );
    fs::copy(scenes, models.join("mine.safetensors")).unwrap();
    data_set(&folder.path().join("data"), 1);
    let started = |more: &[&str]| {
        let mut command = flowseg();
        command.current_dir(folder.path());
        command.env("XDG_DATA_HOME", folder.path().join("share"));
        command.env("XDG_CACHE_HOME", folder.path().join("cache"));
        command.args(["train", "--device", "cpu"]).args(more);
        command
    };
    let mut first = started(&["--init", "mine", "--data", "data", "--out", "run"]);
    for setting in [
        "train.steps=1",
        "train.batch_size=1",
        "train.validate_every=0",
    ] {
        first.args(["--set", setting]);
    }
    first.assert().success();
    let text = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(text.contains("init = \"mine\""), "{text}");
    let again = ["--config", "run/config.toml", "--out", "other", "--dry-run"];
    started(&again).assert().success();
}

#[test]
fn photos_that_cannot_be_read_are_counted_beside_the_scores_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    data_set(&at("data"), 4);
    train(folder.path(), &[]).assert().success();
    spoil(&at("data/images/validation/p2.png"));
    let mut eval = flowseg();
    eval.env("XDG_CACHE_HOME", at("cache"));
    eval.args(["eval", "--device", "cpu", "--steps", "1", "--model"]);
    eval.arg(at("run/model.safetensors"))
        .arg("--data")
        .arg(at("data"));
    eval.arg("--json").arg(at("scores.json"));
    fails(&mut eval, &["1 of 4 photos could not be read"]);
    let output = eval.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("p2.png is cut short"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("mIoU"));
    assert!(at("scores.json").is_file());
    for i in 0..4 {
        fs::write(at(&format!("data/images/validation/p{i}.png")), "rubbish").unwrap();
    }
    fails(&mut eval, &["none of the 4 photos can be read"]);
}

#[test]
fn a_data_set_without_validation_says_how_to_do_without() {
    let folder = tempfile::tempdir().unwrap();
    data_set(&folder.path().join("data"), 2);
    fs::remove_dir_all(folder.path().join("data/images/validation")).unwrap();
    fails(
        &mut train(folder.path(), &[]),
        &["\"validation\"", "train.validate_every=0"],
    );
    train(folder.path(), &["--set", "train.validate_every=0"])
        .assert()
        .success();
}

#[test]
fn a_data_set_of_one_class_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    data_set(&folder.path().join("data"), 1);
    fs::write(folder.path().join("data/classes.txt"), "a\n").unwrap();
    fails(&mut train(folder.path(), &[]), &["only one class"]);
}

/// A label file of 40 x 30 pixels whose upper half has one value and its lower half the other.
fn halves(path: &Path, [upper, lower]: [u8; 2]) {
    let label = image::GrayImage::from_fn(40, 30, |_, y| {
        image::Luma([if y < 15 { upper } else { lower }])
    });
    label.save(path).unwrap();
}

#[test]
fn masks_of_black_and_white_are_not_trained_on_and_told_where_they_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    data_set(&at("data"), 1);
    fs::write(at("data/classes.txt"), "bg\nfg\n").unwrap();
    for split in ["training", "validation"] {
        halves(&at(&format!("data/annotations/{split}/p0.png")), [0, 255]);
    }
    let words = ["only 0 and 255", "class fg", "dataset.toml"];
    fails(&mut train(folder.path(), &[]), &words);
    fails(flowseg().arg("data").arg(at("data")), &["1 problem"]);
    // Photos to score may show one class alone.
    halves(&at("data/annotations/training/p0.png"), [0, 1]);
    train(folder.path(), &[]).assert().success();
    let mut eval = flowseg();
    eval.env("XDG_CACHE_HOME", at("cache"));
    eval.args(["eval", "--device", "cpu", "--steps", "1", "--model"]);
    eval.arg(at("run/model.safetensors"));
    let scored = eval.arg("--data").arg(at("data")).assert().success();
    let log = String::from_utf8_lossy(&scored.get_output().stderr).into_owned();
    for word in words {
        assert!(log.contains(word), "no {word} in {log}");
    }
}

#[test]
fn a_class_that_no_training_label_has_is_told() {
    let folder = tempfile::tempdir().unwrap();
    data_set(&folder.path().join("data"), 1);
    fs::write(folder.path().join("data/classes.txt"), "a\nb\nc\nd\n").unwrap();
    let done = train(folder.path(), &[]).assert().success();
    let log = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    let line = "no label of the training data has the class d: the model cannot learn it";
    assert_eq!(log.matches(line).count(), 1, "{log}");
}

#[test]
fn the_help_of_data_shows_a_description() {
    let help = flowseg().args(["data", "--help"]).assert().success();
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    for key in [
        "classes = ",
        "label_suffix = ",
        "[splits.training]",
        "[map]",
    ] {
        assert!(help.contains(key), "no {key} in {help}");
    }
}
