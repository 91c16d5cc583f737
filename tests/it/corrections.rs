//! A model is corrected and taught: masks that a person corrects become a data set, and a fine-tuned model
//! is better on photos that nobody corrected.

use crate::common;

use common::{fails, flowseg, succeeds};
use flowseg::data::{Corrected, read_labels, read_photo, save_corrected, write_labels};
use flowseg::label_edit::{LabelEdit, Paint};
use flowseg::model::Card;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const WIDTH: usize = 32;
const HEIGHT: usize = 24;

/// Classes of the photos: the ground, and boxes of two colours.
const GROUND: u16 = 0;
const RED: u16 = 1;
const BLUE: u16 = 2;

/// A photo of a red and a blue box on a grey ground, and its true labels.
fn photo(number: u32) -> (RgbImage, Vec<u16>) {
    let mut state = number.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut labels = vec![GROUND; WIDTH * HEIGHT];
    for (class, left) in [(RED, random(4)), (BLUE, 16 + random(4))] {
        let (top, width, height) = (random(8), 7 + random(5), 8 + random(7));
        for y in top..top + height {
            for x in left..left + width {
                labels[y as usize * WIDTH + x as usize] = class;
            }
        }
    }
    // Half of the photos are mirrored, so that the place of a box says nothing of its colour.
    if number % 2 == 1 {
        labels.chunks_exact_mut(WIDTH).for_each(<[u16]>::reverse);
    }
    let picture = RgbImage::from_fn(WIDTH as u32, HEIGHT as u32, |x, y| {
        let noise = random(24) as u8;
        Rgb(match labels[y as usize * WIDTH + x as usize] {
            RED => [190 + noise, 40 + noise, 40 + noise],
            BLUE => [40 + noise, 50 + noise, 190 + noise],
            _ => [110 + noise; 3],
        })
    });
    (picture, labels)
}

/// A data folder in the plain layout with photos of these numbers.
fn folder(
    root: &Path,
    split: &str,
    numbers: std::ops::Range<u32>,
    classes: &[&str],
    label: impl Fn(u16) -> u16,
) {
    let [images, annotations] = ["images", "annotations"].map(|name| root.join(name).join(split));
    fs::create_dir_all(&images).unwrap();
    fs::create_dir_all(&annotations).unwrap();
    fs::write(root.join("classes.txt"), classes.join("\n")).unwrap();
    for number in numbers {
        let (photo, labels) = photo(number);
        let labels: Vec<u16> = labels.into_iter().map(&label).collect();
        photo.save(images.join(format!("{number}.png"))).unwrap();
        let path = annotations.join(format!("{number}.png"));
        write_labels(path, WIDTH, HEIGHT, &labels, classes.len()).unwrap();
    }
}

/// A small model that has learnt the ground and the boxes, but not the difference that `label` hides.
fn base(root: &Path, classes: &[&str], label: impl Fn(u16) -> u16 + Copy) -> PathBuf {
    let data = root.join("base");
    folder(&data, "training", 100..124, classes, label);
    folder(&data, "validation", 124..128, classes, label);
    let run = root.join("run-base");
    let mut command = flowseg();
    command.args(["train", "--device", "cpu"]);
    command.arg("--data").arg(&data).arg("--out").arg(&run);
    for setting in [
        "model.patch_size=4",
        "model.hidden_size=32",
        "model.heads=2",
        "model.pixel_width=16",
        "model.transformer_blocks=2",
        "model.field_blocks=1",
        "data.size=[24,32]",
        "data.photometric=false",
        "train.steps=300",
        "train.batch_size=8",
        "train.warmup=20",
        "train.learning_rate=3e-3",
        "train.validate_every=300",
        "train.validate_steps=1",
        "train.seed=1",
    ] {
        command.args(["--set", setting]);
    }
    command.assert().success();
    run.join("model.safetensors")
}

/// Corrects the network's mask of a photo as a person does, and saves it.
fn correct(root: &Path, model: &Path, number: u32, classes: &[&str]) -> bool {
    let (picture, truth) = photo(number);
    let file = root.join(format!("photo {number}.png"));
    picture.save(&file).unwrap();
    let masks = root.join("masks");
    flowseg()
        .args(["segment", "--device", "cpu", "--model"])
        .arg(model)
        .arg(&file)
        .arg("-o")
        .arg(&masks)
        .assert()
        .success();
    let (width, height, network) = read_labels(masks.join(format!("photo {number}.png"))).unwrap();
    assert_eq!((width, height), (WIDTH, HEIGHT));
    let mut mask = LabelEdit::new([HEIGHT, WIDTH], Arc::new(network)).unwrap();
    // The blue box at once, then what is wrong along the outlines.
    let inside = truth.iter().position(|label| *label == BLUE).unwrap();
    let inside = [inside % WIDTH + 3, inside / WIDTH + 3];
    let region = mask.network_region(inside);
    mask.fill(&region, Paint::Class(BLUE));
    for (pixel, &label) in truth.iter().enumerate() {
        let [x, y] = [pixel % WIDTH, pixel / WIDTH];
        if mask.label([x, y]) != label {
            let at = [x as f32 + 0.5, y as f32 + 0.5];
            mask.stroke(at, at, 1.0, Paint::Class(label), None);
        }
    }
    assert_eq!(mask.labels(), truth);
    assert!(mask.is_corrected());
    let classes: Vec<String> = classes.iter().map(|name| (*name).to_owned()).collect();
    let corrected = Corrected {
        name: &format!("photo {number}"),
        file: Some(&file),
        photo: &read_photo(&file).unwrap(),
        labels: &mask.labels(),
        classes: &classes,
    };
    let saved = save_corrected(&root.join("corrections"), &corrected).unwrap();
    assert_eq!(fs::read(saved.image).unwrap(), fs::read(&file).unwrap());
    saved.held_back
}

/// Fine-tunes on the corrections. Returns the new model, and what was printed.
fn fine_tune(root: &Path, model: &Path) -> (PathBuf, String) {
    let run = root.join("run-tuned");
    let text = succeeds(
        flowseg()
            .args(["train", "--device", "cpu", "--init"])
            .arg(model)
            .arg("--data")
            .arg(root.join("corrections"))
            .arg("--out")
            .arg(&run)
            // Colours are all that tells these classes apart.
            .args(["--set", "data.photometric=false"]),
    );
    (run.join("model.safetensors"), text)
}

/// The IoU of every class of a model on the photos in a folder.
fn scores(root: &Path, model: &Path, data: &Path) -> serde_json::Value {
    let json = root.join("scores.json");
    flowseg()
        .args(["eval", "--device", "cpu", "--model"])
        .arg(model)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .arg(&json)
        .assert()
        .success();
    let scores: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    scores["results"][0].clone()
}

/// A model that takes blue boxes for red ones learns the difference from three corrected photos, and is
/// better on a fourth that it has never seen.
#[test]
fn three_corrected_photos_improve_the_fourth() {
    let folder_of_test = tempfile::tempdir().unwrap();
    let root = folder_of_test.path();
    let classes = ["ground", "red", "blue"];
    let confused = |label: u16| if label == BLUE { RED } else { label };
    let before = base(root, &classes, confused);
    let held_back = [0, 1, 2].map(|number| correct(root, &before, number, &classes));
    assert_eq!(held_back, [false, true, false]);
    flowseg()
        .arg("data")
        .arg(root.join("corrections"))
        .assert()
        .success();
    let (after, printed) = fine_tune(root, &before);
    assert!(printed.contains("the new model is better"), "{printed}");
    let fourth = root.join("fourth");
    folder(&fourth, "validation", 3..4, &classes, |label| label);
    let [before, after] = [&before, &after].map(|model| scores(root, model, &fourth));
    let miou = |scores: &serde_json::Value| scores["miou"].as_f64().unwrap();
    println!(
        "mIoU on the fourth photo: {} before, {} after",
        miou(&before),
        miou(&after)
    );
    assert!(miou(&after) > miou(&before) + 0.15, "{before} {after}");
    assert!(after["iou"]["blue"].as_f64().unwrap() > 0.5, "{after}");
}

/// A class that is appended is learnt from two corrected photos, and those of the model keep the points
/// that its weights mean.
#[test]
fn a_class_is_added_by_correcting() {
    let folder_of_test = tempfile::tempdir().unwrap();
    let root = folder_of_test.path();
    let confused = |label: u16| if label == BLUE { RED } else { label };
    let before = base(root, &["ground", "red"], confused);
    let classes = ["ground", "red", "blue"];
    for number in 0..2 {
        correct(root, &before, number, &classes);
    }
    let (after, printed) = fine_tune(root, &before);
    assert!(printed.contains("the new model is better"), "{printed}");
    let card = |model: &Path| Card::read(&fs::read(model).unwrap()).unwrap();
    let (old, new) = (card(&before), card(&after));
    assert_eq!((old.classes.len(), new.base_classes), (2, Some(2)));
    assert_eq!(new.classes, classes);
    for class in 0..2 {
        assert_eq!(old.centroids().code(class), new.centroids().code(class));
    }
    let fourth = root.join("fourth");
    folder(&fourth, "validation", 3..4, &classes, |label| label);
    let after = scores(root, &after, &fourth);
    println!("{after}");
    for name in classes {
        assert!(after["iou"][name].as_f64().unwrap() > 0.5, "{after}");
    }
    // The model as it was knows no third class, and says so.
    let mut command = flowseg();
    command
        .args(["eval", "--device", "cpu", "--model"])
        .arg(&before);
    command.arg("--data").arg(&fourth);
    fails(&mut command, &["the model lacks: \"blue\""]);
}

#[test]
fn a_start_from_something_else_is_explained() {
    let folder_of_test = tempfile::tempdir().unwrap();
    let root = folder_of_test.path();
    let train = |model: &Path| {
        let mut command = flowseg();
        command.args(["train", "--device", "cpu", "--data", "scenes:3@16x24"]);
        command
            .arg("--init")
            .arg(model)
            .arg("--out")
            .arg(root.join("run"));
        command
    };
    fails(&mut train(Path::new("no-such-model")), &["no-such-model"]);
    let text = root.join("notes.safetensors");
    fs::write(&text, "not a model").unwrap();
    fails(&mut train(&text), &["notes.safetensors"]);
    // A network of other sizes than the model's.
    let wide = root.join("wide.toml");
    fs::write(&wide, "model.hidden_size = 96\n").unwrap();
    let mut contradicted = train(Path::new("scenes"));
    contradicted.arg("--config").arg(&wide);
    let words = ["wide.toml: model.hidden_size is 96", "--init has 192"];
    fails(&mut contradicted, &words);
    assert!(!root.join("run").exists());
}
