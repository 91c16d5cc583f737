//! The window, on a virtual display.
#![cfg(target_os = "linux")]

use crate::common;

use common::photo;
use image::RgbImage;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A server that resets whenever its last program leaves can lose one that connects meanwhile.
const SCREEN: &str = "-screen 0 1280x800x24 -noreset";

fn view(arguments: &[&OsStr]) -> Output {
    view_with(arguments, &[])
}

fn view_with(arguments: &[&OsStr], environment: &[(&str, &str)]) -> Output {
    let display = Display::start();
    Command::new(env!("CARGO_BIN_EXE_flowseg"))
        .args(["view", "--device", "cpu", "--steps", "2"])
        .args(arguments)
        .env("DISPLAY", &display.number)
        .envs(environment.iter().copied())
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap()
}

/// The error line of the program.
#[track_caller]
fn failure(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        !text.contains("panicked") && !text.contains(".cargo"),
        "{text}"
    );
    let mut lines = text.lines().filter(|line| line.starts_with("flowseg: "));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no reason in {text}"));
    assert_eq!(lines.next(), None, "{text}");
    line.to_owned()
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
    // Panels alone have a few greys; a photo and a legend have many colours.
    let colours: HashSet<[u8; 3]> = window.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 200, "{} colours", colours.len());
}

#[test]
fn a_photo_that_cannot_be_opened_is_reported_in_the_window_and_by_the_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str| folder.path().join(name);
    let (missing, good) = (
        folder.path().join("missing.png"),
        photo(folder.path(), "a.png"),
    );
    let shown =
        |photo: &Path, to: &Path| view(&[photo.as_ref(), "--screenshot".as_ref(), to.as_ref()]);
    // The list of problems and its icon, at the lower right, in the error colour.
    let problems = |path: &Path| {
        let window = image::open(path).unwrap().to_rgb8();
        let corner = image::imageops::crop_imm(&window, 840, 520, 440, 280).to_image();
        let red = |p: &[u8; 3]| p.iter().zip([224, 82, 74]).all(|(a, b)| a.abs_diff(b) < 12);
        corner.pixels().filter(|pixel| red(&pixel.0)).count()
    };
    let line = failure(&shown(&missing, &picture("failed.png")));
    assert!(line.contains("missing.png"), "{line}");
    assert!(problems(&picture("failed.png")) > 30);
    let output = shown(&good, &picture("good.png"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_eq!(problems(&picture("good.png")), 0);
}

/// Pictures of runs, of a folder of runs and of a model file alone do not wait for a photo.
#[test]
fn runs_and_models_alone_are_pictured() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/a");
    fs::create_dir_all(&run).unwrap();
    let lines: String = (1..60)
        .map(|step| {
            format!(
                "{{\"step\":{step},\"loss\":{},\"learning_rate\":1e-3}}\n",
                1.0 / f64::from(step)
            )
        })
        .collect();
    fs::write(run.join("metrics.jsonl"), lines).unwrap();
    let model = folder.path().join("my.safetensors");
    let built_in = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/assets/models/scenes.safetensors"
    );
    fs::copy(built_in, &model).unwrap();
    let mut pictures = Vec::new();
    for shown in [run, folder.path().join("runs"), model] {
        // Without an extension a PNG is written as well.
        let picture = folder.path().join("picture");
        let output = view(&[shown.as_ref(), "--screenshot".as_ref(), picture.as_ref()]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}", shown.display());
        let bytes = fs::read(&picture).unwrap();
        pictures.push(image::load_from_memory(&bytes).unwrap().to_rgb8());
    }
    // A curve in the accent colour for the runs, many colours for the model's sample.
    let accent = |window: &RgbImage| {
        let curve = image::imageops::crop_imm(window, 300, 120, 640, 460).to_image();
        curve.pixels().filter(|p| p.0 == [72, 140, 240]).count()
    };
    assert!(accent(&pictures[0]) > 100 && accent(&pictures[1]) > 100);
    let colours: HashSet<[u8; 3]> = pictures[2].pixels().map(|p| p.0).collect();
    assert!(colours.len() > 200, "{} colours", colours.len());
}

/// A lesson is the same picture every time, and another one in another language.
#[test]
fn a_lesson_is_pictured_in_every_language() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str, language: &str| {
        let path = folder.path().join(name);
        let lesson = ["--lesson", "5", "--language", language, "--screenshot"].map(OsStr::new);
        let output = view(&[&lesson[..], &[path.as_os_str()]].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{language}: {text}");
        image::open(&path).unwrap().to_rgb8()
    };
    let english = picture("en.png", "en");
    assert!(english == picture("again.png", "en"), "two pictures differ");
    assert!(
        english != picture("de.png", "de"),
        "the language changes nothing"
    );
}

#[test]
fn without_a_display_or_an_adapter_one_line_says_how_to_go_on() {
    let bare = |display: Option<&str>| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_flowseg"));
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
            program.env_remove(name);
        }
        if let Some(display) = display {
            program.env("DISPLAY", display);
        }
        failure(&program.args(["view", "--device", "cpu"]).output().unwrap())
    };
    for (display, word) in [(None, "DISPLAY"), (Some(":7319"), "DISPLAY=:7319")] {
        let line = bare(display);
        assert!(line.contains(word), "{line}");
        assert!(
            line.contains("flowseg segment") && line.contains("--help"),
            "{line}"
        );
    }
    let nothing = [
        ("VK_ICD_FILENAMES", "/nonexistent.json"),
        ("VK_DRIVER_FILES", "/nonexistent.json"),
    ];
    let line = failure(&view_with(&[], &nothing));
    assert!(
        line.contains("adapter") && line.contains("flowseg segment"),
        "{line}"
    );
    assert!(!line.contains("--device cpu"), "{line}");
    let line = failure(&view(&["--screenshot".as_ref(), "/nowhere/a.png".as_ref()]));
    assert!(line.contains("/nowhere/a.png"), "{line}");
}

/// A virtual display of its own, which ends with it.
struct Display {
    server: Child,
    number: String,
}

impl Display {
    fn start() -> Self {
        // The server chooses a free number and prints it once it accepts programs.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp"])
            .args(SCREEN.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is needed for the window's tests: install the package xvfb");
        let mut number = String::new();
        let output = server.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut number).unwrap();
        let number = format!(":{}", number.trim());
        Self { server, number }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .env("DISPLAY", &self.number)
            .args(arguments)
            .output()
            .unwrap_or_else(|_| panic!("{program} is needed: install xdotool and imagemagick"))
    }

    /// Presses a key in the window and returns what the canvas shows once it has come to rest.
    /// `None` without a window.
    fn press(&self, key: &str, folder: &Path) -> Option<Vec<u8>> {
        let focus = ["search", "--name", "FlowSeg", "windowfocus", "key", key];
        if !self.run("xdotool", &focus).status.success() {
            return None;
        }
        let mut before = self.canvas(folder)?;
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(500));
            let canvas = self.canvas(folder)?;
            if canvas == before {
                return Some(canvas);
            }
            before = canvas;
        }
        Some(before)
    }

    /// The part of the screen where the photo is.
    fn canvas(&self, folder: &Path) -> Option<Vec<u8>> {
        let path = folder.join("screen.png");
        self.run("import", &["-window", "root", path.to_str()?]);
        let screen = image::open(path).ok()?.to_rgb8();
        Some(
            image::imageops::crop_imm(&screen, 150, 130, 600, 450)
                .to_image()
                .into_raw(),
        )
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn differing(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 8).count()
}

/// A real window of a photo on a display of its own, with its saved settings and errors in a folder.
struct Opened {
    display: Display,
    program: Child,
    folder: PathBuf,
}

impl Opened {
    fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let photo = photo(folder, "a.png");
        let display = Display::start();
        let program = Command::new(env!("CARGO_BIN_EXE_flowseg"))
            .env("DISPLAY", &display.number)
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_DATA_HOME", folder)
            .env("XDG_STATE_HOME", folder)
            .envs(environment.iter().copied())
            .args(["view", "--device", "cpu", "--steps", "4"])
            .arg(&photo)
            .stderr(File::create(folder.join("errors.txt")).unwrap())
            .spawn()
            .unwrap();
        Self {
            display,
            program,
            folder: folder.to_owned(),
        }
    }

    /// What the program has printed as errors.
    fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("errors.txt")).unwrap()
    }

    /// Waits until keys scrub the flow. The window opens and computes the flow meanwhile, for as long
    /// as a busy machine takes.
    #[track_caller]
    fn scrub(&mut self) {
        let begin = Instant::now();
        let mut seen = String::from("no window");
        loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                panic!("the window ended with {status}: {}", self.errors());
            }
            let press = |key| self.display.press(key, &self.folder);
            let pressed = ["End", "Home", "End"].map(press);
            if let [Some(end), Some(source), Some(again)] = &pressed {
                let moved = differing(end, source);
                let returned = differing(end, again);
                if moved > 10_000 && returned < 100 {
                    break;
                }
                seen =
                    format!("{moved} bytes differ from end to source, {returned} from end to end");
            }
            assert!(begin.elapsed() < Duration::from_secs(300), "{seen}");
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn real_keys_scrub_the_real_window() {
    let folder = tempfile::tempdir().unwrap();
    Opened::start(folder.path(), &[]).scrub();
}

/// The driver is reset while the window is open: it is opened again, and goes on.
#[test]
fn a_window_outlives_its_graphics_device() {
    let folder = tempfile::tempdir().unwrap();
    let signal = folder.path().join("lose");
    let lose = [
        ("FLOWSEG_LOSE_DEVICE", signal.to_str().unwrap()),
        ("FLOWSEG_LOG", "flowseg=warn"),
    ];
    let mut window = Opened::start(folder.path(), &lose);
    window.scrub();
    fs::write(&signal, "").unwrap();
    let begin = Instant::now();
    while !window.errors().contains("the graphics device is lost") {
        if let Some(status) = window.program.try_wait().unwrap() {
            panic!("the window ended with {status}: {}", window.errors());
        }
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "{}",
            window.errors()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    window.scrub();
    assert!(!window.errors().contains("panicked"), "{}", window.errors());
}
