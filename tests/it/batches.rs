//! Many photos at once: where they come from, the formats of their masks, and how a run that
//! stopped is continued.

use crate::common;

use assert_cmd::Command;
use common::{fails, flowseg, is_wrong_usage, names, notes, photo};
use std::fs;
use std::path::{Path, PathBuf};

/// `flowseg segment` in one step with the smallest model.
pub(crate) fn segment(out: &Path) -> Command {
    let mut command = flowseg();
    command.args(["segment", "--device", "cpu", "--steps", "1", "--model"]);
    command.arg("scenes").arg("-o").arg(out);
    command
}

/// A folder tree with photos: `a.png`, `day/b.png` and `day/late/c.png`.
fn tree(root: &Path) -> PathBuf {
    let photos = root.join("photos");
    fs::create_dir_all(photos.join("day/late")).unwrap();
    photo(&photos, "a.png");
    photo(&photos.join("day"), "b.png");
    photo(&photos.join("day/late"), "c.png");
    fs::write(photos.join("notes.txt"), "no photo").unwrap();
    photos
}

/// The lines of a manifest.
pub(crate) fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_tree_below_a_folder_is_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    let photos = tree(folder.path());
    // Outputs inside the input folder are not inputs of the next run.
    let out = photos.join("masks");
    for _ in 0..2 {
        segment(&out).arg(&photos).assert().success();
        assert_eq!(names(&out), ["a.png", "day"]);
        assert_eq!(names(&out.join("day")), ["b.png", "late"]);
        assert_eq!(names(&out.join("day/late")), ["c.png"]);
    }
    // A pattern that the shell has not expanded, and paths on standard input.
    let out = folder.path().join("some");
    let list = format!("{}\n", photos.join("a.png").display());
    segment(&out)
        .arg(photos.join("day/**/*.png"))
        .arg("-")
        .write_stdin(list)
        .assert()
        .success();
    assert_eq!(names(&out), ["a.png", "b.png", "late"]);
    let out = folder.path().join("none");
    fails(
        segment(&out).arg(photos.join("*.gif")),
        &["no file matches", "*.gif"],
    );
    assert!(!out.exists());
}

#[test]
fn masks_beside_their_photos_are_no_photos() {
    let folder = tempfile::tempdir().unwrap();
    photo(folder.path(), "a.bmp");
    fs::create_dir(folder.path().join("day")).unwrap();
    photo(&folder.path().join("day"), "b.bmp");
    for arguments in [&[][..], &["--skip-existing"], &[]] {
        segment(folder.path())
            .args(["--format", "index,palette,binary,tiff"])
            .args(arguments)
            .arg(folder.path())
            .assert()
            .success();
        let files = "a.binary a.bmp a.palette.png a.png a.tif day";
        assert_eq!(names(folder.path()).join(" "), files);
    }
    // One that is named is a photo.
    fails(
        segment(folder.path()).arg(folder.path().join("a.png")),
        &["a.png", "is the input"],
    );
}

#[test]
fn masks_of_an_earlier_run_in_another_folder_are_no_photos() {
    let folder = tempfile::tempdir().unwrap();
    photo(folder.path(), "a.bmp");
    let [masks, out] = ["masks", "other"].map(|name| folder.path().join(name));
    let with_overlay = |more: &[&str]| {
        let mut command = segment(&masks);
        command.arg(folder.path()).arg("--overlay").args(more);
        command.assert().success();
    };
    with_overlay(&[]);
    let text = notes(segment(&out).arg(folder.path()));
    assert!(text.contains("2 pictures left out"), "{text}");
    assert_eq!(names(&out), ["a.png"]);
    with_overlay(&["--skip-existing"]);
    assert_eq!(names(&masks), ["a.overlay.png", "a.png"]);
}

#[test]
fn all_photos_of_one_name_are_named_before_a_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (out, photos) = (folder.path().join("out"), folder.path().join("photos"));
    fs::create_dir_all(photos.join("day")).unwrap();
    for at in 0..7 {
        for ending in ["bmp", "png"] {
            photo(&photos.join("day"), &format!("{at}.{ending}"));
        }
    }
    let words = ["7 pairs", "0.bmp", "4.png", "and 2 more"];
    fails(segment(&out).arg(&photos), &words);
    assert!(!out.exists());
}

#[test]
fn a_run_that_stopped_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let photos = tree(folder.path());
    let out = folder.path().join("out");
    let manifest = folder.path().join("all.jsonl");
    let bad = photos.join("day/bad.png");
    fs::write(&bad, b"not a picture").unwrap();
    let run = || {
        let mut command = segment(&out);
        command.args(["--format", "index,coco,binary", "--skip-existing"]);
        command.arg("--manifest").arg(&manifest).arg(&photos);
        command
    };
    fails(&mut run(), &["bad.png", "1 of 4 photos"]);
    let first = lines(&manifest);
    assert_eq!(first.len(), 4);
    assert_eq!(first[0]["width"], 60);
    assert_eq!(first[0]["height"], 40);
    let sum: f64 = first[0]["shares"]
        .as_object()
        .unwrap()
        .values()
        .map(|share| share.as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-9 && first[0]["seconds"].as_f64().unwrap() > 0.0);
    for path in first[0]["outputs"].as_array().unwrap() {
        assert!(Path::new(path.as_str().unwrap()).exists(), "{path}");
    }
    assert!(first[2]["error"].as_str().unwrap().contains("bad.png"));
    let annotations = json(&out.join("annotations.json"));
    let files: Vec<&str> = annotations["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["file_name"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["a.png", "day/b.png", "day/late/c.png"]);

    // The bad photo is replaced and one mask is missing: only these two are done.
    photo(&photos.join("day"), "bad.png");
    fs::remove_file(out.join("a.png")).unwrap();
    let untouched = fs::metadata(out.join("day/b.png")).unwrap();
    run().assert().success();
    assert!(out.join("a.png").is_file() && out.join("day/bad.png").is_file());
    let same = fs::metadata(out.join("day/b.png")).unwrap();
    assert_eq!(same.modified().unwrap(), untouched.modified().unwrap());
    let all = lines(&manifest);
    // In place of their earlier lines.
    let inputs: Vec<&str> = all[2..]
        .iter()
        .map(|line| line["input"].as_str().unwrap())
        .collect();
    assert_eq!(inputs.len(), 2, "{inputs:?}");
    assert!(inputs[0].ends_with("a.png") && inputs[1].ends_with("bad.png"));
    let after = json(&out.join("annotations.json"));
    assert_eq!(after["images"].as_array().unwrap().len(), 4);
    assert_eq!(after["annotations"][0], annotations["annotations"][0]);

    // Everything is done; a third run changes nothing, and a run from the start writes a new
    // manifest.
    run().assert().success();
    assert_eq!(json(&out.join("annotations.json")), after);
    assert_eq!(lines(&manifest).len(), 4);
    // What the masks were made with is compared.
    assert!(!notes(&mut run()).contains("other settings"));
    // Nothing is drawn for a flow from the photo.
    assert!(!notes(run().args(["--seed", "3"])).contains("other settings"));
    let text = notes(run().args(["--min-area", "5"]));
    assert!(
        text.contains(
            "4 of the 4 that are done were made with other settings (min_area 0 instead of 5)"
        ),
        "{text}"
    );
    segment(&out)
        .arg("--manifest")
        .arg(&manifest)
        .arg(&photos)
        .assert()
        .success();
    assert_eq!(lines(&manifest).len(), 4);
}

/// A run without --skip-existing that did not reach a photo leaves its mask, which the next one makes again.
#[test]
fn masks_that_were_still_to_be_replaced_are_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir(&photos).unwrap();
    photo(&photos, "a.png");
    let other = photo(&photos, "b.png");
    let run = |more: &[&str]| {
        let mut command = segment(&out);
        command.arg(&photos).arg("--overlay").args(more);
        command
    };
    run(&[]).assert().success();
    let files = names(&out);
    let former = fs::read(out.join("b.png")).unwrap();
    let (bytes, time) = (
        fs::read(&other).unwrap(),
        fs::metadata(&other).unwrap().modified().unwrap(),
    );
    fs::write(&other, "no picture").unwrap();
    fails(&mut run(&["--min-area", "5"]), &["1 of 2 photos"]);
    // It is as it was, and so older than its mask.
    fs::write(&other, bytes).unwrap();
    let file = fs::File::options().write(true).open(&other).unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(fs::read(out.join("b.png")).unwrap(), former);
    let text = notes(&mut run(&["--min-area", "5", "--skip-existing"]));
    assert!(text.contains("1 of 2 photos is done already"), "{text}");
    assert_ne!(fs::read(out.join("b.png")).unwrap(), former);
    assert_eq!(names(&out), files);
    let text = notes(&mut run(&["--min-area", "5", "--skip-existing"]));
    assert!(text.contains("2 of 2 photos are done already"), "{text}");
}

#[test]
fn every_format_is_written_where_the_help_says() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let formats = "index,palette,binary,coco,labelme,yolo,npy,tiff,cutout,contour,overlay,colours";
    segment(&out)
        .arg(photo(folder.path(), "a.png"))
        .args(["--format", formats, "--coco", "rle,polygons"])
        .args([
            "--classes",
            "background,azure smooth box",
            "--min-area",
            "20",
        ])
        .assert()
        .success();
    assert_eq!(
        names(&out),
        [
            "a.binary",
            "a.colours.png",
            "a.contour.png",
            "a.cutout.png",
            "a.json",
            "a.npy",
            "a.overlay.png",
            "a.palette.png",
            "a.png",
            "a.tif",
            "a.txt",
            "annotations.json",
            "annotations.polygons.json",
            "classes.txt",
            "data.yaml",
        ]
    );
    let index = image::open(out.join("a.png")).unwrap().into_luma8();
    let tiff = image::open(out.join("a.tif")).unwrap().into_luma8();
    assert_eq!(index, tiff);
    let npy = fs::read(out.join("a.npy")).unwrap();
    assert_eq!(npy[npy.len() - 60 * 40..], *index.as_raw());
    let kept = |value: &u8| [0, 1, 255].contains(value);
    assert!(index.as_raw().iter().all(kept), "{index:?}");
    // Writing a second mask to the same path replaces the first completely.
    let stale = out.join("a.binary/07-x.png");
    let classes: Vec<String> = fs::read_to_string(out.join("classes.txt"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let stale = stale.with_file_name(format!("07-{}.png", classes[7]));
    let other = out.join("a.binary/99-of another model.png");
    for path in [&stale, &other] {
        fs::copy(out.join("a.png"), path).unwrap();
    }
    let mine = out.join("a.binary/mine.txt");
    fs::write(&mine, "").unwrap();
    segment(&out)
        .arg(folder.path().join("a.png"))
        .args([
            "--format",
            "binary",
            "--classes",
            "background,azure smooth box",
        ])
        .assert()
        .success();
    assert!(!stale.exists() && !other.exists() && mine.exists());
}

/// What a person or another program drew beside the photos is not replaced by the network's.
#[test]
fn annotations_of_other_programs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let picture = photo(folder.path(), "a.png");
    let mine = |name: &str, format: &str| {
        fs::create_dir_all(&out).unwrap();
        let path = out.join(name);
        fs::write(&path, "mine").unwrap();
        let mut command = segment(&out);
        command.arg(&picture).args(["--format", format]);
        let manifest = folder.path().join("m.jsonl");
        let before = r#"{"input": "b.png", "outputs": [], "error": null}"#;
        fs::write(&manifest, before).unwrap();
        fails(command.arg("--manifest").arg(&manifest), &[name]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&manifest).unwrap(), before);
        assert_eq!(names(&out), [name]);
        fs::remove_file(&path).unwrap();
    };
    // A grey picture, as labels are.
    fs::create_dir_all(&out).unwrap();
    let labels = out.join("a.png");
    image::GrayImage::new(60, 40).save(&labels).unwrap();
    let before = fs::read(&labels).unwrap();
    let words = ["a.png is a mask saved by another program"];
    fails(segment(&out).arg(&picture), &words);
    assert_eq!(fs::read(&labels).unwrap(), before);
    fs::remove_file(&labels).unwrap();
    mine("annotations.json", "coco");
    mine("a.txt", "yolo");
    mine("a.json", "labelme");
    // Photos that have the names of pictures to be written.
    let in_colour = "is a picture in colour and not a mask";
    let foreign = "is saved by another program or by an earlier version";
    for (name, format, told) in [
        ("a.tif", "tiff", in_colour),
        ("a.overlay.png", "overlay", foreign),
    ] {
        let map = out.join(name);
        image::RgbImage::new(60, 40).save(&map).unwrap();
        let before = fs::read(&map).unwrap();
        let words = [name, told];
        fails(
            segment(&out).arg(&picture).args(["--format", format]),
            &words,
        );
        assert_eq!(fs::read(&map).unwrap(), before);
        fs::remove_file(&map).unwrap();
    }
    // Our own are replaced by those of another run.
    for _ in 0..2 {
        let mut command = segment(&out);
        let command = command.arg(&picture).args([
            "--format",
            "index,coco,yolo,labelme,tiff,npy,overlay,binary",
        ]);
        command
            .args(["--trajectory", "--numbers"])
            .assert()
            .success();
    }
}

#[test]
fn notes_are_not_replaced_by_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let (out, notes) = (folder.path().join("out"), folder.path().join("notes.md"));
    let picture = photo(folder.path(), "a.png");
    fs::write(&notes, "# Notes\n").unwrap();
    for more in [&[][..], &["--skip-existing"]] {
        let mut command = segment(&out);
        command.arg(&picture).arg("--manifest").arg(&notes);
        fails(command.args(more), &["notes.md is not a manifest"]);
        assert_eq!(fs::read_to_string(&notes).unwrap(), "# Notes\n");
        assert!(names(&out).is_empty());
    }
}

#[test]
fn only_whole_masks_of_this_program_count_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let mask = out.join("a.png");
    let run = || {
        let mut command = segment(&out);
        command.arg(&picture).arg("--skip-existing");
        command
    };
    fs::create_dir(&out).unwrap();
    // A grey photo, with values that no class has, and labels of a photo of another size.
    for (size, value) in [([60, 40], 200), ([60, 41], 0)] {
        let grey = image::GrayImage::from_pixel(size[0], size[1], image::Luma([value]));
        grey.save(&mask).unwrap();
        let before = fs::read(&mask).unwrap();
        fails(&mut run(), &["a.png", "another program"]);
        assert_eq!(fs::read(&mask).unwrap(), before);
        fs::remove_file(&mask).unwrap();
    }
    run().assert().success();
    let whole = fs::read(&mask).unwrap();
    for cut in [&whole[..0], &whole[..whole.len() - 12]] {
        fs::write(&mask, cut).unwrap();
        run().assert().success();
        assert_eq!(fs::read(&mask).unwrap(), whole);
    }
    let output = run().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("1 of 1 photos is done already"), "{text}");
}

#[test]
fn masks_of_another_photo_are_made_again_and_those_of_other_settings_named() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let run = |model: &Path, more: &[&str]| {
        let mut command = flowseg();
        command.args(["segment", "--device", "cpu", "--steps", "1"]);
        command.args(["--skip-existing", "--model"]).arg(model);
        command.arg("-o").arg(&out).arg(&picture).args(more);
        notes(&mut command)
    };
    let scenes = Path::new("scenes");
    run(scenes, &[]);
    let text = run(scenes, &[]);
    assert!(text.contains("1 of 1 photos is done already"), "{text}");
    assert!(!text.contains("other settings"), "{text}");
    let text = run(scenes, &["--min-area", "5"]);
    assert!(text.contains("(min_area 0 instead of 5)"), "{text}");
    let other = folder.path().join("other.safetensors");
    let mut edit = flowseg();
    edit.args(["models", "--edit", "scenes", "--card"]);
    edit.args([r#"{"sampling_steps": 7}"#, "-o"]).arg(&other);
    edit.assert().success();
    let text = run(&other, &[]);
    let words = "(model \"scenes\" instead of \"other.safetensors\")";
    assert!(text.contains(words), "{text}");
    // Another photo has taken the name.
    image::RgbImage::new(31, 17).save(&picture).unwrap();
    let text = run(scenes, &[]);
    assert!(!text.contains("done already"), "{text}");
    let older = "1 mask is older than its photo: it is made again";
    assert!(text.contains(older), "{text}");
    let size = image::image_dimensions(out.join("a.png")).unwrap();
    assert_eq!(size, (31, 17));
}

#[test]
fn lists_of_classes_of_earlier_versions_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let picture = photo(folder.path(), "a.png");
    let run = || {
        let mut command = segment(&out);
        command.arg(&picture).args(["--format", "yolo"]);
        command
    };
    run().assert().success();
    let yaml = out.join("data.yaml");
    let text = fs::read_to_string(&yaml).unwrap();
    fs::write(&yaml, text.replace("\ntrain:", "\npath: .\ntrain:")).unwrap();
    run().assert().success();
    assert_eq!(fs::read_to_string(&yaml).unwrap(), text);
}

#[test]
fn a_manifest_of_half_a_line_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (out, manifest) = (folder.path().join("out"), folder.path().join("all.jsonl"));
    let picture = photo(folder.path(), "a.png");
    fs::write(&manifest, "{\"error\":null,\"inp").unwrap();
    for _ in 0..2 {
        let mut command = segment(&out);
        command.arg(&picture).arg("--skip-existing");
        command.arg("--manifest").arg(&manifest).assert().success();
        assert_eq!(lines(&manifest).len(), 1);
    }
}

#[test]
fn several_photos_end_with_how_many_masks_there_are_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let photos = tree(folder.path());
    let out = folder.path().join("out");
    let last = |more: &[&str], photos: &Path| {
        let text = notes(segment(&out).args(more).arg(photos));
        text.lines().last().unwrap_or_default().to_owned()
    };
    let all = format!("3 masks in {}", out.display());
    assert_eq!(last(&[], &photos), all);
    let both = ["--format", "index,coco"];
    assert_eq!(last(&both, &photos), format!("{all} (index, coco)"));
    // Not of one photo, nor where there was nothing to do.
    assert!(!last(&[], &photos.join("a.png")).contains("mask in"));
    let done = last(&["--skip-existing"], &photos);
    assert_eq!(done, "3 of 3 photos are done already");
    fs::write(photos.join("cut.png"), "no picture").unwrap();
    let output = segment(&out).arg(&photos).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let end = format!("{all}\nflowseg: 1 of 4 photos got no mask\n");
    assert!(text.ends_with(&end), "{text}");
}

#[test]
fn repeated_photos_are_segmented_once_and_unreadable_ones_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (out, photos) = (folder.path().join("out"), folder.path().join("photos"));
    fs::create_dir(&photos).unwrap();
    let picture = photo(&photos, "a.png");
    for name in ["x.avif", "y.JP2", "notes.txt"] {
        fs::write(photos.join(name), "").unwrap();
    }
    let mut command = segment(&out);
    command.arg("--json").args([&picture, &picture, &photos]);
    let output = command.arg(photos.join("*.png")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let note = "2 files left out: avif and jp2 cannot be read";
    assert!(text.contains(note) && !text.contains("txt"), "{text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    serde_json::from_str::<serde_json::Value>(&lines).unwrap();
    assert_eq!(names(&out), ["a.png"]);
}

#[test]
fn options_that_cannot_be_met_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let picture = photo(folder.path(), "a.png");
    for (arguments, words) in [
        (
            &["--classes", "backgroud"][..],
            &["backgroud", "\"background\""][..],
        ),
        (
            &["--merge", "background,azur smoth box=all"],
            &["azur smoth", "\"azure smooth box\""],
        ),
        (
            &["--merge", "background=azure smooth box,jade ringed ring"],
            &["azure smooth box,jade ringed ring=background"],
        ),
        (&["--manifest", "-"], &["--manifest -", "/dev/stdout"]),
        (&["--format", "cutout"], &["--class"]),
        (&["--class", "background"], &["--format cutout"]),
        (&["--coco", "polygons"], &["--format coco"]),
        (
            &[
                "--format",
                "cutout",
                "--class",
                "background",
                "--classes",
                "jade ringed ring",
            ],
            &["background", "--classes"],
        ),
    ] {
        fails(segment(&out).arg(&picture).args(arguments), words);
        let files = if out.exists() {
            names(&out)
        } else {
            Vec::new()
        };
        assert!(files.is_empty(), "{files:?}");
    }
    fails(
        segment(Path::new("-")).arg(&picture),
        &["- is not a folder", "./-"],
    );
    // A file in place of the folder for binary masks, and a photo in such a folder.
    fs::create_dir_all(out.join("b.binary")).unwrap();
    fs::write(out.join("a.binary"), "").unwrap();
    fails(
        segment(&out).arg(&picture).args(["--format", "binary"]),
        &["a.binary", "a file is where a folder is needed"],
    );
    let inside = photo(&out.join("b.binary"), "b.png");
    fails(
        segment(&out).arg(&inside).args(["--format", "binary"]),
        &["b.binary", "holds inputs"],
    );
    fails(
        segment(&out).arg(&picture).arg("--manifest").arg(&picture),
        &["the manifest", "is the input"],
    );
    for arguments in [
        &["--format", "jpeg"][..],
        &["--coco", "x"],
        &["--merge", "a,b"],
    ] {
        let mut command = segment(&out);
        command.arg(&picture).args(arguments);
        is_wrong_usage(&mut command);
    }
}

#[test]
fn photos_have_one_line_however_their_folder_is_spelled() {
    let folder = tempfile::tempdir().unwrap();
    let photos = tree(folder.path());
    for input in [Path::new("photos"), Path::new("./photos"), &photos] {
        let mut command = segment(Path::new("out"));
        command.current_dir(folder.path()).arg(input);
        command.args(["--skip-existing", "--manifest", "m.jsonl"]);
        command.assert().success();
    }
    assert_eq!(lines(&folder.path().join("m.jsonl")).len(), 3);
}

/// Two runs would each lose what the other records.
#[test]
fn records_that_another_run_writes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (out, manifest) = (folder.path().join("out"), folder.path().join("m.jsonl"));
    let picture = photo(folder.path(), "a.png");
    fs::create_dir(&out).unwrap();
    let run = || {
        let mut command = segment(&out);
        command.arg(&picture).args(["--format", "coco"]);
        command.arg("--manifest").arg(&manifest);
        command
    };
    for path in [&manifest, &out.join("annotations.json")] {
        let claim = flowseg::files::Claim::of(path).unwrap();
        fails(&mut run(), &["another run of FlowSeg"]);
        drop(claim);
        assert!(!manifest.exists() && names(&out).is_empty());
    }
    run().assert().success();
    assert_eq!(names(&out), ["annotations.json"]);
    assert_eq!(names(folder.path()), ["a.png", "m.jsonl", "out"]);
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_read_are_listed_where_the_only_photo_fails() {
    let (photos, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(photos.path().join("b.png"), "no picture").unwrap();
    // Nobody can follow it, not even root.
    std::os::unix::fs::symlink("loop", photos.path().join("loop")).unwrap();
    let words = ["cannot read the folder", "b.png"];
    fails(segment(out.path()).arg(photos.path()), &words);
}
