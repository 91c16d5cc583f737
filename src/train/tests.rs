//! Tests of whole runs: what a resume or a start from a model keeps.

use super::config::Config;
use super::folder::RunFolder;
use super::testing::{self, raise_score};
use super::{Event, Outcome, TrainError};
use crate::files::FileError;
use crate::model::tensors::Precision;
use crate::model::testing::tiny;
use crate::model::{self, Card};
use crate::run_format::{AVERAGE, BEST, CHECKPOINTS, METRICS, MODEL, checkpoint_name};
use burn::tensor::Device;
use std::cell::Cell;
use std::fs;
use std::path::Path;

/// Settings that make validation short.
const SHORT: [&str; 3] = [
    "train.warmup=1",
    "train.validate_samples=2",
    "train.validate_steps=1",
];
const SCENES: &str = "data.path=scenes:3@16x24";

fn config(settings: &[&str]) -> Config {
    testing::config("", &[&SHORT, settings].concat())
}

fn run(out: &Path, resume: bool, settings: &[&str]) -> Result<Outcome, TrainError> {
    let config = config(settings);
    let report = &mut |_: Event| ();
    super::run(&config, out, resume, &Device::flex(), report, &|| false)
}

fn card(path: &Path) -> Card {
    Card::read(&fs::read(path).unwrap()).unwrap()
}

/// Takes the checkpoints after a step away, as if the run had been killed before it saved them.
fn forget_after(out: &Path, step: u64, last: u64) {
    for later in step + 1..=last {
        let path = out.join(CHECKPOINTS).join(checkpoint_name(later));
        fs::remove_dir_all(path).unwrap();
    }
}

/// Changes the mIoU on the card of a model.
fn rescore(path: &Path, miou: f64) {
    let mut model = model::file::read(path, &Device::flex()).unwrap();
    if let Some(score) = &mut model.card.score {
        score.miou = miou;
    }
    model::file::write(path, &model, Precision::Half).unwrap();
}

/// The names in a run folder that begin so.
fn kept(out: &Path, first: &str) -> Vec<String> {
    let entries = fs::read_dir(out).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(first)).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_goes_on_keeps_the_model_of_its_earlier_end_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings = |steps| [SCENES, "train.validate_every=0", steps];
    run(&out, false, &settings("train.steps=2")).unwrap();
    // The models in the checkpoints say what they are.
    let state = out.join(CHECKPOINTS).join(checkpoint_name(2));
    for name in [AVERAGE, "model.safetensors"] {
        let card = card(&state.join(name));
        // Without validation, no number of solver steps is recommended.
        assert_eq!((card.steps, card.sampling_steps), (2, None), "{name}");
    }
    let before = fs::read(out.join(MODEL)).unwrap();
    // Nothing is renamed where no step is left.
    run(&out, true, &settings("train.steps=2")).unwrap();
    assert_eq!(kept(&out, "model"), [MODEL]);
    run(&out, true, &settings("train.steps=3")).unwrap();
    let earlier = "model-step-00000002.safetensors";
    assert_eq!(kept(&out, "model"), [earlier, MODEL]);
    assert_eq!(fs::read(out.join(earlier)).unwrap(), before);
    assert_eq!(card(&out.join(MODEL)).steps, 3);
    // A run that was stopped after that is not started over where its checkpoints are gone.
    fs::remove_file(out.join(MODEL)).unwrap();
    fs::remove_dir_all(out.join(CHECKPOINTS)).unwrap();
    let gone = run(&out, true, &settings("train.steps=4")).unwrap_err();
    assert!(matches!(gone, TrainError::Gone { step: 3, .. }), "{gone}");
}

#[test]
fn a_best_model_after_the_checkpoint_is_kept_when_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings = [
        SCENES,
        "train.steps=4",
        "train.checkpoint_every=1",
        "train.validate_every=4",
    ];
    run(&out, false, &settings).unwrap();
    let before = fs::read(out.join(BEST)).unwrap();
    // The same steps again give the same model.
    forget_after(&out, 2, 4);
    run(&out, true, &settings).unwrap();
    assert_eq!(fs::read(out.join(BEST)).unwrap(), before);
    assert_eq!(kept(&out, "best"), [BEST]);
    assert_eq!(card(&out.join(BEST)).sampling_steps, Some(1));
    // Another model of that step takes its place where it is no worse.
    let other = [&settings[..], &["train.learning_rate=1e-2"]].concat();
    rescore(&out.join(BEST), 0.0);
    forget_after(&out, 2, 4);
    run(&out, true, &other).unwrap();
    assert_eq!(kept(&out, "best"), [BEST]);
    rescore(&out.join(BEST), 0.99);
    let before = fs::read(out.join(BEST)).unwrap();
    forget_after(&out, 2, 4);
    run(&out, true, &other).unwrap();
    let earlier = "best-step-00000004.safetensors";
    assert_eq!(kept(&out, "best"), [earlier, BEST]);
    assert_eq!(fs::read(out.join(earlier)).unwrap(), before);
}

/// As where the disk is full, or the process is killed, before its successor is in place.
#[test]
fn a_best_model_stays_until_its_successor_is_there() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let of_step = |steps| {
        let mut model = tiny(&["a", "b"], [8, 8], |_| ());
        model.card.steps = steps;
        model
    };
    assert_eq!(folder.write_best(&of_step(1), true).unwrap(), None);
    let before = fs::read(folder.path(BEST)).unwrap();
    // Nothing can be written under the temporary name.
    let next = folder.path(".flowseg-next-best.safetensors");
    fs::create_dir_all(next.join("in the way")).unwrap();
    let error = folder.write_best(&of_step(2), true).unwrap_err();
    let named = matches!(&error, FileError::Write { path, .. } if *path == folder.path(BEST));
    assert!(named, "{error}");
    assert_eq!(fs::read(folder.path(BEST)).unwrap(), before);
    assert_eq!(kept(root.path(), "best"), [BEST]);
    fs::remove_dir_all(&next).unwrap();
    let earlier = folder.write_best(&of_step(2), true).unwrap().unwrap();
    assert_eq!(earlier, folder.path("best-step-00000001.safetensors"));
    assert_eq!(fs::read(&earlier).unwrap(), before);
    assert_eq!(card(&folder.path(BEST)).steps, 2);
    assert!(!next.exists());
    // A process that was killed had made room for its successor, but not placed it; then not even made room.
    fs::rename(folder.path(BEST), &next).unwrap();
    folder.place_next_best().unwrap();
    assert_eq!(card(&folder.path(BEST)).steps, 2);
    assert!(!next.exists());
    fs::copy(&earlier, &next).unwrap();
    folder.place_next_best().unwrap();
    assert_eq!(card(&folder.path(BEST)).steps, 2);
    assert!(!next.exists());
    // Without `keeps` no name is added.
    assert_eq!(folder.write_best(&of_step(3), false).unwrap(), None);
    assert_eq!(kept(root.path(), "best-").len(), 1);
}

#[test]
fn a_run_whose_best_model_is_gone_writes_one_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings = |steps| [SCENES, "train.validate_every=1", steps];
    run(&out, false, &settings("train.steps=2")).unwrap();
    // A score that no later one reaches.
    raise_score(&out.join(METRICS), 2);
    fs::remove_file(out.join(BEST)).unwrap();
    // Where no step is left, the score is told all the same.
    let same = run(&out, true, &settings("train.steps=2")).unwrap();
    assert_eq!(same.best, Some((0.99, 2)));
    assert!(!out.join(BEST).exists());
    let later = run(&out, true, &settings("train.steps=3")).unwrap();
    assert_eq!(later.best.map(|(_, step)| step), Some(3));
    assert_eq!(card(&out.join(BEST)).steps, 3);
    // Nor do later resumes count the score again.
    let again = run(&out, true, &settings("train.steps=4")).unwrap();
    assert!(again.best.is_some_and(|(_, step)| step >= 3), "{again:?}");
}

#[test]
fn scores_that_were_taken_otherwise_before_a_resume_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings = |steps| {
        [
            SCENES,
            "train.validate_every=1",
            "train.validate_start=true",
            steps,
        ]
    };
    let first = run(&out, false, &settings("train.steps=2")).unwrap();
    assert!(first.gain.is_some(), "{first:?}");
    // A score that no later one reaches.
    raise_score(&out.join(METRICS), 2);
    // Where no step is left, the score on the card is still that of its validation.
    let larger = |steps| [&settings(steps)[..], &["data.size=[32,48]"]].concat();
    run(&out, true, &larger("train.steps=2")).unwrap();
    let score = card(&out.join(MODEL)).score.unwrap();
    assert!(score.on.contains("[16, 24]"), "{score:?}");
    let same = run(&out, true, &settings("train.steps=3")).unwrap();
    assert_eq!(same.best, Some((0.99, 2)));
    assert!(same.gain.is_some() && kept(&out, "best-").is_empty());
    let other = run(&out, true, &larger("train.steps=4")).unwrap();
    assert_eq!(other.best.map(|(_, step)| step), Some(4));
    assert_eq!(other.gain, None);
    assert_eq!(card(&out.join(BEST)).size, [32, 48]);
    assert_eq!(kept(&out, "best-").len(), 1);
    // Later resumes compare with the scores since then.
    let later = run(&out, true, &larger("train.steps=5")).unwrap();
    assert!(later.best.is_some_and(|(_, step)| step >= 4), "{later:?}");
    assert_eq!((later.gain, kept(&out, "best-").len()), (None, 1));
}

#[test]
fn a_validation_that_a_stop_left_out_is_of_the_size_at_which_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let settings = |steps, size| {
        let every = ["train.validate_every=2", "train.validate_start=false"];
        [&[SCENES, steps, size], &every[..]].concat()
    };
    let stopped = Cell::new(false);
    let mut report = |event: Event| {
        if matches!(event, Event::Validating) {
            stopped.set(true);
        }
    };
    let config = config(&settings("train.steps=2", "data.size=[16,24]"));
    let stop = || stopped.get();
    let first = super::run(&config, &out, false, &Device::flex(), &mut report, &stop).unwrap();
    assert!(first.stopped && first.step == 2, "{first:?}");
    let larger = |steps| settings(steps, "data.size=[32,48]");
    run(&out, true, &larger("train.steps=2")).unwrap();
    for name in [BEST, MODEL] {
        let score = card(&out.join(name)).score.unwrap();
        assert!(score.on.contains("[16, 24]"), "{name}: {score:?}");
    }
    // It is not compared with the next one.
    let later = run(&out, true, &larger("train.steps=4")).unwrap();
    assert_eq!(later.best.map(|(_, step)| step), Some(4));
    assert_eq!(kept(&out, "best-"), ["best-step-00000002.safetensors"]);
}

/// A data folder whose photos are half of one class and half of the other.
fn two_classes(root: &Path, names: [&str; 2]) -> String {
    for (split, count) in [("training", 3), ("validation", 1)] {
        let [photos, labels] = ["images", "annotations"].map(|kind| root.join(kind).join(split));
        for path in [&photos, &labels] {
            fs::create_dir_all(path).unwrap();
        }
        for i in 0..count {
            let name = format!("p{i}.png");
            let photo = image::RgbImage::new(24, 16);
            photo.save(photos.join(&name)).unwrap();
            let label = image::GrayImage::from_fn(24, 16, |x, _| image::Luma([(x / 12) as u8]));
            label.save(labels.join(&name)).unwrap();
        }
    }
    fs::write(root.join("classes.txt"), names.join("\n")).unwrap();
    format!("data.path={}", root.display())
}

#[test]
fn labels_that_vanish_at_the_size_of_the_network_are_told_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (root, out) = (folder.path().join("data"), folder.path().join("run"));
    let data = two_classes(&root, ["sky", "road"]);
    let photo = image::RgbImage::new(48, 32);
    photo.save(root.join("images/validation/p0.png")).unwrap();
    // The network sees every second pixel, from the second on. 255 has no class.
    let class = |x, y| if (x, y) == (0, 0) { 0 } else { 255 };
    let label = image::GrayImage::from_fn(48, 32, |x, y| image::Luma([class(x, y)]));
    let path = root.join("annotations/validation/p0.png");
    label.save(path).unwrap();
    let settings = |every| [&data, "train.steps=2", "train.validate_start=false", every];
    let error = run(&out, false, &settings("train.validate_every=1")).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, TrainError::Interrupted { step: 1, .. }),
        "{text}"
    );
    assert!(text.contains("train.validate_every=0"), "{text}");
    let resumed = run(&out, true, &settings("train.validate_every=0")).unwrap();
    assert_eq!(resumed.step, 2);
}

#[test]
fn a_run_has_its_classes_in_the_order_of_the_model_that_it_starts_from() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let data = two_classes(&folder.path().join("a"), ["sky", "road"]);
    run(&first, false, &[&data, "train.steps=1"]).unwrap();
    let data = two_classes(&folder.path().join("b"), ["road", "sky"]);
    let init = format!("model.init={}", first.join(MODEL).display());
    let classes = |run: &Path| card(&run.join(MODEL)).classes;
    run(&second, false, &[&data, &init, "train.steps=1"]).unwrap();
    assert_eq!(classes(&second), ["sky", "road"]);
    // A resumed run keeps its order, also without the model, and where the data's has changed.
    fs::remove_dir_all(&first).unwrap();
    for (steps, names) in [
        ("train.steps=2", ["road", "sky"]),
        ("train.steps=3", ["sky", "road"]),
    ] {
        let data = two_classes(&folder.path().join("b"), names);
        run(&second, true, &[&data, &init, steps]).unwrap();
        assert_eq!(classes(&second), ["sky", "road"]);
    }
    // A class more than the run's is told by name.
    fs::write(folder.path().join("b/classes.txt"), "road\nsky\nbus\n").unwrap();
    let error = run(&second, true, &[&data, &init, "train.steps=4"]).unwrap_err();
    assert!(error.to_string().contains("the class \"bus\""), "{error}");
}
