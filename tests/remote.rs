//! Training on a device of another process, over loopback. Needs the feature `remote`:
//! `bash .ci/test-remote`.

#[path = "it/common/mod.rs"]
mod common;

use common::{fails, flowseg, losses, train_on};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// `flowseg serve` on the CPU; stopped on drop.
struct Server {
    child: Child,
    /// `remote:ws://127.0.0.1:PORT`
    device: String,
}

impl Server {
    fn start(token: Option<&str>) -> Self {
        let mut command = Command::new(flowseg().get_program());
        command.args(["serve", "--device", "cpu,cpu", "--port", "0"]);
        match token {
            Some(token) => command.env("FLOWSEG_TOKEN", token),
            None => command.env_remove("FLOWSEG_TOKEN"),
        };
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("serving at ").unwrap();
        let device = format!("remote:{url}");
        Self { child, device }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SETTINGS: &[&str] = &[
    "train.steps=5",
    "train.validate_every=5",
    "train.validate_samples=2",
    "train.learning_rate=3e-3",
    "model.patch_size=4",
];

#[test]
fn a_remote_device_trains_like_the_local_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(None);
    let run = |name: &str, device: &str| {
        let out = folder.path().join(name);
        train_on(device, &out, SETTINGS).assert().success();
        let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
        (losses(&out), config)
    };
    let (expected, _) = run("local", "cpu");
    let (found, config) = run("remote", &server.device);
    println!("{found:?}\n{expected:?}");
    assert_eq!((found.len(), expected.len()), (5, 5));
    for (a, b) in found.iter().zip(&expected) {
        assert!((a.1 - b.1).abs() < 1e-4 * b.1, "{a:?} {b:?}");
    }
    assert!(config.contains("Remote"), "{config}");
    // The device's memory is not this machine's.
    let output = train_on(&server.device, &folder.path().join("dry"), SETTINGS)
        .arg("--dry-run")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("does not report its memory"), "{text}");
}

#[test]
fn a_batch_is_shared_with_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(None);
    let run = |name: &str, device: &str| {
        let out = folder.path().join(name);
        train_on(device, &out, SETTINGS).assert().success();
        losses(&out)
    };
    let devices = format!("cpu,{}#1", server.device);
    for (a, b) in run("shared", &devices).iter().zip(run("local", "cpu")) {
        assert!((a.1 - b.1).abs() < 1e-4 * b.1, "{a:?} {b:?}");
    }
}

#[test]
fn servers_that_refuse_or_are_not_there_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let server = Server::start(Some("secret"));
    let mut command = train_on(&server.device, &run, SETTINGS);
    fails(
        command.env("FLOWSEG_TOKEN", "guess"),
        &["FLOWSEG_TOKEN", &server.device, "was reached"],
    );
    let mut command = train_on(&format!("{}#7", server.device), &run, SETTINGS);
    fails(command.env("FLOWSEG_TOKEN", "secret"), &["it serves 2"]);
    let gone = server.device.clone();
    drop(server);
    fails(
        &mut train_on(&gone, &run, SETTINGS),
        &[&gone, "cannot be reached", "flowseg serve"],
    );
    // Options of masks are not ignored where devices are served.
    for option in [
        ["--model", "scenes"],
        ["--precision", "single"],
        ["--steps", "5"],
        ["--queue", "2"],
        ["--max-body", "64"],
        ["--timeout", "5"],
    ] {
        let mut command = flowseg();
        command.args(["serve", "--device", "cpu", "--port", "0"]);
        let output = command.args(option).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(option[0]), "{text}");
    }
    // The server refuses to listen on the whole network without a token.
    let mut command = flowseg();
    command
        .args([
            "serve", "--device", "cpu", "--port", "0", "--host", "0.0.0.0",
        ])
        .env_remove("FLOWSEG_TOKEN");
    fails(&mut command, &["0.0.0.0", "FLOWSEG_TOKEN"]);
}
