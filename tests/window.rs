//! The window, on a virtual display.
#![cfg(target_os = "linux")]

mod common;

use common::photo;
use image::RgbImage;
use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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

/// A program on a display of its own; closed with it.
struct Display {
    server: Child,
    number: u32,
}

impl Display {
    fn start() -> Self {
        // Displays of other tests and programs are left alone.
        let number = 90 + std::process::id() % 400;
        let server = Command::new("Xvfb")
            .arg(format!(":{number}"))
            .args(["-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is needed for the window's tests: install the package xvfb");
        Self { server, number }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> std::process::Output {
        Command::new(program)
            .env("DISPLAY", format!(":{}", self.number))
            .args(arguments)
            .output()
            .unwrap_or_else(|_| panic!("{program} is needed: install xdotool and imagemagick"))
    }

    fn key(&self, key: &str) {
        let sent = self.run(
            "xdotool",
            &["search", "--name", "FlowSeg", "windowfocus", "key", key],
        );
        assert!(
            sent.status.success(),
            "{}",
            String::from_utf8_lossy(&sent.stderr)
        );
    }

    fn picture(&self, folder: &Path) -> Option<RgbImage> {
        let path = folder.join("screen.png");
        self.run("import", &["-window", "root", path.to_str()?]);
        Some(image::open(path).ok()?.to_rgb8())
    }

    /// The screen once it has not changed for a while and shows more than panels.
    fn still(&self, folder: &Path, changed_from: Option<&RgbImage>) -> RgbImage {
        let begin = Instant::now();
        let mut before = None;
        loop {
            std::thread::sleep(Duration::from_millis(700));
            let picture = self.picture(folder);
            if let (Some(picture), true) = (&picture, picture == before) {
                let colours: HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
                if colours.len() > 200 && changed_from.is_none_or(|from| from != picture) {
                    return picture.clone();
                }
            }
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "the screen never came to rest"
            );
            before = picture;
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The part of the screen where the photo is.
fn canvas(screen: &RgbImage) -> Vec<u8> {
    image::imageops::crop_imm(screen, 150, 130, 600, 450)
        .to_image()
        .into_raw()
}

fn differing(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 8).count()
}

#[test]
fn real_keys_scrub_the_real_window() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    let display = Display::start();
    std::thread::sleep(Duration::from_secs(1));
    let mut program = Command::new(env!("CARGO_BIN_EXE_flowseg"))
        .env("DISPLAY", format!(":{}", display.number))
        .env_remove("WAYLAND_DISPLAY")
        // What the window remembers stays in the test's folder.
        .env("XDG_DATA_HOME", folder.path())
        .args(["view", "--device", "cpu", "--steps", "4"])
        .arg(&photo)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = display.still(folder.path(), None);
    display.key("Home");
    let source = display.still(folder.path(), Some(&end));
    let moved = differing(&canvas(&end), &canvas(&source));
    assert!(
        moved > 10_000,
        "only {moved} bytes differ between source and end"
    );
    display.key("End");
    let again = display.still(folder.path(), Some(&source));
    assert!(differing(&canvas(&end), &canvas(&again)) < 100);
    program.kill().unwrap();
    program.wait().unwrap();
}
