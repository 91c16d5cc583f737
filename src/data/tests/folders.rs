//! Folders of Labelme and YOLO as people and other programs arrange them.

use serde_json::json;

use super::coco::write_json;
use super::shapes::{HALF, OUTLINES, labelme, shape};
use super::*;

/// A photo of YOLO of 4x2 pixels with the text of its label file.
fn save_outlines(photo: &Path, labels: &Path, text: &str) {
    save_photo(photo, 4, 2);
    fs::create_dir_all(labels.parent().unwrap()).unwrap();
    fs::write(labels, text).unwrap();
}

/// A photo of Labelme of 6x4 pixels with its file beside it.
fn save_labelme(photo: &Path) {
    save_photo(photo, 6, 4);
    let shapes = [shape("cat", "polygon", json!([[0, 0], [6, 0], [6, 4]]))];
    let name = photo.file_name().unwrap().to_str().unwrap();
    write_json(&photo.with_extension("json"), &labelme(name, &shapes));
}

#[test]
fn absolute_paths_of_yolo_are_those_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for split in ["train", "val"] {
        let photo = at(&format!("images/{split}/a.jpg"));
        save_outlines(&photo, &at(&format!("labels/{split}/a.txt")), OUTLINES);
    }
    let own = dir.path().to_string_lossy().into_owned();
    for base in [own.as_str(), "/home/other/ds", "D:\\ds"] {
        let lines = [
            format!("path: '{base}'"),
            format!("train: '{base}/images/train'"),
            format!("val: '{base}/val.txt'"),
            "names: [a, b]\n".to_owned(),
        ];
        fs::write(at("data.yaml"), lines.join("\n")).unwrap();
        fs::write(at("val.txt"), format!("{base}/images/val/a.jpg\n")).unwrap();
        for split in ["training", "validation"] {
            let data = Dataset::open(dir.path(), split).unwrap();
            assert_eq!(
                (data.len(), data.load(0).unwrap().labels.data),
                (1, HALF.to_vec())
            );
        }
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        assert!(report.problems().is_empty(), "{:?}", report.problems());
    }
}

#[test]
fn splits_that_a_description_names_in_vain_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_outlines(
        &at("images/train/a.jpg"),
        &at("labels/train/a.txt"),
        OUTLINES,
    );
    let yaml = "train: images/train\nval: images/hold-out\ntest: images/test\nnames: [a, b]\n";
    fs::write(at("data.yaml"), yaml).unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    let words = "val names \"images/hold-out\", which is not beside this file";
    says(&report.problems()[0], &["data.yaml", words]);
    says(&report.notes().join("\n"), &["test names \"images/test\""]);
    let outside = yaml.replace("val: images/hold-out", "valid: ../../hold-out");
    fs::write(at("data.yaml"), outside).unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    let leads_out = "valid names \"../../hold-out\", which leads out of the folder";
    says(&report.problems()[0], &["data.yaml", leads_out]);
    fs::write(at("data.yaml"), yaml).unwrap();
    let error = message(Dataset::open(dir.path(), "validation"));
    says(&error, &["it has training; ", words]);
    // A split of another machine that was not copied does not keep the others from being read.
    fs::write(
        at("data.yaml"),
        yaml.replace("images/test", "/ds/images/test"),
    )
    .unwrap();
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 1);
}

#[test]
fn empty_label_files_and_marks_do_not_hide_outlines() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let marked = format!("\u{feff}{OUTLINES}");
    save_outlines(&at("images/z.jpg"), &at("labels/z.txt"), &marked);
    for number in 0..20 {
        fs::write(at(&format!("labels/{number}.txt")), "\n").unwrap();
    }
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
    let data = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(
        (data.len(), data.load(0).unwrap().labels.data),
        (1, HALF.to_vec())
    );
}

#[test]
fn label_files_of_yolo_in_capitals_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_outlines(&at("images/a.jpg"), &at("labels/a.TXT"), OUTLINES);
    fs::write(at("data.yaml"), "train: images\nnames: [a, b]\n").unwrap();
    let data = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(data.load(0).unwrap().labels.data, HALF);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    // A suffix of label files has no effect on outlines.
    fs::rename(at("labels/a.TXT"), at("labels/a_mask.txt")).unwrap();
    let error = message(Dataset::open(dir.path(), "training"));
    assert!(!error.contains("label_suffix"), "{error}");
}

#[test]
fn the_photo_that_uses_a_label_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_outlines(&at("images/a.jpg"), &at("labels/a.txt"), OUTLINES);
    save_photo(&at("images/a.png"), 4, 2);
    fs::write(at("data.yaml"), "train: images\nnames: [a, b]\n").unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    says(
        &report.problems()[0],
        &["a.png is left out, because", "a.jpg has the same name"],
    );
}

#[test]
fn folders_of_labelme_are_splits_by_their_whole_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for folder in ["Val Gardena", "crash test 3", "site A"] {
        save_labelme(&at(folder).join("a.png"));
    }
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 3);
    save_labelme(&at("val_2/b.png"));
    save_labelme(&at("val_img/c.png"));
    // What lies in a split belongs to it.
    save_labelme(&at("val_2/test-night/d.png"));
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 3);
    assert_eq!(Dataset::open(dir.path(), "validation").unwrap().len(), 3);
    let notes = inspect(dir.path(), &|_, _| {}).unwrap().notes().join("\n");
    let hints = [
        "Val Gardena holds 1 JSON file, but is not taken for the validation split",
        "crash test 3 holds 1 JSON file, but is not taken for the test split",
    ];
    says(&notes, &hints);
    assert!(!notes.contains("night"), "{notes}");
}

#[test]
fn folders_of_yolo_are_splits_by_their_whole_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let save = |folder: &str, name: &str| {
        let photo = at(&format!("images/{folder}/{name}.jpg"));
        save_outlines(
            &photo,
            &at(&format!("labels/{folder}/{name}.txt")),
            OUTLINES,
        );
    };
    let len = |split: &str| Dataset::open(dir.path(), split).map(|data| data.len());
    save("crash test 3", "a");
    save("site A", "b");
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
    assert_eq!(len("training").unwrap(), 2);
    assert!(len("test").is_err());
    let hint = "crash test 3 holds 1 photo, but is not taken for the test split";
    let notes = || inspect(dir.path(), &|_, _| {}).unwrap().notes().join("\n");
    says(&notes(), &[hint]);
    // Beside splits, only they are read.
    save("train", "c");
    save("train night", "d");
    save("val_img", "e");
    assert_eq!(
        (len("training").unwrap(), len("validation").unwrap()),
        (2, 1)
    );
    says(&notes(), &[hint]);
}

#[test]
fn labelme_is_found_in_deeper_folders() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_labelme(&at("images/train/a.png"));
    save_labelme(&at("images/val/b.png"));
    assert_eq!(detect(dir.path()).unwrap(), Layout::Labelme);
    for split in ["training", "validation"] {
        assert_eq!(Dataset::open(dir.path(), split).unwrap().len(), 1);
    }
    // Masks that were drawn from such files come first.
    save_labels(&at("masks/train/a.png"), [6, 4], &[0; 24]);
    fs::write(at("classes.txt"), "background\ncat\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
}

#[test]
fn absolute_paths_of_labelme_are_those_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for photo in ["first/a.png", "second/a.png"] {
        save_photo(&at(photo), 6, 4);
    }
    let named = at("second/a.png").to_string_lossy().into_owned();
    let shapes = [shape("cat", "polygon", json!([[0, 0], [6, 0], [6, 4]]))];
    write_json(&at("json/x.json"), &labelme(&named, &shapes));
    let data = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(data.image_path(0).unwrap(), at("second/a.png"));
    data.load(0).unwrap();
}

#[test]
fn files_of_labelme_may_be_in_a_folder_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let all = json!([[0, 0], [6, 0], [6, 4], [0, 4]]);
    let shapes = [shape("cat", "polygon", all)];
    let save = |json: &str, named: &str| write_json(&at(json), &labelme(named, &shapes));
    for photo in ["images/a.png", "images/b.png", "images/c.png", "more/c.png"] {
        save_photo(&at(photo), 6, 4);
    }
    save("labels/a.json", "a.png");
    save("labels/b.json", "C:\\other name.jpg");
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(names, ["images-a", "images-b"]);
    assert_eq!(dataset.load(1).unwrap().labels.data, [1; 24]);
    // One of two photos of that name, and a photo that has a file of its own.
    save("labels/c.json", "c.png");
    save_photo(&at("more/d.png"), 6, 4);
    save("more/d.json", "d.png");
    save("labels/d.json", "d.png");
    // A mask, and a photo of another split.
    save_photo(&at("masks/e.png"), 6, 4);
    save("labels/e.json", "e.png");
    save_photo(&at("val/f.png"), 6, 4);
    save("labels/f.json", "f.png");
    let problems = inspect(dir.path(), &|_, _| {}).unwrap();
    let problems = problems.problems().join("\n");
    for json in ["c", "d", "e", "f"] {
        let line = format!("labels/{json}.json: its photo \"{json}.png\" is missing");
        says(&problems, &[&line]);
    }
}
