//! Networks with an image encoder: training, freezing, resuming, files.

use crate::common;

use assert_cmd::Command;
use burn::tensor::Device;
use common::{losses, photo, shared, train};
use flowseg::inference::input;
use flowseg::model::dinov2::start_encoder;
use flowseg::model::file;
use flowseg::model::init::Initializer;
use flowseg::model::tensors::{Tensors, export, from_safetensors, read};
use flowseg::model::vit::{Vit, VitConfig};
use std::fs;
use std::path::Path;

/// A run of a few steps with the first block of the real encoder.
fn run(out: &Path, more: &[&str]) -> Command {
    let weights = shared("weights/dinov2-small.safetensors");
    let encoder = format!("model.encoder={}", weights.display());
    let settings = [
        encoder.as_str(),
        "model.encoder_blocks=1",
        "train.validate_every=0",
    ];
    train(out, &[&settings, more].concat())
}

fn checkpoint() -> Tensors {
    let bytes = fs::read(shared("weights/dinov2-small.safetensors")).unwrap();
    from_safetensors(&bytes).unwrap().0
}

/// The encoder as it is at the start of a run.
fn start() -> Vit {
    let config = VitConfig {
        width: 384,
        heads: 6,
        blocks: 1,
        mlp_width: 1536,
        patch_size: 14,
        side: 16,
        registers: 0,
        layers: Vec::new(),
        int8: false,
    };
    let fresh = Vit::init(&config, &mut Initializer::new(0, &Device::flex()));
    start_encoder(fresh, checkpoint()).unwrap()
}

/// The largest change of an encoder's weights since the start of its run.
fn moved(out: &Path) -> f32 {
    let model = file::read(&out.join("model.safetensors"), &Device::flex()).unwrap();
    let (after, before) = (export(&model.network.encoder.unwrap()), export(&start()));
    assert!(after.keys().eq(before.keys()));
    let pairs = after.values().zip(before.values());
    pairs
        .flat_map(|(a, b)| a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()))
        .fold(0.0, f32::max)
}

#[test]
fn an_encoder_is_trained_or_left_as_it_was_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, frozen) = (folder.path().join("trained"), folder.path().join("frozen"));
    let full_rate = [
        "train.steps=6",
        "train.checkpoint_every=3",
        "model.encoder_rate=1",
    ];
    run(&trained, &full_rate).assert().success();
    run(&frozen, &["train.steps=6", "model.encoder_rate=0"])
        .assert()
        .success();
    // A frozen encoder differs only by the rounding of its file to half precision.
    assert!(moved(&frozen) < 4e-3, "{}", moved(&frozen));
    assert!(moved(&trained) > moved(&frozen));
    assert_ne!(losses(&trained), losses(&frozen));

    let before = losses(&trained);
    fs::remove_dir_all(trained.join("checkpoints/step-00000006")).unwrap();
    run(&trained, &full_rate).arg("--resume").assert().success();
    assert_eq!(losses(&trained), before);
}

#[test]
fn a_frozen_encoder_can_be_trained_later() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let part = |steps, rate| {
        [
            steps,
            "train.checkpoint_every=3",
            "train.learning_rate=0.02",
            rate,
        ]
    };
    let frozen = part("train.steps=3", "model.encoder_rate=0");
    run(&out, &frozen).assert().success();
    let still = moved(&out);
    let trained = part("train.steps=6", "model.encoder_rate=1");
    run(&out, &trained).arg("--resume").assert().success();
    let after = moved(&out);
    assert!(still < 4e-3 && after > 2.0 * still, "{still} {after}");
}

#[test]
fn features_are_computed_once_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    run(&out, &["train.steps=4", "train.learning_rate=0.02"])
        .assert()
        .success();
    let device = Device::flex();
    let model = file::read(&out.join("model.safetensors"), &device).unwrap();
    let photos = image::open(photo(folder.path(), "a.png"))
        .unwrap()
        .to_rgb8();
    let x = input(&[&photos], [16, 24], &device);
    let features = model.network.encode(&x).unwrap();
    assert_eq!(features.dims(), [1, 2 * 3, 384]);
    let once = read(model.velocity(x.clone(), 0.3, 0.1, &x, Some(&features)));
    let again = read(model.velocity(x.clone(), 0.3, 0.1, &x, None));
    assert_eq!(once, again);
    let nothing = features.zeros_like();
    assert_ne!(
        once,
        read(model.velocity(x.clone(), 0.3, 0.1, &x, Some(&nothing)))
    );
}

#[test]
fn tokens_of_fixed_views_are_kept_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "train.steps=8",
        "model.encoder_rate=0",
        "data.token_views=2",
        "data.balance=0.3",
        "flow.states=rollout",
    ];
    let path = |name: &str| folder.path().join(name);
    let said = |name: &str, more: &[&str]| {
        let mut command = run(&path(name), &[&settings, more].concat());
        let output = command.assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths
    };
    let cache = format!("data.token_cache={}", path("cache").display());
    let all = said("cold", &[&cache]);
    assert!(all.contains("\n0 of 1024 crops encoded"), "{all}");
    let written = fs::read(&files(&path("cache"))[0]).unwrap();
    said("warm", &[&cache, "train.checkpoint_every=4"]);
    assert_eq!(files(&path("cache")).len(), 1);
    assert_eq!(written, fs::read(&files(&path("cache"))[0]).unwrap());
    let cold = losses(&path("cold"));
    assert_eq!(cold, losses(&path("warm")));
    // A resumed run goes on as before.
    fs::remove_dir_all(path("warm").join("checkpoints/step-00000008")).unwrap();
    let mut again = run(
        &path("warm"),
        &[&settings[..], &[&cache, "train.checkpoint_every=4"]].concat(),
    );
    again.arg("--resume").assert().success();
    assert_eq!(cold, losses(&path("warm")));

    // Another seed has other views. A run's own folder keeps only its own file.
    said("own", &[]);
    assert_eq!(cold, losses(&path("own")));
    let tokens = path("own").join("tokens");
    let before = files(&tokens);
    fs::write(tokens.join("old.tokens"), "stale").unwrap();
    // As if it had been killed before its first checkpoint.
    fs::remove_dir_all(path("own").join("checkpoints/step-00000008")).unwrap();
    fs::remove_file(path("own").join("model.safetensors")).unwrap();
    let mut again = run(&path("own"), &settings);
    let output = again.arg("--resume").assert().success();
    let output = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(
        output.contains("old.tokens: its tokens were of other"),
        "{output}"
    );
    assert_eq!(files(&tokens), before);
    assert_eq!(cold, losses(&path("own")));

    // A place that cannot be written is found before the first step.
    fs::write(path("file"), "").unwrap();
    let nowhere = format!("data.token_cache={}", path("file").display());
    let failed = run(&path("nowhere"), &[&settings[..], &[&nowhere]].concat());
    { failed }.assert().failure().code(1);
    let trained = ["data.token_views=2", "model.encoder_rate=0.1"];
    let refused = run(&path("trained"), &trained).assert().failure();
    let error = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(
        error.contains("data.token_views is 2: it must be 0 unless"),
        "{error}"
    );
}

#[test]
fn an_encoder_of_another_size_is_refused() {
    let narrow = VitConfig {
        width: 192,
        heads: 3,
        blocks: 1,
        mlp_width: 768,
        patch_size: 14,
        side: 16,
        registers: 0,
        layers: Vec::new(),
        int8: false,
    };
    let fresh = Vit::init(&narrow, &mut Initializer::new(0, &Device::flex()));
    let error = start_encoder(fresh, checkpoint()).unwrap_err().to_string();
    assert!(error.contains("384") && error.contains("192"), "{error}");
}
