use super::*;
use crate::data::{SceneConfig, render};
use crate::encoding::Centroids;
use crate::pictures;
use crate::run_format::{METRICS, MODEL, sample_name};
use crate::runs::testing::append;
use eframe::egui::Theme;
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use image::RgbImage;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Software adapters round a few edges of text and lines differently. A moved label or a changed curve
/// differs in hundreds of pixels.
const DIFFERENT_PIXELS: usize = 40;
const THEMES: [(Theme, &str); 2] = [(Theme::Dark, "dark"), (Theme::Light, "light")];
const PERIOD: Duration = Duration::from_millis(20);

type Window<'a> = Harness<'a, RunMonitor>;

fn window<'a>(folders: Vec<PathBuf>, theme: Theme, size: [f32; 2]) -> Window<'a> {
    let watcher = Watcher::with_period(folders.clone(), PERIOD, || ());
    show(RunMonitor::with_watcher(folders, watcher), theme, size)
}

fn show<'a>(monitor: RunMonitor, theme: Theme, size: [f32; 2]) -> Window<'a> {
    Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_options(SnapshotOptions::new().max_failed_pixels(DIFFERENT_PIXELS))
        .with_context_setup(|context| {
            theme::apply(context);
        })
        .wgpu()
        .build_ui_state(
            |ui, monitor: &mut RunMonitor| {
                egui::CentralPanel::no_frame().show(ui, |ui| monitor.ui(ui));
            },
            monitor,
        )
}

/// Draws frames until `done`.
#[track_caller]
fn until(window: &mut Window, done: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    window.step();
    while !done(window) {
        assert!(start.elapsed() < Duration::from_secs(60), "timed out");
        std::thread::sleep(PERIOD);
        window.step();
    }
    window.run();
}

fn says(text: &str) -> impl Fn(&Window) -> bool {
    move |window| window.query_by_label(text).is_some()
}

/// Metrics of the steps from `from` to `to`, with a falling, rippled loss.
fn lines(from: u64, to: u64, level: f64) -> String {
    let mut text = String::new();
    for step in (from..=to).step_by(10) {
        let s = step as f64;
        let ripple = 1.0 + 0.15 * (s * 0.7).sin() * (s * 0.31).cos();
        let loss = level * (0.6 + 5.0 * (-s / 150.0).exp()) * ripple;
        let rate = 1e-3 * (s / 100.0).min(1.0) * (1.0 - 0.9 * s / 1000.0);
        let speed = 16.0 + (s * 0.13).sin();
        text += &format!(
            "{{\"learning_rate\":{rate},\"loss\":{loss},\"photos_per_second\":{speed},\
             \"step\":{step},\"waiting\":{}}}\n",
            0.02 + 0.01 * (s * 0.2).cos()
        );
        if step % 100 == 0 {
            let miou = 0.45 / level * (1.0 - (-s / 300.0).exp());
            text += &format!("{{\"miou\":{miou},\"pixel_accuracy\":0.8,\"step\":{step}}}\n");
        }
    }
    text
}

/// A run of 1000 steps, of which it has taken `taken`; after all, its model is written.
fn run(folder: &Path, name: &str, taken: u64, level: f64) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("samples")).unwrap();
    let config = "[train]\nsteps = 1000\nbatch_size = 8\nlog_every = 10\n";
    fs::write(folder.join("config.toml"), config).unwrap();
    append(&folder.join(METRICS), &lines(10, taken, level));
    if taken == 1000 {
        fs::write(folder.join("model.safetensors"), "").unwrap();
    }
    for step in (500..=taken).step_by(100) {
        let path = folder.join("samples").join(sample_name(step, "street-2"));
        strip(step).save(path).unwrap();
    }
    folder
}

/// A sample as the trainer writes it, with a coarser prediction at earlier steps.
fn strip(step: u64) -> RgbImage {
    let config = SceneConfig {
        size: [96, 128],
        ..SceneConfig::default()
    };
    let centroids = Centroids::kronecker(config.classes);
    let sample = render(&config, 2);
    let (truth, width) = (&sample.labels.data, config.size[1]);
    let coarse = (1000 / step).max(1) as usize * 2;
    let near = |i: usize| i / width / coarse * coarse * width + i % width / coarse * coarse;
    let prediction: Vec<u16> = (0..truth.len()).map(|i| truth[near(i)]).collect();
    pictures::strip(&sample.image, truth, &prediction, &centroids)
}

/// Three runs: one in progress, one finished, one silent for three hours.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let names = [
        ("reshaped", 620, 1.0),
        ("vanilla", 1000, 1.25),
        ("annealed", 300, 1.1),
    ];
    let runs = names.map(|(name, taken, level)| run(folder, name, taken, level));
    let old = SystemTime::now() - Duration::from_secs(3 * 3600 + 5);
    let file = File::options()
        .append(true)
        .open(runs[2].join("metrics.jsonl"))
        .unwrap();
    file.set_modified(old).unwrap();
    runs.to_vec()
}

/// Snapshots of a state in both themes, once it is reached.
fn snapshots(
    name: &str,
    folders: &[PathBuf],
    size: [f32; 2],
    done: impl Fn(&Window) -> bool,
) -> SnapshotResults {
    let mut results = SnapshotResults::new();
    for (theme, suffix) in THEMES {
        let mut window = window(folders.to_vec(), theme, size);
        until(&mut window, &done);
        window.snapshot(format!("runs_{name}_{suffix}"));
        results.extend_harness(&mut window);
    }
    results
}

fn loaded(window: &Window) -> bool {
    window.state().samples.is_loaded()
}

#[test]
fn an_empty_folder_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("new-run");
    fs::create_dir(&run).unwrap();
    snapshots(
        "empty",
        &[run],
        [900.0, 500.0],
        says("No line of metrics yet"),
    );
}

#[test]
fn a_run_without_a_line_yet_says_when_its_numbers_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("young");
    fs::create_dir(&path).unwrap();
    let config = "[train]\nsteps = 1000\nbatch_size = 8\nlog_every = 10\n";
    fs::write(path.join("config.toml"), config).unwrap();
    let mut window = window(vec![path.clone()], Theme::Dark, [900.0, 500.0]);
    until(&mut window, says("The first numbers come after 10 steps."));
    assert!(says("Training has begun")(&window));
    // The first line has no score.
    append(&path.join(METRICS), &lines(10, 10, 1.0));
    until(&mut window, says("not scored yet"));
    append(&path.join(METRICS), &lines(20, 1000, 1.0));
    until(&mut window, says("validating, saving"));
    assert!(!says("not scored yet")(&window) && !says("time left")(&window));
}

#[test]
fn charts_without_numbers_say_when_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("young");
    fs::create_dir(&path).unwrap();
    let config = "[train]\nsteps = 1000\nbatch_size = 8\nlog_every = 10\n";
    fs::write(path.join("config.toml"), config).unwrap();
    // The score before the first step.
    let score = "{\"miou\":0.3,\"pixel_accuracy\":0.8,\"step\":0}\n";
    append(&path.join(METRICS), score);
    let mut window = window(vec![path.clone()], Theme::Dark, [900.0, 500.0]);
    let empty = |window: &Window| window.query_all_by_label("first at step 10").count();
    until(&mut window, |window| empty(window) == 4);
    append(&path.join(METRICS), &lines(10, 10, 1.0));
    until(&mut window, |window| empty(window) == 0);
}

#[test]
fn a_run_that_begins_is_shown_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] =
        ["a", "b"].map(|name| run(&folder.path().join(name), "run-0001", 200, 1.0));
    let mut window = window(vec![first.clone()], Theme::Dark, [1000.0, 600.0]);
    until(&mut window, says("run-0001"));
    for _ in 0..2 {
        window.state_mut().add(&second);
    }
    until(&mut window, says("run-0001 (b)"));
    assert!(says("run-0001 (a)")(&window));
    let monitor = window.state();
    assert_eq!(monitor.selected.as_ref(), Some(&second));
    let shown = monitor.runs.as_ref().unwrap().iter();
    let shown: Vec<_> = shown.map(|s| (&s.run.folder, s.colour)).collect();
    assert_eq!(shown, [(&first, COLOURS[0]), (&second, COLOURS[1])]);
}

#[test]
fn a_validation_is_named_while_it_takes_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::create_dir(&path).unwrap();
    let config = "[train]\nsteps = 1000\nbatch_size = 8\nlog_every = 10\nvalidate_every = 90\n";
    fs::write(path.join("config.toml"), config).unwrap();
    append(&path.join(METRICS), &lines(10, 90, 1.0));
    let metrics = File::options().write(true).open(path.join("metrics.jsonl"));
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    metrics.unwrap().set_modified(hour_ago).unwrap();
    let mut window = window(vec![path], Theme::Dark, [900.0, 500.0]);
    until(&mut window, says("validating"));
    for text in ["running", "last update", "time left"] {
        assert!(says(text)(&window), "{text}");
    }
}

#[test]
fn a_missing_folder_is_named() {
    let missing = PathBuf::from("/no/such/run");
    let text = "/no/such/run is not a folder: choose a run folder, which contains metrics.jsonl";
    snapshots("failed", &[missing], [900.0, 500.0], |window| {
        window.query_all_by_label(text).count() == 2
    });
}

#[test]
fn until_the_first_report_it_says_that_it_reads() {
    let folders = vec![PathBuf::from("runs/street")];
    let mut results = SnapshotResults::new();
    for (theme, suffix) in THEMES {
        let watcher = Watcher::with_period(folders.clone(), Duration::from_secs(3600), || ());
        let monitor = RunMonitor::with_watcher(folders.clone(), watcher);
        // Discard the only report of the hour.
        while monitor.watcher.as_ref().unwrap().poll().is_none() {
            std::thread::sleep(PERIOD);
        }
        let mut window = show(monitor, theme, [900.0, 500.0]);
        window.run();
        assert!(says("Reading the runs")(&window));
        window.snapshot(format!("runs_loading_{suffix}"));
        results.extend_harness(&mut window);
    }
}

#[test]
fn runs_are_overlaid() {
    let folder = tempfile::tempdir().unwrap();
    let folders = runs(folder.path());
    let mut results = snapshots("overlaid", &folders, [1280.0, 800.0], loaded);
    let mut window = window(folders, Theme::Dark, [1920.0, 1080.0]);
    until(&mut window, loaded);
    window.get_by_label("Log scale for the loss").click();
    window.run();
    window.snapshot("runs_overlaid_large");
    results.extend_harness(&mut window);
}

#[test]
fn lines_appear_while_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = run(folder.path(), "live", 200, 1.0);
    let mut window = window(vec![path.clone()], Theme::Dark, [1000.0, 600.0]);
    until(&mut window, says("200 of 1 000"));
    // Without news, no frame requests another.
    for _ in 0..5 {
        window.step();
        let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
        assert!(delay > Duration::from_secs(3600), "{delay:?}");
    }
    append(&path.join(METRICS), &lines(210, 400, 1.0));
    until(&mut window, says("400 of 1 000"));
    append(&path.join(METRICS), &lines(410, 1000, 1.0));
    fs::write(path.join(MODEL), "").unwrap();
    until(&mut window, says("finished"));
    fs::remove_dir_all(&path).unwrap();
    until(&mut window, says("failed"));
    // What was read is kept.
    assert!(says("1 000 of 1 000")(&window));
}

#[test]
fn controls_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(runs(folder.path()), Theme::Dark, [1280.0, 800.0]);
    until(&mut window, loaded);
    window.get_by_label("Hide vanilla").click();
    window.run();
    let visible = |window: &Window| -> Vec<bool> {
        let runs = window.state().runs.as_ref().unwrap();
        runs.iter().map(|shown| shown.visible).collect()
    };
    assert_eq!(visible(&window), [true, false, true]);
    window.get_by_label("Show vanilla").click();
    window.run();
    assert_eq!(visible(&window), [true; 3]);

    window.get_by_label("Log scale for the loss").click();
    window
        .get_by_role_and_label(egui::Role::Slider, "Smoothing")
        .set_value_accesskit(0.9);
    window.run();
    let charts = &window.state().charts;
    assert!(charts.log && (charts.smoothing - 0.9).abs() < 1e-6);

    // The first run with samples is selected, then the clicked one, at its newest sample.
    assert!(says("step 600")(&window));
    window.get_by_label("vanilla").click();
    until(&mut window, says("step 1 000"));
    window.get_by_label("Previous sample").click();
    until(&mut window, says("step 900"));
    until(&mut window, loaded);
    window.get_by_label("Next sample").click();
    until(&mut window, says("step 1 000"));
}

#[test]
fn the_values_under_the_pointer_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(runs(folder.path()), Theme::Dark, [1280.0, 800.0]);
    until(&mut window, loaded);
    let chart = window.get_by_label("mIoU over steps").rect();
    window.hover_at(chart.center());
    window.run_steps(3);
    // At the middle step: the last validation of one run, and the nearest values of the others.
    assert_eq!(window.query_all_by_label("step 500").count(), 2);
    assert_eq!(window.query_all_by_label("step 300").count(), 1);
}
