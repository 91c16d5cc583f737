//! Data sets in the forms of Pascal VOC and CamVid with classes of their own.

use super::*;

/// A folder with one photo of 4x2, whose name is on a list.
fn folder(list: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("JPEGImages/frame_000000.png"), 4, 2);
    save_labels(&at(LABELS), [4, 2], &[0, 1, 2, 255, 0, 0, 0, 0]);
    fs::create_dir_all(at("ImageSets/Segmentation")).unwrap();
    fs::write(at("ImageSets/Segmentation").join(list), "frame_000000\n").unwrap();
    dir
}

const LABELS: &str = "SegmentationClass/frame_000000.png";
const RGB: png::ColorType = png::ColorType::Rgb;
const INDEXED: png::ColorType = png::ColorType::Indexed;

#[test]
fn colours_of_a_label_map_are_the_classes() {
    let dir = folder("default.txt");
    let labels = dir.path().join(LABELS);
    let map = |text: &str| fs::write(dir.path().join("labelmap.txt"), text).unwrap();
    let save =
        |colour, bytes: &[u8]| save_png(&labels, [4, 2], colour, png::BitDepth::Eight, bytes);
    let opened = || Dataset::open(dir.path(), "training").unwrap();
    let drawn = || opened().load(0).unwrap().labels.data;
    // The colours of the indices 1 and 0 in the test's palette.
    map(
        "# label:color_rgb:parts:actions\nroad:254,0,7::\nbackground:255,0,7::\n\
         ignored:224,224,192::\n",
    );
    assert_eq!(opened().classes().names, ["road", "background"]);
    save(INDEXED, &[0, 1, 0, 1, 1, 1, 0, 0]);
    assert_eq!(drawn(), [1, 0, 1, 0, 0, 0, 1, 1]);
    assert_eq!(opened().load_labels(0).unwrap().data, drawn());
    let colours = [[255, 0, 7], [254, 0, 7], [224, 224, 192]];
    let painted = |indices: [usize; 8]| indices.map(|index| colours[index]).concat();
    save(RGB, &painted([0, 1, 2, 0, 0, 0, 0, 1]));
    assert_eq!(drawn(), [1, 0, IGNORE, 1, 1, 1, 1, 0]);
    // Grey values count the lines.
    save_labels(&labels, [4, 2], &[0, 1, 2, 255, 0, 0, 0, 0]);
    assert_eq!(drawn(), [0, 1, IGNORE, IGNORE, 0, 0, 0, 0]);
    save(INDEXED, &[9; 8]);
    says(
        &message(opened().load(0)),
        &["frame_000000.png", "colour 246,4,7", "labelmap.txt"],
    );
    // Without colours they are those of Pascal VOC.
    map("background\nroad\n");
    save(RGB, &[[0, 0, 0], [128, 0, 0]].concat().repeat(4));
    assert_eq!(drawn(), [0, 1, 0, 1, 0, 1, 0, 1]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    assert!(report.notes().is_empty(), "{:?}", report.notes());
    for (text, words) in [
        ("a:1,2,3::\nb:1,2,3::\n", ["line 2", "colour of another"]),
        ("a:red::\nb:1,2,3::\n", ["line 1", "no colour"]),
        ("a:1,2,3::\n:4,5,6::\n", ["class 1", "empty name"]),
    ] {
        map(text);
        let error = message(Dataset::open(dir.path(), "training"));
        says(&error, &["labelmap.txt"]);
        says(&error, &words);
    }
}

#[test]
fn a_list_names_the_classes() {
    let dir = folder("train.txt");
    fs::write(
        dir.path().join("class_names.txt"),
        "_background_\ncat\ndog\n",
    )
    .unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["_background_", "cat", "dog"]);
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [0, 1, 2, IGNORE, 0, 0, 0, 0]
    );
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.notes().is_empty(), "{:?}", report.notes());
}

#[test]
fn what_is_assumed_or_missing_is_said() {
    let dir = folder("train.txt");
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &["Pascal VOC's", "frame_000000", "class_names.txt"],
    );
    fs::remove_file(dir.path().join("ImageSets/Segmentation/train.txt")).unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["ImageSets/Segmentation has no list", "train.txt"],
    );
}

#[test]
fn lists_may_name_files_and_are_named_where_they_are_wrong() {
    let dir = folder("train.txt");
    let lists = dir.path().join("ImageSets/Segmentation");
    fs::write(dir.path().join("class_names.txt"), "a\nb\nc\n").unwrap();
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    for line in ["frame_000000.png", "frame_000000.png 1", "frame_000000 -1"] {
        fs::write(lists.join("train.txt"), line).unwrap();
        let report = report();
        assert_eq!(report.splits[0].pairs, 1, "{line}");
        assert!(report.problems().is_empty(), "{:?}", report.problems());
    }
    fs::write(lists.join("train.txt"), "frame_000000\nframe_3\n").unwrap();
    let problems = report().problems().to_vec();
    assert_eq!(problems.len(), 1, "{problems:?}");
    says(
        &problems[0],
        &[
            "train.txt lists 1 name",
            "neither a photo nor labels",
            "frame_3",
        ],
    );
}

#[test]
fn halves_of_pairs_and_lists_under_other_names_are_told() {
    let dir = folder("train.txt");
    let lists = dir.path().join("ImageSets/Segmentation");
    fs::write(dir.path().join("class_names.txt"), "a\nb\nc\n").unwrap();
    save_photo(&dir.path().join("JPEGImages/p.png"), 4, 2);
    save_labels(&dir.path().join("SegmentationClass/m.png"), [4, 2], &[0; 8]);
    fs::write(lists.join("train.txt"), "frame_000000\np\nm\n").unwrap();
    fs::write(lists.join("val2017.txt"), "frame_000000\n").unwrap();
    // Both splits in one, as Pascal VOC has it.
    fs::write(lists.join("trainval.txt"), "frame_000000\n").unwrap();
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    let problems = report().problems().to_vec();
    assert_eq!(problems.len(), 3, "{problems:?}");
    for line in ["p.png has no labels", "m.png has no photo"] {
        says(&problems.join("\n"), &[line]);
    }
    says(
        &problems.join("\n"),
        &["val2017.txt is not read: rename it to val.txt"],
    );
    fs::rename(lists.join("val2017.txt"), lists.join("val.txt")).unwrap();
    assert_eq!(report().problems().len(), 2, "{:?}", report().problems());
}

#[test]
fn photos_of_two_splits_are_noted() {
    let dir = folder("train.txt");
    let lists = dir.path().join("ImageSets/Segmentation");
    fs::write(dir.path().join("class_names.txt"), "a\nb\nc\n").unwrap();
    fs::write(lists.join("val.txt"), "frame_000000\n").unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
    says(
        &report.notes().join("\n"),
        &[
            "1 photo is in both the training and the validation split",
            "frame_000000.png",
        ],
    );
}

#[test]
fn a_split_without_any_labels_is_one_line() {
    let dir = folder("train.txt");
    let lists = dir.path().join("ImageSets/Segmentation");
    fs::write(dir.path().join("class_names.txt"), "a\nb\nc\n").unwrap();
    for name in ["t1", "t2"] {
        save_photo(&dir.path().join(format!("JPEGImages/{name}.png")), 4, 2);
    }
    fs::write(lists.join("test.txt"), "t1\nt2\n").unwrap();
    let report = || inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report().problems().is_empty(), "{:?}", report().problems());
    assert_eq!(report().splits[1].missing_labels, 2);
    let said = "split has 2 photos and no labels: it is used neither for training nor for scores";
    assert_eq!(report().notes(), [format!("the test {said}")]);
    fs::rename(lists.join("test.txt"), lists.join("val.txt")).unwrap();
    assert!(report().notes().is_empty(), "{:?}", report().notes());
    assert_eq!(report().problems(), [format!("the validation {said}")]);
    // Where some photos have labels, those without are named.
    fs::write(lists.join("train.txt"), "frame_000000\nt1\n").unwrap();
    fs::write(lists.join("val.txt"), "frame_000000\n").unwrap();
    says(&report().problems().join("\n"), &["t1.png has no labels"]);
}

#[test]
fn a_label_map_may_stand_beside_plain_folders() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    let colours: [[u8; 4]; 2] = [[0, 0, 0, 255], [9, 8, 7, 255]];
    let pixels = [0, 1, 0, 1, 1, 1, 0, 0].map(|index: usize| colours[index]);
    save_png(
        &at("annotations/training/p00.png"),
        [4, 2],
        png::ColorType::Rgba,
        png::BitDepth::Eight,
        &pixels.concat(),
    );
    fs::write(at("labelmap.txt"), "b:9,8,7::\na:0,0,0::\n").unwrap();
    let load = |split: &str| Dataset::open(dir.path(), split)?.load(0);
    // The list of classes counts, also for grey files.
    let drawn = load("training").unwrap().labels.data;
    assert_eq!(drawn, [0, 1, 0, 1, 1, 1, 0, 0]);
    let grey = load("validation").unwrap().labels.data;
    assert_eq!(grey, [0, 1, 2, IGNORE, 2, 1, 0, 0]);
    // Without it, the label map is the list.
    fs::remove_file(at("classes.txt")).unwrap();
    assert_eq!(detect(dir.path()).unwrap(), Layout::Plain);
    let drawn = load("training").unwrap().labels.data;
    assert_eq!(drawn, [1, 0, 1, 0, 0, 0, 1, 1]);
    fs::write(at("classes.txt"), "a\nc\n").unwrap();
    says(
        &message(load("training")),
        &["labelmap.txt", "class \"b\"", "lacks"],
    );
}

#[test]
fn a_label_map_beside_a_list_counts_for_coloured_labels_alone() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    // Names of objects, as another program writes them.
    fs::write(at("labelmap.txt"), "cat\ndog\n").unwrap();
    let labels = [0, 1, 2, 255, 2, 1, 0, 0];
    for split in ["training", "validation/below"] {
        let image = at(&format!("images/{split}/p00.png"));
        save_photo(&image, 4, 2);
        save_png(
            &at(&format!("annotations/{split}/p00.png")),
            [4, 2],
            png::ColorType::Indexed,
            png::BitDepth::Eight,
            &labels,
        );
        let found = labels_of(&image, &["a".to_owned()]).unwrap();
        assert_eq!(found.labels.data[0], 0);
    }
    let load = || Dataset::open(dir.path(), "training")?.load(0);
    let expected = [0, 1, 2, IGNORE, 2, 1, 0, 0];
    assert_eq!(load().unwrap().labels.data, expected);
    // A file of colours does not change what the others mean.
    let image = at("images/validation/below/p00.png");
    save_png(
        &at("annotations/validation/below/p00.png"),
        [4, 2],
        RGB,
        png::BitDepth::Eight,
        &[9; 24],
    );
    assert_eq!(load().unwrap().labels.data, expected);
    let validation = Dataset::open(dir.path(), "validation").unwrap();
    assert_eq!(validation.sample_name(0), "below-p00");
    says(
        &message(validation.load(0)),
        &["labelmap.txt", "class \"cat\""],
    );
    assert!(labels_of(&image, &["a".to_owned()]).is_none());
}

#[test]
fn grey_files_beside_a_list_and_a_label_map_are_as_without_the_map() {
    let dir = plain(1);
    let at = |path: &str| dir.path().join(path);
    let labels = |split: &str| at(&format!("annotations/{split}/p00.png"));
    fs::write(at("classes.txt"), "a\nb\n").unwrap();
    save_labels(&labels("training"), [4, 2], &[0, 255, 0, 0, 0, 255, 0, 0]);
    save_labels(&labels("validation"), [4, 2], &[0; 8]);
    let open = || Dataset::open(dir.path(), "training");
    let problems = || {
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        report.problems().to_vec()
    };
    let (fingerprint, expected) = (open().unwrap().fingerprint(), problems());
    says(&expected.join("\n"), &["hold only 0 and 255"]);
    fs::write(at("labelmap.txt"), "a:0,0,0::\nb:255,255,255::\n").unwrap();
    assert_eq!(open().unwrap().fingerprint(), fingerprint);
    assert_eq!(problems(), expected);
    // A value of pixels may get a class, unless a colour may have it as its class.
    fs::write(at("dataset.toml"), "[map]\n255 = \"b\"\n").unwrap();
    let drawn = open().unwrap().load(0).unwrap().labels.data;
    assert_eq!(drawn, [0, 1, 0, 0, 0, 1, 0, 0]);
    fs::write(at("dataset.toml"), "[map]\n1 = \"a\"\n").unwrap();
    says(&message(open()), &["dataset.toml", "value 1"]);
}

#[test]
fn camvid_of_other_classes_has_the_colours_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let colours = [[0, 0, 0], [250, 50, 83], [9, 9, 9]];
    let painted = [0, 1, 2, 0, 1, 1, 0, 0].map(|index: usize| colours[index]);
    let names = "0 0 0 background\n250 50 83\tblack cat\n9 9 9 Void\n";
    for split in ["default", "train"] {
        let labels = at(&format!("{split}annot/a.png"));
        save_photo(&at(&format!("{split}/a.png")), 4, 2);
        save_png(
            &labels,
            [4, 2],
            RGB,
            png::BitDepth::Eight,
            &painted.concat(),
        );
        if split == "default" {
            assert!(detect(dir.path()).is_err());
        }
        fs::write(at("label_colors.txt"), names).unwrap();
        assert_eq!(detect(dir.path()).unwrap(), Layout::CamVidPublished);
        let dataset = Dataset::open(dir.path(), "training").unwrap();
        assert_eq!(dataset.classes().names, ["background", "black cat"]);
        let drawn = dataset.load(0).unwrap().labels.data;
        assert_eq!(drawn, [0, 1, IGNORE, 0, 1, 1, 0, 0]);
        fs::rename(at(split), at(&format!("old-{split}"))).unwrap();
    }
    // The tutorial's labels are values, also beside a file of colours.
    let labels = at("trainannot/a.png");
    save_photo(&at("train/a.png"), 4, 2);
    save_labels(&labels, [4, 2], &[0, 10, 11, 5, 0, 0, 0, 0]);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().len(), 11);
    let drawn = dataset.load(0).unwrap().labels.data;
    assert_eq!(drawn[..4], [0, 10, IGNORE, 5]);
    save_png(
        &labels,
        [4, 2],
        RGB,
        png::BitDepth::Eight,
        &painted.concat(),
    );
    fs::write(at("label_colors.txt"), "0 0 background\n").unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["label_colors.txt", "line 1", "RED GREEN BLUE NAME"],
    );
}

#[test]
fn palette_files_beside_a_list_have_the_classes_of_their_colours_if_all_are_listed() {
    let dir = plain(2);
    let at = |path: &str| dir.path().join(path);
    let map = |text: &str| fs::write(at("labelmap.txt"), text).unwrap();
    let save = |split: &str, colour, bytes: &[u8]| {
        let path = at(&format!("annotations/{split}/p00.png"));
        save_png(&path, [4, 2], colour, png::BitDepth::Eight, bytes);
    };
    let load = |split: &str| Dataset::open(dir.path(), split).unwrap().load(0);
    let drawn = |split: &str| load(split).unwrap().labels.data;
    // The colours of the indices 1 and 0 in the test's palette.
    map("a:254,0,7::\nb:255,0,7::\nc:1,2,3::\n");
    save("training", INDEXED, &[0, 1, 0, 1, 1, 1, 0, 0]);
    let expected = [1, 0, 1, 0, 0, 0, 1, 1];
    assert_eq!(drawn("training"), expected);
    // A file of another kind elsewhere changes nothing.
    save("validation", RGB, &[1, 2, 3].repeat(8));
    assert_eq!(drawn("training"), expected);
    assert_eq!(drawn("validation"), [2; 8]);
    let classes = ["a", "b", "c"].map(str::to_owned);
    let found = labels_of(&at("images/training/p00.png"), &classes).unwrap();
    assert_eq!(found.labels.data, expected);
    // Without a listed colour, the indices are the labels.
    save("training", INDEXED, &[2, 2, 255, 2, 2, 2, 2, 2]);
    assert_eq!(drawn("training"), [2, 2, IGNORE, 2, 2, 2, 2, 2]);
    save("training", INDEXED, &[0, 2, 0, 0, 0, 0, 0, 0]);
    says(
        &message(load("training")),
        &["p00.png", "palette index 0", "labelmap.txt", "index 2"],
    );
    // The unused end of a palette is no colour of an index.
    let classes = "a:0,0,0::\nb:128,0,0::\n";
    map(classes);
    let file = fs::File::create(at("annotations/training/p00.png")).unwrap();
    let mut encoder = png::Encoder::new(file, 4, 2);
    encoder.set_color(INDEXED);
    encoder.set_depth(png::BitDepth::Eight);
    let mut palette = vec![0; 3 * 256];
    palette[3] = 128;
    encoder.set_palette(palette);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&[0, 1, 255, 0, 1, 1, 0, 0])
        .unwrap();
    writer.finish().unwrap();
    assert_eq!(drawn("training"), [0, 1, IGNORE, 0, 1, 1, 0, 0]);
    map(&classes.replace('a', "c"));
    says(
        &message(load("training")),
        &["index 0", "index 255", "the same colour as a lower index"],
    );
}

#[test]
fn colours_count_however_many_files_of_values_come_before_them() {
    let dir = plain(65);
    let labels = dir.path().join("annotations/training/p64.png");
    let pixels = [9, 8, 7].repeat(8);
    save_png(&labels, [4, 2], RGB, png::BitDepth::Eight, &pixels);
    fs::write(dir.path().join("labelmap.txt"), "b:9,8,7::\n").unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.load(64).unwrap().labels.data, [1; 8]);
}
