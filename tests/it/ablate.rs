//! `flowseg ablate`: a small table, interrupted and resumed.

use crate::common;

use common::{SMALL, fails, flowseg, photo, succeeds};
#[cfg(target_os = "linux")]
use common::{signal, started, wait_for};
use image::{GrayImage, Luma};
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = r#"
title = "Two by two"
seeds = [0, 1]
score = { steps = [1, 3], samples = 8 }

[base]
data = { path = "scenes:3@16x24" }
train = { steps = 300, checkpoint_every = 10, validate_every = 100, validate_samples = 4 }

[[row]]
name = "reshaped"

[[row]]
name = "vanilla"
set = { loss.objective = "vanilla" }
"#;

fn table(folder: &Path) -> PathBuf {
    let path = folder.join("two.toml");
    fs::write(&path, TABLE).unwrap();
    path
}

fn ablate(table: &Path, out: &Path) -> assert_cmd::Command {
    let mut command = flowseg();
    command
        .args(["ablate", "--device", "cpu"])
        .arg(table)
        .arg("-o")
        .arg(out);
    for setting in SMALL {
        command.args(["--set", setting]);
    }
    command
}

/// The lines of a table without the times.
#[cfg(target_os = "linux")]
fn results(out: &Path) -> Vec<String> {
    let text = fs::read_to_string(out.join("table.csv")).unwrap();
    text.lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            cells[..10].join(",")
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_table_ends_as_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path());
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    ablate(&table, &whole).assert().success();
    let expected = results(&whole);
    // Two rows, two seeds, two numbers of steps, and the head.
    assert_eq!(expected.len(), 9);
    assert_ne!(expected[1].split(',').nth(5), expected[5].split(',').nth(5));

    // Interrupted during the second run, between two checkpoints.
    let child = started(&ablate(&table, &parts));
    wait_for(&parts.join("runs/vanilla-seed0/checkpoints/step-00000010"));
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("stopped"), "{text}");
    let finished = parts.join("scores/reshaped-seed0.json");
    let before = fs::metadata(&finished).unwrap().modified().unwrap();
    assert!(!parts.join("scores/vanilla-seed0.json").exists());
    assert_eq!(results(&parts).len(), 3);

    let text = succeeds(&mut ablate(&table, &parts));
    assert!(text.contains("finished before"), "{text}");
    assert!(text.contains("resumed after step"), "{text}");
    assert_eq!(results(&parts), expected);
    assert_eq!(fs::metadata(&finished).unwrap().modified().unwrap(), before);

    let markdown = fs::read_to_string(parts.join("table.md")).unwrap();
    for part in [
        "# Two by two",
        "| reshaped |",
        "±",
        "4 of 4 runs",
        "300 training steps",
        "(steps.svg)",
    ] {
        assert!(markdown.contains(part), "{part} is not in {markdown}");
    }
    let plot = fs::read_to_string(parts.join("convergence.svg")).unwrap();
    assert!(plot.contains("<svg") && plot.contains("vanilla"));
    // Checkpoints have been removed, models stay.
    assert!(!parts.join("runs/reshaped-seed0/checkpoints").exists());
    assert!(parts.join("runs/vanilla-seed1/model.safetensors").is_file());

    // Results of other settings must not be mixed in.
    fails(
        ablate(&table, &parts).args(["--set", "train.steps=7"]),
        &["other settings", "-o"],
    );
    // With other score settings, models are scored again without training.
    fs::write(&table, TABLE.replace("[1, 3]", "[2]")).unwrap();
    let text = succeeds(&mut ablate(&table, &parts));
    assert!(!text.contains("photos/s"), "{text}");
    assert_eq!(results(&parts).len(), 5);
}

#[test]
fn mistakes_in_a_table_are_found_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let out = folder.path().join("out");
    fs::write(&path, TABLE.replace("\"vanilla\" }", "\"vanila\" }")).unwrap();
    fails(
        &mut ablate(&path, &out),
        &["two.toml", "row \"vanilla\"", "vanila"],
    );
    assert!(!out.exists());
    fs::write(&path, TABLE.replace("samples = 8", "split = \"nowhere\"")).unwrap();
    fails(&mut ablate(&path, &out), &["nowhere"]);
    assert!(!out.join("runs").exists());
    fails(
        &mut ablate(&folder.path().join("none.toml"), &out),
        &["none.toml"],
    );
}

/// A table of one run of one step, beside its data folder of two classes with three pairs in both splits.
fn table_of_two_classes(data: &Path) -> PathBuf {
    for split in ["training", "validation"] {
        let [photos, labels] = ["images", "annotations"].map(|part| data.join(part).join(split));
        for part in [&photos, &labels] {
            fs::create_dir_all(part).unwrap();
        }
        for name in ["a.png", "b.png", "c.png"] {
            photo(&photos, name);
            GrayImage::from_fn(60, 40, |_, y| Luma([u8::from(y >= 20)]))
                .save(labels.join(name))
                .unwrap();
        }
    }
    fs::write(data.join("classes.txt"), "above\nbelow").unwrap();
    let table = data.with_file_name("t.toml");
    let text = format!(
        "title = 'T'\n[base]\ndata = {{ path = '{}' }}\n\
         train = {{ steps = 1, validate_every = 0 }}\n[[row]]\nname = 'a'",
        data.display()
    );
    fs::write(&table, text).unwrap();
    table
}

#[test]
fn a_run_is_scored_with_the_order_of_classes_of_the_model_that_it_starts_from() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let table = table_of_two_classes(&data);
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    ablate(&table, &first).assert().success();
    let model = first.join("runs/a-seed0/model.safetensors");
    fs::write(data.join("classes.txt"), "below\nabove").unwrap();
    let init = format!("model.init={}", model.display());
    ablate(&table, &second)
        .args(["--set", &init])
        .assert()
        .success();
    let text = fs::read_to_string(second.join("table.md")).unwrap();
    assert!(text.contains("scored on 3 photos"), "{text}");
}

#[test]
fn photos_that_cannot_be_scored_are_found_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let table = table_of_two_classes(&data);
    for split in ["training", "validation"] {
        let path = data.join("images").join(split).join("b.png");
        fs::write(path, "no picture").unwrap();
    }
    let out = folder.path().join("out");
    fails(&mut ablate(&table, &out), &["validation", "b.png"]);
    assert!(!out.join("runs").exists());
    ablate(&table, &out)
        .args(["--set", "data.skip_bad=true"])
        .assert()
        .success();
    let text = fs::read_to_string(out.join("table.md")).unwrap();
    assert!(text.contains("2 training photos of data"), "{text}");
    assert!(text.contains("scored on 2 photos"), "{text}");
}

/// A run that diverged has neither a model that could be scored again nor checkpoints to resume from.
#[test]
fn a_run_that_diverged_stays_in_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let out = folder.path().join("out");
    let short = TABLE.replace("seeds = [0, 1]", "seeds = [0]");
    let short = short.replace("steps = 300", "steps = 4");
    fs::write(&path, &short).unwrap();
    ablate(&path, &out).assert().success();
    let record = out.join("scores/vanilla-seed0.json");
    let mut diverged: serde_json::Value =
        serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    diverged["failure"] = "no finite gradient".into();
    diverged["results"] = serde_json::Value::Array(Vec::new());
    fs::write(&record, diverged.to_string()).unwrap();
    fs::remove_file(out.join("runs/vanilla-seed0/model.safetensors")).unwrap();
    // With other score settings, the other run alone is scored again.
    fs::write(&path, short.replace("[1, 3]", "[2]")).unwrap();
    ablate(&path, &out).assert().success();
    let table = fs::read_to_string(out.join("table.md")).unwrap();
    assert!(
        table.contains("1, 1 diverged") && table.contains("2 of 2 runs"),
        "{table}"
    );
}

#[test]
fn every_preset_is_a_table_or_a_run() {
    let mut tables = 0;
    for entry in fs::read_dir("assets/presets").unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("ablate-")
        {
            tables += 1;
            flowseg::ablate::Table::read(&path, &[]).unwrap();
        }
    }
    assert_eq!(tables, 13);
}
