//! `flowseg compare`: its files against each other and against `segment` and `eval`.

use crate::common;

use assert_cmd::Command;
use burn::tensor::Device;
use common::{fails, flowseg, is_wrong_usage, names, photo, succeeds};
#[cfg(target_os = "linux")]
use common::{signal, started, wait_for};
use flowseg::data::{SceneConfig, scene_classes};
use flowseg::model::tensors::Precision;
use flowseg::models;
use image::{GrayImage, Luma, RgbImage};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn compare(a: &Path, b: &Path, out: &Path) -> Command {
    let mut command = flowseg();
    command.args(["compare", "--device", "cpu", "-o"]);
    command.arg(out).arg(a).arg(b);
    command
}

fn report(out: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(out.join("compare.json")).unwrap()).unwrap()
}

fn mask(path: &Path) -> GrayImage {
    image::open(path).unwrap().into_luma8()
}

/// The mask that `segment` writes of `a.png` in a folder.
fn segmented(folder: &Path, model: &Path, steps: &str) -> GrayImage {
    let out = folder.join("segmented");
    flowseg()
        .args(["segment", "--device", "cpu", "--steps", steps, "-o"])
        .arg(&out)
        .arg("--model")
        .arg(model)
        .arg(folder.join("a.png"))
        .assert()
        .success();
    mask(&out.join("a.png"))
}

#[test]
fn a_model_is_compared_with_itself_at_other_steps() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    let (out, model) = (folder.path().join("out"), Path::new("scenes"));
    let printed = succeeds(
        compare(model, model, &out)
            .args(["--steps-a", "1", "--steps-b", "6", "--solver-b", "heun"])
            .arg(&photo),
    );
    assert!(printed.contains("A: scenes, 1 step\n"), "{printed}");
    assert!(printed.contains("B: scenes, 6 steps, Heun\n"), "{printed}");
    let files = [
        "a.a.png",
        "a.b.png",
        "a.compare.png",
        "a.disagreement.png",
        "classes.csv",
        "classes.txt",
        "compare.json",
        "photos.csv",
    ];
    assert_eq!(names(&out), files);
    let [a, b] = ["a.a.png", "a.b.png"].map(|name| mask(&out.join(name)));
    assert_eq!(a, segmented(folder.path(), model, "1"));
    let pairs = || a.as_raw().iter().zip(b.as_raw());
    let same = pairs().filter(|(a, b)| a == b).count();
    let report = report(&out);
    let agreement = report["agreement"].as_f64().unwrap();
    assert!(
        (agreement - same as f64 / 2400.0).abs() < 1e-12,
        "{agreement}"
    );
    assert!(agreement < 1.0, "the example has to differ somewhere");
    assert_eq!(report["photos"][0]["agreement"], report["agreement"]);
    assert!(report["miou_a"].is_null(), "there are no labels");
    // Red exactly where the masks differ.
    let picture: RgbImage = image::open(out.join("a.disagreement.png"))
        .unwrap()
        .into_rgb8();
    for (pixel, (a, b)) in picture.pixels().zip(pairs()) {
        assert_eq!(pixel.0 == [230, 40, 40], a != b);
    }
    let classes = fs::read_to_string(out.join("classes.txt")).unwrap();
    for (class, name) in classes.lines().enumerate() {
        let of = |mask: &GrayImage| {
            mask.as_raw()
                .iter()
                .map(|v| usize::from(*v) == class)
                .collect::<Vec<_>>()
        };
        let (in_a, in_b) = (of(&a), of(&b));
        let both = in_a.iter().zip(&in_b).filter(|(a, b)| **a && **b).count();
        let either = in_a.iter().zip(&in_b).filter(|(a, b)| **a || **b).count();
        let found = &report["classes"][name]["disagreement"];
        match either {
            0 => assert!(found.is_null(), "{name}"),
            _ => {
                let expected = 1.0 - both as f64 / either as f64;
                assert!((found.as_f64().unwrap() - expected).abs() < 1e-12, "{name}");
            }
        }
    }
    // Again with the same on both sides.
    compare(model, model, &out)
        .args(["--steps-a", "1", "--steps-b", "1"])
        .arg(&photo)
        .assert()
        .success();
    assert_eq!(self::report(&out)["agreement"], 1.0);
    // A table of another program is kept.
    fs::write(out.join("photos.csv"), "mine\n").unwrap();
    fails(
        compare(model, model, &out)
            .args(["--steps-a", "1", "--steps-b", "1"])
            .arg(&photo),
        &["photos.csv", "saved by another program"],
    );
    assert_eq!(fs::read(out.join("photos.csv")).unwrap(), b"mine\n");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_comparison_writes_the_tables_of_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir(&photos).unwrap();
    for at in 0..12 {
        photo(&photos, &format!("{at:02}.png"));
    }
    let model = Path::new("scenes");
    compare(model, model, &out)
        .args(["--steps-a", "1", "--steps-b", "1"])
        .arg(photos.join("00.png"))
        .assert()
        .success();
    assert_eq!(report(&out)["complete"], true);
    let sheet = out.join("00.compare.png");
    fs::remove_file(&sheet).unwrap();
    // The first photo cannot be read, and neither can a folder.
    fs::write(photos.join("!.png"), "no picture").unwrap();
    std::os::unix::fs::symlink("loop", photos.join("loop")).unwrap();
    let mut command = compare(model, model, &out);
    command
        .args(["--steps-a", "1", "--steps-b", "60"])
        .arg(&photos);
    let child = started(&command);
    wait_for(&sheet);
    // The tables of the first comparison do not belong to the masks of the second one.
    for table in ["classes.csv", "compare.json", "photos.csv"] {
        assert!(!out.join(table).exists(), "{table}");
    }
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("cannot read the folder"), "{text}");
    let report = report(&out);
    assert_eq!(report["complete"], false);
    let done = report["photos"].as_array().unwrap().len();
    assert!((1..12).contains(&done), "{done}");
    let told = format!(
        "stopped after {} of 13 photos: the tables cover {done} of these",
        done + 1
    );
    assert!(text.contains(&told), "{text}");
    let table = fs::read_to_string(out.join("photos.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + done, "{table}");
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_read_are_listed_where_photos_fail_too() {
    let folder = tempfile::tempdir().unwrap();
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir(&photos).unwrap();
    photo(&photos, "a.png");
    let broken = photos.join("b.png");
    fs::write(&broken, "no picture").unwrap();
    // Nobody can follow it, not even root.
    std::os::unix::fs::symlink("loop", photos.join("loop")).unwrap();
    let model = Path::new("scenes");
    let compared = || {
        let mut command = compare(model, model, &out);
        command.args(["--steps-a", "1", "--steps-b", "1"]);
        command.arg(&photos);
        command
    };
    fails(
        &mut compared(),
        &["cannot read the folder", "1 of 2 photos could not be"],
    );
    fs::remove_file(&broken).unwrap();
    fails(
        &mut compared(),
        &["cannot read the folder", "1 folder could not be read"],
    );
    // There may be photos in it.
    assert_eq!(report(&out)["complete"], false);
}

#[test]
fn usage_names_the_models_before_the_photos() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    let output = flowseg().args(["compare", "-h"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let usage = "\nUsage: flowseg compare [OPTIONS] --output <OUT> <A> <B> <PHOTO>...\n";
    assert!(help.contains(usage), "{help}");
    // In another order, the photo is called what it is.
    fails(
        compare(&photo, Path::new("scenes"), &folder.path().join("out")).arg(&photo),
        &["a.png is a picture, not a model"],
    );
}

#[test]
fn classes_of_different_models_are_matched_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    // The built-in model with its names in the opposite order, and one that only it has.
    let mut model = models::load("scenes", &Device::flex()).unwrap();
    let first = model.card.classes.clone();
    model.card.classes.reverse();
    model.card.classes[0] = "unicorn".to_owned();
    let other = folder.path().join("other.safetensors");
    flowseg::model::file::write(&other, &model, Precision::Half).unwrap();
    let out = folder.path().join("out");
    compare(Path::new("scenes"), &other, &out)
        .args(["--steps-a", "1", "--steps-b", "1"])
        .arg(&photo)
        .assert()
        .success();
    let listed = fs::read_to_string(out.join("classes.txt")).unwrap();
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed[..20], first[..]);
    assert_eq!(listed[20..], ["unicorn"]);
    let [a, b] = ["a.a.png", "a.b.png"].map(|name| mask(&out.join(name)));
    let own = segmented(folder.path(), &other, "1");
    for (own, joint) in own.as_raw().iter().zip(b.as_raw()) {
        assert_eq!(
            model.card.classes[usize::from(*own)],
            listed[usize::from(*joint)]
        );
    }
    let same = a.as_raw().iter().zip(b.as_raw()).filter(|(a, b)| a == b);
    let share = same.count() as f64 / 2400.0;
    assert!((report(&out)["agreement"].as_f64().unwrap() - share).abs() < 1e-12);
    assert!(share < 0.5, "no class keeps its name");
}

/// Photos of a data set with the labels of the built-in scenes, upper half 0 and lower half 1.
fn data(folder: &Path) -> std::path::PathBuf {
    let root = folder.join("data");
    for part in ["images", "annotations"] {
        fs::create_dir_all(root.join(part).join("validation")).unwrap();
    }
    let classes = scene_classes(&SceneConfig {
        classes: 20,
        ..SceneConfig::default()
    });
    fs::write(root.join("classes.txt"), classes.join("\n")).unwrap();
    for name in ["one.png", "two.png"] {
        photo(&root.join("images/validation"), name);
        GrayImage::from_fn(60, 40, |_, y| Luma([u8::from(y >= 20)]))
            .save(root.join("annotations/validation").join(name))
            .unwrap();
    }
    root
}

#[test]
fn scores_are_those_of_eval_however_the_photos_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let model = Path::new("scenes");
    let out = folder.path().join("out");
    let steps = ["--steps-a", "1", "--steps-b", "4"];
    compare(model, model, &out)
        .args(steps)
        .arg("--data")
        .arg(&data)
        .assert()
        .success();
    let of_data = report(&out);
    let json = folder.path().join("scores.json");
    flowseg()
        .args([
            "eval", "--device", "cpu", "--model", "scenes", "--steps", "1,4", "--data",
        ])
        .arg(&data)
        .arg("--json")
        .arg(&json)
        .assert()
        .success();
    let scores: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    for (side, key) in ["miou_a", "miou_b"].into_iter().enumerate() {
        let expected = scores["results"][side]["miou"].as_f64().unwrap();
        let found = of_data[key].as_f64().unwrap();
        assert!(
            (found - expected).abs() < 1e-9,
            "{key}: {found} and {expected}"
        );
    }
    let difference = of_data["miou_b"].as_f64().unwrap() - of_data["miou_a"].as_f64().unwrap();
    assert!((of_data["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    // Photos that lie in a data set have labels of their own accord.
    let named = folder.path().join("named");
    compare(model, model, &named)
        .args(steps)
        .arg(data.join("images"))
        .assert()
        .success();
    let of_photos = report(&named);
    assert_eq!(of_photos["miou_a"], of_data["miou_a"]);
    assert_eq!(of_photos["photos"].as_array().unwrap().len(), 2);
    assert!(named.join("validation/one.compare.png").exists());
    let table = fs::read_to_string(named.join("photos.csv")).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
}

#[test]
fn labels_of_a_data_set_with_other_classes_are_used_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    // In another order, in capitals, and with one that the model lacks.
    let table = data.join("classes.txt");
    let classes = fs::read_to_string(&table).unwrap();
    let mut classes: Vec<String> = classes.lines().map(str::to_uppercase).collect();
    classes.reverse();
    classes.push("UNICORN".to_owned());
    fs::write(&table, classes.join("\n")).unwrap();
    let scored = |out: &str, photos: &[&Path]| {
        let (model, out) = (Path::new("scenes"), folder.path().join(out));
        compare(model, model, &out)
            .args(["--steps-a", "1", "--steps-b", "1"])
            .args(photos)
            .assert()
            .success();
        report(&out)["miou_a"].as_f64().unwrap()
    };
    let of_data = scored("data-set", &[Path::new("--data"), &data]);
    let of_photos = scored("photos", &[&data.join("images/validation")]);
    assert_eq!(of_photos, of_data);
}

#[test]
fn what_cannot_be_compared_is_named_and_the_rest_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    let (out, model) = (folder.path().join("out"), Path::new("scenes"));
    let broken = folder.path().join("broken.png");
    fs::write(&broken, "no picture").unwrap();
    let steps = ["--steps-a", "1", "--steps-b", "1"];
    let mut both = compare(model, model, &out);
    both.args(steps).arg(&broken).arg(&photo);
    fails(&mut both, &["1 of 2 photos"]);
    let error = String::from_utf8(both.output().unwrap().stderr).unwrap();
    assert!(
        error.contains("not compared: ") && error.contains("broken.png"),
        "{error}"
    );
    assert!(out.join("a.compare.png").exists());
    assert_eq!(report(&out)["photos"].as_array().unwrap().len(), 1);
    let missing = folder.path().join("missing.safetensors");
    fails(
        compare(model, &missing, &out).arg(&photo),
        &["missing.safetensors"],
    );
    // No output over a photo.
    let input = common::photo(folder.path(), "b.a.png");
    let before = fs::read(&input).unwrap();
    let other = common::photo(folder.path(), "b.png");
    fails(
        compare(model, model, folder.path()).arg(&other).arg(&input),
        &["b.a.png", "is the input"],
    );
    assert_eq!(fs::read(&input).unwrap(), before);
    let error = is_wrong_usage(&mut compare(model, model, &out));
    assert!(
        error.contains("--data") && error.contains("PHOTO"),
        "{error}"
    );
}
