//! Detection and label values of every layout.

use super::*;

/// The class indices of a sample, without repetition, ascending.
fn classes_of(sample: &Sample) -> Vec<u16> {
    let mut found = sample.labels.data.clone();
    found.sort_unstable();
    found.dedup();
    found
}

fn loads(dir: &Path, layout: Layout, classes: usize, counts: [usize; 2]) {
    assert_eq!(detect(dir).unwrap(), layout);
    for (split, count) in ["training", "validation"].into_iter().zip(counts) {
        let dataset = Dataset::open(dir, split).unwrap();
        assert_eq!((dataset.len(), dataset.classes().len()), (count, classes));
        for i in [0, count / 2, count - 1] {
            let sample = dataset.load(i).unwrap();
            assert_eq!(
                sample.labels.data.len(),
                sample.labels.width * sample.labels.height
            );
            assert_eq!(sample.image.width() as usize, sample.labels.width);
            assert_eq!(sample.name, dataset.sample_name(i));
            assert_eq!(dataset.load_labels(i).unwrap(), sample.labels);
            let inside = |l: &u16| *l == IGNORE || usize::from(*l) < classes;
            assert!(classes_of(&sample).iter().all(inside));
        }
        assert!(dataset.image_path(count).is_none());
        says(&message(dataset.load(count)), &["there is no sample"]);
    }
}

#[test]
fn shared_samples_load() {
    loads(&shared("camvid"), Layout::Plain, 11, [367, 101]);
    loads(&shared("ccp"), Layout::Plain, 59, [804, 100]);
    loads(&shared("ade20k-samples"), Layout::Ade20k, 150, [6, 9]);
    loads(
        &shared("coco-stuff-samples"),
        Layout::CocoStuff,
        171,
        [13, 8],
    );
}

#[test]
fn shared_class_names_match_their_indices() {
    let ade = Dataset::open(&shared("ade20k-samples"), "val").unwrap();
    assert_eq!(
        (ade.classes().name(0), ade.classes().name(1)),
        ("wall", "building")
    );
    assert_eq!(
        (ade.classes().name(149), ade.name()),
        ("flag", "ade20k-samples")
    );
    let coco = Dataset::open(&shared("coco-stuff-samples"), "train").unwrap();
    let name = |k| coco.classes().name(k);
    assert_eq!(
        (name(0), name(10), name(11), name(170)),
        ("person", "fire hydrant", "stop sign", "wood")
    );
    let unused = [
        "street sign",
        "hat",
        "shoe",
        "eye glasses",
        "plate",
        "mirror",
        "window",
        "desk",
        "door",
        "blender",
        "hair brush",
    ];
    assert!(
        coco.classes()
            .names
            .iter()
            .all(|name| !unused.contains(&name.as_str()))
    );
}

#[test]
fn plain_labels_are_line_numbers() {
    let dir = plain(3);
    let dataset = Dataset::open(dir.path(), "validation").unwrap();
    assert_eq!(dataset.classes().names, ["a", "b", "c"]);
    let sample = dataset.load(1).unwrap();
    assert_eq!(sample.labels.data, [0, 1, 2, IGNORE, 2, 1, 1, 0]);
    assert_eq!(sample.image, photo(4, 2));
    assert_eq!(sample.name, "p01");
    says(
        &message(Dataset::open(dir.path(), "test")),
        &["\"test\"", "training, validation"],
    );
}

#[test]
fn labels_outside_the_table_are_errors() {
    let dir = plain(1);
    let labels = dir.path().join("annotations/training/p00.png");
    save_labels(&labels, [4, 2], &[0, 3, 9, 3, 0, 0, 0, 255]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    says(
        &message(dataset.load(0)),
        &["annotations/training/p00.png", "labels 3, 9", "3 classes"],
    );
    save_labels(&labels, [2, 2], &[0; 4]);
    says(
        &message(dataset.load(0)),
        &["images/training/p00.png", "4x2", "p00.png are 2x2"],
    );
}

#[test]
fn large_tables_tell_255_from_ignore_by_depth() {
    let dir = plain(1);
    let names: Vec<String> = (0..300).map(|i| format!("n{i}")).collect();
    fs::write(dir.path().join("classes.txt"), names.join("\n")).unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(0).unwrap().labels.data[3], IGNORE);
    let labels = [255, 299, IGNORE, 0, 1, 2, 3, 4];
    write_labels(
        dir.path().join("annotations/training/p00.png"),
        4,
        2,
        &labels,
        300,
    )
    .unwrap();
    assert_eq!(dataset.load(0).unwrap().labels.data, labels);
}

#[test]
fn ade20k_needs_no_names() {
    let dir = plain(1);
    fs::rename(
        dir.path().join("classes.txt"),
        dir.path().join("sceneCategories.txt"),
    )
    .unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Ade20k);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes(), &ClassTable::numbered(150));
    let labels = dir.path().join("annotations/training/p00.png");
    says(&message(dataset.load(0)), &["label 255", "150 classes"]);
    save_labels(&labels, [4, 2], &[0, 1, 150, 2, 0, 0, 0, 0]);
    assert_eq!(
        dataset.load(0).unwrap().labels.data[..4],
        [IGNORE, 0, 149, 1]
    );
}

#[test]
fn coco_stuff_closes_the_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let (image, labels) = (
        dir.path().join("val2017/7.jpg"),
        dir.path().join("stuffthingmaps/val2017/7.png"),
    );
    save_pair(&image, &labels, [0, 10, 12, 181, 255, 0, 0, 0]);
    assert_eq!(detect(dir.path()).unwrap(), Layout::CocoStuff);
    let dataset = Dataset::open(dir.path(), "validation").unwrap();
    assert_eq!(
        dataset.load(0).unwrap().labels.data[..5],
        [0, 10, 11, 170, IGNORE]
    );
    assert_eq!(dataset.classes().len(), 171);
    save_labels(&labels, [4, 2], &[11, 182, 0, 0, 0, 0, 0, 0]);
    says(&message(dataset.load(0)), &["labels 11, 182"]);
}

#[test]
fn camvid_as_published() {
    let dir = tempfile::tempdir().unwrap();
    for (split, name) in [("train", "a"), ("val", "b"), ("test", "c")] {
        let image = dir.path().join(format!("{split}/{name}.png"));
        save_pair(
            &image,
            &dir.path().join(format!("{split}annot/{name}.png")),
            [0, 10, 11, 5, 0, 0, 0, 0],
        );
    }
    assert_eq!(detect(dir.path()).unwrap(), Layout::CamVidPublished);
    for (split, name) in [("training", "a"), ("validation", "b"), ("test", "c")] {
        let dataset = Dataset::open(dir.path(), split).unwrap();
        let sample = dataset.load(0).unwrap();
        assert_eq!(
            (sample.name.as_str(), &sample.labels.data[..4]),
            (name, &[0, 10, IGNORE, 5][..])
        );
        assert_eq!(
            (dataset.classes().name(0), dataset.classes().name(10)),
            ("sky", "bicyclist")
        );
    }
}

#[test]
fn cityscapes_ids_become_train_ids() {
    let dir = tempfile::tempdir().unwrap();
    let pair = |split: &str, city: &str, name: &str, values| {
        let at = |root: &str, ending: &str| {
            dir.path()
                .join(format!("{root}/{split}/{city}/{name}_{ending}.png"))
        };
        save_pair(
            &at("leftImg8bit", "leftImg8bit"),
            &at("gtFine", "gtFine_labelIds"),
            values,
        );
        // The archive has these besides the ids; they must not be taken for labels or photos.
        save_photo(&at("gtFine", "gtFine_color"), 4, 2);
        fs::write(at("gtFine", "gtFine_polygons").with_extension("json"), "{}").unwrap();
    };
    pair(
        "train",
        "aachen",
        "aachen_000000_000019",
        [7, 8, 11, 33, 0, 29, 255, 23],
    );
    pair("train", "bochum", "bochum_000000_000600", [7; 8]);
    pair("val", "munster", "munster_000000_000019", [26; 8]);
    loads(dir.path(), Layout::Cityscapes, 19, [2, 1]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let sample = dataset.load(0).unwrap();
    assert_eq!(sample.name, "aachen_000000_000019");
    assert_eq!(
        sample.labels.data,
        [0, 1, 2, 18, IGNORE, IGNORE, IGNORE, 10]
    );
    assert_eq!(dataset.classes().name(18), "bicycle");
    let labels = "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png";
    save_labels(&dir.path().join(labels), [4, 2], &[34; 8]);
    says(&message(dataset.load(0)), &["label 34", "19 classes"]);
    fs::remove_dir_all(dir.path().join("gtFine")).unwrap();
    says(&message(detect(dir.path())), &["gtFine_trainvaltest.zip"]);
}

#[test]
fn pascal_voc_takes_its_splits_from_lists() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("VOCdevkit/VOC2012");
    for name in ["2007_000032", "2007_000039", "2007 000063", "2008_000001"] {
        save_photo(&root.join(format!("JPEGImages/{name}.png")), 4, 2);
    }
    for name in ["2007_000032", "2007_000039", "2007 000063"] {
        save_png(
            &root.join(format!("SegmentationClass/{name}.png")),
            [4, 2],
            png::ColorType::Indexed,
            png::BitDepth::Eight,
            &[0, 1, 20, 255, 15, 15, 0, 0],
        );
    }
    let lists = root.join("ImageSets/Segmentation");
    fs::create_dir_all(&lists).unwrap();
    fs::write(lists.join("train.txt"), "2007_000032\n2007 000063\n").unwrap();
    fs::write(lists.join("val.txt"), "2007_000039 1\r\n").unwrap();
    for given in [dir.path(), &dir.path().join("VOCdevkit/.."), &root] {
        loads(given, Layout::PascalVoc, 21, [2, 1]);
    }
    let dataset = Dataset::open(dir.path(), "val").unwrap();
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [0, 1, 20, IGNORE, 15, 15, 0, 0]
    );
    assert_eq!(
        (dataset.classes().name(20), dataset.sample_name(0)),
        ("tvmonitor", "2007_000039".to_owned())
    );
    // A listed photo without labels is reported; unlisted files are not.
    fs::write(lists.join("train.txt"), "2007_000032\n2008_000001\n").unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.splits.len(), 2);
    assert_eq!(
        (report.splits[0].pairs, report.splits[0].missing_labels),
        (1, 1)
    );
    assert_eq!(report.problems().len(), 1);
    says(&report.problems()[0], &["2008_000001"]);
    says(
        &message(Dataset::open(dir.path(), "test")),
        &["no split", "training, validation"],
    );
}

#[test]
fn fingerprints_follow_names_and_sizes() {
    let (one, two) = (plain(3), plain(3));
    let fingerprint = |dir: &Path| Dataset::open(dir, "training").unwrap().fingerprint();
    let first = fingerprint(one.path());
    assert_eq!(first.len(), 16);
    assert_eq!(first, fingerprint(two.path()));
    assert_eq!(first, fingerprint(one.path()));
    let labels = two.path().join("annotations/training/p00.png");
    save_labels(&labels, [4, 2], &[0; 8]);
    let relabelled = fingerprint(two.path());
    assert_ne!(first, relabelled);
    fs::write(two.path().join("classes.txt"), "a\nb\nd\n").unwrap();
    assert_ne!(relabelled, fingerprint(two.path()));
    let scenes = |text: &str| fingerprint(Path::new(text));
    assert_eq!(scenes("scenes:4"), scenes("scenes:4"));
    assert_ne!(scenes("scenes:4"), scenes("scenes:4@64x64"));
}

#[test]
fn unknown_folders_say_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let looked = [
        "dataset.toml",
        "classes.txt",
        "stuffthingmaps",
        "trainannot",
    ];
    says(&message(detect(dir.path())), &looked);
    fs::create_dir_all(dir.path().join("701_StillsRaw_full")).unwrap();
    says(&message(detect(dir.path())), &["SegNet"]);
    fs::create_dir_all(dir.path().join("images/training")).unwrap();
    fs::create_dir_all(dir.path().join("annotations/training")).unwrap();
    says(&message(detect(dir.path())), &["add classes.txt"]);
    fs::write(dir.path().join("classes.txt"), "a\nb").unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["training split", "is empty"],
    );
    says(
        &message(detect(&dir.path().join("classes.txt"))),
        &["is not a folder"],
    );
    says(
        &message(detect(&dir.path().join("absent"))),
        &["cannot read", "absent"],
    );
}

#[test]
fn photos_without_labels_are_left_out() {
    let dir = plain(2);
    save_photo(&dir.path().join("images/training/extra.jpg"), 4, 2);
    save_photo(&dir.path().join("images/training/.p07.png"), 4, 2);
    fs::write(dir.path().join("images/training/notes.txt"), "x").unwrap();
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 2);
}

#[test]
fn class_tables_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("classes.txt");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        ClassTable::from_file(&path)
    };
    assert_eq!(read("\u{feff}a\n b \r\n\n\n").unwrap().names, ["a", "b"]);
    assert_eq!(
        read("x\ny\nx\nx (2)\n").unwrap().names,
        ["x", "y", "x (2)", "x (2) (2)"]
    );
    says(
        &message(read("a\n\nb\n")),
        &["classes.txt", "line 2 is blank"],
    );
    says(&message(read("\n \n")), &["names no class"]);
    let table = ClassTable::numbered(2);
    assert_eq!(
        (table.name(1), table.name(9), table.name(65_535)),
        ("class 1", "?", "ignored")
    );
    assert!(!table.is_empty() && table.len() == 2);
}

#[test]
fn names_are_paired_as_people_see_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |folder: &str, name: &str| dir.path().join(folder).join("training").join(name);
    fs::write(dir.path().join("classes.txt"), "a\nb\nc\n").unwrap();
    let pairs = [
        ("IMG_1.JPG", "IMG_1.PNG"),
        ("two.jfif", "two.Png"),
        ("three.jpe", "three.png"),
        ("four.jpg", "four.jpg.png"),
        // The same names, decomposed (macOS) and composed.
        ("Mu\u{308}nchen.jpg", "M\u{fc}nchen.png"),
        ("\u{1100}\u{1161}\u{11bc}.jpg", "\u{ac15}.png"),
    ];
    for (photo, labels) in pairs {
        save_pair(&at("images", photo), &at("annotations", labels), [1; 8]);
    }
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(
        names,
        ["IMG_1", "M\u{fc}nchen", "four", "three", "two", "\u{ac15}"]
    );
    (0..dataset.len()).for_each(|i| drop(dataset.load(i).unwrap()));
    assert!(
        inspect(dir.path(), &|_, _| {})
            .unwrap()
            .problems()
            .is_empty()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_paired_and_shown() {
    use std::os::unix::ffi::OsStrExt;
    let dir = plain(0);
    fs::create_dir_all(dir.path().join("images/training")).unwrap();
    fs::create_dir_all(dir.path().join("annotations/training")).unwrap();
    let name = |folder: &str, bytes: &[u8]| {
        let folder = dir.path().join(folder).join("training");
        folder.join(std::ffi::OsStr::from_bytes(bytes))
    };
    save_pair(
        &name("images", b"caf\xE9.png"),
        &name("annotations", b"caf\xE9.png"),
        [1; 8],
    );
    save_photo(&name("images", b"\xFF.png"), 4, 2);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.sample_name(0), "caf\u{fffd}");
    dataset.load(0).unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &["\u{fffd}.png has no labels"],
    );
}

#[test]
fn several_files_of_one_name_are_a_problem() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/training/p00.jpg"), 4, 2);
    save_labels(&at("annotations/training/p00.PNG"), [4, 2], &[0; 8]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!((report.splits[0].pairs, report.splits[0].doubles), (1, 2));
    let problems = report.problems().join("\n");
    says(
        &problems,
        &[
            "p00.png is left out, because",
            "p00.jpg has the same name",
            "p00.PNG has the same name",
        ],
    );
    // Labels named after whole file names distinguish the photos.
    fs::remove_file(at("annotations/training/p00.PNG")).unwrap();
    save_labels(&at("annotations/training/p00.png.png"), [4, 2], &[0; 8]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.sample_name(i)).collect();
    assert_eq!(names, ["p00", "p00.png"]);
    assert!(dataset.image_path(0).unwrap().ends_with("p00.jpg"));
    assert!(dataset.image_path(1).unwrap().ends_with("p00.png"));
}

#[test]
fn folders_within_a_split_belong_to_it() {
    let dir = plain(1);
    for scene in ["kitchen", "street/wet"] {
        for i in 0..2 {
            let image = dir
                .path()
                .join(format!("images/training/{scene}/p{i:02}.jpg"));
            let labels = dir
                .path()
                .join(format!("annotations/training/{scene}/p{i:02}.png"));
            save_pair(&image, &labels, [1; 8]);
        }
    }
    save_photo(&dir.path().join("images/training/.trash/p.jpg"), 4, 2);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.sample_name(i)).collect();
    let expected = [
        "kitchen-p00",
        "kitchen-p01",
        "p00",
        "street-wet-p00",
        "street-wet-p01",
    ];
    assert_eq!(names, expected);
    assert!(
        inspect(dir.path(), &|_, _| {})
            .unwrap()
            .problems()
            .is_empty()
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_circles_left() {
    let (dir, elsewhere) = (plain(1), plain(3));
    let training =
        |root: &tempfile::TempDir, folder: &str| root.path().join(folder).join("training");
    for folder in ["images", "annotations"] {
        let link = training(&dir, folder).join("more");
        std::os::unix::fs::symlink(training(&elsewhere, folder), link).unwrap();
        let circle = training(&dir, folder).join("circle");
        std::os::unix::fs::symlink(training(&dir, folder), circle).unwrap();
    }
    let broken = training(&dir, "images").join("gone.jpg");
    std::os::unix::fs::symlink("nowhere.jpg", broken).unwrap();
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 4);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert_eq!(report.problems().len(), 1);
    says(&report.problems()[0], &["gone.jpg has no labels"]);
}

#[test]
fn labels_are_found_from_a_photo_alone() {
    let dir = plain(2);
    let nested = dir.path().join("images/validation/a/Mu\u{308}.jpg");
    save_pair(
        &nested,
        &dir.path().join("annotations/validation/a/M\u{fc}.PNG"),
        [2; 8],
    );
    let classes = ["a", "b", "c"].map(str::to_owned);
    let of_nested = labels_of(&nested, &classes).unwrap();
    assert_eq!(
        (of_nested.labels.data, of_nested.known),
        (vec![2; 8], vec![true; 3])
    );
    let plain = dir.path().join("images/training/p01.png");
    assert_eq!(
        labels_of(&plain, &classes).unwrap().labels.data,
        [0, 1, 2, IGNORE, 2, 1, 1, 0]
    );
    // A model's classes may be in another order and case, more, or fewer.
    let others = ["C", "d", "a"].map(str::to_owned);
    let found = labels_of(&plain, &others).unwrap();
    assert_eq!(
        found.labels.data,
        [2, IGNORE, 0, IGNORE, 0, IGNORE, IGNORE, 2]
    );
    assert_eq!(found.known, [true, false, true]);
    assert!(labels_of(&plain, &others[1..2]).is_none());
    fs::remove_file(dir.path().join("annotations/training/p01.png")).unwrap();
    assert!(labels_of(&plain, &classes).is_none());
    save_photo(&dir.path().join("apart.png"), 4, 2);
    assert!(labels_of(&dir.path().join("apart.png"), &classes).is_none());
}

#[test]
fn class_tables_of_other_programs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("classes.txt");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        ClassTable::from_file(&path)
    };
    let utf16: Vec<u8> = "\u{feff}road\r\ncar\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let refused: [(&[u8], &str); 7] = [
        (&utf16, "UTF-16"),
        (b"Stra\xDFe\nauto\n", "Latin-1"),
        (b"0: road\n1: car\n2: tree\n", "begin with numbers"),
        (b"1 road\n2 car\n", "begin with numbers"),
        (b"name,r,g,b\nroad,128,64,128\n", "columns"),
        (b"road,0\ncar,1\n", "columns"),
        (b"# my classes\nroad\n", "comment"),
    ];
    for (bytes, reason) in refused {
        says(&message(read(bytes)), &["classes.txt", reason]);
    }
    let accepted: [(&[u8], &[&str]); 4] = [
        (b"road\rcar\rtree\r", &["road", "car", "tree"]),
        (b"1st floor\n2nd floor\n", &["1st floor", "2nd floor"]),
        (
            b"chair, armchair\n3 wheeler\n",
            &["chair, armchair", "3 wheeler"],
        ),
        (b"0\n1\n2\n", &["0", "1", "2"]),
    ];
    for (bytes, names) in accepted {
        assert_eq!(read(bytes).unwrap().names, names);
    }
}

#[test]
fn published_colours_belong_to_the_names_of_the_layouts() {
    let dir = tempfile::tempdir().unwrap();
    save_pair(
        &dir.path().join("train/a.png"),
        &dir.path().join("trainannot/a.png"),
        [0; 8],
    );
    let camvid = Dataset::open(dir.path(), "training").unwrap();
    let colours = published_colours(&camvid.classes().names).unwrap();
    // Sky, road, sign and bicyclist of the SegNet tutorial.
    let known = [
        (0, [128, 128, 128]),
        (3, [128, 64, 128]),
        (6, [192, 128, 128]),
        (10, [0, 128, 192]),
    ];
    for (class, colour) in known {
        assert_eq!(colours[class], colour);
    }
    // The shared copy has another name for one class.
    let copy = Dataset::open(&shared("camvid"), "training").unwrap();
    assert_eq!(published_colours(&copy.classes().names).unwrap(), colours);
    let scenes = Dataset::open(Path::new("scenes:11"), "training").unwrap();
    assert!(published_colours(&scenes.classes().names).is_none());
}
