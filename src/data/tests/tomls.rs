//! Data sets that describe themselves.

use super::*;

/// A folder with one pair, `photos/a.png` and `masks/a_L.png`, and a description.
fn described(toml: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (image, labels) = (
        dir.path().join("photos/a.png"),
        dir.path().join("masks/a_L.png"),
    );
    save_pair(&image, &labels, [1, 2, 3, 0, 9, 1, 1, 1]);
    fs::write(dir.path().join("dataset.toml"), toml).unwrap();
    dir
}

const SPLIT: &str = "[splits.training]\nimages = \"photos\"\nlabels = \"masks\"\n";

#[test]
fn raw_labels_are_shifted_and_ignored() {
    let dir = described(&format!(
        "name = \"Mine\"\nclasses = [\"x\", \"y\", \"z\"]\nignore = [0, 9]\noffset = 1\nlabel_suffix = \"_L.png\"\n{SPLIT}"
    ));
    assert_eq!(detect(dir.path()).unwrap(), Layout::DatasetToml);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!((dataset.name(), dataset.len()), ("Mine", 1));
    assert_eq!(
        dataset.load(0).unwrap().labels.data,
        [0, 1, 2, IGNORE, IGNORE, 0, 0, 0]
    );
}

#[test]
fn classes_may_stand_in_a_file_and_suffixes_in_a_split() {
    let dir = described(&format!(
        "classes = \"names.txt\"\nignore = [9]\n{SPLIT}label_suffix = \"_L.png\"\n"
    ));
    fs::write(dir.path().join("names.txt"), "n\ne\nw\ns\n").unwrap();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["n", "e", "w", "s"]);
    assert_eq!(
        dataset.load(0).unwrap().labels.data[..5],
        [1, 2, 3, 0, IGNORE]
    );
}

#[test]
fn photos_and_labels_may_share_a_folder() {
    let dir = described(
        "classes = [\"a\", \"b\", \"c\", \"d\"]\nignore = [9]\nlabel_suffix = \"_L.png\"\n\
         [splits.all]\nimages = \"both\"\nlabels = \"both\"\n",
    );
    let (image, labels) = (
        dir.path().join("both/a.png"),
        dir.path().join("both/a_L.png"),
    );
    save_pair(&image, &labels, [0; 8]);
    assert_eq!(Dataset::open(dir.path(), "all").unwrap().len(), 1);
    // Of two suffixes that fit a name, the longer one tells what the file is.
    for (suffixes, image, labels) in [
        (
            "image_suffix = \".png\"\nlabel_suffix = \"_L.png\"",
            "a.png",
            "a_L.png",
        ),
        ("image_suffix = \"_photo.png\"", "a_photo.png", "a.png"),
    ] {
        let dir = described(&format!(
            "classes = [\"a\"]\n{suffixes}\n[splits.all]\nimages = \"both\"\nlabels = \"both\"\n"
        ));
        let both = dir.path().join("both");
        save_pair(&both.join(image), &both.join(labels), [0; 8]);
        let report = inspect(dir.path(), &|_, _| {}).unwrap();
        assert!(report.problems().is_empty(), "{:?}", report.problems());
        assert_eq!(report.splits[0].pairs, 1);
    }
}

#[test]
fn empty_names_are_refused_since_they_would_shift_classes() {
    let opened = |toml: &str| message(Dataset::open(described(toml).path(), "training"));
    let toml = format!(
        "classes = [\"x\", \"\", \"z\"]\nignore = [0, 9]\noffset = 1\nlabel_suffix = \"_L.png\"\n{SPLIT}"
    );
    says(&opened(&toml), &["dataset.toml", "class 1", "empty name"]);
    let toml = format!("{}[map]\nx = \" \"\n", toml.replace("\"\"", "\"y\""));
    says(
        &opened(&toml),
        &["dataset.toml", "map", "\"x\"", "ignore = [\"x\"]"],
    );
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    let opened = |toml: &str| message(Dataset::open(described(toml).path(), "training"));
    says(
        &opened("classes = [\"a\"]\n[splits.training]\nimages = \n"),
        &["dataset.toml", "line 3"],
    );
    says(
        &opened(&format!("klasses = 1\n{SPLIT}")),
        &["dataset.toml", "klasses"],
    );
    says(
        &opened(&format!("classes = 7\n{SPLIT}")),
        &["array of names or the name of a file"],
    );
    says(
        &opened(&format!("classes = []\n{SPLIT}")),
        &["names no class"],
    );
    says(
        &opened("classes = [\"a\"]\n[splits]\n"),
        &["add [splits.training]"],
    );
    let absent = "classes = [\"a\"]\n[splits.training]\nimages = \"gone\"\nlabels = \"masks\"\n";
    says(
        &opened(absent),
        &["splits.training.images", "\"gone\"", "not a folder"],
    );
    // One split under two names, of which only one would be read.
    let again = SPLIT.replace("training", "train");
    says(
        &opened(&format!("classes = [\"a\"]\n{SPLIT}{again}")),
        &["dataset.toml", "two of its splits are training: join them"],
    );
    // Without the suffix no photo has labels.
    says(
        &opened(&format!("classes = [\"a\"]\n{SPLIT}")),
        &["training split", "is empty"],
    );
}

#[test]
fn files_saved_by_windows_are_read_or_explained() {
    let toml = format!(
        "classes = [\"a\", \"b\", \"c\", \"d\"]\nignore = [9]\nlabel_suffix = \"_L.png\"\n{SPLIT}"
    );
    for text in [format!("\u{feff}{toml}"), toml.replace('\n', "\r\n")] {
        assert_eq!(
            Dataset::open(described(&text).path(), "training")
                .unwrap()
                .len(),
            1
        );
    }
    let opened = |toml: &str| message(Dataset::open(described(toml).path(), "training"));
    let tab = opened(
        "classes = [\"a\"]\n[splits.training]\nimages = \"images\\training\"\nlabels = \"masks\"\n",
    );
    says(
        &tab,
        &["dataset.toml", "images\\training", "write / in paths"],
    );
    assert!(!tab.contains('\t'));
    let user = opened(
        "classes = [\"a\"]\n[splits.training]\nimages = \"C:\\Users\\me\"\nlabels = \"masks\"\n",
    );
    says(&user, &["dataset.toml", "line 3", "write / in paths"]);
    let dir = described(&toml);
    let utf16: Vec<u8> = format!("\u{feff}{toml}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(dir.path().join("dataset.toml"), utf16).unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["dataset.toml", "UTF-16"],
    );
}

#[test]
fn splits_within_splits_keep_to_themselves() {
    let dir = described(
        "classes = [\"a\", \"b\", \"c\", \"d\"]\nignore = [9]\n\
         [splits.training]\nimages = \"all\"\nlabels = \"all/masks\"\n\
         [splits.validation]\nimages = \"all/val\"\nlabels = \"all/masks/val\"\n",
    );
    let at = |path: &str| dir.path().join(path);
    save_pair(&at("all/a.jpg"), &at("all/masks/a.png"), [0; 8]);
    save_pair(&at("all/val/b.jpg"), &at("all/masks/val/b.png"), [0; 8]);
    for (split, name) in [("training", "a"), ("validation", "b")] {
        let dataset = Dataset::open(dir.path(), split).unwrap();
        assert_eq!((dataset.len(), dataset.sample_name(0).as_str()), (1, name));
    }
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty(), "{:?}", report.problems());
}

#[test]
fn a_map_renames_merges_and_leaves_out_classes() {
    let toml = format!(
        "classes = [\"x\", \"y\", \"z\"]\nignore = [0, 9, \"Z\"]\noffset = 1\nlabel_suffix = \"_L.png\"\n\
         {SPLIT}\n[map]\ny = \"X\"\n"
    );
    let dataset = Dataset::open(described(&toml).path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["x"]);
    let opened = |toml: &str| message(Dataset::open(described(toml).path(), "training"));
    says(
        &opened(&toml.replace("y = ", "w = ")),
        &["dataset.toml", "map", "\"w\""],
    );
    says(
        &opened(&format!("unlabelled = \"ignore\"\n{toml}")),
        &["dataset.toml", "unlabelled", "outlines"],
    );
    says(&opened("name = \"alone\"\n"), &["holds no data set"]);
    let dir = described(&toml);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let labels = dataset.load(0).unwrap().labels.data;
    assert_eq!(labels, [0, 0, IGNORE, IGNORE, IGNORE, 0, 0, 0]);
}

#[test]
fn classes_that_differ_in_case_only_stay_apart_unless_the_map_merges_them() {
    let names = |rest: &str| {
        let toml = format!(
            "classes = [\"Car\", \"car\", \"bus\", \"van\"]\n\
             label_suffix = \"_L.png\"\n{rest}"
        );
        let dataset = Dataset::open(described(&toml).path(), "training").unwrap();
        dataset.classes().names.clone()
    };
    assert_eq!(names(SPLIT), ["Car", "car", "bus", "van"]);
    let ignoring = format!("ignore = [\"van\"]\n{SPLIT}");
    assert_eq!(names(&ignoring), ["Car", "car", "bus"]);
    for (to, left) in [
        ("car", &["Car", "car", "van"][..]),
        ("CAR", &["Car", "car", "van"]),
        ("VAN", &["Car", "car", "van"]),
        ("Bus", &["Car", "car", "Bus", "van"]),
    ] {
        assert_eq!(names(&format!("{SPLIT}\n[map]\nbus = \"{to}\"\n")), left);
    }
    let merging = format!("{SPLIT}\n[map]\ncar = \"Car\"\n");
    assert_eq!(names(&merging), ["Car", "bus", "van"]);
}

#[test]
fn a_map_gives_raw_values_a_class() {
    let toml = format!(
        "classes = [\"x\", \"y\"]\nignore = [0]\noffset = 1\nlabel_suffix = \"_L.png\"\n\
         {SPLIT}\n[map]\n9 = \"Y\"\n3 = \"new\"\n"
    );
    let dir = described(&toml);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(dataset.classes().names, ["x", "y", "new"]);
    let labels = dataset.load(0).unwrap().labels.data;
    assert_eq!(labels, [0, 1, 2, IGNORE, 1, 0, 0, 0]);
    // Labels that are not values of pixels.
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    save_photo(&at("images/a.png"), 4, 2);
    fs::create_dir_all(at("labels")).unwrap();
    fs::write(at("labels/a.txt"), "0 0 0 1 0 1 1\n").unwrap();
    fs::write(at("dataset.toml"), "[map]\n255 = \"class 0\"\n").unwrap();
    says(
        &message(Dataset::open(dir.path(), "training")),
        &["dataset.toml", "map", "255"],
    );
}

#[test]
fn corrections_have_the_classes_that_a_map_leaves_when_they_are_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    assert!(trained_classes(dir.path()).unwrap().is_empty());
    save_pair(
        &at("images/training/a.png"),
        &at("annotations/training/a.png"),
        [0; 8],
    );
    fs::write(at("classes.txt"), "car\nbus\nroad\nvan\n").unwrap();
    let own = ["car", "bus", "road", "van"];
    assert_eq!(trained_classes(dir.path()).unwrap(), own);
    fs::write(
        at("dataset.toml"),
        "ignore = [\"van\"]\n[map]\nbus = \"car\"\n",
    )
    .unwrap();
    assert_eq!(trained_classes(dir.path()).unwrap(), ["car", "road"]);
    assert_eq!(corrected_classes(dir.path()).unwrap(), own);
    fs::write(at("dataset.toml"), "[map]\nbicycle = \"car\"\n").unwrap();
    says(
        &message(trained_classes(dir.path())),
        &["dataset.toml", "bicycle"],
    );
}
