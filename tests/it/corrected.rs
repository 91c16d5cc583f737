//! Masks and labels that a person has corrected: they are kept, and the photo's other files show them.

use crate::batches::{json, lines, segment};
use crate::common;

use common::{fails, notes, photo};
use flowseg::data::{Corrected, save_corrected};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Saves a mask of 60 x 40 pixels of one class as another program does.
fn correct(mask: &Path, class: u8) {
    let grey = image::GrayImage::from_pixel(60, 40, image::Luma([class]));
    grey.save(mask).unwrap();
}

/// Makes a file older than any other.
fn make_old(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn labels_that_were_corrected_elsewhere_are_done_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (out, photos) = (folder.path().join("out"), folder.path().join("photos"));
    fs::create_dir(&photos).unwrap();
    photo(&photos, "a.png");
    let run = |more: &[&str]| {
        let mut command = segment(&out);
        command
            .arg(&photos)
            .args(["--format", "index,labelme,yolo"]);
        command.args(more);
        command
    };
    run(&[]).assert().success();
    let labelme = out.join("a.json");
    let saved = serde_json::to_vec_pretty(&json(&labelme)).unwrap();
    fs::write(&labelme, &saved).unwrap();
    let yolo = out.join("a.txt");
    let boxes = "0 0.5 0.5 0.25 0.25\n";
    fs::write(&yolo, boxes).unwrap();
    let mask = out.join("a.png");
    image::GrayImage::new(60, 40).save(&mask).unwrap();
    let corrected = fs::read(&mask).unwrap();
    // A photo is added.
    photo(&photos, "b.png");
    fails(&mut run(&[]), &["another program"]);
    let text = notes(&mut run(&["--skip-existing"]));
    for words in ["kept 3 corrected files", "1 of 2 photos is done already"] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(fs::read(&mask).unwrap(), corrected);
    assert!(
        ["b.png", "b.json", "b.txt"]
            .iter()
            .all(|name| out.join(name).is_file())
    );
    // Another file of the photo is missing.
    fs::remove_file(&mask).unwrap();
    run(&["--skip-existing"]).assert().success();
    assert!(mask.is_file());
    assert_eq!(fs::read(&labelme).unwrap(), saved);
    assert_eq!(fs::read_to_string(&yolo).unwrap(), boxes);
    // Not labels.
    fs::write(&labelme, "{\"camera\": 1}").unwrap();
    fails(
        &mut run(&["--skip-existing"]),
        &["a.json is saved by another program"],
    );
}

/// By programs that write as this one does, such as an editor of texts.
#[test]
fn labels_that_were_corrected_in_place_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let run = |more: &[&str]| {
        let mut command = segment(&out);
        command.args(["--format", "labelme,yolo"]).args(more);
        command.arg(&picture);
        command
    };
    run(&[]).assert().success();
    // It replaces its own.
    run(&[]).assert().success();
    let [labelme, yolo] = ["a.json", "a.txt"].map(|name| out.join(name));
    let text = fs::read_to_string(&yolo).unwrap();
    let (class, shares) = text.split_once(' ').unwrap();
    let class = if class == "1" { 2 } else { 1 };
    let corrected_yolo = format!("{class} {shares}");
    let mut polygons = json(&labelme);
    polygons["shapes"][0]["label"] = "corrected".into();
    let corrected_labelme = polygons.to_string();
    for (path, corrected, format) in [
        (&yolo, &corrected_yolo, "yolo"),
        (&labelme, &corrected_labelme, "labelme"),
    ] {
        fs::write(path, corrected).unwrap();
        let mut only = segment(&out);
        only.args(["--format", format]).arg(&picture);
        fails(&mut only, &["another program"]);
    }
    let text = notes(&mut run(&["--skip-existing"]));
    assert!(text.contains("kept 2 corrected files"), "{text}");
    assert_eq!(fs::read_to_string(&yolo).unwrap(), corrected_yolo);
    assert_eq!(fs::read_to_string(&labelme).unwrap(), corrected_labelme);
}

#[test]
fn a_corrected_mask_is_that_of_the_other_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let manifest = folder.path().join("m.jsonl");
    let run = |formats: &str, more: &[&Path]| {
        let mut command = segment(&out);
        command.args(["--format", formats, "--skip-existing"]);
        notes(command.args(more).arg(&picture))
    };
    let first = || {
        let manifest = [Path::new("--manifest"), &manifest];
        run("index,npy,coco", &manifest)
    };
    first();
    // Corrected into one class, after the others were written.
    let mask = out.join("a.png");
    correct(&mask, 1);
    let array = out.join("a.npy");
    make_old(&array);
    assert!(!first().contains("done already"));
    let labels = fs::read(&array).unwrap();
    assert!(
        labels[labels.len() - 60 * 40..]
            .iter()
            .all(|&label| label == 1)
    );
    let table = out.join("annotations.json");
    let categories = || {
        let annotations = json(&table)["annotations"].take();
        let annotations = annotations.as_array().unwrap().iter();
        let categories = annotations.map(|one| one["category_id"].as_u64().unwrap());
        categories.collect::<Vec<u64>>()
    };
    assert_eq!(categories(), [2]);
    let all = lines(&manifest);
    assert_eq!((all.len(), &all[0]["corrected"]), (1, &true.into()));
    let shares = all[0]["shares"].as_object().unwrap();
    assert!(shares.values().any(|share| *share == 1.0));
    let done = "1 of 1 photos is done already";
    let text = first();
    assert!(text.contains(done), "{text}");
    // Only the table is older.
    correct(&mask, 2);
    make_old(&table);
    assert!(!run("index,coco", &[]).contains(done));
    assert_eq!(categories(), [3]);
    let text = run("index,coco", &[]);
    assert!(text.contains(done), "{text}");
}

#[test]
fn a_corrected_mask_is_in_the_manifest_although_another_run_wrote_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let manifest = folder.path().join("m.jsonl");
    let [one, other] = ["a.png", "b.png"].map(|name| photo(folder.path(), name));
    let run = |photo: &Path| {
        let mut command = segment(&out);
        command.arg("--skip-existing").arg(photo);
        notes(command.arg("--manifest").arg(&manifest))
    };
    run(&one);
    correct(&out.join("a.png"), 1);
    run(&other);
    run(&one);
    let all = lines(&manifest);
    assert_eq!(all.len(), 2);
    for line in &all {
        let is_corrected = line["input"].as_str().unwrap().ends_with("a.png");
        assert_eq!(line["corrected"] == true, is_corrected, "{line}");
    }
    let done = "1 of 1 photos is done already";
    let text = run(&one);
    assert!(text.contains(done), "{text}");
    // The same for the next correction.
    correct(&out.join("a.png"), 2);
    fs::remove_file(out.join("b.png")).unwrap();
    run(&other);
    let text = run(&one);
    assert!(!text.contains(done), "{text}");
}

#[test]
fn a_corrected_mask_is_in_the_annotations_although_another_run_wrote_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let [one, other] = ["a.png", "b.png"].map(|name| photo(folder.path(), name));
    let run = |photo: &Path| {
        let mut command = segment(&out);
        command.args(["--format", "index,coco", "--skip-existing"]);
        notes(command.arg(photo))
    };
    let categories = || {
        let table = json(&out.join("annotations.json"));
        let mut images = table["images"].as_array().unwrap().iter();
        let image = images.find(|image| image["file_name"].as_str().unwrap().ends_with("a.png"));
        let id = &image.unwrap()["id"];
        let annotations = table["annotations"].as_array().unwrap().iter();
        let own = annotations.filter(|annotation| annotation["image_id"] == *id);
        own.map(|annotation| annotation["category_id"].as_u64().unwrap())
            .collect::<Vec<u64>>()
    };
    run(&one);
    for class in [1, 2] {
        correct(&out.join("a.png"), class);
        run(&other);
        run(&one);
        assert_eq!(categories(), [u64::from(class) + 1]);
        // The next run writes to the file again.
        fs::remove_file(out.join("b.png")).unwrap();
    }
    let text = run(&one);
    assert!(text.contains("1 of 1 photos is done already"), "{text}");
}

#[test]
fn corrections_of_the_window_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let classes = ["a", "b"].map(str::to_owned);
    let corrected = Corrected {
        name: "x",
        file: None,
        photo: &image::RgbImage::new(60, 40),
        labels: &[1; 60 * 40],
        classes: &classes,
    };
    let saved = save_corrected(&folder.path().join("corrections"), &corrected).unwrap();
    let before = fs::read(&saved.labels).unwrap();
    let (images, out) = (
        saved.image.parent().unwrap(),
        saved.labels.parent().unwrap(),
    );
    let words = ["x.png is a mask that was corrected by hand"];
    fails(segment(out).arg(images), &words);
    let text = notes(segment(out).arg("--skip-existing").arg(images));
    assert!(text.contains("kept 1 corrected file\n"), "{text}");
    assert_eq!(fs::read(&saved.labels).unwrap(), before);
}

/// A run without the manifest has made the mask again.
#[test]
fn masks_know_better_than_the_manifest_what_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let (out, picture) = (folder.path().join("out"), photo(folder.path(), "a.png"));
    let manifest = folder.path().join("m.jsonl");
    let run = |with_manifest: bool, more: &[&str]| {
        let mut command = segment(&out);
        command.arg(&picture).args(more);
        if with_manifest {
            command.arg("--manifest").arg(&manifest);
        }
        notes(&mut command)
    };
    run(true, &[]);
    run(false, &["--min-area", "5"]);
    let text = run(true, &["--min-area", "5", "--skip-existing"]);
    assert!(text.contains("1 of 1 photos is done already"), "{text}");
    assert!(!text.contains("other settings"), "{text}");
}
