//! Runs survive mistyped paths, damaged disks, closed terminals and concurrent processes.

use crate::common;

use common::{fails, flowseg, losses, names, notes, train, train_on};
#[cfg(target_os = "linux")]
use common::{signal, started, started_without_hang_ups, wait_for, wait_for_a_line};
use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

const SHORT: &[&str] = &[
    "train.steps=6",
    "train.checkpoint_every=2",
    "train.validate_every=0",
];
const LONG: &[&str] = &[
    "train.steps=100000",
    "train.checkpoint_every=1000000",
    "train.validate_every=0",
];

/// Waits for a process with a time limit.
fn end(mut child: Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// A data set of three photos in a folder.
fn data(folder: &Path, label: u8) {
    for split in ["training", "validation"] {
        for name in ["images", "annotations"] {
            fs::create_dir_all(folder.join(name).join(split)).unwrap();
        }
        for index in 0..3u8 {
            let file = format!("{split}/p{index}.png");
            image::RgbImage::from_fn(40, 30, |x, y| {
                image::Rgb([x as u8 * 6, y as u8 * 8, index * 80])
            })
            .save(folder.join("images").join(&file))
            .unwrap();
            image::GrayImage::from_pixel(40, 30, image::Luma([label]))
                .save(folder.join("annotations").join(&file))
                .unwrap();
        }
    }
    fs::write(folder.join("classes.txt"), "a\nb\nc\n").unwrap();
}

#[test]
fn resuming_nothing_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("rnu");
    let words = [
        "rnu holds no run to resume",
        "without --resume",
        "rnu/config.toml exists",
    ];
    fails(train(&run, SHORT).arg("--resume"), &words);
    let bare = ["train", "--device", "cpu", "--resume", "--out"];
    fails(flowseg().args(bare).arg(&run), &words);
    assert!(!run.exists());
    fs::create_dir(&run).unwrap();
    fails(train(&run, SHORT).arg("--resume"), &words);
    assert!(names(&run).is_empty());
}

#[test]
fn a_run_resumes_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    data(&folder.path().join("photos"), 1);
    let relative = |out: &str, steps: &str| {
        let mut command = train(
            Path::new(out),
            &["data.path=photos", "train.validate_every=3", steps],
        );
        command.current_dir(folder.path());
        command
    };
    relative("run", "train.steps=3").assert().success();
    let run = folder.path().join("run");
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    let photos = fs::canonicalize(folder.path()).unwrap().join("photos");
    assert!(config.contains(&*photos.to_string_lossy()), "{config}");
    // Only the run's folder is given: everything else is read from it.
    flowseg()
        .args([
            "train",
            "--device",
            "cpu",
            "--resume",
            "--set",
            "train.steps=6",
            "--out",
        ])
        .arg(&run)
        .current_dir("/")
        .assert()
        .success();
    let steps: Vec<u64> = losses(&run).iter().map(|line| line.0).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    train(&whole, SHORT).assert().success();
    let expected = losses(&whole);
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 100]).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("optimizer.safetensors", &|step| {
            cut(&step.join("optimizer.safetensors"))
        }),
        (
            "ema.safetensors",
            &|step| cut(&step.join("ema.safetensors")),
        ),
        ("progress.json", &|step| {
            fs::remove_file(step.join("progress.json")).unwrap()
        }),
        ("progress.json", &|step| {
            fs::write(step.join("progress.json"), "{\"st").unwrap()
        }),
        ("progress.json", &|step| {
            fs::remove_dir_all(step).unwrap();
            fs::create_dir(step).unwrap();
        }),
    ];
    for (number, (file, damage)) in damages.into_iter().enumerate() {
        let run = folder.path().join(number.to_string());
        train(&run, SHORT).assert().success();
        let checkpoints = run.join("checkpoints");
        let kept = ["step-00000004", "step-00000006"];
        assert_eq!(names(&checkpoints), kept);
        damage(&checkpoints.join(kept[1]));
        // A user's own copy, whose name sorts after every number.
        let backup = checkpoints.join("step-backup");
        fs::create_dir(&backup).unwrap();
        let text = notes(train(&run, SHORT).arg("--resume"));
        let named = Path::new(kept[1]).join(file);
        assert!(text.contains(&*named.to_string_lossy()), "{text}");
        assert!(text.contains("damaged-step-00000006"), "{text}");
        assert_eq!(losses(&run), expected);
        let found = names(&checkpoints);
        assert_eq!(
            found,
            ["damaged-step-00000006", kept[0], kept[1], "step-backup"]
        );
    }
    // No checkpoint can be read.
    let run = folder.path().join("0");
    for step in ["step-00000004", "step-00000006"] {
        cut(&run.join("checkpoints").join(step).join("model.safetensors"));
    }
    let words = [
        "no checkpoint in",
        "step-00000004/model.safetensors",
        "step-00000006",
    ];
    fails(train(&run, SHORT).arg("--resume"), &words);
    assert!(run.join("checkpoints/step-00000006").exists());
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, SHORT).assert().success();
    let expected = losses(&run);
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    fs::remove_file(run.join("model.safetensors")).unwrap();
    fs::write(run.join("metrics.jsonl"), "{\"step\":1,\"loss\":9.0}\n").unwrap();
    let text = notes(train(&run, SHORT).arg("--resume"));
    assert!(text.contains("it starts again"), "{text}");
    assert_eq!(losses(&run), expected);
}

#[test]
fn nobody_else_s_folder_is_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("project");
    fs::create_dir(&own).unwrap();
    for (name, text) in [("config.toml", "name = \"mine\"\n"), ("notes.txt", "!")] {
        fs::write(own.join(name), text).unwrap();
    }
    let words = [
        "project is not a run folder and holds config.toml, notes.txt",
        "--out",
    ];
    fails(&mut train(&own, SHORT), &words);
    fails(
        train(&own, SHORT).arg("--resume"),
        &["holds no run to resume"],
    );
    // An estimate of a run that is not there would be that of other settings.
    fails(
        train(&own, SHORT).args(["--resume", "--dry-run"]),
        &["holds no run to resume"],
    );
    assert_eq!(names(&own), ["config.toml", "notes.txt"]);
    assert_eq!(
        fs::read_to_string(own.join("config.toml")).unwrap(),
        "name = \"mine\"\n"
    );
    let file = own.join("notes.txt");
    fails(
        &mut train(&file, SHORT),
        &["notes.txt is a file, but a run needs a folder: choose another name"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_process_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "train.steps=100000",
        "train.checkpoint_every=5",
        "train.validate_every=0",
    ];
    let mut first = started(&train(&run, &settings));
    wait_for(&run.join("checkpoints/step-00000005"));
    fails(
        train(&run, &settings).arg("--resume"),
        &["another process is training in", "--out"],
    );
    assert!(first.try_wait().unwrap().is_none());
    // Killed, so that it could not clean up.
    first.kill().unwrap();
    first.wait().unwrap();
    let newest = names(&run.join("checkpoints")).pop().unwrap();
    let step: u64 = newest.trim_start_matches("step-").parse().unwrap();
    let last = format!("train.steps={}", step + 2);
    train(&run, &["train.validate_every=0", &last])
        .arg("--resume")
        .assert()
        .success();
    let steps: Vec<u64> = losses(&run).iter().map(|line| line.0).collect();
    assert_eq!(steps, (1..=step + 2).collect::<Vec<_>>());
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_stops_in_its_validation_and_catches_up_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "train.steps=4",
        "train.validate_every=2",
        "train.checkpoint_every=100",
    ];
    // Validations that would take minutes.
    let long = [&settings[..], &["train.validate_steps=1000"]].concat();
    let child = started(&train(&run, &long));
    wait_for_a_line(&run);
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    signal(&child, "-INT");
    assert_eq!(end(child).unwrap().code(), Some(130));
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(names(&run.join("checkpoints")), ["step-00000002"]);
    // The run folder's own settings apply unless others are given.
    let short = [&settings[..], &["train.validate_steps=1"]].concat();
    train(&run, &short).arg("--resume").assert().success();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let validated: Vec<u64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line.get("miou").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(validated, [2, 4]);
    assert!(run.join("best.safetensors").exists() && run.join("model.safetensors").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_in_parts_is_given_up_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // A step that takes minutes, in parts that are fast.
    let slow = [
        "model.hidden_size=192",
        "model.transformer_blocks=8",
        "data.size=[48,64]",
        "train.batch_size=1024",
        "train.accumulate=1024",
    ];
    let child = started(&train(&run, &[LONG, &slow].concat()));
    wait_for(&run.join("metrics.jsonl"));
    std::thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    signal(&child, "-TERM");
    assert_eq!(end(child).unwrap().code(), Some(143));
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(names(&run.join("checkpoints")), ["step-00000000"]);
}

#[cfg(target_os = "linux")]
#[test]
fn two_signals_at_once_count_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let child = started(&train(&run, LONG));
    wait_for_a_line(&run);
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(5));
    signal(&child, "-INT");
    assert_eq!(end(child).unwrap().code(), Some(130));
    assert_eq!(names(&run.join("checkpoints")).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_saves_unless_the_run_was_to_outlive_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("hung-up");
    let child = started(&train(&run, LONG));
    wait_for_a_line(&run);
    signal(&child, "-HUP");
    assert_eq!(end(child).unwrap().code(), Some(129));
    assert_eq!(names(&run.join("checkpoints")).len(), 1);

    let run = folder.path().join("nohup");
    let mut child = started_without_hang_ups(&train(&run, LONG));
    wait_for_a_line(&run);
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "a hang-up ended it");
    signal(&child, "-TERM");
    assert_eq!(end(child).unwrap().code(), Some(143));
}

#[test]
fn data_without_a_label_or_a_validation_split_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (ignored, labelled) = (
        folder.path().join("ignored"),
        folder.path().join("labelled"),
    );
    data(&ignored, 255);
    data(&labelled, 2);
    fs::remove_dir_all(labelled.join("images/validation")).unwrap();
    fs::remove_dir_all(labelled.join("annotations/validation")).unwrap();
    let run = folder.path().join("run");
    let on = |data: &Path, settings: &[&str]| {
        let data = format!("data.path={}", data.display());
        train_on(
            "cpu",
            &run,
            &[&[data.as_str(), "train.steps=2"], settings].concat(),
        )
    };
    fails(&mut on(&ignored, &[]), &["ignored", "no labelled pixel"]);
    fails(
        &mut on(&labelled, &[]),
        &["validation", "train.validate_every=0"],
    );
    assert!(!run.exists());
    on(&labelled, &["train.validate_every=0"])
        .assert()
        .success();
}

#[test]
fn what_only_the_stages_say_counts() {
    let folder = tempfile::tempdir().unwrap();
    data(&folder.path().join("photos"), 1);
    let stage = |values: &str| {
        let path = folder.path().join("config.toml");
        fs::write(&path, format!("[[stages]]\n{values}\n")).unwrap();
        path
    };
    let run = |name: &str, config: &Path, settings: &[&str]| {
        let out = folder.path().join(name);
        let mut command = flowseg();
        command
            .args(["train", "--device", "cpu", "--config"])
            .arg(config);
        command.arg("--out").arg(&out);
        let common = ["train.steps=3", "train.validate_every=0"];
        for setting in common::SMALL.iter().chain(&common).chain(settings) {
            command.args(["--set", setting]);
        }
        command.assert().success();
        out
    };
    let photos = format!("data.path = '{}'", folder.path().join("photos").display());
    let on_photos = run("data", &stage(&photos), &[]);
    let config = fs::read_to_string(on_photos.join("config.toml")).unwrap();
    assert!(
        config.contains("data = \"photos\"\nclasses = 3\nphotos = [3, 0]"),
        "{config}"
    );

    let scenes = "data.path = 'scenes:3@16x24'";
    let balanced = stage(&format!("{scenes}\nloss.class_balance = 0.5"));
    let balanced = run("stage", &balanced, &[]);
    let everywhere = stage(scenes);
    let everywhere = run("everywhere", &everywhere, &["loss.class_balance=0.5"]);
    let nowhere = run("nowhere", &stage(scenes), &[]);
    assert_eq!(losses(&balanced), losses(&everywhere));
    assert_ne!(losses(&balanced), losses(&nowhere));
}
