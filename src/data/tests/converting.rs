//! Converting any layout to the plain one.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::coco::{rectangle, write_json};
use super::*;

/// Two photos of the same name in two folders, with one shape each, and a third with a faulty
/// annotation.
fn outlines() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let value = json!({
        "images": [
            {"id": 1, "file_name": "x/p.png", "width": 6, "height": 4},
            {"id": 2, "file_name": "x-p.bmp", "width": 6, "height": 4},
            {"id": 3, "file_name": "q.png", "width": 6, "height": 4}
        ],
        "annotations": [
            {"image_id": 1, "category_id": 5, "segmentation": rectangle(0.0, 0.0, 2.0, 4.0)},
            {"image_id": 2, "category_id": 5, "segmentation": rectangle(4.0, 0.0, 6.0, 4.0)},
            {"image_id": 3, "category_id": 6, "segmentation": rectangle(0.0, 0.0, 2.0, 4.0)}
        ],
        "categories": [{"id": 5, "name": "\u{8eca} \"x\""}]
    });
    write_json(&dir.path().join("annotations.json"), &value);
    for name in ["x/p.png", "x-p.bmp", "q.png"] {
        save_photo(&dir.path().join(name), 6, 4);
    }
    dir
}

fn converted(dir: &Path, out: &Path) -> Result<Converted, DataError> {
    convert(dir, out, &|done, all| assert!(done <= all))
}

/// Every file below a folder with its content and modification time.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut files: Vec<_> = walkdir::WalkDir::new(dir)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .map(|path| {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            (path.clone(), fs::read(path).unwrap(), time)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_converted_data_set_is_the_same_data_set() {
    let (dir, parent) = (outlines(), tempfile::tempdir().unwrap());
    let out = parent.path().join("new/plain");
    let before = contents(dir.path());
    let first = converted(dir.path(), &out).unwrap();
    assert_eq!((first.written, first.kept, first.bad.len()), (2, 0, 1));
    says(&first.bad[0], &["annotations.json", "category 6"]);
    assert_eq!(contents(dir.path()), before);
    assert_eq!(detect(&out).unwrap(), Layout::Plain);
    let (old, new) = (dir.path(), out.as_path());
    let [old, new] = [old, new].map(|dir| Dataset::open(dir, "training").unwrap());
    assert_eq!(old.classes(), new.classes());
    assert_eq!((old.len(), new.len()), (3, 2));
    let find = |name: &str| (0..3).find(|i| old.sample_name(*i) == name).unwrap();
    for i in 0..new.len() {
        let (a, b) = (
            old.load(find(&new.sample_name(i))).unwrap(),
            new.load(i).unwrap(),
        );
        assert_eq!((a.image, a.labels), (b.image, b.labels));
    }
    // A second conversion touches nothing.
    let written = contents(&out);
    let again = converted(dir.path(), &out).unwrap();
    assert_eq!((again.written, again.kept), (0, 2));
    assert_eq!(contents(&out), written);
    // A resumed conversion creates whichever file is missing.
    let files = written.iter().map(|(path, ..)| path);
    for path in files.filter(|path| !path.ends_with("classes.txt")) {
        fs::remove_file(path).unwrap();
        let rest = converted(dir.path(), &out).unwrap();
        assert_eq!((rest.written, rest.kept), (1, 1), "{}", path.display());
    }
    let names = |files: &[(PathBuf, Vec<u8>, SystemTime)]| -> Vec<(PathBuf, Vec<u8>)> {
        files
            .iter()
            .map(|(path, bytes, _)| (path.clone(), bytes.clone()))
            .collect()
    };
    assert_eq!(names(&contents(&out)), names(&written));
}

#[test]
fn nothing_that_is_there_is_replaced() {
    let (dir, parent) = (outlines(), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    says(
        &message(converted(dir.path(), &dir.path().join("x/plain"))),
        &["inside the data set"],
    );
    says(
        &message(converted(dir.path(), dir.path())),
        &["inside the data set"],
    );
    fs::create_dir_all(out.join("images/training")).unwrap();
    let other = out.join("images/training/x-p.png");
    fs::write(&other, "another photo").unwrap();
    says(
        &message(converted(dir.path(), &out)),
        &["x-p.png", "not replaced"],
    );
    assert_eq!(fs::read(&other).unwrap(), b"another photo");
    fs::remove_file(&other).unwrap();
    converted(dir.path(), &out).unwrap();
    // Labels of other annotations.
    let json = dir.path().join("annotations.json");
    let text = fs::read_to_string(&json).unwrap().replace("2.0", "3.0");
    fs::write(&json, text).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(&json)
        .unwrap()
        .set_modified(later)
        .unwrap();
    says(
        &message(converted(dir.path(), &out)),
        &["x-p.png", "not replaced"],
    );
    // Other classes.
    let text = fs::read_to_string(&json)
        .unwrap()
        .replace("\u{8eca}", "boat");
    fs::write(&json, text).unwrap();
    says(
        &message(converted(dir.path(), &out)),
        &["classes.txt", "other classes"],
    );
}

#[test]
fn labels_that_were_corrected_by_hand_keep_the_mark() {
    let (dir, parent) = (plain(2), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    let labels = |root: &Path, i: usize| root.join(format!("annotations/training/p{i:02}.png"));
    let corrected = labels(dir.path(), 1);
    write_mask(&corrected, [4, 2], &[1; 8], 3, Origin::ByHand).unwrap();
    assert_eq!(converted(dir.path(), &out).unwrap().written, 4);
    let is_marked = |i| crate::own_png::is_by_hand(&labels(&out, i));
    assert_eq!([0, 1].map(is_marked), [false, true]);
}

#[test]
fn files_left_from_other_splits_are_an_error() {
    let (dir, parent) = (plain(6), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    assert_eq!(converted(dir.path(), &out).unwrap().written, 12);
    let written = contents(&out);
    for folder in ["images", "annotations"] {
        let at = |name: &str| dir.path().join(folder).join(name);
        // One photo moves to the other split, and one is removed.
        fs::rename(at("training/p05.png"), at("validation/q.png")).unwrap();
        fs::remove_file(at("validation/p00.png")).unwrap();
    }
    let error = message(converted(dir.path(), &out));
    says(&error, &["plain", "training", "p05.png", "p00.png"]);
    says(&error, &["and 1 more are left from an earlier conversion"]);
    says(&error, &["remove them", "new folder"]);
    assert_eq!(contents(&out), written);
    for folder in ["images", "annotations"] {
        let at = |name: &str| out.join(folder).join(name);
        fs::remove_file(at("training/p05.png")).unwrap();
        fs::remove_file(at("validation/p00.png")).unwrap();
    }
    let again = converted(dir.path(), &out).unwrap();
    assert_eq!(again.written + again.kept, 11);
    assert!(out.join("images/validation/q.png").exists());
    // The old copy of a photo that can no longer be read.
    fs::write(dir.path().join("images/validation/q.png"), "rubbish").unwrap();
    let again = converted(dir.path(), &out).unwrap();
    assert_eq!(again.bad.len(), 1, "{:?}", again.bad);
    says(&again.bad[0], &["images/validation/q.png and "]);
    says(&again.bad[0], &["annotations/validation/q.png are left"]);
    fs::remove_file(out.join("images/validation/q.png")).unwrap();
    let again = converted(dir.path(), &out).unwrap();
    says(
        &again.bad[0],
        &["annotations/validation/q.png is left from an earlier conversion: remove it"],
    );
}

#[test]
fn what_cannot_be_converted_says_why() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("plain");
    says(
        &message(converted(Path::new("scenes:3"), &out)),
        &["scenes:3", "no files"],
    );
    // Names that classes.txt cannot hold.
    let dir = outlines();
    let json = dir.path().join("annotations.json");
    let text = fs::read_to_string(&json)
        .unwrap()
        .replace("\u{8eca} \\\"x\\\"", "#1");
    fs::write(&json, text).unwrap();
    says(
        &message(converted(dir.path(), &out)),
        &["classes.txt", "comment", "[map]"],
    );
    assert!(!out.join("classes.txt").exists());
}

#[test]
fn splits_get_the_names_that_are_read_again() {
    let parent = tempfile::tempdir().unwrap();
    let described = |split: &str| {
        let dir = tempfile::tempdir().unwrap();
        save_photo(&dir.path().join("images/a.png"), 6, 4);
        save_labels(&dir.path().join("labels/a.png"), [6, 4], &[0; 24]);
        let text = format!(
            "classes = [\"a\"]\n[splits.{split}]\nimages = \"images\"\nlabels = \"labels\"\n"
        );
        fs::write(dir.path().join("dataset.toml"), text).unwrap();
        dir
    };
    let out = parent.path().join("plain");
    let error = message(converted(described("all").path(), &out));
    says(&error, &["\"all\"", "training, validation, test"]);
    assert!(!out.exists());
    converted(described("train").path(), &out).unwrap();
    assert_eq!(Dataset::open(&out, "training").unwrap().len(), 1);
}

#[test]
fn splits_without_a_pair_get_no_folders() {
    let (dir, parent) = (plain(1), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    for folder in ["images", "annotations"] {
        let file = dir.path().join(folder).join("validation/p00.png");
        fs::remove_file(file).unwrap();
    }
    converted(dir.path(), &out).unwrap();
    assert!(!out.join("images/validation").exists());
    let report = inspect(&out, &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
}

#[test]
fn names_with_odd_blanks_can_be_converted_again() {
    let (dir, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    let at = |path: &str| dir.path().join(path);
    save_pair(&at("images/a.png"), &at("labels/a.png"), [0; 8]);
    let toml = "classes = [\"traffic  light\", \" car\"]\n\
                [splits.train]\nimages = \"images\"\nlabels = \"labels\"\n";
    fs::write(at("dataset.toml"), toml).unwrap();
    converted(dir.path(), &out).unwrap();
    let again = converted(dir.path(), &out).unwrap();
    assert_eq!(again.written + again.kept, 1);
    let names = Dataset::open(&out, "training")
        .unwrap()
        .classes()
        .names
        .clone();
    assert_eq!(names, ["traffic light", "car"]);
}

#[test]
fn turned_photos_keep_their_labels() {
    let (dir, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = parent.path().join("plain");
    fs::create_dir_all(dir.path().join("images")).unwrap();
    fs::create_dir_all(dir.path().join("labels")).unwrap();
    fs::write(dir.path().join("images/a.png"), super::photos::turned(4, 2)).unwrap();
    fs::write(dir.path().join("labels/a.txt"), "0 0 0 1 0 1 0.5 0 0.5\n").unwrap();
    converted(dir.path(), &out).unwrap();
    let [old, new] =
        [dir.path(), &out].map(|dir| Dataset::open(dir, "training").unwrap().load(0).unwrap());
    assert_eq!((new.labels.width, new.labels.height), (2, 4));
    assert_eq!((old.image, old.labels), (new.image, new.labels));
}
