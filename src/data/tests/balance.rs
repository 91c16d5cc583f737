//! Balanced crops show rare classes; the other samples of a batch are unchanged.

use super::super::balance::{Rare, class_weights};
use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Six photos of class 0; the first has a square of class 1 at its edge, the second one of class 2.
fn tail() -> tempfile::TempDir {
    let dir = plain(0);
    for i in 0..6usize {
        let image = dir.path().join(format!("images/training/p{i}.png"));
        let labels = dir.path().join(format!("annotations/training/p{i}.png"));
        let mut values = vec![0u8; 40 * 40];
        for y in 33..38 {
            for x in 1..6 {
                values[y * 40 + x] = if i < 2 { i as u8 + 1 } else { 0 };
            }
        }
        save_photo(&image, 40, 40);
        save_labels(&labels, [40, 40], &values);
    }
    dir
}

fn config(balance: f32) -> LoaderConfig {
    LoaderConfig {
        size: [20, 20],
        batch_size: 4,
        augment: Some(Augment {
            scale: [2.0, 3.0],
            balance,
            ..Augment::default()
        }),
        ..LoaderConfig::default()
    }
}

/// The shares of samples that show a rare class, and that come from photos that hold one.
fn shares(dataset: &Dataset, balance: f32) -> [f32; 2] {
    let (mut shown, mut held, mut all) = (0, 0, 0);
    for step in 0..60 {
        let batch = batch_at(dataset, &config(balance), step).unwrap();
        for (labels, name) in batch.labels.chunks(400).zip(&batch.names) {
            all += 1;
            shown += i32::from(labels.iter().any(|&l| l == 1 || l == 2));
            held += i32::from(name == "p0" || name == "p1");
        }
    }
    [shown, held].map(|n| n as f32 / all as f32)
}

#[test]
fn every_balanced_crop_shows_a_rare_class() {
    let dir = tail();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(Rare::of(&dataset).classes().collect::<Vec<_>>(), [1, 2]);
    let [shown, held] = shares(&dataset, 0.0);
    assert!(
        shown < 0.25 && (0.28..0.4).contains(&held),
        "{shown} {held}"
    );
    let [shown, held] = shares(&dataset, 0.5);
    assert!((0.45..0.75).contains(&shown), "{shown}");
    assert!((0.55..0.8).contains(&held), "{held}");
    assert_eq!(shares(&dataset, 1.0), [1.0, 1.0]);
}

#[test]
fn balance_is_a_function_of_seed_and_step_too() {
    let dir = tail();
    let dataset = Arc::new(Dataset::open(dir.path(), "training").unwrap());
    let expected: Vec<Batch> = (0..5)
        .map(|step| batch_at(&dataset, &config(0.5), step).unwrap())
        .collect();
    let config = LoaderConfig {
        workers: 3,
        ..config(0.5)
    };
    let loaded = Loader::new(dataset, config, 0, 5).unwrap();
    assert_eq!(loaded.map(Result::unwrap).collect::<Vec<_>>(), expected);
}

#[test]
fn both_rare_classes_come_equally_often() {
    let dir = tail();
    // A third photo with class 2 must not make it twice as common.
    fs::copy(
        dir.path().join("annotations/training/p1.png"),
        dir.path().join("annotations/training/p2.png"),
    )
    .unwrap();
    let rare = Rare::of(&Dataset::open(dir.path(), "training").unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut seen = [0; 3];
    for _ in 0..600 {
        seen[usize::from(rare.choose(1.0, &mut rng).unwrap().class)] += 1;
    }
    assert!(seen[0] == 0 && (240..360).contains(&seen[1]), "{seen:?}");
    assert!((0..100).all(|_| rare.choose(0.0, &mut rng).is_none()));
}

#[test]
fn equal_classes_are_not_rare_and_change_nothing() {
    let dir = plain(0);
    for i in 0..3 {
        save_pair(
            &dir.path().join(format!("images/training/p{i}.png")),
            &dir.path().join(format!("annotations/training/p{i}.png")),
            [0, 0, 0, 0, 1, 1, 1, 1],
        );
    }
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    assert_eq!(Rare::of(&dataset).classes().count(), 0);
    assert_eq!(
        batch_at(&dataset, &config(1.0), 3).unwrap(),
        batch_at(&dataset, &config(0.0), 3).unwrap()
    );
}

#[test]
fn rare_classes_weigh_more_within_bounds() {
    let dir = tail();
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let plain = class_weights(&dataset, 0.0);
    assert!(plain.iter().all(|w| *w == 1.0), "{plain:?}");
    let [half, full] = [0.5, 1.0].map(|exponent| class_weights(&dataset, exponent));
    let rare: Vec<u16> = Rare::of(&dataset).classes().collect();
    for class in 0..dataset.classes().len() {
        let is_rare = rare.contains(&(class as u16));
        assert_eq!(full[class] > 1.0, is_rare, "{full:?}");
        assert!((0.1..=10.0).contains(&full[class]), "{full:?}");
        // Smaller exponents are closer to 1.
        assert!(
            (half[class] - 1.0).abs() <= (full[class] - 1.0).abs(),
            "{half:?} {full:?}"
        );
    }
}

/// The training split of two data sets with these weights.
fn joined(dirs: [&tempfile::TempDir; 2], weights: [f64; 2]) -> Dataset {
    let paths = dirs.map(|dir| dir.path().to_path_buf());
    let list = DataList {
        paths: serde_json::from_value(serde_json::json!(paths)).unwrap(),
        weights: weights.to_vec(),
        further: FurtherClasses::Add,
    };
    list.open_training().unwrap()
}

#[test]
fn photos_with_a_rare_class_come_as_often_as_their_data_set_weighs() {
    let (one, other) = (tail(), tail());
    let rare = Rare::of(&joined([&one, &other], [1.0, 0.25]));
    assert_eq!(rare.classes().collect::<Vec<_>>(), [1, 2]);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // Each has six photos; one fifth comes from the second.
    let from_other = (0..1000)
        .filter(|_| rare.choose(1.0, &mut rng).unwrap().sample >= 6)
        .count();
    assert!((140..260).contains(&from_other), "{from_other}");
}

#[test]
fn a_data_set_that_is_seldom_shown_makes_no_class_common() {
    let (one, other) = (tail(), plain(0));
    for i in 0..6 {
        let at = |parent: &str| other.path().join(format!("{parent}/training/q{i}.png"));
        save_photo(&at("images"), 40, 40);
        save_labels(&at("annotations"), [40, 40], &[1; 1600]);
    }
    for (weight, expected) in [(1.0, &[2][..]), (0.01, &[1, 2])] {
        let rare = Rare::of(&joined([&one, &other], [1.0, weight]));
        assert_eq!(rare.classes().collect::<Vec<_>>(), expected, "{weight}");
    }
}
