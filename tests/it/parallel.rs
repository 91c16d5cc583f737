//! Data-parallel training: several devices that share every batch.

use crate::common;

use common::{fails, losses, shared, succeeds, train_on};
use std::fs;
use std::path::Path;

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

/// Two devices give the same sums as one device with a batch in two parts: the same numbers in the
/// same order.
#[test]
fn two_devices_train_like_one_with_its_batch_in_two_parts() {
    let folder = tempfile::tempdir().unwrap();
    let variants: [&[&str]; 3] = [
        &["train.batch_size=2"],
        &["train.batch_size=6", "flow.source=noise"],
        &["train.batch_size=4", "loss.objective=cross-entropy"],
    ];
    for (i, variant) in variants.iter().enumerate() {
        let run = |device: &str, more: &[&str]| {
            let out = folder.path().join(format!("{i}-{device}"));
            let settings = ["train.steps=6", "train.validate_every=3", "train.clip=0.1"];
            train_on(device, &out, &[&settings, *variant, more].concat())
                .assert()
                .success();
            out
        };
        let one = run("cpu", &["train.accumulate=2"]);
        let two = run("cpu,cpu", &[]);
        assert_eq!(losses(&two), losses(&one), "{variant:?}");
        let (a, b) = (model(&two), model(&one));
        assert!(a == b, "{variant:?}");
    }
}

#[test]
fn a_resumed_run_on_two_devices_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["dinov2-tiny.weights.safetensors", "dinov2-tiny.json"] {
        let to = if name.ends_with("json") {
            "config.json"
        } else {
            "teacher.safetensors"
        };
        fs::copy(shared(&format!("fixtures/{name}")), folder.path().join(to)).unwrap();
    }
    let teacher = format!(
        "repa.teacher={}",
        folder.path().join("teacher.safetensors").display()
    );
    let run = |name: &str| {
        let out = folder.path().join(name);
        let settings = [
            "train.steps=6",
            "train.batch_size=4",
            "train.validate_every=0",
            "train.checkpoint_every=3",
            "train.keep=9",
            "repa.layer=1",
            "repa.projector_width=24",
            &teacher,
        ];
        let command = train_on("cpu,cpu", &out, &settings);
        (out, command)
    };
    let (whole, mut command) = run("whole");
    command.assert().success();
    let (parts, mut command) = run("parts");
    command.assert().success();
    fs::remove_dir_all(parts.join("checkpoints/step-00000006")).unwrap();
    fs::remove_file(parts.join("model.safetensors")).unwrap();
    let (_, mut command) = run("parts");
    command.arg("--resume").assert().success();
    assert_eq!(losses(&parts), losses(&whole));
    assert!(model(&parts) == model(&whole));
}

/// A batch that cannot be split evenly between three devices: only the order of sums differs.
#[test]
fn devices_with_uneven_shares_train_like_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = |device: &str| {
        let out = folder.path().join(device);
        let settings = [
            "train.steps=6",
            "train.batch_size=5",
            "train.validate_every=0",
            "train.learning_rate=3e-3",
        ];
        train_on(device, &out, &settings).assert().success();
        let text = fs::read_to_string(out.join("config.toml")).unwrap();
        (losses(&out), text)
    };
    let (expected, _) = run("cpu");
    let (found, text) = run("cpu,cpu,cpu");
    assert_eq!((found.len(), expected.len()), (6, 6));
    for (a, b) in found.iter().zip(&expected) {
        assert!((a.1 - b.1).abs() < 1e-4 * b.1, "{a:?} {b:?}");
    }
    // The run's folder records the devices.
    let line = text.lines().find(|l| l.starts_with("device = ")).unwrap();
    assert_eq!(line.matches("Flex").count(), 3, "{line}");
}

#[test]
fn devices_that_cannot_share_a_batch_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fails(
        &mut train_on("cpu,cpu,cpu", &run, &["train.batch_size=2"]),
        &["batch of 2", "3 devices", "train.batch_size"],
    );
    assert!(!run.exists());
    let text = succeeds(train_on("cpu,cpu", &run, &["train.batch_size=4"]).args([
        "--dry-run",
        "--measure",
        "1",
    ]));
    for words in [
        "each of 2 devices",
        "s per step",
        "reshaping",
        "peak memory",
    ] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    assert!(!run.exists());
}

#[cfg(not(feature = "cuda"))]
#[test]
fn devices_that_a_build_has_not_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fails(
        &mut train_on("cpu,cuda:1", &run, &[]),
        &["CUDA device 1", "--features cuda"],
    );
}

#[cfg(not(feature = "remote"))]
#[test]
fn a_build_without_remote_devices_says_how_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fails(
        &mut train_on("remote:ws://127.0.0.1:1", &run, &[]),
        &["remote:ws://127.0.0.1:1", "--features remote"],
    );
}
