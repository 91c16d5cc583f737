//! Several data sets as one.

use std::collections::BTreeMap;

use super::*;

/// A plain data set with these classes and `count` pairs in both splits, with file names that begin
/// with the prefix; the labels cycle through the classes, and one pixel is ignored.
fn set(prefix: &str, classes: &str, count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("classes.txt"), classes.replace(' ', "\n")).unwrap();
    let n = classes.split(' ').count() as u8;
    for split in ["training", "validation"] {
        for i in 0..count {
            let image = dir.path().join(format!("images/{split}/{prefix}{i}.png"));
            let labels = dir
                .path()
                .join(format!("annotations/{split}/{prefix}{i}.png"));
            save_pair(&image, &labels, [0, 1 % n, 2 % n, 3 % n, 255, 0, 0, 0]);
        }
    }
    dir
}

fn list(dirs: &[&tempfile::TempDir], weights: &[f64], further: FurtherClasses) -> DataList {
    let paths: Vec<PathBuf> = dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
    DataList {
        paths: serde_json::from_value(serde_json::json!(paths)).unwrap(),
        weights: weights.to_vec(),
        further,
    }
}

const ADD: FurtherClasses = FurtherClasses::Add;

#[test]
fn classes_are_joined_by_name_and_the_first_keep_their_indices() {
    let (a, b) = (set("a", "sky road car", 2), set("b", "CAR Tree sky", 3));
    let both = list(&[&a, &b], &[], ADD);
    let training = both.open_training().unwrap();
    assert_eq!(training.len(), 5);
    assert_eq!(training.classes().names, ["sky", "road", "car", "Tree"]);
    let name =
        |dir: &tempfile::TempDir| dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(training.name(), format!("{} + {}", name(&a), name(&b)));
    assert_eq!(
        training.load(0).unwrap().labels.data,
        [0, 1, 2, 0, IGNORE, 0, 0, 0]
    );
    let last = training.load(4).unwrap();
    assert_eq!(last.name, "b2");
    assert_eq!(last.labels.data, [2, 3, 0, 2, IGNORE, 2, 2, 2]);
    assert_eq!(training.load_labels(4).unwrap(), last.labels);
    assert_eq!(training.sample_name(4), "b2");
    assert!(training.image_path(4).unwrap().ends_with("b2.png"));
    assert_eq!(training.class_pixels()[4], [(0, 1), (2, 5), (3, 1)]);
    says(&message(training.load(5)), &["5 samples"]);
    assert_eq!(training.spans(), [0..2, 2..5]);
    // Validation uses the first data set, with all classes.
    let validation = both.open_first("validation", &training).unwrap();
    assert_eq!(
        (validation.len(), validation.classes()),
        (2, training.classes())
    );
    assert_eq!(
        validation.load(1).unwrap().labels.data,
        [0, 1, 2, 0, IGNORE, 0, 0, 0]
    );
    // Alternatively, classes that only others have are ignored.
    let ignored = list(&[&a, &b], &[], FurtherClasses::Ignore)
        .open_training()
        .unwrap();
    assert_eq!(ignored.classes().names, ["sky", "road", "car"]);
    assert_eq!(
        ignored.load(4).unwrap().labels.data,
        [2, IGNORE, 0, 2, IGNORE, 2, 2, 2]
    );
    assert_eq!(ignored.class_pixels()[4], [(0, 1), (2, 5)]);
    // A map renames a class to its name in the first data set.
    fs::write(b.path().join("dataset.toml"), "[map]\ntree = 'road'\n").unwrap();
    let mapped = both.open_training().unwrap();
    assert_eq!(mapped.classes().names, ["sky", "road", "car"]);
    assert_eq!(
        mapped.load(4).unwrap().labels.data,
        [2, 1, 0, 2, IGNORE, 2, 2, 2]
    );
}

#[test]
fn one_data_set_is_what_it_was() {
    let a = set("a", "sky road car", 3);
    let alone = list(&[&a], &[], ADD).open_training().unwrap();
    let opened = Dataset::open(a.path(), "training").unwrap();
    assert_eq!(alone.fingerprint(), opened.fingerprint());
    assert_eq!(alone.name(), opened.name());
    let config = LoaderConfig::default();
    assert_eq!(
        batch_at(&alone, &config, 3).unwrap(),
        batch_at(&opened, &config, 3).unwrap()
    );
    says(
        &message(list(&[], &[], ADD).open_first("validation", &alone)),
        &["no data set"],
    );
    let c = set("c", "x y", 1);
    let apart = list(&[&a, &c], &[], FurtherClasses::Ignore);
    says(
        &message(apart.open_training()),
        &["shares no class with the first", "[map]"],
    );
}

#[test]
fn fingerprints_know_every_data_set_its_place_and_weight() {
    let (a, b) = (set("a", "sky road", 2), set("b", "road sky", 3));
    let print = |dirs: &[&tempfile::TempDir], weights: &[f64]| {
        list(dirs, weights, ADD)
            .open_training()
            .unwrap()
            .fingerprint()
    };
    let all = [
        print(&[&a], &[]),
        print(&[&b], &[]),
        print(&[&a, &b], &[]),
        print(&[&b, &a], &[]),
        print(&[&a, &b], &[1.0, 0.5]),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[..i].contains(one), "{i}");
    }
    assert_eq!(all[2], print(&[&a, &b], &[]));
    save_pair(
        &b.path().join("images/training/b9.png"),
        &b.path().join("annotations/training/b9.png"),
        [0; 8],
    );
    assert_ne!(all[2], print(&[&a, &b], &[]));
}

/// How often each sample occurs in the first batches.
fn counts(data: &Dataset, batches: u64) -> BTreeMap<String, usize> {
    let config = LoaderConfig {
        size: [2, 4],
        batch_size: 6,
        seed: 3,
        ..LoaderConfig::default()
    };
    let mut counts = BTreeMap::new();
    for step in 0..batches {
        for name in batch_at(data, &config, step).unwrap().names {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

#[test]
fn weights_are_how_often_an_epoch_shows_a_photo() {
    let (a, b) = (set("a", "sky road", 4), set("b", "road sky", 4));
    let opened = |weights: &[f64]| list(&[&a, &b], weights, ADD).open_training().unwrap();
    // An epoch has 4 + 2 samples, one batch: in 8 epochs each photo of the first occurs 8 times, of the
    // other 4 times.
    let half = counts(&opened(&[1.0, 0.5]), 8);
    for i in 0..4 {
        assert_eq!(
            [half[&format!("a{i}")], half[&format!("b{i}")]],
            [8, 4],
            "{half:?}"
        );
    }
    // An epoch has 4 + 8 samples: 2 batches.
    let double = counts(&opened(&[1.0, 2.0]), 4);
    assert!((0..4).all(|i| double[&format!("a{i}")] == 2 && double[&format!("b{i}")] == 4));
    let dropped = counts(&opened(&[1.0, 0.0]), 4);
    assert_eq!(dropped.len(), 4);
    assert!(dropped.keys().all(|name| name.starts_with('a')));
    // Equal weights have no effect, and all samples occur once per epoch.
    assert_eq!(counts(&opened(&[1.0, 1.0]), 5), counts(&opened(&[]), 5));
    assert!(counts(&opened(&[]), 4).values().all(|count| *count == 3));
    // A later stage may have other weights.
    assert_eq!(counts(&opened(&[]).weighted(&[1.0, 0.5]), 8), half);
}

#[test]
fn a_check_names_the_bad_pairs_of_each() {
    let (a, b) = (set("a", "sky road", 3), set("b", "road sky", 3));
    fs::write(a.path().join("images/training/a1.png"), "rubbish").unwrap();
    fs::write(b.path().join("images/training/b0.png"), "rubbish").unwrap();
    let data = list(&[&a, &b], &[], ADD).open_training().unwrap();
    let mut progress = Vec::new();
    let check = || data.check(None, &mut |_, _| {}, &|| false).unwrap();
    data.check(None, &mut |done, of| progress.push((done, of)), &|| false)
        .unwrap();
    assert_eq!(progress.last(), Some(&(6, 6)));
    let bad: Vec<usize> = check().bad.iter().map(|(i, _)| *i).collect();
    assert_eq!(bad, [1, 3]);
    says(
        &message(data.clone().checked(check(), false)),
        &["1 of 3 pairs", "a1.png", "--skip-bad"],
    );
    for kept in [
        data.clone().checked(check(), true).unwrap(),
        data.without(check()),
    ] {
        let names: Vec<String> = (0..kept.len()).map(|i| kept.sample_name(i)).collect();
        assert_eq!(names, ["a0", "a2", "b1", "b2"]);
        // The other's classes are in the other order.
        assert_eq!(kept.class_pixels()[0], [(0, 5), (1, 2)]);
        assert_eq!(kept.class_pixels()[2], [(0, 2), (1, 5)]);
        assert_eq!(kept.load(3).unwrap().name, "b2");
    }
    // Scenes joined with files.
    let mut mixed = list(&[&a], &[], ADD);
    let paths = serde_json::json!([a.path(), "scenes:3@16x16"]);
    mixed.paths = serde_json::from_value(paths).unwrap();
    let mixed = mixed.open_training().unwrap();
    let check = mixed.check(None, &mut |_, _| {}, &|| false).unwrap();
    assert_eq!(
        mixed.clone().checked(check, true).unwrap().len(),
        mixed.len() - 1
    );
}

#[test]
fn data_with_some_of_a_model_s_classes_is_scored_with_all() {
    let a = set("a", "Road sky", 2);
    let opened = || Dataset::open(a.path(), "validation").unwrap();
    let table = |names: &[&str]| ClassTable::new(names.iter().map(|n| (*n).to_owned()).collect());
    let within = opened().within(&table(&["sky", "tree", "Road"])).unwrap();
    assert_eq!(
        within.load(0).unwrap().labels.data,
        [2, 0, 2, 0, IGNORE, 2, 2, 2]
    );
    assert_eq!(within.name(), opened().name());
    assert!(opened().within(&table(&["sky", "tree"])).is_none());
    assert!(opened().within(&table(&["sky", "road"])).is_none());
    assert_eq!(
        opened()
            .within(&table(&["Road", "sky"]))
            .unwrap()
            .fingerprint(),
        opened().fingerprint()
    );
}

#[test]
fn joined_data_sets_take_another_order_of_their_classes() {
    let (a, b) = (set("a", "Road sky", 2), set("b", "sky Road", 3));
    let both = || list(&[&a, &b], &[1.0, 2.0], ADD).open_training().unwrap();
    let table = ClassTable::new(["tree", "sky", "Road"].map(str::to_owned).into());
    let within = both().within(&table).unwrap();
    // Still two parts, with a weight each.
    assert_eq!(within.spans(), both().spans());
    for i in 0..within.len() {
        let [before, after] =
            [both(), within.clone()].map(|data| data.load(i).unwrap().labels.data);
        let expected: Vec<u16> = before
            .iter()
            .map(|label| 2u16.checked_sub(*label).unwrap_or(IGNORE))
            .collect();
        assert_eq!(after, expected);
    }
}

/// In the second set, what is rare in the first is frequent.
#[test]
fn class_weights_count_a_photo_as_often_as_it_is_shown() {
    use super::super::balance::class_weights;
    let (a, b) = (set("a", "sky road", 4), set("b", "road sky", 4));
    let of = |weights: &[f64]| {
        let both = list(&[&a, &b], weights, ADD).open_training().unwrap();
        class_weights(&both, 1.0)
    };
    let alone = class_weights(&Dataset::open(a.path(), "training").unwrap(), 1.0);
    assert!(alone[0] < 1.0 && alone[1] > 1.0, "{alone:?}");
    assert_eq!(of(&[1.0, 0.0]), alone);
    assert_eq!(of(&[]), [1.0, 1.0]);
    assert_eq!(of(&[0.0, 1.0]), [alone[1], alone[0]]);
}

#[test]
fn one_of_several_data_sets_may_show_a_single_class() {
    let (a, b) = (set("a", "bg fg", 1), set("b", "bg fg", 1));
    let labels = b.path().join("annotations/training/b0.png");
    save_labels(&labels, [4, 2], &[0, 255, 0, 0, 0, 0, 0, 0]);
    let opened = |weights: &[f64]| list(&[&a, &b], weights, ADD).open_training().unwrap();
    let both = opened(&[]);
    assert!(both.refuse_black_and_white().is_ok());
    assert!(both.missing_classes().is_empty());
    // Without weight the other one counts for nothing.
    let alone = opened(&[0.0, 1.0]);
    assert_eq!(alone.missing_classes(), ["fg"]);
    says(&message(alone.refuse_black_and_white()), &["class fg"]);
    assert!(opened(&[1.0, 0.0]).refuse_black_and_white().is_ok());
    // Scenes change nothing.
    let with_scenes = |dirs: &[&tempfile::TempDir]| {
        let mut all = list(dirs, &[], ADD);
        let mut paths: Vec<&Path> = dirs.iter().map(|dir| dir.path()).collect();
        paths.push(Path::new("scenes:3@16x16"));
        all.paths = serde_json::from_value(serde_json::json!(paths)).unwrap();
        all.open_training().unwrap().refuse_black_and_white()
    };
    says(&message(with_scenes(&[&b])), &["class fg"]);
    assert!(with_scenes(&[&a, &b]).is_ok());
}
