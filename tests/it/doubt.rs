//! Maps of uncertainty as `flowseg segment` writes them, and what `flowseg eval` says of each photo.

use crate::common;

use assert_cmd::Command;
use common::{fails, flowseg, is_wrong_usage, photo, succeeds, train};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A `.npy` file of `float32`: shape and values.
fn npy(path: &Path) -> ([usize; 2], Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    assert!(header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"));
    assert!(end.is_multiple_of(64) && header.ends_with('\n'));
    let (_, shape) = header.split_once("'shape': (").unwrap();
    let (shape, _) = shape.split_once(')').unwrap();
    let (height, width) = shape.split_once(", ").unwrap();
    let values = bytes[end..].chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    (
        [height.parse().unwrap(), width.parse().unwrap()],
        values.collect(),
    )
}

#[test]
fn doubt_is_written_as_pictures_and_as_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let formats = "index,probability,margin,entropy,probability-npy,margin-npy,entropy-npy";
    flowseg()
        .args([
            "segment", "--device", "cpu", "--model", "scenes", "--steps", "1",
        ])
        .args(["--flip", "--format", formats, "-o"])
        .arg(&out)
        .arg(photo(folder.path(), "a.png"))
        .assert()
        .success();
    let read = |measure: &str| {
        let (shape, values) = npy(&out.join(format!("a.{measure}.npy")));
        // The photo has 40 rows of 60 pixels.
        assert_eq!((shape, values.len()), ([40, 60], 2400));
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{measure}");
        let grey = image::open(out.join(format!("a.{measure}.png"))).unwrap();
        for (byte, value) in grey.into_luma8().into_raw().into_iter().zip(&values) {
            assert_eq!(byte, (255.0 * value).round() as u8);
        }
        values
    };
    let [probability, margin, entropy] = ["probability", "margin", "entropy"].map(read);
    for ((p, margin), entropy) in probability.iter().zip(&margin).zip(&entropy) {
        // The second of 20 probabilities is at least the mean of the others, and at most all of them.
        let second = p - margin;
        assert!(second <= p + 1e-6 && second >= (1.0 - p) / 19.0 - 1e-5);
        assert!(second <= 1.0 - p + 1e-5);
        // The others are least certain where they are alike, and most where one has them all.
        let one = -p * p.ln() - (1.0 - p) * (1.0 - p).max(1e-9).ln();
        let most = (one + (1.0 - p) * 19f32.ln()) / 20f32.ln();
        let least = one / 20f32.ln();
        assert!(
            (least - 1e-4..=most + 1e-4).contains(entropy),
            "{p}: {entropy}"
        );
    }
    let differ = |a: &[f32]| a.iter().any(|v| (v - a[0]).abs() > 0.01);
    assert!(differ(&probability) && differ(&margin) && differ(&entropy));
    // A pixel has no class exactly where the array says that it is less probable than asked for.
    flowseg()
        .args([
            "segment", "--device", "cpu", "--model", "scenes", "--steps", "1",
        ])
        .args(["--flip", "--ignore-below", "0.5", "-o"])
        .arg(folder.path().join("sure"))
        .arg(folder.path().join("a.png"))
        .assert()
        .success();
    let sure = image::open(folder.path().join("sure/a.png"))
        .unwrap()
        .into_luma8();
    for (label, p) in sure.into_raw().into_iter().zip(&probability) {
        assert_eq!(label == 255, *p < 0.5);
    }
}

/// A model that was trained for a moment on scenes of three classes.
fn trained(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    let settings = ["train.steps=4", "train.validate_every=0"];
    train(&run, &settings).assert().success();
    run
}

fn eval(run: &Path, more: &[&str]) -> Command {
    let mut command = flowseg();
    command
        .args([
            "eval",
            "--device",
            "cpu",
            "--data",
            "scenes:3@16x24",
            "--model",
        ])
        .arg(run)
        .args(["--steps", "1"])
        .args(more);
    command
}

/// A table without quotes: a map from column to value for each row.
fn rows(text: &str) -> Vec<HashMap<&str, &str>> {
    let mut lines = text.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| heads.iter().copied().zip(line.split(',')).collect())
        .collect()
}

#[test]
fn the_photos_of_a_cell_and_the_most_doubtful_ones_are_found() {
    let folder = tempfile::tempdir().unwrap();
    // The folder of a run stands for its model.
    let run = trained(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let matrix = path("confusion.csv");
    eval(&run, &["--confusion", &matrix]).assert().success();
    let matrix = fs::read_to_string(matrix).unwrap();
    let names: Vec<String> = matrix
        .lines()
        .skip(1)
        .map(|l| l.split(',').next().unwrap().into())
        .collect();
    // The fullest cell off the diagonal.
    let table = rows(&matrix);
    let count = |truth: usize, prediction: usize| -> u64 {
        table[truth][names[prediction].as_str()].parse().unwrap()
    };
    let pairs = (0..3).flat_map(|truth| (0..3).map(move |k| (truth, k)));
    let (truth, prediction) = pairs
        .filter(|(truth, k)| truth != k)
        .max_by_key(|(truth, k)| count(*truth, *k))
        .unwrap();
    assert!(count(truth, prediction) > 0, "{matrix}");

    let (photos, json) = (path("photos.csv"), path("scores.json"));
    let (diagram, worst) = (path("reliability.png"), path("worst"));
    let printed = succeeds(&mut eval(
        &run,
        &[
            "--photos",
            &photos,
            "--json",
            &json,
            "--reliability",
            &diagram,
            "--worst",
            "3",
            "--worst-by",
            "doubt",
            "--out",
            &worst,
            "--cell",
            &truth.to_string(),
            &names[prediction],
        ],
    ));
    assert!(
        printed.contains(&format!(": {} pixels in ", count(truth, prediction))),
        "{printed}"
    );
    assert!(
        printed.contains("with the greatest uncertainty"),
        "{printed}"
    );

    let text = fs::read_to_string(&photos).unwrap();
    let table = rows(&text);
    assert_eq!(table.len(), 64);
    let of = |row: &HashMap<&str, &str>, column: &str| -> f64 { row[column].parse().unwrap() };
    let in_cell: f64 = table.iter().map(|row| of(row, "pixels_in_cell")).sum();
    assert_eq!(in_cell as u64, count(truth, prediction));
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let mean = table.iter().map(|row| of(row, "miou")).sum::<f64>() / 64.0;
    let reported = report["results"][0]["mean_of_photos"].as_f64().unwrap();
    assert!((mean - reported).abs() < 1e-9, "{mean} and {reported}");
    // A photo's mIoU is the mean of its classes' IoU.
    for row in &table {
        let iou: Vec<f64> = names
            .iter()
            .filter_map(|name| row[format!("iou_{name}").as_str()].parse().ok())
            .collect();
        let mean = iou.iter().sum::<f64>() / iou.len() as f64;
        assert!((mean - of(row, "miou")).abs() < 1e-9, "{row:?}");
    }
    let mut doubt: Vec<f64> = table.iter().map(|row| of(row, "doubt")).collect();
    doubt.sort_by(|a, b| b.total_cmp(a));
    let list = fs::read_to_string(folder.path().join("worst/worst.csv")).unwrap();
    let listed: Vec<f64> = rows(&list).iter().map(|row| of(row, "doubt")).collect();
    assert_eq!(listed, doubt[..3]);
    let diagram = image::open(&diagram).unwrap();
    assert!(diagram.width() > 500 && diagram.height() > 600);
}

#[test]
fn wrong_questions_about_photos_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let text = |name: &str| folder.path().join(name).display().to_string();
    fails(
        &mut eval(&run, &["--reliability", &text("r.svg")]),
        &["r.svg", ".png"],
    );
    fails(
        &mut eval(&run, &["--photos", &text("p.txt")]),
        &["p.txt", ".csv"],
    );
    fails(
        &mut eval(&run, &["--cell", "background", "unicorn"]),
        &["--cell unicorn", "flowseg models"],
    );
    for name in ["Backgroud", "backgrund"] {
        let without = &["--without", name];
        fails(&mut eval(&run, without), &["did you mean \"background\"?"]);
    }
    let twice = ["--cell", "background", "background"].repeat(2);
    for wrong in [
        &["--cell", "background"][..],
        &twice,
        &["--worst-by", "doubt"],
    ] {
        is_wrong_usage(&mut eval(&run, wrong));
    }
    // The run's own model is an input, and a folder without one is named.
    let model = run.join("model.safetensors").display().to_string();
    fails(&mut eval(&run, &["--json", &model]), &["is the input"]);
    fails(
        &mut eval(folder.path(), &[]),
        &["neither model.safetensors nor"],
    );
}
