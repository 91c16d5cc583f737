//! Batches: a pure function of seed, step and data set, for any number of threads.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::*;

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig {
        size: [12, 16],
        batch_size: 3,
        seed: 5,
        workers,
        ..LoaderConfig::default()
    }
}

fn scenes(len: usize) -> Arc<Dataset> {
    let config = SceneConfig {
        classes: 5,
        size: [24, 32],
        ..SceneConfig::default()
    };
    Arc::new(Dataset::scenes(config, len))
}

fn batches(dataset: &Arc<Dataset>, config: LoaderConfig, steps: [u64; 2]) -> Vec<Batch> {
    let loader = Loader::new(dataset.clone(), config, steps[0], steps[1]).unwrap();
    loader.map(Result::unwrap).collect()
}

#[test]
fn batches_depend_on_neither_threads_nor_cache_nor_resume() {
    let dataset = scenes(7);
    let expected: Vec<Batch> = (0..11)
        .map(|step| batch_at(&dataset, &config(1), step).unwrap())
        .collect();
    for workers in [0, 1, 2, 5, 40] {
        assert_eq!(
            batches(&dataset, config(workers), [0, 11]),
            expected,
            "{workers} workers"
        );
    }
    let uncached = LoaderConfig {
        cache_bytes: 0,
        ..config(2)
    };
    assert_eq!(batches(&dataset, uncached, [0, 11]), expected);
    let small = LoaderConfig {
        cache_bytes: 9000,
        ..config(2)
    };
    assert_eq!(batches(&dataset, small, [0, 11]), expected);
    assert_eq!(batches(&dataset, config(3), [4, 11]), expected[4..]);
    assert!(batches(&dataset, config(3), [11, 11]).is_empty());
    assert!(batches(&dataset, config(3), [11, 4]).is_empty());
}

#[test]
fn a_wait_that_is_given_up_loses_no_batch() {
    let dataset = scenes(7);
    let mut loader = Loader::new(dataset.clone(), config(2), 3, 6).unwrap();
    assert!(loader.next_unless(&|| true).is_none());
    for step in 3..6 {
        let batch = loader.next_unless(&|| false).unwrap().unwrap();
        assert_eq!(batch, batch_at(&dataset, &config(2), step).unwrap());
        assert!(loader.next_unless(&|| true).is_none());
    }
    assert!(loader.next_unless(&|| false).is_none());
}

#[test]
fn batches_have_their_shapes_and_differ() {
    let dataset = scenes(7);
    let batch = batch_at(&dataset, &config(1), 3).unwrap();
    assert_eq!((batch.step, batch.len, batch.size), (3, 3, [12, 16]));
    assert_eq!(batch.images.len(), 3 * 3 * 12 * 16);
    assert_eq!(batch.labels.len(), 3 * 12 * 16);
    assert_eq!(batch.names.len(), 3);
    assert_ne!(
        batch.images,
        batch_at(&dataset, &config(1), 4).unwrap().images
    );
    let other = LoaderConfig {
        seed: 6,
        ..config(1)
    };
    assert_ne!(batch.images, batch_at(&dataset, &other, 3).unwrap().images);
    // Repetitions of a sample in a batch are different views.
    let one = batch_at(&scenes(1), &config(1), 0).unwrap();
    assert_eq!(one.names[0], one.names[1]);
    assert_ne!(one.images[..576], one.images[576..1152]);
    // Huge steps are fine.
    batch_at(&dataset, &config(1), u64::MAX).unwrap();
}

#[test]
fn fixed_views_repeat_and_are_numbered() {
    let dataset = scenes(6);
    let fixed = LoaderConfig {
        views: 2,
        ..config(2)
    };
    let all = batches(&dataset, fixed.clone(), [0, 8]);
    let image = |batch: &Batch, j: usize| {
        let (images, labels) = (batch.images_of(j..j + 1), batch.labels_of(j..j + 1));
        (images.to_vec(), labels.to_vec())
    };
    // Two batches are an epoch, and two epochs show every view once.
    for half in all.chunks(4) {
        let views = half.iter().flat_map(|batch| batch.views.clone());
        assert_eq!(views.collect::<BTreeSet<_>>(), (0..12).collect());
    }
    let mut known = HashMap::new();
    for batch in &all {
        for (j, view) in batch.views.iter().enumerate() {
            assert_eq!(
                batch.names[j],
                dataset.load(*view as usize / 2).unwrap().name
            );
            let seen = image(batch, j);
            assert_eq!(*known.entry(*view).or_insert_with(|| seen.clone()), seen);
        }
    }
    assert_ne!(known[&0], known[&1]);
    // Without fixed views nothing repeats, and nothing is numbered.
    assert!(batch_at(&dataset, &config(1), 0).unwrap().views.is_empty());

    let print = |config: &LoaderConfig| view_fingerprint(&dataset, config);
    let seed = LoaderConfig {
        seed: 6,
        ..fixed.clone()
    };
    let order = LoaderConfig {
        workers: 5,
        batch_size: 2,
        ..fixed.clone()
    };
    assert_eq!(print(&fixed), print(&order));
    assert_ne!(print(&fixed), print(&seed));
}

#[test]
fn photos_that_were_changed_at_the_same_size_have_other_views() {
    let dir = plain(2);
    let dataset = Dataset::open(dir.path(), "training").unwrap();
    let prints = || {
        (
            view_fingerprint(&dataset, &config(1)),
            dataset.fingerprint(),
        )
    };
    let before = prints();
    assert_eq!(prints(), before);
    let photo = dir.path().join("images/training/p01.png");
    let photo = fs::File::options().write(true).open(photo).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    photo.set_modified(later).unwrap();
    let after = prints();
    assert_ne!(after.0, before.0);
    assert_eq!(after.1, before.1);
}

#[test]
fn fixed_views_of_rare_classes_repeat_too() {
    let dataset = scenes(5);
    let config = LoaderConfig {
        views: 3,
        augment: Some(Augment {
            balance: 0.5,
            ..Augment::default()
        }),
        ..config(1)
    };
    let mut known = HashMap::new();
    for step in 0..20 {
        let batch = batch_at(&dataset, &config, step).unwrap();
        for (j, view) in batch.views.iter().enumerate() {
            assert_eq!(
                batch.names[j],
                dataset.load(*view as usize / 3).unwrap().name
            );
            let seen = batch.images_of(j..j + 1).to_vec();
            assert_eq!(*known.entry(*view).or_insert_with(|| seen.clone()), seen);
        }
    }
    assert_eq!(known.len(), 15);
}

#[test]
fn every_epoch_sees_every_sample_once_in_another_order() {
    let dataset = scenes(6);
    let names: Vec<String> = batches(&dataset, config(2), [0, 8])
        .into_iter()
        .flat_map(|batch| batch.names)
        .collect();
    for epoch in names.chunks(6) {
        assert_eq!(epoch.iter().collect::<BTreeSet<_>>().len(), 6, "{epoch:?}");
    }
    assert_ne!(names[..6], names[6..12]);
    // An epoch that ends within a batch is followed by the next one.
    let odd = LoaderConfig {
        batch_size: 4,
        ..config(2)
    };
    let names: Vec<String> = batches(&dataset, odd, [0, 3])
        .into_iter()
        .flat_map(|batch| batch.names)
        .collect();
    assert_eq!(names[..6].iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(names[6..].iter().collect::<BTreeSet<_>>().len(), 6);
}

#[test]
fn without_augmentation_batches_are_fitted_samples() {
    let dataset = scenes(4);
    let batch = batch_at(
        &dataset,
        &LoaderConfig {
            augment: None,
            ..config(1)
        },
        0,
    )
    .unwrap();
    let index = |name: &str| (0..4).find(|i| dataset.sample_name(*i) == name).unwrap();
    for (j, name) in batch.names.iter().enumerate() {
        let (image, labels) = fit(&dataset.load(index(name)).unwrap(), [12, 16]);
        assert_eq!(batch.images[j * 576..(j + 1) * 576], image);
        assert_eq!(batch.labels[j * 192..(j + 1) * 192], labels);
    }
}

#[test]
fn a_bad_sample_is_the_error_of_its_step() {
    let dir = plain(3);
    fs::write(dir.path().join("images/training/p01.png"), "no photo").unwrap();
    let dataset = Arc::new(Dataset::open(dir.path(), "training").unwrap());
    let single = LoaderConfig {
        batch_size: 1,
        ..config(2)
    };
    let results: Vec<_> = Loader::new(dataset, single, 0, 3).unwrap().collect();
    assert_eq!(results.len(), 3);
    let errors: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors.len(), 1);
    says(&errors[0], &["p01.png", "not an image"]);
}

#[test]
fn what_cannot_be_loaded_is_refused_at_once() {
    let refused = |dataset: Arc<Dataset>, config| message(Loader::new(dataset, config, 0, 1));
    says(&refused(scenes(0), config(1)), &["scenes", "no samples"]);
    says(
        &refused(
            scenes(2),
            LoaderConfig {
                batch_size: 0,
                ..config(1)
            },
        ),
        &["batch of 0"],
    );
    says(
        &refused(
            scenes(2),
            LoaderConfig {
                size: [0, 4],
                ..config(1)
            },
        ),
        &["size of 0"],
    );
    says(
        &message(batch_at(&scenes(0), &config(1), 0)),
        &["no samples"],
    );
}

#[test]
fn dropping_a_loader_stops_it_promptly() {
    let large = SceneConfig {
        size: [256, 256],
        ..SceneConfig::default()
    };
    let dataset = Arc::new(Dataset::scenes(large, 1000));
    let many = LoaderConfig {
        batch_size: 500,
        ..config(2)
    };
    let mut loader = Loader::new(dataset.clone(), config(2), 0, u64::MAX).unwrap();
    assert_eq!(loader.next().unwrap().unwrap().step, 0);
    let start = Instant::now();
    drop(loader); // threads that are sending
    drop(Loader::new(dataset.clone(), many, 0, u64::MAX).unwrap()); // threads within a batch
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(Arc::strong_count(&dataset), 1, "a thread is still there");
}

#[test]
fn shared_data_loads_in_batches() {
    let dataset = Arc::new(Dataset::open(&shared("ade20k-samples"), "training").unwrap());
    let batches = batches(&dataset, config(2), [0, 4]);
    let in_range = |l: &u16| *l == IGNORE || *l < 150;
    assert!(
        batches
            .iter()
            .all(|batch| batch.labels.iter().all(in_range))
    );
}
