//! A graphics device that is lost while photos are segmented, scored or compared.

use crate::common;

use common::{SMALL, flowseg, notes, photo, started, train, wait_for};
use std::fs;
use std::path::Path;
use std::process::Output;

/// A network that computes in an instant.
fn model(folder: &Path) -> std::path::PathBuf {
    let run = folder.join("run");
    let settings = ["train.steps=1", "train.validate_every=0"];
    train(&run, &settings).assert().success();
    run.join("model.safetensors")
}

fn failed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the device failed ("), "{text}");
    assert!(text.contains("or use --device cpu"), "{text}");
    text
}

/// No photo is tried after the loss, and what was written before stays and is not done again.
#[test]
fn segmenting_on_a_lost_device_is_continued_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let (photos, out) = (folder.path().join("photos"), folder.path().join("masks"));
    fs::create_dir(&photos).unwrap();
    let first = photo(&photos, "0000.png");
    const COUNT: usize = 4000;
    for at in 1..COUNT {
        fs::hard_link(&first, photos.join(format!("{at:04}.png"))).unwrap();
    }
    let (lose, manifest) = (folder.path().join("lose"), folder.path().join("done.jsonl"));
    let segment = |device: &str| {
        let mut command = flowseg();
        command
            .args(["segment", "--device", device, "--steps", "1", "--model"])
            .arg(&model)
            .arg(&photos)
            .arg("-o")
            .arg(&out)
            .arg("--manifest")
            .arg(&manifest)
            .arg("--skip-existing");
        command
    };
    let mut lost = segment("wgpu");
    lost.env("FLOWSEG_LOSE_DEVICE", &lose);
    // The crash's log.
    lost.env("XDG_STATE_HOME", folder.path());
    let child = started(&lost);
    wait_for(&out.join("0000.png"));
    fs::write(&lose, "").unwrap();
    let text = failed(&child.wait_with_output().unwrap());
    assert!(text.contains("--skip-existing"), "{text}");
    assert!(text.contains(".png: the device failed"), "{text}");

    let done = fs::read_dir(&out).unwrap().count();
    assert!((1..COUNT).contains(&done), "{done}");
    let lines = fs::read_to_string(&manifest).unwrap();
    let failures = lines
        .lines()
        .filter(|line| !line.contains("\"error\":null"));
    assert_eq!(failures.count(), 1, "{lines}");

    let text = notes(&mut segment("cpu"));
    let verb = if done == 1 { "is" } else { "are" };
    let words = format!("{done} of {COUNT} photos {verb} done already");
    assert!(text.contains(&words), "{text}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), COUNT);
}

#[test]
fn scoring_on_a_lost_device_ends_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let lose = folder.path().join("lose");
    fs::write(&lose, "").unwrap();
    let mut command = flowseg();
    command
        .args(["eval", "--device", "wgpu", "--data", "scenes:3@16x24"])
        .args(["--steps", "50", "--model"])
        .arg(&model)
        .env("FLOWSEG_LOSE_DEVICE", &lose)
        .env("XDG_STATE_HOME", folder.path());
    failed(&command.output().unwrap());
}

#[test]
fn comparing_on_a_lost_device_ends_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let (model, photo) = (model(folder.path()), photo(folder.path(), "p.png"));
    let lose = folder.path().join("lose");
    fs::write(&lose, "").unwrap();
    let mut command = flowseg();
    command
        .args(["compare", "--device", "wgpu", "--steps-a", "1000"])
        .args([&model, &model, &photo])
        .arg("-o")
        .arg(folder.path().join("out"))
        .env("FLOWSEG_LOSE_DEVICE", &lose)
        .env("XDG_STATE_HOME", folder.path());
    failed(&command.output().unwrap());
}

#[test]
fn comparing_on_a_device_that_is_lost_writes_the_tables_of_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir(&photos).unwrap();
    let first = photo(&photos, "0000.png");
    for at in 1..4000 {
        fs::hard_link(&first, photos.join(format!("{at:04}.png"))).unwrap();
    }
    let lose = folder.path().join("lose");
    let mut command = flowseg();
    command
        .args(["compare", "--device", "wgpu"])
        .args(["--steps-a", "1", "--steps-b", "1"])
        .args([&model, &model, &photos])
        .arg("-o")
        .arg(&out)
        .env("FLOWSEG_LOSE_DEVICE", &lose)
        .env("XDG_STATE_HOME", folder.path());
    let child = started(&command);
    wait_for(&out.join("0001.compare.png"));
    fs::write(&lose, "").unwrap();
    let text = failed(&child.wait_with_output().unwrap());
    assert!(text.contains("stopped after "), "{text}");
    let report = fs::read(out.join("compare.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["complete"], false);
    assert!(!report["photos"].as_array().unwrap().is_empty());
}

#[test]
fn scoring_a_table_on_a_lost_device_ends_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let (table, lose) = (folder.path().join("t.toml"), folder.path().join("lose"));
    let write = |steps: usize| {
        let text = format!(
            "title = 'T'\nscore = {{ steps = [{steps}] }}\n[base]\n\
             data = {{ path = 'scenes:3@16x24' }}\ntrain = {{ steps = 1, validate_every = 0 }}\n\
             [[row]]\nname = 'a'"
        );
        fs::write(&table, text).unwrap();
    };
    let ablate = |device: &str| {
        let mut command = flowseg();
        command
            .args(["ablate", "--device", device])
            .arg(&table)
            .arg("-o")
            .arg(folder.path().join("out"))
            .env("XDG_STATE_HOME", folder.path());
        for setting in SMALL {
            command.args(["--set", setting]);
        }
        command
    };
    write(1);
    ablate("cpu").assert().success();
    // With other score settings, the finished model is scored again.
    write(50);
    fs::write(&lose, "").unwrap();
    let mut lost = ablate("wgpu");
    failed(&lost.env("FLOWSEG_LOSE_DEVICE", &lose).output().unwrap());
}
