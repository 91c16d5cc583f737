//! Folders as other programs write them: without splits, with the splits first, with label files in TIFF, and under
//! other names.

use super::photos::{page, tiff};
use super::*;

const RGB: png::ColorType = png::ColorType::Rgb;

/// The bytes of a grey TIFF of 4x2.
fn grey_tiff(values: [u8; 8]) -> Vec<u8> {
    tiff(&[page([4, 2], [8, 1, 1], &[], values.to_vec())])
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn folders_without_splits_are_the_training_split() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let values = [0, 1, 1, 255, 0, 0, 0, 0];
    save_pair(&at("images/a.jpg"), &at("masks/a.png"), values);
    says(
        &message(detect(dir.path())),
        &["images and masks are there: add classes.txt"],
    );
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.len(), 1);
    let expected = [0, 1, 1, IGNORE, 0, 0, 0, 0];
    assert_eq!(dataset.load(0).unwrap().labels.data, expected);
    let classes = ["a", "b"].map(str::to_owned);
    let found = labels_of(&at("images/a.jpg"), &classes).unwrap();
    assert_eq!(found.labels.data, expected);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &[
            "all photos are in the training split",
            "images/val and masks/val",
        ],
    );
    says(
        &message(Dataset::open(dir.path(), "validation")),
        &["no split \"validation\"", "it has training"],
    );
    // Corrections that are held back would have no folder.
    says(
        &message(corrected_classes(dir.path())),
        &["other than corrections"],
    );
    // Folders of splits count alone.
    save_pair(&at("images/train/b.png"), &at("masks/train/b.png"), [1; 8]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, "b"));
}

#[test]
fn folders_of_splits_may_hold_those_of_photos_and_masks() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for (split, name) in [("train", "a"), ("valid", "b")] {
        let [photo, labels] =
            ["images", "masks"].map(|kind| at(&format!("{split}/{kind}/{name}.png")));
        save_pair(&photo, &labels, [0, 1, 1, 255, 0, 0, 0, 0]);
    }
    says(
        &message(detect(dir.path())),
        &["train/images and train/masks are there: add classes.txt"],
    );
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
    for (split, name) in [("training", "a"), ("validation", "b")] {
        let dataset = Dataset::open(dir.path(), split).unwrap();
        assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, name));
        let labels = dataset.load(0).unwrap().labels.data;
        assert_eq!(labels[..4], [0, 1, 1, IGNORE]);
    }
    // Other folders of a split are not taken for splits.
    save_photo(&at("train/extra/c.png"), 4, 2);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    assert!(report.notes().is_empty(), "{:?}", report.notes());
    assert_eq!(corrected_classes(dir.path()).unwrap(), ["a", "b"]);
    // Half of a split is told.
    save_photo(&at("test/images/d.png"), 4, 2);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.notes().join("\n"),
        &["test/images holds 1 photo", "test/masks is missing"],
    );
}

#[test]
fn outlines_of_yolo_in_folders_of_splits_come_before_masks() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_pair(&at("train/images/a.png"), &at("train/masks/a.png"), [1; 8]);
    write(&at("train/labels/a.txt"), "0 0 0 1 0 1 1 0 1\n");
    write(&at("data.yaml"), "train: train/images\nnames: [a, b]\n");
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
    // Whatever the name of the folder of masks.
    fs::rename(at("train/masks"), at("train/annotations")).unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Yolo);
}

#[test]
fn any_folder_can_be_described() {
    let dir = tempfile::tempdir().unwrap();
    says(
        &message(detect(dir.path())),
        &["any other folder can be described in a dataset.toml (see flowseg data --help)"],
    );
}

#[test]
fn label_files_may_be_tiffs() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    let photo_of_map = page([4, 2], [8, 2, 3], &[], photo(4, 2).into_raw());
    for (photo, labels) in [("m.tif", "m.tif"), ("n.png", "n.TIFF")] {
        let labels = at("annotations/training").join(labels);
        let photo = at("images/training").join(photo);
        save_photo(&photo, 4, 2);
        if photo.extension().is_some_and(|ending| ending == "tif") {
            write(&photo, tiff(std::slice::from_ref(&photo_of_map)));
        }
        write(&labels, grey_tiff([2, 1, 0, 255, 0, 0, 0, 0]));
    }
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.len(), 3);
    for i in [0, 1] {
        let labels = dataset.load(i).unwrap().labels.data;
        assert_eq!(labels, [2, 1, 0, IGNORE, 0, 0, 0, 0], "{i}");
    }
    let classes = ["a", "b", "c"].map(str::to_owned);
    let photo_file = at("images/training/n.png");
    assert_eq!(
        labels_of(&photo_file, &classes).unwrap().labels.data[..3],
        [2, 1, 0]
    );
    // A label map beside the list of classes changes nothing.
    fs::write(at("labelmap.txt"), "a:0,0,0::\nb:1,1,1::\nc:2,2,2::\n").unwrap();
    let mapped = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(mapped.load(0).unwrap().labels.data[..3], [2, 1, 0]);
    fs::remove_file(at("labelmap.txt")).unwrap();
    // Corrections are PNG files, and do not overwrite a map.
    let corrected = Corrected {
        name: "n",
        file: Some(&photo_file),
        photo: &photo(4, 2),
        labels: &[0; 8],
        classes: &classes,
    };
    says(
        &message(save_corrected(dir.path(), &corrected)),
        &["n.TIFF", "not a PNG"],
    );
    // Of two label files of a photo, the PNG is read.
    save_labels(&at("annotations/training/n.png"), [4, 2], &[1; 8]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(1).unwrap().labels.data, [1; 8]);
    says(
        &inspect(dir.path(), &|_, _| {})
            .unwrap()
            .problems()
            .join("\n"),
        &["n.TIFF is left out"],
    );
}

#[test]
fn a_tiff_beside_its_labels_in_one_folder_is_a_photo() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let toml =
        "classes = [\"a\", \"b\"]\n[splits.training]\nimages = \"both\"\nlabels = \"both\"\n";
    fs::write(at("dataset.toml"), toml).unwrap();
    let image = page([4, 2], [8, 2, 3], &[], photo(4, 2).into_raw());
    write(&at("both/a.tif"), tiff(&[image]));
    save_labels(&at("both/a.png"), [4, 2], &[1; 8]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(0).unwrap().labels.data, [1; 8]);
}

#[test]
fn values_of_tiffs_are_those_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l.tif");
    let words: Vec<u8> = [0u16, 1, 300, 65535, 7, 8]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let palette = [(320, 3, (0..768).collect())];
    let cases = [
        (
            page([3, 2], [8, 1, 1], &[], vec![0, 1, 2, 3, 254, 255]),
            vec![0, 1, 2, 3, 254, 255],
        ),
        (
            page([3, 2], [16, 1, 1], &[], words),
            vec![0, 1, 300, 65535, 7, 8],
        ),
        (
            page([3, 2], [8, 3, 1], &palette, vec![9, 1, 2, 3, 4, 255]),
            vec![9, 1, 2, 3, 4, 255],
        ),
        // Rows begin at a whole byte.
        (
            page([3, 2], [2, 1, 1], &[], vec![0b00_01_10_00, 0b11_00_01_00]),
            vec![0, 1, 2, 3, 0, 1],
        ),
    ];
    for (page, expected) in cases {
        write(&path, tiff(&[page]));
        assert_eq!(read_labels(&path).unwrap(), (3, 2, expected));
    }
    let float = [(339, 3, vec![3])];
    let signed = [(339, 3, vec![2])];
    let refused = [
        (
            page([2, 1], [8, 2, 3], &[], vec![0; 6]),
            "3 samples per pixel",
        ),
        (
            page([2, 1], [32, 1, 1], &float, vec![0; 8]),
            "32-bit samples",
        ),
        (
            page([2, 1], [16, 1, 1], &signed, vec![0; 4]),
            "other samples than unsigned integers",
        ),
        (page([2, 1], [8, 0, 1], &[], vec![0; 2]), "0 is white"),
    ];
    for (page, name) in refused {
        write(&path, tiff(&[page]));
        says(
            &message(read_labels(&path)),
            &["l.tif is a TIFF of", name, "gdal_translate"],
        );
    }
    write(
        &path,
        tiff(&[page([200_000, 200_000], [8, 1, 1], &[], Vec::new())]),
    );
    says(
        &message(read_labels(&path)),
        &["200000x200000", "250 megapixels"],
    );
}

#[test]
fn lists_of_pascal_voc_may_have_the_names_that_cvat_gives_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("ImageSets/Segmentation")).unwrap();
    for (list, name) in [("Train", "a"), ("Validation", "b")] {
        let [photo, labels] =
            ["JPEGImages", "SegmentationClass"].map(|kind| at(&format!("{kind}/{name}.png")));
        save_pair(&photo, &labels, [0, 1, 1, 255, 0, 0, 0, 0]);
        fs::write(at(&format!("ImageSets/Segmentation/{list}.txt")), name).unwrap();
    }
    fs::write(at("labelmap.txt"), "background:0,0,0::\ncar:255,0,0::\n").unwrap();
    for (split, name) in [("training", "a"), ("validation", "b")] {
        let dataset = Dataset::open(dir.path(), split).unwrap();
        assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, name));
    }
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
}

#[test]
fn pascal_voc_without_lists_is_one_split_if_its_classes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    // As labelme2voc writes it.
    write(&at("SegmentationClass/a.npy"), "");
    save_pair(
        &at("JPEGImages/a.png"),
        &at("SegmentationClassPNG/a.png"),
        [0, 1, 1, 255, 0, 0, 0, 0],
    );
    says(&message(detect(dir.path())), &["holds no data set"]);
    fs::write(at("class_names.txt"), "_background_\ncat\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::PascalVoc);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let labels = dataset.load(0).unwrap().labels.data;
    assert_eq!(labels, [0, 1, 1, IGNORE, 0, 0, 0, 0]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &["all photos are in the training split", "val.txt"],
    );
    // Newer versions have one folder.
    fs::remove_dir_all(at("SegmentationClass")).unwrap();
    fs::rename(at("SegmentationClassPNG"), at("SegmentationClass")).unwrap();
    // Beside label files, one of pictures of them does not count.
    fs::create_dir(at("SegmentationClassPNG")).unwrap();
    assert_eq!(Dataset::open(dir.path(), "training").unwrap().len(), 1);
    fs::remove_dir(at("SegmentationClassPNG")).unwrap();
    fs::remove_dir_all(at("JPEGImages")).unwrap();
    says(
        &message(detect(dir.path())),
        &["put the photos into JPEGImages"],
    );
}

#[test]
fn folders_of_camvid_may_have_the_names_that_cvat_gives_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::write(at("label_colors.txt"), "0 0 0 background\n9 8 7 car\n").unwrap();
    for (split, name) in [("Train", "a"), ("Validation", "b")] {
        save_photo(&at(&format!("{split}/{name}.png")), 4, 2);
        let labels = at(&format!("{split}annot/{name}.png"));
        save_png(
            &labels,
            [4, 2],
            RGB,
            png::BitDepth::Eight,
            &[0, 0, 0, 9, 8, 7].repeat(4),
        );
    }
    assert_eq!(detect(dir.path()).unwrap(), Layout::CamVidPublished);
    for (split, name) in [("training", "a"), ("validation", "b")] {
        let dataset = Dataset::open(dir.path(), split).unwrap();
        assert_eq!(dataset.sample_name(0), name);
        assert_eq!(
            dataset.load(0).unwrap().labels.data,
            [0, 1, 0, 1, 0, 1, 0, 1]
        );
    }
}

#[test]
fn cityscapes_may_have_train_ids_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let photo = at("leftImg8bit/train/aachen/aachen_0_leftImg8bit.png");
    let labels = |end: &str| at(&format!("gtFine/train/aachen/aachen_0_gtFine_{end}"));
    save_photo(&photo, 4, 2);
    write(&labels("polygons.json"), "{}");
    says(
        &message(Dataset::open(dir.path(), "training")),
        &[
            "has outlines, but no label files",
            "csCreateTrainIdLabelImgs",
        ],
    );
    save_labels(
        &labels("labelTrainIds.png"),
        [4, 2],
        &[0, 7, 18, 255, 0, 0, 0, 0],
    );
    let load = || Dataset::open(dir.path(), "training")?.load(0);
    assert_eq!(load().unwrap().labels.data[..4], [0, 7, 18, IGNORE]);
    // Where there are both, the label ids count.
    save_labels(&labels("labelIds.png"), [4, 2], &[7, 8, 33, 0, 7, 7, 7, 7]);
    assert_eq!(load().unwrap().labels.data[..4], [0, 1, 18, IGNORE]);
    fs::remove_file(labels("labelIds.png")).unwrap();
    save_labels(&labels("labelTrainIds.png"), [4, 2], &[19; 8]);
    says(&message(load()), &["label 19", "19 classes"]);
    // CVAT's form has its photos elsewhere.
    fs::create_dir_all(at("imgsFine")).unwrap();
    fs::rename(at("leftImg8bit"), at("imgsFine/leftImg8bit")).unwrap();
    says(
        &message(detect(dir.path())),
        &["imgsFine is CVAT's", "export as COCO"],
    );
}

#[test]
fn a_label_map_may_stand_beside_a_description_with_splits() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let describe = |more: &str| {
        let toml = format!(
            "classes = [\"a\", \"b\"]\nlabel_suffix = \"_L.png\"\n{more}\n\
             [splits.train]\nimages = \"photos\"\nlabels = \"photos/masks\"\n"
        );
        fs::write(at("dataset.toml"), toml).unwrap();
    };
    describe("");
    fs::write(at("labelmap.txt"), "b:9,8,7::\na:0,0,0::\n").unwrap();
    let labels = at("photos/masks/p_L.png");
    save_photo(&at("photos/p.png"), 4, 2);
    save_png(
        &labels,
        [4, 2],
        RGB,
        png::BitDepth::Eight,
        &[9, 8, 7, 0, 0, 0].repeat(4),
    );
    let load = || Dataset::open(dir.path(), "training")?.load(0);
    assert_eq!(load().unwrap().labels.data, [1, 0, 1, 0, 1, 0, 1, 0]);
    // The label files lie within the folder of the photos, but are none.
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    for (more, key) in [
        ("offset = 1", "offset"),
        ("ignore = [0]", "numbers in ignore"),
        ("map = { 1 = \"a\" }", "numbers in map"),
    ] {
        describe(more);
        says(
            &message(load()),
            &["labelmap.txt", "dataset.toml has", key, "remove one"],
        );
    }
    // Values of pixels are as without the label map.
    describe("offset = 1");
    save_labels(&labels, [4, 2], &[1, 2, 1, 1, 2, 2, 1, 1]);
    assert_eq!(load().unwrap().labels.data, [0, 1, 0, 0, 1, 1, 0, 0]);
}
