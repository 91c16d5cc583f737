//! Which files the program writes, and which it never touches.

use crate::common;

use assert_cmd::Command;
use burn::tensor::Device;
use common::{fails, flowseg, photo, succeeds};
use flowseg::data::{SceneConfig, scene_classes};
use flowseg::model::tensors::Precision;
use flowseg::{files, models};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// `flowseg segment` in one step with the smallest model.
fn segment(out: &Path) -> Command {
    segment_with(Path::new("scenes"), 1, out)
}

fn segment_with(model: &Path, steps: usize, out: &Path) -> Command {
    let mut command = flowseg();
    command.args(["segment", "--device", "cpu", "--steps"]);
    command.arg(steps.to_string());
    command.arg("--model").arg(model).arg("-o").arg(out);
    command
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// The smallest model, with other class names.
fn model(folder: &Path, rename: impl Fn(usize, &str) -> String) -> PathBuf {
    let mut model = models::load("scenes", &Device::flex()).unwrap();
    for (class, name) in model.card.classes.iter_mut().enumerate() {
        *name = rename(class, name);
    }
    let path = folder.join("model.safetensors");
    flowseg::model::file::write(&path, &model, Precision::Half).unwrap();
    path
}

/// A data set of `photos` photos for a model with these classes, in which every pixel has the label
/// `label`.
fn data(folder: &Path, photos: usize, classes: &[String], label: u8) -> PathBuf {
    let root = folder.join("data");
    for part in ["images", "annotations"] {
        fs::create_dir_all(root.join(part).join("validation")).unwrap();
    }
    fs::write(root.join("classes.txt"), classes.join("\n")).unwrap();
    for i in 0..photos {
        let path = photo(&root.join("images/validation"), &format!("{i}.png"));
        let [width, height] = image::image_dimensions(path).unwrap().into();
        image::GrayImage::from_pixel(width, height, image::Luma([label]))
            .save(root.join(format!("annotations/validation/{i}.png")))
            .unwrap();
    }
    root
}

fn classes() -> Vec<String> {
    scene_classes(&SceneConfig {
        classes: 20,
        ..SceneConfig::default()
    })
}

fn eval(model: &Path, data: &Path) -> Command {
    let mut command = flowseg();
    command.args(["eval", "--device", "cpu", "--steps", "1", "--model"]);
    command.arg(model).arg("--data").arg(data);
    command
}

#[test]
fn no_photo_is_overwritten_and_no_output_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let holiday = photo(folder.path(), "holiday.png");
    let before = fs::read(&holiday).unwrap();
    fails(
        segment(&path(".")).arg(&holiday),
        &["the mask of", "holiday.png", "is the input"],
    );
    // A mask and another photo's overlay would have the same name.
    let twin = photo(folder.path(), "holiday.overlay.png");
    fails(
        segment(&path("out"))
            .args([&holiday, &twin])
            .arg("--overlay"),
        &["the overlay of", "the mask of", "both be written"],
    );
    // The mask's name is short enough, but the overlay's is not.
    let long = photo(folder.path(), &("n".repeat(245) + ".png"));
    fails(
        segment(&path("out")).arg(&long).arg("--overlay"),
        &["shorter name"],
    );
    assert!(names(&path("out")).is_empty());
    segment(&path("out")).arg(&long).assert().success();
    assert_eq!(names(&path("out"))[0].len(), 249);
    assert_eq!(fs::read(&holiday).unwrap(), before);
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn an_evaluation_is_refused_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let model = Path::new("scenes");
    let data = data(folder.path(), 2, &classes(), 0);
    fs::remove_file(data.join("annotations/validation/1.png")).unwrap();
    let label = data.join("annotations/validation/0.png");
    for (flag, output, word) in [
        ("--json", path("missing/scores.json"), "create the folder"),
        ("--json", data.clone(), "give a file name"),
        ("--confusion", path("missing/c.csv"), "create the folder"),
        ("--confusion", label, "is the input"),
    ] {
        let mut command = eval(model, &data);
        fails(command.arg(flag).arg(&output), &[word]);
        let output = command.output().unwrap();
        assert!(output.stdout.is_empty(), "it was scored: {output:?}");
    }
    let worst = data.join("images/validation");
    fails(
        eval(model, &data)
            .args(["--worst", "1", "--out"])
            .arg(worst),
        &["holds inputs"],
    );
    // Upper-case extensions; on a pipe, the log message about a photo without labels has no colour
    // codes.
    let output = eval(model, &data)
        .arg("--confusion")
        .arg(path("c.PNG"))
        .arg("--json")
        .arg(path("scores.json"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!output.stderr.contains(&0x1b), "{output:?}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("left out"), "{errors}");
    assert!(path("c.PNG").is_file() && path("scores.json").is_file());
}

#[test]
fn names_of_classes_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let rename = |class: usize, _: &str| match class {
        0 | 1 => "twin".to_owned(),
        2 => "esc\u{1b}]0;owned\u{7}\u{9b}31m".to_owned(),
        3 => "line\nbreak".to_owned(),
        _ => format!("=class {class}"),
    };
    let model = model(folder.path(), rename);
    let picture = photo(folder.path(), "a.png");
    let out = folder.path().join("out");
    let text = succeeds(segment_with(&model, 1, &out).arg("--json").arg(picture));
    assert!(!text.contains(['\u{1b}', '\u{9b}']) && text.lines().count() == 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shares = json["shares"].as_object().unwrap();
    let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
    assert!(shares.len() == 20 && (sum - 1.0).abs() < 1e-9, "{text}");
    assert!(shares.contains_key("twin (2)") && shares.contains_key(&rename(2, "")));

    // The same names in a data set whose pixels are all ignored.
    let names: Vec<String> = (0..20).map(|class| format!("=\u{1b}[{class}m")).collect();
    let model = self::model(folder.path(), |class, _| names[class].clone());
    let data = data(folder.path(), 1, &names, 255);
    let scores = folder.path().join("scores.json");
    let text = succeeds(
        eval(&model, &data)
            .args(["--without", &names[3], "--json"])
            .arg(&scores),
    );
    assert!(
        text.contains("no labelled pixel") && !text.contains('\u{1b}'),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&scores).unwrap()).unwrap();
    let result = &json["results"][0];
    assert!(
        result["miou"].is_null() && result["pixel_accuracy"].is_null(),
        "{json}"
    );
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::{self, Stdio};
    use std::time::Duration;

    /// The program as a `std` command, whose streams can be chosen.
    fn plain(command: &Command) -> process::Command {
        let mut plain = process::Command::new(command.get_program());
        plain.args(command.get_args()).env_remove("FLOWSEG_LOG");
        plain
    }

    #[test]
    fn names_that_are_not_utf8_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        let whole = photo(folder.path(), "a.png");
        for name in [&b"x\xe8.png"[..], b"x\xe9.png"] {
            // Some file systems, such as that of macOS, do not allow such names.
            if fs::copy(&whole, file(name)).is_err() {
                return;
            }
        }
        let text = succeeds(
            segment(&folder.path().join("out"))
                .args([file(b"x\xe8.png"), file(b"x\xe9.png")])
                .arg("--json"),
        );
        assert_eq!(text.matches("\"shares\"").count(), 2, "{text}");
        assert_eq!(text.matches("x\u{fffd}.png").count(), 2, "{text}");
        let masks = names(&folder.path().join("out"));
        assert_eq!(
            masks,
            [b"x\xe8.png", b"x\xe9.png"].map(|n| OsStr::from_bytes(n))
        );
        // A data set in such a folder, and scores and a model with such a name.
        let root = data(folder.path(), 1, &classes(), 0);
        let odd = file(b"d\xe9");
        fs::rename(root, &odd).unwrap();
        let model = model(folder.path(), |_, name| name.to_owned());
        fs::rename(model, file(b"m\xe9")).unwrap();
        let scores = file(b"s\xe9.json");
        let mut command = eval(&file(b"m\xe9"), &odd);
        command.arg("--json").arg(&scores).assert().success();
        assert!(fs::read_to_string(&scores).unwrap().contains("d\u{fffd}"));
    }

    #[test]
    fn a_reader_that_leaves_takes_no_mask_along() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let photos = ["a.png", "b.png", "c.png"].map(|name| photo(folder.path(), name));
        let mut command = plain(segment(&out).arg("--json").args(&photos));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(names(&out).len(), 3);
        // Help written to a closed pipe.
        let mut child = plain(flowseg().args(["train", "--help"]))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_standard_output_is_an_error() {
        for arguments in [&["devices"][..], &["segment", "--help"]] {
            let full = fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap();
            let output = plain(flowseg().args(arguments))
                .stdout(full)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            let line = text.lines().last().unwrap();
            assert!(
                line.starts_with("flowseg: ") && line.contains("output"),
                "{text}"
            );
        }
    }

    #[test]
    fn links_are_kept_and_standard_output_is_reached_through_one() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path(), 1, &classes(), 0);
        let link = folder.path().join("stdout");
        symlink("/dev/stdout", &link).unwrap();
        let output = eval(Path::new("scenes"), &data)
            .arg("--json")
            .arg(&link)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        // Nothing but the file, and the scores on standard error.
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(found["results"][0]["miou"].is_number(), "{found}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("mIoU"), "{text}");
        assert!(link.is_symlink());
    }

    #[test]
    fn a_model_on_standard_output_is_a_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let edit = |to: &Path| {
            let mut command = flowseg();
            command.args(["models", "--edit", "scenes", "-o"]).arg(to);
            command.args(["--card", r#"{"sampling_steps": 2}"#]);
            let output = command.output().unwrap();
            assert!(output.status.success());
            output
        };
        let file = folder.path().join("model.safetensors");
        edit(&file);
        let output = edit(Path::new("/dev/stdout"));
        assert_eq!(output.stdout.len(), fs::read(&file).unwrap().len());
        let card = flowseg::model::Card::read(&output.stdout).unwrap();
        assert_eq!(card.default_steps(), 2);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("wrote /dev/stdout"), "{text}");
    }

    #[test]
    fn the_umask_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let picture = photo(folder.path(), "a.png");
        let inner = plain(
            segment(&out)
                .arg(picture)
                .args(["--overlay", "--trajectory"]),
        );
        let mut command = process::Command::new("sh");
        command.args(["-c", "umask 027; exec \"$0\" \"$@\""]);
        command.arg(inner.get_program()).args(inner.get_args());
        assert!(command.status().unwrap().success());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&out), 0o750);
        for name in ["a.png", "a.overlay.png", "a.trajectory.gif"] {
            assert_eq!(mode(&out.join(name)), 0o640, "{name}");
        }
    }

    #[test]
    fn an_interrupt_says_how_the_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
        fs::create_dir(&photos).unwrap();
        // More than can be segmented before the signal arrives, however busy the machine.
        for at in 0..100 {
            photo(&photos, &format!("{at:02}.png"));
        }
        let mut command = segment_with(Path::new("scenes"), 30, &out);
        let mut command = plain(command.arg(&photos));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        while !out.join("00.png").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(Duration::from_millis(1));
        }
        let id = child.id().to_string();
        process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{text}");
        let words = "of 100 photos: to continue, run the same command with --skip-existing";
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn an_interrupt_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let picture = photo(folder.path(), "a.png");
        let hidden = || -> Vec<OsString> {
            let names = if out.is_dir() {
                names(&out)
            } else {
                Vec::new()
            };
            let hidden = names.into_iter();
            hidden.filter(|name| files::is_temporary(name)).collect()
        };
        let mut command = segment_with(Path::new("scenes"), 60, &out);
        command.arg(picture).arg("--trajectory");
        let mut child = plain(&command).stderr(Stdio::null()).spawn().unwrap();
        // An animation takes seconds to write; the last file found is the animation's.
        while !out.join("a.png").exists() || hidden().is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(Duration::from_millis(1));
        }
        let id = child.id().to_string();
        process::Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143));
        assert_eq!(hidden(), Vec::<OsString>::new());
        assert!(!out.join("a.trajectory.gif").exists());
    }
}

#[test]
fn what_somebody_else_wrote_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let [photos, out] = ["photos", "out"].map(|name| folder.path().join(name));
    for path in [&photos, &out] {
        fs::create_dir(path).unwrap();
    }
    let taken = photo(&photos, "a.png");
    // Another photo of the name that the mask would have.
    let kept = photo(&out, "a.png");
    let before = fs::read(&kept).unwrap();
    let words = ["a.png is a picture in colour", "choose another folder"];
    fails(segment(&out).arg(&taken), &words);
    assert_eq!(fs::read(&kept).unwrap(), before);
    fs::remove_file(&kept).unwrap();

    let masks = || {
        let mut command = segment(&out);
        command.arg(&taken).args(["--format", "index,labelme,yolo"]);
        command
    };
    // What the program wrote itself is replaced.
    for _ in 0..2 {
        masks().assert().success();
    }
    let json = out.join("a.json");
    let own: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let saved = serde_json::to_vec_pretty(&own).unwrap();
    fs::write(&json, &saved).unwrap();
    fails(&mut masks(), &["a.json is saved by another program"]);
    assert_eq!(fs::read(&json).unwrap(), saved);
    fs::remove_file(&json).unwrap();
    let yaml = out.join("data.yaml");
    fs::write(&yaml, "names: [own]\n").unwrap();
    fails(&mut masks(), &["data.yaml is a list of other classes"]);
    assert_eq!(fs::read(&yaml).unwrap(), b"names: [own]\n");
}

#[test]
fn photos_of_one_name_are_not_one_entry() {
    let folder = tempfile::tempdir().unwrap();
    let photos = ["a", "b"].map(|name| {
        let below = folder.path().join(name);
        fs::create_dir(&below).unwrap();
        photo(&below, "x.png")
    });
    let mut command = segment(&folder.path().join("out"));
    let words = ["would both be x.png in the COCO file"];
    fails(command.args(&photos).args(["--format", "coco"]), &words);
}

#[test]
fn labels_without_their_lists_of_classes_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let run = || {
        let mut command = segment(&out);
        command.arg(&picture).args(["--format", "yolo"]);
        command
    };
    run().assert().success();
    for list in ["classes.txt", "data.yaml"] {
        fs::remove_file(out.join(list)).unwrap();
        // The other one says what the classes are.
        run().assert().success();
        assert!(out.join(list).is_file());
    }
    for list in ["classes.txt", "data.yaml"] {
        fs::remove_file(out.join(list)).unwrap();
    }
    fails(
        &mut run(),
        &[
            "a.txt",
            "their classes are unknown",
            "put one of the two back",
        ],
    );
}
