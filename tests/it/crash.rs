//! What counts as a crash. That one leaves a log is tested beside the code.
#![cfg(target_os = "linux")]

use crate::common;

use common::{flowseg, photo};
use std::process::{Command, Stdio};

#[test]
fn closed_pipes_and_errors_leave_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let photo = photo(folder.path(), "a.png");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(flowseg().get_program());
        command
            .args([
                "segment", "--device", "cpu", "--model", "scenes", "--steps", "1",
            ])
            .args(arguments)
            .arg("-o")
            .arg(folder.path().join("out"))
            .arg(&photo)
            .env("XDG_STATE_HOME", &state);
        command
    };
    // Nobody reads what it prints.
    let mut child = run(&["--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("out/a.png").exists());
    // A photo that is none, a model that is none, and wrong usage.
    std::fs::write(folder.path().join("b.png"), "no photo").unwrap();
    let none = folder.path().join("b.png");
    let cases: [(&[&str], i32); 3] = [
        (&[none.to_str().unwrap()], 1),
        (&["--scale", "1000"], 2),
        (&["--class", "sky"], 1),
    ];
    for (arguments, status) in cases {
        let output = run(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(!said.contains("a log of the crash"), "{said}");
    }
    assert!(!state.exists());
}
