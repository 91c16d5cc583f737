//! `flowseg eval` and `flowseg data`: what they write, and whether the numbers agree.

use crate::common;

use common::{fails, flowseg, is_wrong_usage, names, photo, shared, succeeds, train};
use flowseg::data::Dataset;
use image::imageops::crop_imm;
use std::fs;
use std::path::{Path, PathBuf};

/// A model after a very short training, and the folder that contains it.
fn trained() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = ["train.steps=4", "train.validate_every=0"];
    train(&run, &settings).assert().success();
    (folder, run.join("model.safetensors"))
}

fn eval(model: &Path, more: &[&str]) -> assert_cmd::Command {
    eval_on("scenes:3@16x24", model, more)
}

fn eval_on(data: &str, model: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = flowseg();
    command
        .args(["eval", "--device", "cpu", "--data", data, "--model"])
        .arg(model)
        .args(more);
    command
}

/// mIoU of a confusion matrix in CSV.
fn miou(csv: &str) -> f64 {
    let rows: Vec<Vec<f64>> = csv
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .skip(1)
                .map(|n| n.parse().unwrap())
                .collect()
        })
        .collect();
    let iou: Vec<f64> = (0..rows.len())
        .filter_map(|k| {
            let truth: f64 = rows[k].iter().sum();
            let predicted: f64 = rows.iter().map(|row| row[k]).sum();
            let union = truth + predicted - rows[k][k];
            (union > 0.0).then(|| rows[k][k] / union)
        })
        .collect();
    iou.iter().sum::<f64>() / iou.len() as f64
}

#[test]
fn scores_matrix_and_worst_photos_tell_one_story() {
    let (folder, model) = trained();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).display().to_string();
    let sheet = text("sheet.png");
    let (json, csv, png, out) = (
        text("s.json"),
        text("confusion.csv"),
        text("confusion.png"),
        text("worst"),
    );
    let arguments = [
        "--steps",
        "1,3",
        "--resolution",
        "both",
        "--json",
        &json,
        "--confusion",
        &csv,
        "--confusion",
        &png,
        "--worst",
        "5",
        "--out",
        &out,
        "--sheet",
        &sheet,
        "--without",
        "background",
    ];
    let printed = succeeds(&mut eval(&model, &arguments));
    assert!(printed.contains("without background: mIoU"), "{printed}");

    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let results = report["results"].as_array().unwrap();
    let kinds: Vec<_> = results
        .iter()
        .map(|r| {
            (
                r["steps"].as_u64().unwrap(),
                r["resolution"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [(1, "label"), (1, "network"), (3, "label"), (3, "network")]
    );
    // The network's size is that of these scenes, so both resolutions are the same.
    assert_eq!(results[2]["miou"], results[3]["miou"]);
    let from_csv = miou(&fs::read_to_string(&csv).unwrap());
    let scored = results[2]["miou"].as_f64().unwrap();
    assert!((from_csv - scored).abs() < 1e-12, "{from_csv} and {scored}");
    assert!(image::open(&png).unwrap().width() > 100);

    let list = fs::read_to_string(at("worst/worst.csv")).unwrap();
    let lines: Vec<Vec<&str>> = list
        .lines()
        .skip(1)
        .map(|l| l.split(',').collect())
        .collect();
    assert_eq!(lines.len(), 5);
    let mious: Vec<f64> = lines.iter().map(|line| line[2].parse().unwrap()).collect();
    assert!(mious.windows(2).all(|pair| pair[0] <= pair[1]), "{list}");
    for line in &lines {
        let strip = image::open(at("worst").join(line[4])).unwrap();
        assert_eq!((strip.width(), strip.height()), (4 * 24 + 3 * 4, 16));
    }
    // The contact sheet begins with the worst photo: photo, three states, mask and truth, each below a
    // caption of 26 pixels and as wide as that needs.
    let sheet = image::open(&sheet).unwrap().to_rgb8();
    let strip = image::open(at("worst").join(lines[0][4]))
        .unwrap()
        .to_rgb8();
    for (column, part) in [(0, 0), (4, 2), (5, 1)] {
        let cell = crop_imm(&sheet, column * 228, 26, 24, 16).to_image();
        assert_eq!(cell, crop_imm(&strip, part * 28, 0, 24, 16).to_image());
    }
    // Pictures of the list from before are removed, and nothing else.
    let third = at("worst").join(lines[2][4]).display().to_string();
    fails(
        &mut eval(&model, &["--worst", "2", "--out", &out, "--sheet", &third]),
        &["the contact sheet", "the picture 003-"],
    );
    fs::write(at("worst/mine.png"), "mine").unwrap();
    eval(&model, &["--worst", "2", "--out", &out])
        .assert()
        .success();
    let left = names(&at("worst"));
    assert!(left[0].starts_with("001-") && left[1].starts_with("002-"));
    assert_eq!(left[2..], ["mine.png", "worst.csv"]);
    // Pictures of other programs that have the names of those to be written.
    fs::remove_file(at("worst/worst.csv")).unwrap();
    let taken = at("worst").join(&left[0]);
    image::RgbImage::new(3, 2).save(&taken).unwrap();
    let before = fs::read(&taken).unwrap();
    let words = ["001-", "saved by another program"];
    fails(&mut eval(&model, &["--worst", "1", "--out", &out]), &words);
    assert_eq!(fs::read(&taken).unwrap(), before);
}

#[test]
fn a_model_recommends_the_steps_it_was_validated_with() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "p.png");
    let (photo, out) = (photo.display().to_string(), folder.path().join("masks"));
    for (every, steps) in [
        ("train.validate_every=2", 3),
        ("train.validate_every=0", 10),
    ] {
        let run = folder.path().join(every);
        train(&run, &["train.steps=2", every, "train.validate_steps=3"])
            .assert()
            .success();
        let model = run.join("model.safetensors");
        let output = eval(&model, &[]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(&format!("{steps} steps,")), "{text}");
        // One state per step, and the photo.
        flowseg()
            .args(["segment", "--device", "cpu", &photo, "--numbers", "-o"])
            .arg(&out)
            .arg("--model")
            .arg(&model)
            .assert()
            .success();
        let numbers = fs::read_to_string(out.join("p.numbers.csv")).unwrap();
        assert_eq!(numbers.lines().count(), 1 + 1 + steps, "{numbers}");
    }
}

#[test]
fn a_shift_moves_the_steps() {
    let (folder, model) = trained();
    let photo = photo(folder.path(), "p.png").display().to_string();
    let out = folder.path().join("masks");
    let times = |shift: &str| -> Vec<f32> {
        flowseg()
            .args(["segment", "--device", "cpu", &photo, "--numbers"])
            .args(["--steps", "2", "--shift", shift])
            .arg("--model")
            .arg(&model)
            .arg("-o")
            .arg(&out)
            .assert()
            .success();
        let numbers = fs::read_to_string(out.join("p.numbers.csv")).unwrap();
        let rows = numbers.lines().skip(1);
        rows.map(|row| row.split(',').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(times("1"), [0.0, 0.5, 1.0]);
    assert_eq!(times("0.25"), [0.0, 0.8, 1.0]);
    let json = folder.path().join("s.json").display().to_string();
    eval(&model, &["--shift", "0.25", "--json", &json])
        .assert()
        .success();
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(
        (&report["shift"], &report["solver"]),
        (&0.25.into(), &"euler".into())
    );
    for wrong in ["0", "-1", "nan", "x"] {
        let shift = format!("--shift={wrong}");
        is_wrong_usage(&mut eval(&model, &[&shift]));
    }
}

#[test]
fn a_scale_is_a_factor_on_what_the_network_sees() {
    let (folder, model) = trained();
    let photo = photo(folder.path(), "p.png").display().to_string();
    let size = |scale: &[&str]| {
        let output = flowseg()
            .args(["segment", "--device", "cpu", &photo, "--json", "-o"])
            .arg(folder.path().join("masks"))
            .arg("--model")
            .arg(&model)
            .args(scale)
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["network_size"].clone()
    };
    assert_eq!(size(&[]), serde_json::json!([16, 24]));
    assert_eq!(size(&["--scale", "2"]), serde_json::json!([32, 48]));
    let json = folder.path().join("s.json").display().to_string();
    eval(&model, &["--scale", "2", "--json", &json])
        .assert()
        .success();
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(report["scale"], 2.0);
    for wrong in ["0.1", "5", "nan", "x"] {
        is_wrong_usage(&mut eval(&model, &["--scale", wrong]));
    }
}

#[test]
fn wrong_usage_of_eval_is_explained() {
    let (folder, model) = trained();
    let bad = folder.path().join("confusion.txt").display().to_string();
    fails(
        &mut eval(&model, &["--confusion", &bad]),
        &["confusion.txt", ".csv"],
    );
    fails(&mut eval(&model, &["--without", "unicorn"]), &["unicorn"]);
    for refused in [["--tiles", "2"], ["--scales", "1,2"]] {
        let mut command = eval(&model, &["--agreement"]);
        fails(command.args(refused), &["--agreement is measured"]);
    }
    let worst = folder.path().join("worst").display().to_string();
    let list = folder.path().join("worst/worst.csv").display().to_string();
    fails(
        &mut eval(
            &model,
            &["--photos", &list, "--worst", "1", "--out", &worst],
        ),
        &["the table of photos", "the list of the worst photos"],
    );
    fails(
        &mut eval_on("scenes:4", &model, &[]),
        &["the model lacks: \"magenta"],
    );
    is_wrong_usage(&mut eval(&model, &["--worst", "3"]));
}

#[test]
fn a_contact_sheet_shows_every_split() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet.png");
    flowseg()
        .arg("data")
        .arg(shared("data/coco-stuff-samples"))
        .arg("--sheet")
        .arg(&sheet)
        .assert()
        .success();
    let picture = image::open(&sheet).unwrap().into_rgb8();
    // 13 and 8 photos, 8 per row, each above its labels.
    assert_eq!(picture.width().div_ceil(244), 8);
    assert!(picture.height() > 3 * 240, "{}", picture.height());
    let white = picture.pixels().filter(|p| p.0 == [255; 3]).count();
    assert!(
        white < picture.pixels().len() / 2,
        "most of the sheet is empty"
    );
    let other = folder.path().join("sheet.jpg");
    fails(
        flowseg().args(["data", "scenes:3", "--sheet"]).arg(&other),
        &["sheet.jpg", ".png"],
    );
    assert!(!other.exists());
}

#[test]
fn a_run_logs_for_tensorboard_and_shows_samples() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "train.steps=4",
        "train.validate_every=2",
        "train.validate_samples=8",
    ];
    train(&run, &settings).assert().success();
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(run.join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let events = names("tensorboard");
    assert!(events.len() == 1 && events[0].starts_with("events.out.tfevents."));
    let bytes = fs::read(run.join("tensorboard").join(&events[0])).unwrap();
    for tag in ["train/loss", "train/learning_rate", "validation/miou"] {
        assert!(
            bytes.windows(tag.len()).any(|w| w == tag.as_bytes()),
            "{tag}"
        );
    }
    let samples = names("samples");
    assert_eq!(samples.len(), 2 * 6, "{samples:?}");
    assert_eq!(samples[0], "step-00000002-scene-00000.png");
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    for key in [
        "[provenance]",
        "version",
        "device",
        "training_fingerprint",
        "seed",
    ] {
        assert!(config.contains(key), "{key} is not in {config}");
    }
    // A configuration that a run has written can be used to resume.
    let mut more = train(&run, &["train.steps=5", "train.validate_every=0"]);
    more.arg("--resume").assert().success();
    assert_eq!(names("tensorboard").len(), 2);
}

#[test]
fn photos_without_labels_give_neither_a_sheet_nor_a_list_of_the_worst() {
    let (folder, model) = trained();
    let data = folder.path().join("data");
    let [photos, labels] = ["images", "annotations"].map(|part| data.join(part).join("validation"));
    for part in [&photos, &labels] {
        fs::create_dir_all(part).unwrap();
    }
    photo(&photos, "a.png");
    image::GrayImage::from_pixel(60, 40, image::Luma([255]))
        .save(labels.join("a.png"))
        .unwrap();
    let scenes = Dataset::open(Path::new("scenes:3"), "validation").unwrap();
    let classes = scenes.classes().names.join("\n");
    fs::write(data.join("classes.txt"), classes).unwrap();
    let (sheet, worst) = (folder.path().join("sheet.png"), folder.path().join("worst"));
    let (to_sheet, to_worst) = (sheet.display().to_string(), worst.display().to_string());
    let mut command = eval_on(
        &data.display().to_string(),
        &model,
        &[
            "--steps", "1", "--sheet", &to_sheet, "--worst", "2", "--out", &to_worst,
        ],
    );
    let text = succeeds(&mut command);
    assert_eq!(
        text.matches("no photo has a labelled pixel").count(),
        2,
        "{text}"
    );
    assert!(!sheet.exists());
    assert_eq!(fs::read_dir(&worst).unwrap().count(), 0);
}

/// Hours of work are not lost to one output that cannot be written.
#[cfg(target_os = "linux")]
#[test]
fn outputs_after_one_that_cannot_be_written_are_there() {
    let (folder, model) = trained();
    let table = folder.path().join("photos.csv");
    let more = ["--steps", "1", "--json", "/dev/full", "--photos"];
    let mut command = eval(&model, &more);
    fails(command.arg(&table), &["cannot write /dev/full"]);
    assert!(fs::read_to_string(&table).unwrap().lines().count() > 1);
}
