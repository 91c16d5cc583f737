//! Photos in windows, several looks at them, and the pictures of animations.

use crate::common;

use common::{fails, flowseg, is_wrong_usage, names, photo, succeeds};
use image::codecs::gif::GifEncoder;
use image::{Delay, Rgba, RgbaImage};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// `flowseg segment` in one step with the smallest model; the lines of its JSON.
fn segment(out: &Path, arguments: &[&str], inputs: &[&Path]) -> Vec<serde_json::Value> {
    let mut command = flowseg();
    command.args(["segment", "--device", "cpu", "--steps", "1", "--json"]);
    if !arguments.contains(&"--model") {
        command.args(["--model", "scenes"]);
    }
    command.args(arguments).args(inputs).arg("-o").arg(out);
    let text = succeeds(&mut command);
    let line = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

/// The pixels of a mask that `segment` writes.
fn mask(
    folder: &Path,
    name: &str,
    arguments: &[&str],
    input: &Path,
) -> (Vec<u8>, serde_json::Value) {
    let out = folder.join(name);
    let line = segment(&out, arguments, &[input]).remove(0);
    let stem = input.file_stem().unwrap().to_string_lossy();
    let mask = image::open(out.join(format!("{stem}.png"))).unwrap();
    (mask.into_luma8().into_raw(), line)
}

#[test]
fn one_window_is_the_whole_photo_and_more_show_more_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = photo(folder.path(), "a.png");
    let (off, line) = mask(folder.path(), "off", &[], &path);
    for (name, tiles) in [("one", "1"), ("auto", "auto"), ("none", "off")] {
        let (same, seen) = mask(folder.path(), name, &["--tiles", tiles], &path);
        assert_eq!(
            (same, &seen["network_size"]),
            (off.clone(), &line["network_size"])
        );
    }
    let (_, line) = mask(folder.path(), "three", &["--tiles", "3"], &path);
    // Windows of 96 x 128 pixels along 2.5 of them: the photo is 60 x 40.
    assert_eq!(line["network_size"], serde_json::json!([213, 320]));
    let size = image::open(folder.path().join("three/a.png")).unwrap();
    assert_eq!((size.width(), size.height()), (60, 40));
    is_wrong_usage(flowseg().args(["segment", "--tiles", "0", "-o", "x", "y"]));
}

#[test]
fn the_best_quality_is_what_the_card_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = photo(folder.path(), "a.png");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/scenes.safetensors");
    let edited = folder.path().join("edited.safetensors");
    let edit = |card: &str, to: &Path| {
        let mut command = flowseg();
        command.args(["models", "--edit"]).arg(&model);
        command.args(["--card", card, "-o"]).arg(to);
        command
    };
    let card = r#"{"quality": {"scales": [0.5, 0.75], "flip": true, "fast": 0.25, "best": 0.5, "on": "x"}}"#;
    edit(card, &edited).assert().success();
    let edited = edited.to_string_lossy().into_owned();
    let of = |name: &str, arguments: &[&str]| {
        let arguments = [&["--model", edited.as_str()], arguments].concat();
        mask(folder.path(), name, &arguments, &path)
    };
    let (best, line) = of("best", &["--quality", "best"]);
    let (looks, same) = of("looks", &["--scales", "0.5,0.75", "--flip"]);
    assert_eq!(
        (&best, &line["network_size"]),
        (&looks, &same["network_size"])
    );
    let (fast, once) = of("fast", &["--quality", "fast"]);
    assert_eq!(fast, of("once", &[]).0);
    assert_ne!(once["network_size"], line["network_size"]);
    // A card that names no looks, and changes that are none.
    let without = folder.path().join("without.safetensors");
    edit(r#"{"quality": null}"#, &without).assert().success();
    fails(
        flowseg()
            .args(["segment", "--quality", "best", "--device", "cpu", "--model"])
            .arg(&without)
            .arg(&path)
            .arg("-o")
            .arg(folder.path().join("none")),
        &["--quality best", "--scales"],
    );
    fails(&mut edit("[1]", &without), &["--card", "JSON object"]);
    fails(
        &mut edit(r#"{"size": [0, 1]}"#, &without),
        &["--card: size: ", "0 x 1"],
    );
    for (change, entry) in [
        (r#"{"classes": ["a", "b"]}"#, "--card: classes: "),
        (r#"{"encoding": "random"}"#, "--card: encoding: "),
        (r#"{"size": [7, 7]}"#, "--card: size: "),
        (r#"{"sampling_steps": 0}"#, "--card: sampling_steps: "),
    ] {
        fails(&mut edit(change, &without), &[entry]);
    }
    // A model over itself.
    let mut over = flowseg();
    over.args(["models", "--edit"]).arg(&without);
    over.args(["--card", r#"{"sampling_steps": 7}"#, "-o"])
        .arg(&without);
    over.assert().success();
    let card = flowseg::model::Card::read(&fs::read(&without).unwrap()).unwrap();
    assert_eq!(card.default_steps(), 7);
    fails(
        &mut edit(r#"{"sampling_step": 2}"#, &without),
        &["no entry sampling_step", "sampling_steps"],
    );
    // Names are models here as well.
    let named = folder.path().join("named.safetensors");
    let mut command = flowseg();
    command.args([
        "models",
        "--edit",
        "scenes",
        "--card",
        r#"{"sampling_steps": 2}"#,
        "-o",
    ]);
    command.arg(&named).assert().success();
    assert!(named.is_file());
}

/// A GIF whose left half stands still and whose right half changes from one picture to the next.
fn animation(folder: &Path, pictures: usize) -> PathBuf {
    let path = folder.join("walk.gif");
    let mut encoder = GifEncoder::new(File::create(&path).unwrap());
    for at in 0..pictures {
        let picture = RgbaImage::from_fn(60, 40, |x, y| {
            if x < 30 {
                Rgba([100, 150, (y / 8 * 40) as u8, 255])
            } else {
                Rgba([
                    if at % 2 == 0 { 20 } else { 220 },
                    (y / 8 * 40) as u8,
                    0,
                    255,
                ])
            }
        });
        let delay = Delay::from_numer_denom_ms(50, 1);
        encoder
            .encode_frame(image::Frame::from_parts(picture, 0, 0, delay))
            .unwrap();
    }
    path
}

#[test]
fn an_animation_is_segmented_picture_by_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = animation(folder.path(), 3);
    let out = folder.path().join("out");
    let manifest = folder.path().join("all.jsonl");
    let arguments = ["--skip-existing", "--manifest", &manifest.to_string_lossy()];
    let lines = segment(&out, &arguments, &[&path]);
    let masks = ["walk-0001.png", "walk-0002.png", "walk-0003.png"];
    assert_eq!(names(&out), masks);
    let mask = image::open(out.join(masks[0])).unwrap();
    assert_eq!((mask.width(), mask.height()), (60, 40));
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[0]["frame"], &lines[0]["flicker"]),
        (&1.into(), &serde_json::Value::Null)
    );
    // Half of the pixels stand still.
    for line in [&lines[1], &lines[2], &lines[3]] {
        assert!(
            (line["still"].as_f64().unwrap() - 0.5).abs() < 0.02,
            "{line}"
        );
        let flicker = line["flicker"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&flicker));
        assert_eq!(line["threshold"], 8);
    }
    assert_eq!(lines[3]["pictures"], 3);
    // What it counts is what the masks show.
    let labels = |name: &str| image::open(out.join(name)).unwrap().into_luma8();
    let (before, after) = (labels(masks[0]), labels(masks[1]));
    let left = before.enumerate_pixels().filter(|(x, ..)| *x < 30);
    let changed = left
        .filter(|(x, y, label)| after.get_pixel(*x, *y) != *label)
        .count();
    let expected = changed as f64 / 1200.0;
    assert!((lines[1]["flicker"].as_f64().unwrap() - expected).abs() < 0.02);

    let written = |manifest: &Path| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(manifest).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let first = written(&manifest);
    assert_eq!(first.len(), 4);
    assert_eq!(
        (&first[1]["frame"], &first[1]["delay_ms"]),
        (&2.into(), &50.0.into())
    );
    // A mask that is lost is made again, and it alone.
    fs::remove_file(out.join(masks[1])).unwrap();
    let lines = segment(&out, &arguments, &[&path]);
    assert_eq!((lines.len(), &lines[0]["frame"]), (1, &2.into()));
    assert_eq!(names(&out), masks);
    // The flicker of the masks from before is gone, and one picture has none.
    assert_eq!(written(&manifest).len(), 3);
    // Two of three have.
    for mask in &masks[1..] {
        fs::remove_file(out.join(mask)).unwrap();
    }
    for _ in 0..2 {
        segment(&out, &arguments, &[&path]);
        let all = written(&manifest);
        assert_eq!(all.len(), 4);
        assert_eq!((&all[3]["pictures"], &all[3]["of"]), (&2.into(), &3.into()));
    }
}

#[test]
fn photos_of_a_folder_are_a_sequence_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    fs::create_dir_all(photos.join("more")).unwrap();
    for name in ["0001.png", "0002.png", "0003.png", "more/0001.png"] {
        photo(&photos, name);
    }
    let out = folder.path().join("out");
    let lines = segment(&out, &["--flicker"], &[&photos]);
    // The same picture three times, and a folder of one.
    assert_eq!(lines.len(), 5);
    assert_eq!(
        (&lines[2]["flicker"], &lines[2]["still"]),
        (&0.0.into(), &1.0.into())
    );
    assert!(lines[3]["flicker"].is_null());
    assert_eq!(
        (&lines[4]["pictures"], &lines[4]["flicker"]),
        (&3.into(), &0.0.into())
    );
    assert_eq!(segment(&out, &[], &[&photos]).len(), 4);
}

#[test]
fn a_cut_animation_gives_what_it_has_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = animation(folder.path(), 3);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let out = folder.path().join("out");
    let mut command = flowseg();
    command.args([
        "segment", "--device", "cpu", "--steps", "1", "--model", "scenes",
    ]);
    fails(command.arg(&path).arg("-o").arg(&out), &["walk.gif"]);
    assert_eq!(names(&out), ["walk-0001.png", "walk-0002.png"]);
}
