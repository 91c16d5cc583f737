//! The names of splits.

use super::coco_files::list;
use super::shapes::{HALF, OUTLINES, labelme, shape};
use super::split_name::{SPELLINGS, SPLITS};
use super::*;
use serde_json::json;

/// Makes a data set in a folder with a split of this name.
type Make = fn(&Path, &str);

/// The forms of data sets whose splits have names.
fn forms() -> [(&'static str, Make); 6] {
    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fn yolo(dir: &Path, folder: &str) {
        save_photo(&dir.join(format!("images/{folder}/a.jpg")), 4, 2);
        write(&dir.join(format!("labels/{folder}/a.txt")), OUTLINES);
    }
    [
        ("plain", |dir, word| {
            write(&dir.join("classes.txt"), "a\nb\nc\n");
            let [image, labels] =
                ["images", "annotations"].map(|parent| dir.join(parent).join(word).join("a.png"));
            save_pair(&image, &labels, [0, 1, 2, 0, 1, 2, 0, 1]);
        }),
        ("dataset.toml", |dir, word| {
            let [image, labels] = ["photos", "masks"].map(|parent| dir.join(parent).join("a.png"));
            save_pair(&image, &labels, [0, 1, 2, 0, 1, 2, 0, 1]);
            let split = format!("[splits.{word}]\nimages = 'photos'\nlabels = 'masks'\n");
            let classes = "classes = ['a', 'b', 'c']\n";
            write(&dir.join("dataset.toml"), &format!("{classes}{split}"));
        }),
        ("COCO", |dir, word| {
            save_photo(&dir.join(word).join("a.png"), 6, 4);
            list(&dir.join(word).join("_annotations.coco.json"), &["a.png"]);
        }),
        ("Labelme", |dir, word| {
            save_photo(&dir.join(word).join("a.png"), 6, 4);
            let shapes = [shape("cat", "polygon", json!([[0, 0], [3, 0], [3, 4]]))];
            let json = dir.join(word).join("a.json");
            write(&json, &labelme("a.png", &shapes).to_string());
        }),
        ("YOLO", yolo),
        ("a description of YOLO", |dir, word| {
            yolo(dir, "some");
            let text = format!("{word}: images/some\nnames: [road, car]\n");
            write(&dir.join("data.yaml"), &text);
        }),
    ]
}

#[test]
fn every_reader_accepts_every_name_of_a_split() {
    for (split, words) in SPLITS.into_iter().zip(SPELLINGS) {
        for word in words {
            for (form, make) in forms() {
                let dir = tempfile::tempdir().unwrap();
                make(dir.path(), word);
                let dataset = Dataset::open(dir.path(), split)
                    .unwrap_or_else(|error| panic!("{form}, {word}: {error}"));
                assert_eq!(dataset.len(), 1, "{form}, {word}");
            }
        }
    }
}

#[test]
fn descriptions_of_yolo_name_the_classes_of_any_split_in_any_letter_case() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/val/a.jpg"), 4, 2);
    fs::create_dir_all(at("labels/val")).unwrap();
    fs::write(at("labels/val/a.txt"), OUTLINES).unwrap();
    fs::write(at("Validation.txt"), "data/images/val/a.jpg\n").unwrap();
    for text in [
        "path: .\nval: images/val\nnames: [road, car]\n",
        // As CVAT writes it.
        "Validation: Validation.txt\nnames:\n  0: road\n  1: car\npath: .\n",
    ] {
        fs::write(at("data.yaml"), text).unwrap();
        let dataset = Dataset::open(dir.path(), "validation").unwrap();
        let names = ["background", "road", "car"];
        assert_eq!(dataset.classes().names, names, "{text}");
        assert_eq!(dataset.load(0).unwrap().labels.data, HALF, "{text}");
        let missing = message(Dataset::open(dir.path(), "training"));
        says(&missing, &["it has validation"]);
    }
    // The key is named as it stands in the file.
    fs::write(at("data.yaml"), "Train: gone\nnames: [road, car]\n").unwrap();
    let error = message(Dataset::open(dir.path(), "training"));
    says(&error, &["data.yaml", "Train names \"gone\""]);
}
