//! Compares the memory estimate of a dry run with the memory that the run actually uses.
#![cfg(target_os = "linux")]

use crate::common;

use common::{fails, flowseg};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn command(out: &Path, settings: &[&str]) -> assert_cmd::Command {
    let mut command = flowseg();
    command.args(["train", "--device", "cpu", "--data", "scenes:11@128x128"]);
    command.arg("--out").arg(out);
    let short = [
        "train.steps=2",
        "train.validate_every=0",
        "train.log_every=1",
        "data.cache_mib=64",
    ];
    for setting in short.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

/// The expected peak in GiB.
fn expected(out: &Path, settings: &[&str]) -> f64 {
    let output = command(out, settings).arg("--dry-run").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    let line = text.lines().find(|l| l.contains("expected peak")).unwrap();
    let mut words = line.split_whitespace().rev().skip(1);
    words.next().unwrap().parse().unwrap()
}

/// The highest resident memory that a run reports, in GiB.
fn real(out: &Path, settings: &[&str]) -> f64 {
    let template = command(out, settings);
    let mut child = Command::new(template.get_program())
        .args(template.get_args())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0f64;
    while child.try_wait().unwrap().is_none() {
        // The file may disappear for a moment at the end.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / f64::from(1 << 20));
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
fn a_dry_run_reads_what_the_run_would_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let dry = |settings: &[&str]| {
        let mut dry = command(&folder.path().join("run"), settings);
        dry.arg("--dry-run");
        dry
    };
    for key in ["model.init", "model.encoder"] {
        let absent = folder.path().join("absent.safetensors");
        let absent = format!("{key}={}", absent.display());
        fails(&mut dry(&[&absent]), &["absent.safetensors"]);
    }
    let other = folder.path().join("other.safetensors");
    std::fs::write(&other, "no tensors").unwrap();
    for key in ["model.init", "model.encoder"] {
        let other = format!("{key}={}", other.display());
        fails(&mut dry(&[&other]), &["other.safetensors"]);
    }
    let narrow = ["model.init=scenes", "model.hidden_size=16", "model.heads=2"];
    fails(&mut dry(&narrow), &["scenes", "choose the model.preset"]);
}

#[test]
fn a_dry_run_tells_of_a_run_that_ends_in_its_warm_up() {
    let folder = tempfile::tempdir().unwrap();
    let told = |setting: &str| {
        let mut dry = command(&folder.path().join("run"), &[setting]);
        let output = dry.arg("--dry-run").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        text.contains("train.warmup")
    };
    assert!(told("train.warmup=100"));
    assert!(!told("train.warmup=1"));
}

#[test]
fn the_expected_peak_is_the_real_one_within_a_quarter() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 6] = [
        &["data.size=[96,128]", "train.batch_size=8"],
        &["data.size=[160,224]", "train.batch_size=12"],
        &[
            "data.size=[160,224]",
            "train.batch_size=12",
            "train.checkpointing=true",
        ],
        &[
            "model.preset=small",
            "data.size=[128,128]",
            "train.batch_size=4",
        ],
        &[
            "data.path=scenes:59@160x224",
            "data.size=[160,224]",
            "train.batch_size=8",
            "loss.objective=variational",
            "model.patch_output=true",
        ],
        &[
            "data.size=[160,224]",
            "train.batch_size=8",
            "model.code_dims=8",
            "model.stem_width=16",
        ],
    ];
    let mut worst = 0.0f64;
    for (i, settings) in cases.into_iter().enumerate() {
        let out = folder.path().join(i.to_string());
        let (expected, real) = (expected(&out, settings), real(&out, settings));
        println!("{settings:?}: expected {expected:.2} GiB, real {real:.2} GiB");
        worst = worst.max((expected / real - 1.0).abs());
    }
    assert!(worst < 0.25, "off by {:.0} %", 100.0 * worst);
}
