//! Helpers for tests of the built program.
#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn flowseg() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowseg"));
    command.env_remove("FLOWSEG_LOG");
    command
}

/// The shared data folder: `$FLOWSEG_SHARED`, or `../shared` beside the checkout.
pub(crate) fn shared(name: &str) -> PathBuf {
    let root = std::env::var_os("FLOWSEG_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join(name);
    assert!(
        path.exists(),
        "{} is missing: these tests need the shared data folder; set FLOWSEG_SHARED to it",
        path.display()
    );
    path
}

/// Settings of a network that trains in an instant.
pub(crate) const SMALL: &[&str] = &[
    "model.hidden_size=16",
    "model.heads=2",
    "model.pixel_width=8",
    "model.transformer_blocks=1",
    "model.field_blocks=1",
    "data.size=[16,24]",
    "train.batch_size=2",
    "train.warmup=2",
    "train.log_every=1",
];

/// `flowseg train` on small scenes with a small network.
pub(crate) fn train(out: &Path, settings: &[&str]) -> Command {
    train_on("cpu", out, settings)
}

/// Like [`train`], on another device or several.
pub(crate) fn train_on(device: &str, out: &Path, settings: &[&str]) -> Command {
    let mut command = flowseg();
    command
        .args(["train", "--device", device, "--data", "scenes:3@16x24"])
        .arg("--out")
        .arg(out);
    for setting in SMALL.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

/// `flowseg train` with a small network on data sets, relative to `folder`, into `run` there, with its own
/// cache of checked pairs.
pub(crate) fn train_data(folder: &Path, data: &[&str], settings: &[&str]) -> Command {
    let mut command = flowseg();
    command
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"));
    command.args(["train", "--device", "cpu", "--out", "run"]);
    for data in data {
        command.args(["--data", data]);
    }
    for setting in SMALL.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

/// A small photo on disk.
pub(crate) fn photo(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    image::RgbImage::from_fn(60, 40, |x, y| {
        image::Rgb([(4 * x) as u8, (6 * y) as u8, 90])
    })
    .save(&path)
    .unwrap();
    path
}

/// Asserts that a command fails with status 1 and a one-line error that contains all these words.
#[track_caller]
pub(crate) fn fails(command: &mut Command, words: &[&str]) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let errors: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("flowseg: "))
        .collect();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!errors.is_empty() && !text.contains("panicked"), "{text}");
    for word in words {
        assert!(
            errors.iter().any(|e| e.contains(word)),
            "no {word:?} in {text}"
        );
    }
}

/// Asserts that a command succeeds. Returns what it prints on standard output.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

/// Asserts that a command succeeds. Returns what it prints on standard error.
#[track_caller]
pub(crate) fn notes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Asserts that a command is refused as wrong usage, with status 2. Returns what it prints on standard error.
#[track_caller]
pub(crate) fn is_wrong_usage(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Step and loss of every line of loss of a run.
pub(crate) fn losses(run: &Path) -> Vec<(u64, f64)> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line.get("loss").is_some())
        .map(|line| {
            (
                line["step"].as_u64().unwrap(),
                line["loss"].as_f64().unwrap(),
            )
        })
        .collect()
}

/// Until a wait is given up. A software adapter compiles kernels for minutes before a first result.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until a file or folder exists.
#[track_caller]
pub(crate) fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < PATIENCE, "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a command with signals as in a terminal: the test itself may run where some are ignored.
#[cfg(target_os = "linux")]
pub(crate) fn started(template: &Command) -> Child {
    start(&["--default-signal"], template, Stdio::piped())
}

/// Starts a command like `nohup`.
#[cfg(target_os = "linux")]
pub(crate) fn started_without_hang_ups(template: &Command) -> Child {
    // Nobody reads its output while it runs, and a full pipe would block it.
    let signals = ["--default-signal", "--ignore-signal=HUP"];
    start(&signals, template, Stdio::null())
}

#[cfg(target_os = "linux")]
fn start(signals: &[&str], template: &Command, output: Stdio) -> Child {
    let mut command = process::Command::new("env");
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(signals)
        .arg(template.get_program())
        .args(template.get_args())
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends a signal, such as `-INT`.
#[cfg(target_os = "linux")]
pub(crate) fn signal(child: &Child, name: &str) {
    let status = process::Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits until a run has logged a step.
#[track_caller]
pub(crate) fn wait_for_a_line(run: &Path) {
    let (start, path) = (Instant::now(), run.join("metrics.jsonl"));
    while !fs::read_to_string(&path).is_ok_and(|text| text.contains("\"loss\"")) {
        assert!(start.elapsed() < PATIENCE, "{} has no line", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}
