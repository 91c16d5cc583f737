//! The window, on a virtual display.
#![cfg(target_os = "linux")]

mod common;

use common::photo;
use std::collections::HashSet;
use std::process::Command;

fn view(arguments: &[&std::ffi::OsStr]) -> std::process::Output {
    Command::new("xvfb-run")
        .args([
            "-a",
            "-s",
            "-screen 0 1280x800x24",
            env!("CARGO_BIN_EXE_flowseg"),
            "view",
        ])
        .args(["--device", "cpu", "--steps", "2"])
        .args(arguments)
        .output()
        .expect("xvfb-run is needed for the window's tests: install the package xvfb")
}

#[test]
fn the_window_shows_a_photo_and_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("window.png");
    let photo = photo(folder.path(), "a.png");
    let output = view(&[photo.as_ref(), "--screenshot".as_ref(), picture.as_ref()]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let window = image::open(&picture).unwrap().to_rgb8();
    assert!(window.width() >= 1000 && window.height() >= 600);
    // Panels alone are a handful of greys; a photo and a legend are many colours.
    let colours: HashSet<[u8; 3]> = window.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 200, "{} colours", colours.len());
}

#[test]
fn a_photo_that_cannot_be_opened_is_told_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("window.png");
    let missing = folder.path().join("missing.png");
    let output = view(&[missing.as_ref(), "--screenshot".as_ref(), picture.as_ref()]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(picture.is_file());
}
