//! Procedural scenes.

use super::*;

#[test]
fn scenes_are_deterministic_and_differ() {
    let config = SceneConfig {
        size: [40, 56],
        ..SceneConfig::default()
    };
    let scene = render(&config, 3);
    assert_eq!(scene, render(&config, 3));
    assert_ne!(scene.image, render(&config, 4).image);
    assert_ne!(
        scene.image,
        render(&SceneConfig { seed: 1, ..config }, 3).image
    );
    assert_eq!(scene.image.dimensions(), (56, 40));
    assert_eq!((scene.labels.width, scene.labels.height), (56, 40));
}

#[test]
fn every_class_occurs_and_the_ignored_share_is_met() {
    let config = SceneConfig {
        classes: 12,
        size: [48, 48],
        ignore: 0.05,
        ..SceneConfig::default()
    };
    let (mut seen, mut ignored) = ([0usize; 12], 0);
    for index in 0..80 {
        for label in render(&config, index).labels.data {
            if label == IGNORE {
                ignored += 1
            } else {
                seen[usize::from(label)] += 1
            }
        }
    }
    assert!(seen.iter().all(|&pixels| pixels > 200), "{seen:?}");
    let share = f64::from(ignored) / (80.0 * 48.0 * 48.0);
    assert!((0.045..0.06).contains(&share), "{share}");
    assert!(
        seen[0] > 80 * 48 * 48 / 5,
        "the background is hidden: {seen:?}"
    );
    let none = render(
        &SceneConfig {
            ignore: 0.0,
            ..config
        },
        0,
    );
    assert!(!none.labels.data.contains(&IGNORE));
}

#[test]
fn odd_settings_are_clamped() {
    for size in [[1, 1], [1, 50], [0, 3]] {
        let odd = SceneConfig {
            classes: 0,
            size,
            seed: 9,
            texture: f32::NAN,
            ignore: 7.0,
        };
        let scene = render(&odd, 0);
        assert_eq!(scene.labels.data.len(), size[0].max(1) * size[1].max(1));
    }
    let many = Dataset::scenes(
        SceneConfig {
            classes: 5000,
            ..SceneConfig::default()
        },
        3,
    );
    assert_eq!(
        (many.classes().len(), many.len(), many.name()),
        (1000, 3, "scenes")
    );
    assert_eq!(many.image_path(0), None);
    says(&message(many.load(3)), &["scenes has 3 samples"]);
}

#[test]
fn scene_paths_open_like_folders() {
    let training = Dataset::open(Path::new("scenes:20"), "train").unwrap();
    let validation = Dataset::open(Path::new("scenes:20@32x64"), "validation").unwrap();
    assert_eq!((training.len(), validation.len()), (512, 64));
    assert_eq!(training.classes(), validation.classes());
    assert_eq!(
        (training.classes().len(), training.classes().name(0)),
        (20, "background")
    );
    let sample = validation.load(5).unwrap();
    assert_eq!((sample.labels.height, sample.labels.width), (32, 64));
    assert_eq!(sample.name, validation.sample_name(5));
    for path in [
        "scenes:",
        "scenes:1",
        "scenes:1001",
        "scenes:5@64",
        "scenes:5@0x4",
        "scenes:x",
    ] {
        says(
            &message(Dataset::open(Path::new(path), "train")),
            &[path, "scenes:N@HEIGHTxWIDTH"],
        );
    }
    says(
        &message(Dataset::open(Path::new("scenes:9"), "test")),
        &["scenes:9", "training, validation"],
    );
}

#[test]
fn splits_share_no_scene() {
    let [training, validation] =
        ["training", "validation"].map(|s| Dataset::open(Path::new("scenes:4@16x16"), s).unwrap());
    let seen: Vec<_> = (0..40).map(|i| training.load(i).unwrap().image).collect();
    assert!((0..40).all(|i| !seen.contains(&validation.load(i).unwrap().image)));
}
