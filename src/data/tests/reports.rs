//! Reports on the contents and problems of data folders.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[test]
fn a_sound_folder_has_no_problems() {
    let dir = plain(4);
    let calls = AtomicUsize::new(0);
    let report = inspect(dir.path(), &|done, total| {
        assert!((1..=8).contains(&done) && total == 8);
        calls.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(calls.into_inner(), 8);
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    let training = &report.splits[0];
    assert_eq!((training.name.as_str(), training.pairs), ("training", 4));
    // Every file has 1 ignored pixel of 8, and one pixel that cycles through the classes.
    assert_eq!(training.class_pixels, [10, 9, 9]);
    assert!((training.ignored_share - 0.125).abs() < 1e-12);
    assert_eq!(training.sizes, Some([[2, 4], [2, 4]]));
    let shares = report.class_shares();
    assert_eq!((shares[0].name.as_str(), shares[0].pixels), ("a", 20));
    assert_eq!(training.class_pairs, [4, 4, 4]);
    assert_eq!(shares[2].pairs, 8);
    assert!((shares.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-12);
    let table = report.to_string();
    says(
        &table,
        &[
            "plain layout, 3 classes",
            "validation",
            "12.50%",
            "4x2",
            "no problems found",
        ],
    );
}

#[test]
fn every_problem_names_its_file() {
    let dir = plain(6);
    let at = |path: &str| dir.path().join(path);
    fs::remove_file(at("annotations/training/p00.png")).unwrap();
    fs::remove_file(at("images/training/p01.png")).unwrap();
    fs::write(at("images/training/p02.png"), "rubbish").unwrap();
    save_labels(&at("annotations/training/p03.png"), [2, 4], &[0; 8]);
    save_labels(&at("annotations/training/p04.png"), [4, 2], &[7; 8]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    let s = &report.splits[0];
    assert_eq!((s.pairs, s.missing_labels, s.missing_photos), (4, 1, 1));
    assert_eq!(
        (s.unreadable, s.size_mismatches, s.unknown_labels),
        (1, 1, 1)
    );
    assert_eq!(report.problems().len(), 5);
    let all = report.problems().join("\n");
    for file in [
        "p00.png has no labels",
        "p01.png has no photo",
        "p02.png is not an image",
        "p03.png are 2x4",
        "p04.png holds the label 7",
    ] {
        says(&all, &[file]);
    }
    says(&report.to_string(), &["5 problems:", "p04.png"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["splits"][0]["unreadable"], 1);
    assert_eq!(json["problems"].as_array().unwrap().len(), 5);
}

#[test]
fn a_test_split_may_have_no_labels() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    save_pair(
        &at("images/test/p.png"),
        &at("annotations/test/p.png"),
        [255; 8],
    );
    let words = ["test split has no labelled pixel"];
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(&report.notes().join("\n"), &words);
    save_labels(&at("annotations/training/p00.png"), [4, 2], &[255; 8]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1);
    says(&report.problems()[0], &["training split has no labelled"]);
}

#[test]
fn empty_folders_and_scenes() {
    let dir = plain(0);
    for name in ["images/training", "annotations/training"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    says(
        &message(inspect(dir.path(), &|_, _| {})),
        &["is empty", "images/training"],
    );
    let report = inspect(Path::new("scenes:4@16x16"), &|_, _| {}).unwrap();
    assert_eq!((report.splits[0].pairs, report.splits[1].pairs), (512, 64));
    assert!(report.problems().is_empty());
}

#[test]
fn shared_samples_are_sound() {
    for (name, pairs) in [("ade20k-samples", [6, 9]), ("coco-stuff-samples", [13, 8])] {
        let report = inspect(&shared(name), &|_, _| {}).unwrap();
        assert!(report.problems().is_empty(), "{:?}", report.problems());
        assert_eq!([report.splits[0].pairs, report.splits[1].pairs], pairs);
    }
}

#[test]
fn endings_that_are_not_expected_are_named() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/training/q.jpg"), 4, 2);
    fs::write(at("annotations/training/q.bmp"), "x").unwrap();
    fs::write(at("images/training/r.avif"), "x").unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems()[0],
        &["q.jpg has no labels", "q.bmp is there", "PNG"],
    );
    says(
        &report.notes().join("\n"),
        &["1 .avif file", "not taken for photos"],
    );
    // Without any pair, the error itself says what the folder holds.
    fs::remove_file(at("annotations/training/p00.png")).unwrap();
    let opened = message(Dataset::open(dir.path(), "training"));
    says(&opened, &["is empty", "1 .bmp file", "NAME.png"]);
    for photo in ["q.jpg", "p00.png"] {
        fs::remove_file(at("images/training").join(photo)).unwrap();
    }
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["1 .avif file"],
    );
}

#[test]
fn labels_that_count_from_one_are_suspected() {
    let dir = plain(2);
    let labels = |i: usize| dir.path().join(format!("annotations/training/p{i:02}.png"));
    save_labels(&labels(0), [4, 2], &[0, 1, 2, 3, 0, 0, 0, 0]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems()[0],
        &["label 3", "3 classes", "offset = 1", "ignore = [0]"],
    );
    // A value far outside the table has another cause.
    save_labels(&labels(0), [4, 2], &[9; 8]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(
        !report.problems()[0].contains("offset"),
        "{:?}",
        report.problems()
    );
    // If the last class never occurs, there is no error but a note.
    for split in ["training", "validation"] {
        for i in 0..2 {
            let labels = dir.path().join(format!("annotations/{split}/p{i:02}.png"));
            save_labels(&labels, [4, 2], &[0, 1, 0, 1, 0, 1, 0, 1]);
        }
    }
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty());
    says(
        &report.to_string(),
        &["no pixel has the class c", "count from 0?"],
    );
    let json = serde_json::to_value(&report).unwrap();
    // The other note is about the same photos in both splits.
    assert_eq!(json["notes"].as_array().unwrap().len(), 2);
}

#[test]
fn labels_that_the_window_saved_are_not_taken_for_shifted_ones() {
    let dir = plain(1);
    let values = [0, 1, 0, 1, 0, 1, 0, 1];
    let labels = |split: &str| dir.path().join(format!("annotations/{split}/p00.png"));
    for split in ["training", "validation"] {
        let values = values.map(u16::from);
        write_mask(&labels(split), [4, 2], &values, 3, Origin::ByHand).unwrap();
    }
    let text = || inspect(dir.path(), &|_, _| {}).unwrap().to_string();
    says(&text(), &["no pixel has the class c"]);
    assert!(!text().contains("count from 0?"));
    save_labels(&labels("validation"), [4, 2], &values);
    says(&text(), &["no pixel has the class c", "count from 0?"]);
}

#[test]
fn copies_of_a_photo_in_two_splits_are_named() {
    let dir = plain(2);
    let note = || {
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        report.notes().join("\n")
    };
    let words = "in both the training and the validation split";
    says(&note(), &["2 photos are", words, "p00.png"]);
    // The same names of other photos.
    for i in 0..2 {
        let image = dir.path().join(format!("images/validation/p{i:02}.png"));
        let labels = dir
            .path()
            .join(format!("annotations/validation/p{i:02}.png"));
        save_photo(&image, 2, 4);
        save_labels(&labels, [2, 4], &[0, 1, 2, 255, 2, 1, 0, 0]);
    }
    assert!(!note().contains(words), "{}", note());
}

#[test]
fn splits_without_one_of_their_folders_are_named() {
    let dir = plain(2);
    let at = |path: &str| dir.path().join(path);
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    fs::remove_dir_all(at("annotations/validation")).unwrap();
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    says(
        &report().problems()[0],
        &[
            "images/validation holds 2 photos",
            "annotations/validation is missing",
        ],
    );
    // Training needs the other split only.
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 2);
    says(
        &message(Dataset::open(dir.path(), "validation")),
        &["it has training; ", "annotations/validation is missing"],
    );
    let out = tempfile::tempdir().unwrap();
    let converted = convert(dir.path(), &out.path().join("new"), &|_, _| {}).unwrap();
    assert_eq!((converted.written, converted.left_out.len()), (2, 1));
    // The same with names that are not those of splits, and with one more folder.
    fs::rename(at("images/validation"), at("images/Validate")).unwrap();
    says(
        &report().notes().join("\n"),
        &["images/Validate is not read"],
    );
    fs::rename(at("images/Validate"), at("images/val")).unwrap();
    save_photo(&at("images/more/a.png"), 4, 2);
    says(
        &report().problems().join("\n"),
        &["images/val holds 2 photos", "annotations/val is missing"],
    );
    says(
        &report().notes().join("\n"),
        &["images/more is not read: splits are named training, val, test"],
    );
    // A test split is often published without labels.
    fs::rename(at("images/val"), at("images/test")).unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    says(
        &report().notes().join("\n"),
        &["images/test holds 2 photos", "annotations/test is missing"],
    );
    fs::create_dir_all(at("annotations/validation")).unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    save_labels(&at("annotations/validation/a.png"), [4, 2], &[0; 8]);
    says(
        &report().problems().join("\n"),
        &[
            "annotations/validation holds 1 label file",
            "images/validation is missing",
        ],
    );
    save_photo(&at("images/train/a.png"), 4, 2);
    says(
        &report().problems().join("\n"),
        &[
            "images/train is not read, only",
            "images/training is: join them",
        ],
    );
}

#[test]
fn splits_of_the_plain_layout_have_usual_names() {
    let dir = plain(2);
    let at = |path: &str| dir.path().join(path);
    for part in ["images", "annotations"] {
        let part = |split: &str| at(part).join(split);
        fs::rename(part("training"), part("train")).unwrap();
        fs::rename(part("validation"), part("valid")).unwrap();
    }
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    let counts = || -> Vec<(String, usize)> {
        let splits = report().splits.into_iter();
        splits.map(|split| (split.name, split.pairs)).collect()
    };
    let expected = [("training".to_owned(), 2), ("validation".to_owned(), 2)];
    assert_eq!(counts(), expected);
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    for split in ["train", "training", "val", "valid", "validation"] {
        assert_eq!(Dataset::open(dir.path(), split).unwrap().len(), 2);
    }
    // A name that both folders have comes before one that only the photos have.
    save_photo(&at("images/val/a.png"), 4, 2);
    assert_eq!(counts(), expected);
    says(
        &report().problems().join("\n"),
        &["images/val is not read, only", "images/valid is: join them"],
    );
}

#[test]
fn masks_of_black_and_white_are_told_and_can_be_mapped() {
    let dir = plain(2);
    let at = |path: &str| dir.path().join(path);
    fs::write(at("classes.txt"), "bg\nfg\n").unwrap();
    let save = |labels: [u8; 8]| {
        for split in ["training", "validation"] {
            for i in 0..2 {
                let path = at(&format!("annotations/{split}/p{i:02}.png"));
                save_labels(&path, [4, 2], &labels);
            }
        }
    };
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    let open = || Dataset::open(dir.path(), "training").unwrap();
    save([0, 255, 0, 255, 0, 0, 0, 0]);
    assert_eq!(report().problems().len(), 1, "{:?}", report().problems());
    let words = [
        "training split",
        "only 0 and 255",
        "class fg",
        "dataset.toml",
    ];
    says(&report().problems()[0], &words);
    // The class without a pixel has this reason, not a shift of the labels.
    let notes = report().notes().join("\n");
    assert!(!notes.contains("no pixel has the class"), "{notes}");
    says(&message(open().refuse_black_and_white()), &words);
    // What the message says works.
    fs::write(at("dataset.toml"), "map = { 255 = \"fg\" }\n").unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    assert_eq!(open().classes().names, ["bg", "fg"]);
    assert_eq!(open().load(0).unwrap().labels.data[..4], [0, 1, 0, 1]);
    assert!(open().refuse_black_and_white().is_ok());
    // A description that names 255 means it.
    let whole = "classes = [\"bg\", \"fg\"]\nignore = [255]\n[splits.training]\n\
                 images = \"images/training\"\nlabels = \"annotations/training\"\n";
    fs::write(at("dataset.toml"), whole).unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    assert!(open().refuse_black_and_white().is_ok());
    fs::remove_file(at("dataset.toml")).unwrap();
    // One split may lack the second class, where another has it.
    save_labels(
        &at("annotations/training/p00.png"),
        [4, 2],
        &[0, 1, 0, 0, 0, 0, 0, 0],
    );
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    says(
        &report().notes().join("\n"),
        &["validation split hold only"],
    );
    assert!(open().refuse_black_and_white().is_ok());
    // Ignored pixels beside both classes, and a class without a pixel where none is ignored.
    for (labels, missing) in [([0, 1, 255, 0, 0, 0, 0, 0], 0), ([0; 8], 1)] {
        save(labels);
        assert!(report().problems().is_empty(), "{:?}", report().problems());
        assert!(open().refuse_black_and_white().is_ok());
        assert_eq!(open().missing_classes().len(), missing);
    }
}

#[test]
fn the_same_fault_of_many_label_files_is_one_problem() {
    let dir = plain(3);
    for i in 0..3u8 {
        let path = dir.path().join(format!("annotations/training/p{i:02}.png"));
        let pixels = [[1, 2, 3], [4, 5, i]].concat().repeat(4);
        save_png(
            &path,
            [4, 2],
            png::ColorType::Rgb,
            png::BitDepth::Eight,
            &pixels,
        );
    }
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
    says(
        &report.problems()[0],
        &[
            "p00.png has RGB pixels",
            "labelmap.txt",
            "2 more files are alike",
        ],
    );
    assert_eq!(report.splits[0].unreadable, 3);
}

#[test]
fn a_class_that_is_listed_twice_is_noted() {
    let dir = plain(1);
    fs::write(dir.path().join("classes.txt"), "a\nb\na\n").unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &["the class a is listed again", "a (2)"],
    );
}
