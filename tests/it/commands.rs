//! The commands on real and on bad input.

use crate::common;

use common::{fails, flowseg, is_wrong_usage, notes, photo, shared, succeeds};
use std::fs;
use std::path::Path;

fn segment(out: &Path) -> assert_cmd::Command {
    let mut command = flowseg();
    command.args(["segment", "--device", "cpu", "-o"]).arg(out);
    command
}

#[test]
fn a_photo_becomes_a_mask_of_its_own_size() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let printed = succeeds(segment(&out).arg(photo(folder.path(), "a.png")).args([
        "--overlay",
        "--trajectory",
        "--json",
        "--steps",
        "3",
    ]));
    let mask = image::open(out.join("a.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (60, 40));
    assert_eq!(mask.color(), image::ColorType::L8);
    let overlay = image::open(out.join("a.overlay.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (60, 40));
    let gif = fs::File::open(out.join("a.trajectory.gif")).unwrap();
    let decoder = image::codecs::gif::GifDecoder::new(std::io::BufReader::new(gif)).unwrap();
    assert_eq!(image::AnimationDecoder::into_frames(decoder).count(), 4);
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let shares = json["shares"].as_object().unwrap();
    let sum: f64 = shares.values().map(|v| v.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && shares.len() == 11);
}

#[test]
fn formats_and_shapes_that_people_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    image::GrayImage::from_pixel(33, 7, image::Luma([90]))
        .save(path("grey.png"))
        .unwrap();
    image::ImageBuffer::<image::Rgb<u16>, _>::from_pixel(9, 50, image::Rgb([60_000u16, 1, 30_000]))
        .save(path("deep.png"))
        .unwrap();
    image::RgbaImage::from_pixel(20, 20, image::Rgba([9, 9, 9, 40]))
        .save(path("clear.png"))
        .unwrap();
    image::RgbImage::new(1, 1).save(path("dot.png")).unwrap();
    // A file's extension does not determine how its content is read.
    image::RgbImage::new(4000, 40)
        .save_with_format(path("panorama.jpg"), image::ImageFormat::Png)
        .unwrap();
    let names = [
        "grey.png",
        "deep.png",
        "clear.png",
        "dot.png",
        "panorama.jpg",
    ];
    segment(&path("out"))
        .args(names.map(path))
        .args(["--steps", "1"])
        .assert()
        .success();
    for name in names {
        let mask = image::open(path("out").join(Path::new(name).with_extension("png"))).unwrap();
        let bytes = fs::read(path(name)).unwrap();
        let photo = image::load_from_memory(&bytes).unwrap();
        assert_eq!(
            (mask.width(), mask.height()),
            (photo.width(), photo.height()),
            "{name}"
        );
    }
}

#[test]
fn bad_photos_are_named_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(photo(folder.path(), "whole.png")).unwrap();
    let text = write("text.jpg", b"not a picture");
    let cut = write("cut.png", &whole[..whole.len() / 2]);
    let empty = write("empty.png", b"");
    // A PNG header that claims 30000 x 30000 pixels.
    let mut huge = whole.clone();
    huge[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    huge[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    let huge = write("huge.png", &huge);

    fails(segment(&out).arg(&text), &["text.jpg"]);
    fails(segment(&out).arg(&cut), &["cut.png"]);
    fails(segment(&out).arg(&empty), &["empty.png", "0 bytes"]);
    fails(segment(&out).arg(&huge), &["huge.png", "30000x30000"]);
    fs::create_dir(folder.path().join("nothing")).unwrap();
    fails(
        segment(&out).arg(folder.path().join("nothing")),
        &["holds no photo"],
    );
    fails(
        segment(&out).arg(folder.path().join("missing.png")),
        &["missing.png"],
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);

    // One bad photo does not affect the good ones.
    fails(
        segment(&out)
            .arg(&cut)
            .arg(photo(folder.path(), "good.png")),
        &["cut.png", "1 of 2"],
    );
    assert!(out.join("good.png").is_file());
    // The output path is a file.
    fails(
        segment(&text).arg(photo(folder.path(), "b.png")),
        &["text.jpg"],
    );
    // Two photos with the same name.
    fs::create_dir(folder.path().join("sub")).unwrap();
    let twin = photo(&folder.path().join("sub"), "good.png");
    fails(
        segment(&out).arg(folder.path().join("good.png")).arg(twin),
        &["would have one mask"],
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn bad_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read("assets/models/street.safetensors").unwrap();
    let picture = photo(folder.path(), "a.png");
    let with = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut command = segment(&folder.path().join("out"));
        command.arg(&picture).arg("--model").arg(path);
        command
    };
    fails(
        &mut with("cut.safetensors", &good[..good.len() / 2]),
        &["cut.safetensors"],
    );
    fails(&mut with("empty.safetensors", b""), &["empty.safetensors"]);
    fails(
        &mut with("text.safetensors", b"hello, this is no model"),
        &["text.safetensors"],
    );
    // A header that claims more than the file contains.
    let mut liar = (u64::MAX / 2).to_le_bytes().to_vec();
    liar.extend_from_slice(b"{}");
    fails(&mut with("liar.safetensors", &liar), &["liar.safetensors"]);
    let header = br#"{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}"#;
    let mut short = (header.len() as u64).to_le_bytes().to_vec();
    short.extend_from_slice(header);
    fails(
        &mut with("short.safetensors", &short),
        &["short.safetensors"],
    );
    // Another program's model.
    let foreign = fs::read(shared("fixtures/dinov2-tiny.weights.safetensors")).unwrap();
    fails(
        &mut with("foreign.safetensors", &foreign),
        &["foreign.safetensors", "flowseg import"],
    );
    let text = String::from_utf8_lossy(&good[8..4000]).into_owned();
    assert!(text.contains("hidden_size"));
    // Metadata of a network other than that of the tensors.
    let changed = replace(
        &good,
        br#"\"transformer_blocks\":3"#,
        br#"\"transformer_blocks\":2"#,
    );
    fails(
        &mut with("changed.safetensors", &changed),
        &["changed.safetensors", "parameters"],
    );
    fails(
        segment(&folder.path().join("out"))
            .arg(&picture)
            .args(["--model", "/"]),
        &["folder"],
    );
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|w| w == from)
        .expect("the text is there");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn checkpoints_import_from_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    let expected = shared("fixtures/pixnerd-tiny.expected.safetensors");
    let import = |file: &str, more: &[&str]| {
        let mut command = flowseg();
        command
            .args(["import", "--device", "cpu", "-o"])
            .arg(&model);
        command.arg(shared(&format!("fixtures/{file}"))).args(more);
        command
    };
    for file in ["pixnerd-tiny.ckpt", "pixnerd-tiny.weights.safetensors"] {
        let text = succeeds(import(file, &["--verify"]).arg(&expected));
        assert_eq!(text.matches(" ok\n").count(), 4, "{text}");
        fs::remove_file(&model).unwrap();
    }
    // The other set of weights is a different network: verification must detect that.
    fails(
        import("pixnerd-tiny.ckpt", &["--weights", "raw", "--verify"]).arg(&expected),
        &["checks failed"],
    );
    assert!(!model.exists());
    fails(
        &mut import("dinov2-tiny.weights.safetensors", &[]),
        &["dinov2-tiny", "PixNerd"],
    );
    fails(&mut import("potential.json", &[]), &["potential.json"]);
    // An imported model is a starting point for training, and using it to segment gives an error
    // that says so.
    import("pixnerd-tiny.ckpt", &[]).assert().success();
    let picture = photo(folder.path(), "a.png");
    let mut command = segment(&folder.path().join("out"));
    fails(
        command.arg(picture).arg("--model").arg(&model),
        &["no class table"],
    );
}

#[test]
fn reference_numbers_hold_on_the_cpu() {
    let mut command = flowseg();
    command.args(["selftest", "--device", "cpu"]);
    for name in [
        "potential",
        "miou",
        "pixnerd-tiny.expected",
        "pixnerd-patch16.expected",
    ] {
        command.arg(shared(&format!("fixtures/{name}.safetensors")));
    }
    let text = succeeds(&mut command);
    // Potential and gradient for 5 class counts, 3 operators, 2 temperatures; 5 tables; 2 + 19
    // scores; 4 + 5 tensors.
    assert_eq!(
        text.lines().filter(|l| l.ends_with(" ok")).count(),
        60 + 5 + 21 + 9,
        "{text}"
    );
}

#[test]
fn a_wgpu_adapter_agrees_with_the_cpu() {
    let text = succeeds(flowseg().args(["selftest", "--device", "wgpu"]));
    assert_eq!(
        text.lines().filter(|l| l.ends_with(" ok")).count(),
        9,
        "{text}"
    );
}

#[test]
fn reference_numbers_hold_on_a_wgpu_adapter() {
    let text = succeeds(
        flowseg()
            .args(["selftest", "--device", "wgpu"])
            .arg(shared("fixtures/pixnerd-tiny.expected.safetensors"))
            .arg(shared("fixtures/potential.safetensors")),
    );
    assert_eq!(
        text.lines().filter(|l| l.ends_with(" ok")).count(),
        4 + 65,
        "{text}"
    );
}

#[test]
fn scores_do_not_depend_on_the_batch() {
    let score = |batch: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scores.json");
        // CamVid's layout, three photos.
        for part in ["images", "annotations"] {
            fs::create_dir_all(folder.path().join(part).join("validation")).unwrap();
        }
        let root = shared("data/camvid");
        fs::copy(root.join("classes.txt"), folder.path().join("classes.txt")).unwrap();
        let photos = root.join("images/validation");
        let mut names: Vec<_> = fs::read_dir(photos)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        names.sort();
        for path in names.iter().step_by(30) {
            let name = path.file_name().unwrap();
            fs::copy(path, folder.path().join("images/validation").join(name)).unwrap();
            let label = Path::new(name).with_extension("png");
            let from = root.join("annotations/validation").join(&label);
            fs::copy(
                from,
                folder.path().join("annotations/validation").join(&label),
            )
            .unwrap();
        }
        flowseg()
            .args([
                "eval", "--device", "cpu", "--steps", "2", "--batch", batch, "--data",
            ])
            .arg(folder.path())
            .arg("--json")
            .arg(&file)
            .assert()
            .success();
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        json["results"][0]["miou"].as_f64().unwrap()
    };
    let (one, three) = (score("1"), score("3"));
    assert!((one - three).abs() < 1e-3, "{one} and {three}");
}

#[test]
fn a_data_folder_is_inspected() {
    let text = succeeds(flowseg().arg("data").arg(shared("data/ade20k-samples")));
    assert!(text.contains("ADE20K layout, 150 classes"), "{text}");
    // Good pairs, then all kinds of bad ones: without labels, unreadable, of different sizes, with
    // unknown labels.
    for (split, pairs) in [("training", "6"), ("validation", "9")] {
        let line = text.lines().find(|line| line.starts_with(split)).unwrap();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[1..6], [pairs, "0", "0", "0", "0"], "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    fails(
        flowseg().arg("data").arg(folder.path()),
        &["no data set", "dataset.toml", "classes.txt"],
    );
}

#[test]
fn wrong_usage_is_status_two() {
    let text = is_wrong_usage(flowseg().args(["eval", "--batch", "many"]));
    assert!(
        text.contains("'many'") && text.contains("it must be a whole number from 1 to 1024"),
        "{text}"
    );
    for arguments in [
        &["segment"][..],
        &["nothing"],
        &["eval", "--steps", "0"],
        &["train", "--device", "gpu"],
    ] {
        is_wrong_usage(flowseg().args(arguments));
    }
}

#[test]
fn devices_are_listed() {
    let text = succeeds(flowseg().arg("devices"));
    assert!(text.contains("cpu") && text.contains("auto"), "{text}");
    fails(
        flowseg().args(["selftest", "--device", "wgpu:99"]),
        &["99", "flowseg devices"],
    );
}

#[test]
fn models_are_listed_with_their_cards_and_installed_ones_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let list = |arguments: &[&str]| {
        let mut command = flowseg();
        command.env("XDG_DATA_HOME", folder.path());
        command.env("HOME", folder.path());
        succeeds(command.args(arguments))
    };
    let text = list(&["models"]);
    for word in ["street", "cells", "fashion", "scenes", "sha256", "CC0"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = list(&["models", "scenes"]);
    assert!(
        text.contains("scenes: ") && !text.contains("cells: "),
        "{text}"
    );
    let classes: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("    "))
        .collect();
    assert_eq!(classes.len(), 20, "{text}");
    assert_eq!(classes[0].trim(), "0  background");
    if cfg!(target_os = "linux") {
        let models = folder.path().join("flowseg/models");
        std::fs::create_dir_all(&models).unwrap();
        let scenes = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/assets/models/scenes.safetensors"
        );
        std::fs::copy(scenes, models.join("mine.safetensors")).unwrap();
        std::fs::write(models.join("broken.safetensors"), "not a model").unwrap();
        let lines = list(&["models", "--json"]);
        let names: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|model| model["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["street", "fashion", "cells", "scenes", "mine"]);
        assert!(!list(&["models"]).contains("hidden by"));
        let hidden = models.join("cells.safetensors");
        std::fs::copy(scenes, &hidden).unwrap();
        let text = list(&["models"]);
        let told = "hidden by the built-in model of that name";
        assert_eq!(text.matches(told).count(), 1, "{text}");
        std::fs::remove_file(&hidden).unwrap();
        let picture = photo(folder.path(), "a.png");
        let picture = picture.to_str().unwrap();
        let out = folder.path().join("out");
        let out = out.to_str().unwrap();
        list(&[
            "segment", picture, "-o", out, "--model", "mine", "--device", "cpu", "--steps", "1",
        ]);
        assert!(folder.path().join("out/a.png").exists());
    }
}

#[test]
fn a_model_of_the_program_is_told_from_a_run_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let picture = photo(folder.path(), "a.png");
    let with = |model: &str| {
        let mut command = segment(&folder.path().join("out"));
        command.current_dir(folder.path()).arg(&picture);
        command.args(["--steps", "1", "--model", model]);
        command
    };
    let note = "for the one here, write ./scenes";
    // A folder of data has no model.
    fs::create_dir(folder.path().join("scenes")).unwrap();
    assert!(!notes(&mut with("scenes")).contains(note));
    fails(&mut with("./scenes"), &["holds neither model.safetensors"]);
    fs::write(folder.path().join("scenes/model.safetensors"), "no model").unwrap();
    let text = notes(&mut with("scenes"));
    assert!(text.contains(note), "{text}");
    fails(
        &mut with("./scenes"),
        &["model.safetensors is not a usable model"],
    );
}

#[test]
fn a_mistyped_model_and_a_photo_without_a_command_are_told_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let picture = photo(folder.path(), "a.png");
    let picture = picture.to_str().unwrap();
    let told = ["there is no model scene: did you mean scenes? `flowseg models` lists them"];
    let here = |arguments: &[&str]| {
        let mut command = flowseg();
        command.current_dir(folder.path()).args(arguments);
        command
    };
    for arguments in [
        &["segment", picture, "-o", "o", "--model", "scene"][..],
        &["compare", "scenes", "scene", picture, "-o", "c"],
        &["train", "--data", "scenes:3@16x24", "--init", "scene"],
    ] {
        fails(here(arguments).args(["--device", "cpu"]), &told);
    }
    fails(&mut here(&["export-onnx", "scene", "-o", "x.onnx"]), &told);
    for (word, hint) in [(picture, true), ("sgment", false)] {
        let text = is_wrong_usage(&mut here(&[word]));
        let view = format!("flowseg view {word}; to segment it: flowseg segment {word} -o masks");
        assert_eq!(text.contains(&view), hint, "{text}");
    }
}

#[test]
fn several_looks_decide_together_and_doubt_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let picture = photo(folder.path(), "a.png");
    let picture = picture.to_str().unwrap();
    let segment = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let mut command = flowseg();
        command.args([
            "segment", picture, "--model", "scenes", "--device", "cpu", "--steps", "1",
        ]);
        command
            .args(["--format", "index,probability", "-o"])
            .arg(&out)
            .args(more);
        command.assert().success();
        let read = |name: &str| image::open(out.join(name)).unwrap().into_luma8();
        (read("a.png"), read("a.probability.png"))
    };
    let (mask, probability) = segment("sure", &["--scales", "1,1.5", "--flip"]);
    assert_eq!(mask.dimensions(), probability.dimensions());
    assert!(mask.pixels().all(|pixel| pixel.0[0] < 20));
    let (doubtful, _) = segment("doubtful", &["--ignore-below", "1"]);
    assert!(doubtful.pixels().any(|pixel| pixel.0[0] == 255));
    let both = [
        "segment", picture, "-o", "x", "--scale", "2", "--scales", "1,2",
    ];
    flowseg().args(both).assert().code(2);
}
