//! The training recipe: numerical tests of each of its parts.

use crate::common;

use burn::tensor::{Device, Tensor};
use common::{fails, flowseg, losses, shared, succeeds, train};
use flowseg::data::{Batch, Dataset, LoaderConfig, SceneConfig, batch_at};
use flowseg::model::tensors::{Precision, Tensors, export, import, read};
use flowseg::model::{Card, Model};
use flowseg::train::config::Config;
use flowseg::train::repa::{Projector, Teacher};
use flowseg::train::state::TrainState;
use flowseg::train::supervision::Supervision;
use flowseg::train::trainer::{StepOutput, Trainer};
use std::fs;
use std::path::Path;

const SIZE: [usize; 2] = [16, 24];

/// A trainer with random weights everywhere, and a batch of five scenes.
fn setup(settings: &[&str]) -> (Trainer, Batch) {
    let small = [
        "model.patch_size=4",
        "model.hidden_size=16",
        "model.heads=2",
        "model.pixel_width=8",
        "model.transformer_blocks=3",
        "model.field_blocks=1",
        "data.size=[16,24]",
        "train.batch_size=5",
        "train.clip=0",
    ];
    let settings: Vec<String> = small
        .iter()
        .chain(settings)
        .map(|s| s.to_string())
        .collect();
    let config = Config::parse("", &settings).unwrap();
    let scenes = SceneConfig {
        classes: 4,
        size: SIZE,
        ..SceneConfig::default()
    };
    let data = Dataset::scenes(scenes, 8);
    let loader = LoaderConfig {
        size: SIZE,
        batch_size: 5,
        ..LoaderConfig::default()
    };
    let batch = batch_at(&data, &loader, 0).unwrap();
    let device = Device::flex();
    let mut state = TrainState::new(&config, "scenes", &data.classes().names, &device);
    // Fresh modulation is zero, which would leave most of the network without gradients.
    let mut tensors = export(&state.model.network);
    for (i, tensor) in tensors.values_mut().enumerate() {
        for (j, v) in tensor.data.iter_mut().enumerate() {
            *v += 0.2 * ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.1;
        }
    }
    state.model.network = import(state.model.network, tensors).unwrap();
    let stage = config.plan().unwrap().remove(0);
    let trainer = Trainer::new(stage, state, Supervision::default(), &device);
    (trainer, batch)
}

fn teacher() -> Teacher {
    let path = shared("fixtures/dinov2-tiny.weights.safetensors");
    // There is no `config.json` beside the file to say that it has four heads.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("model.safetensors");
    fs::copy(path, &copy).unwrap();
    fs::copy(
        shared("fixtures/dinov2-tiny.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    Teacher::open(&copy, None, &Device::flex()).unwrap()
}

/// The gradient of the first step: AdamW's first moment is a tenth of it.
fn gradient(trainer: &Trainer) -> Tensors {
    let moments = trainer.state.optimizer.export();
    moments
        .into_iter()
        .filter(|(name, _)| name.starts_with("exp_avg."))
        .collect()
}

/// The largest difference, relative to the largest value of each tensor.
fn difference(a: &Tensors, b: &Tensors) -> f32 {
    assert!(a.keys().eq(b.keys()) && !a.is_empty());
    let mut worst = 0f32;
    for (name, a) in a {
        let b = &b[name].data;
        let size = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        for (x, y) in a.data.iter().zip(b) {
            let d = (x - y).abs() / size;
            assert!(d < 1e-3, "{name}: {x} {y}");
            worst = worst.max(d);
        }
    }
    worst
}

/// One step with the given settings, with or without the teacher.
fn first_step(settings: &[&str], with_teacher: bool) -> (Trainer, StepOutput) {
    let (mut trainer, batch) = setup(settings);
    if with_teacher {
        let (teacher, device) = (teacher(), Device::flex().autodiff());
        trainer.state.projector = Some(Projector::new(16, 32, teacher.width(), 0, &device));
        trainer.supervision.teacher = Some(teacher);
    }
    let output = trainer.step(&batch);
    (trainer, output)
}

#[test]
fn parts_of_a_batch_give_the_gradient_of_the_whole() {
    for (objective, repa) in [
        ("loss.objective=reshaped", false),
        ("loss.objective=cross-entropy", false),
        ("loss.objective=reshaped", true),
    ] {
        let base = [objective, "repa.layer=2", "repa.teacher=given"];
        let (whole, whole_output) = first_step(&base, repa);
        for parts in ["train.accumulate=2", "train.accumulate=5"] {
            let (trainer, output) = first_step(&[&base[..], &[parts]].concat(), repa);
            let error = difference(&gradient(&trainer), &gradient(&whole));
            println!("{objective}, teacher {repa}, {parts}: {error:.1e}");
            assert!(error < 1e-4);
            let (a, b) = (read(output.loss)[0], read(whole_output.loss.clone())[0]);
            assert!((a - b).abs() < 1e-5 * b.abs(), "{a} {b}");
        }
    }
}

#[test]
fn recomputed_blocks_give_the_same_gradient() {
    for repa in [false, true] {
        let base = ["repa.layer=2", "repa.teacher=given"];
        let (kept, kept_output) = first_step(&base, repa);
        let (recomputed, output) =
            first_step(&[&base[..], &["train.checkpointing=true"]].concat(), repa);
        let error = difference(&gradient(&recomputed), &gradient(&kept));
        println!("teacher {repa}: {error:.1e}");
        assert!(error < 1e-4);
        let (a, b) = (read(output.loss)[0], read(kept_output.loss)[0]);
        assert!((a - b).abs() < 1e-5 * b.abs(), "{a} {b}");
    }
}

#[test]
fn the_alignment_reaches_the_projector_and_the_blocks_before_it() {
    let base = ["repa.layer=2", "repa.teacher=given", "repa.weight=0"];
    let (without, without_output) = first_step(&base, true);
    let (with, with_output) = first_step(&[&base[..2], &["repa.weight=0.5"]].concat(), true);
    let (a, b) = (gradient(&without), gradient(&with));
    let changed = |name: &str| a[name] != b[name];
    assert!(changed("exp_avg.projector.linear1.weight"));
    assert!(changed("exp_avg.network.blocks.1.mlp.w2.weight"));
    assert!(changed("exp_avg.network.blocks.0.attn.qkv.weight"));
    assert!(!changed("exp_avg.network.blocks.2.mlp.w2.weight"));
    assert!(read(with_output.loss)[0] > read(without_output.loss)[0]);
}

#[test]
fn a_step_without_a_finite_gradient_changes_nothing() {
    let (mut trainer, batch) = setup(&[]);
    let finite = |output: StepOutput| output.finite.into_data().try_to_vec::<bool>().unwrap()[0];
    assert!(finite(trainer.step(&batch)));
    let weights = export(&trainer.state.model.network);
    let average = export(&trainer.state.average.network);
    let moments = trainer.state.optimizer.export();
    let mut broken = batch.clone();
    broken.images[7] = f32::NAN;
    assert!(!finite(trainer.step(&broken)));
    assert_eq!(export(&trainer.state.model.network), weights);
    assert_eq!(export(&trainer.state.average.network), average);
    assert_eq!(trainer.state.optimizer.export(), moments);
    assert_eq!(trainer.state.progress.step, 2);
    let after = trainer.step(&batch);
    assert_ne!(export(&trainer.state.model.network), weights);
    assert!(read(after.loss)[0].is_finite());
}

#[test]
fn a_skipped_step_counts_for_nothing_but_the_schedule() {
    let settings = ["train.schedule=constant", "train.warmup=0"];
    // Two good steps with a bad one before, between or after them, and without one.
    let after = |bad_at: Option<usize>| {
        let (mut trainer, batch) = setup(&settings);
        let mut broken = batch.clone();
        broken.images[7] = f32::NAN;
        for step in 0..3 {
            let batch = match bad_at {
                Some(bad) if bad == step => &broken,
                None if step == 2 => break,
                _ => &batch,
            };
            trainer.step(batch);
        }
        trainer.state
    };
    let expected = after(None);
    assert_eq!(
        read(expected.optimizer.updates(&expected.loss_scale)),
        [2.0]
    );
    for bad_at in 0..3 {
        let found = after(Some(bad_at));
        assert_eq!(found.progress.step, 3);
        for (name, network, other) in [
            ("weights", &found.model.network, &expected.model.network),
            ("average", &found.average.network, &expected.average.network),
        ] {
            assert_eq!(export(network), export(other), "{name}, step {bad_at}");
        }
        assert_eq!(found.optimizer.export(), expected.optimizer.export());
    }
}

#[test]
fn the_moving_average_warms_up_by_default() {
    let kept = |setting: &str| {
        let (mut trainer, batch) = setup(&["train.ema=0.75", setting, "train.warmup=0"]);
        let before = export(&trainer.state.average.network);
        trainer.step(&batch);
        let state = &trainer.state;
        let [now, after] = [&state.model.network, &state.average.network].map(export);
        let name = "blocks.0.attn.qkv.weight";
        let moved = |i: usize| after[name].data[i] - before[name].data[i];
        let whole = |i: usize| now[name].data[i] - before[name].data[i];
        let far = (0..before[name].data.len())
            .max_by(|&a, &b| whole(a).abs().total_cmp(&whole(b).abs()))
            .unwrap();
        1.0 - moved(far) / whole(far)
    };
    assert!((kept("train.ema_warmup=true") - 0.1).abs() < 1e-3);
    assert!((kept("train.ema_warmup=false") - 0.75).abs() < 1e-3);
}

#[test]
fn a_half_stage_begins_with_a_useful_loss_scale() {
    let scale_after = |scale: f32, first: u64, done: u64| {
        let (mut trainer, batch) = setup(&["train.precision=half"]);
        trainer.stage.first = first;
        trainer.state.progress.step = done;
        trainer.state.loss_scale = Tensor::from_data([scale], &Device::flex());
        trainer.step(&batch);
        read(trainer.state.loss_scale)[0]
    };
    // At the start of a stage and later, after single precision and after half.
    for done in [6, 9] {
        assert!(scale_after(1.0, 6, done) > 1000.0);
        assert!(scale_after(32.0, 6, done) < 33.0);
    }
}

#[test]
fn a_teacher_that_only_the_stages_name_teaches() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = folder.path().join("model.safetensors");
    fs::copy(shared("fixtures/dinov2-tiny.weights.safetensors"), &teacher).unwrap();
    let heads = shared("fixtures/dinov2-tiny.json");
    fs::copy(heads, folder.path().join("config.json")).unwrap();
    let (toml, cache) = (
        folder.path().join("staged.toml"),
        folder.path().join("cache"),
    );
    let stage = |more: &str| {
        let teacher = teacher.display();
        format!("[[stages]]\ntrain.steps = 2\nrepa.teacher = '{teacher}'\n{more}\n")
    };
    let still = format!(
        "data.crop = false\ndata.photometric = false\nrepa.cache = '{}'",
        cache.display()
    );
    fs::write(&toml, stage("") + &stage(&still)).unwrap();
    let run = folder.path().join("run");
    let settings = [
        "repa.layer=1",
        "repa.projector_width=8",
        "train.validate_every=0",
    ];
    train(&run, &settings)
        .arg("--config")
        .arg(&toml)
        .assert()
        .success();
    assert!(
        run.join("checkpoints/step-00000004/projector.safetensors")
            .exists()
    );
    // A projector of other sizes is a changed setting and no damage.
    let wider = [
        "repa.layer=1",
        "repa.projector_width=16",
        "train.validate_every=0",
    ];
    let mut command = train(&run, &wider);
    command.arg("--config").arg(&toml).arg("--resume");
    fails(&mut command, &["REPA projector", "step-00000004", "--out"]);
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
    // The second stage's photos repeat, and it has its own cache.
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
    let model = flowseg::model::file::read(&run.join("model.safetensors"), &Device::flex());
    assert_eq!(model.unwrap().card.fit, flowseg::model::Fit::Stretch);
}

#[test]
fn stages_follow_each_other_and_a_resume_lands_in_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("staged.toml");
    fs::write(
        &toml,
        "[[stages]]
         train.steps = 4
         train.batch_size = 3
         [[stages]]
         data.size = [32, 48]
         train.batch_size = 2
         train.learning_rate = 1e-4
         train.steps = 4
        ",
    )
    .unwrap();
    // The small network's settings are given as overrides, which would apply to every stage.
    let common_settings = [
        "model.hidden_size=16",
        "model.heads=2",
        "model.pixel_width=8",
        "model.transformer_blocks=1",
        "model.field_blocks=1",
        "stages.1.data.size=[16,24]",
        "train.warmup=2",
        "train.log_every=1",
        "train.validate_every=0",
        "train.checkpoint_every=3",
        "train.keep=9",
    ];
    let command = |name: &str| {
        let mut command = flowseg();
        command
            .args(["train", "--device", "cpu", "--data", "scenes:3@16x24"])
            .arg("--config")
            .arg(&toml)
            .arg("--out")
            .arg(folder.path().join(name));
        for setting in common_settings {
            command.args(["--set", setting]);
        }
        command
    };
    let text = succeeds(&mut command("whole"));
    assert!(
        text.contains("stage 1 of 2: 16 x 24, 3 photos per step, to step 4"),
        "{text}"
    );
    assert!(
        text.contains("stage 2 of 2: 32 x 48, 2 photos per step, to step 8"),
        "{text}"
    );
    let whole = folder.path().join("whole");
    let model = flowseg::model::file::read(&whole.join("model.safetensors"), &Device::flex());
    assert_eq!(model.unwrap().card.size, [32, 48]);
    let rates: Vec<f64> = fs::read_to_string(whole.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).unwrap()["learning_rate"]
                .as_f64()
                .unwrap()
        })
        .collect();
    assert_eq!(
        (rates[1], rates[4], rates[5]),
        (1e-3, 0.5e-4, 1e-4),
        "{rates:?}"
    );

    // From step 3 (in the first stage) and from step 6 (in the second).
    for (name, step) in [("early", 3), ("late", 6)] {
        command(name).assert().success();
        let out = folder.path().join(name);
        for later in (step + 1)..=8 {
            let _ = fs::remove_dir_all(out.join(format!("checkpoints/step-{later:08}")));
        }
        let text = succeeds(command(name).arg("--resume"));
        assert_eq!(text.contains("stage 1 of 2"), step < 4, "{text}");
        assert_eq!(losses(&out), losses(&whole), "{name}");
    }
}

#[test]
fn a_public_checkpoint_is_a_starting_point() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pixnerd-tiny.weights.safetensors", "pixnerd-tiny.ckpt"] {
        let run = folder.path().join(name);
        let init = format!(
            "model.init={}",
            shared(&format!("fixtures/{name}")).display()
        );
        let sizes = [
            "model.patch_size=4",
            "model.hidden_size=64",
            "model.heads=4",
            "model.pixel_width=16",
            "model.transformer_blocks=3",
            "model.field_blocks=2",
            "train.steps=2",
            "train.validate_every=0",
            &init,
        ];
        let text = succeeds(&mut train(&run, &sizes));
        assert!(text.contains("100.0 % of the parameters"), "{text}");
        for fitted in [
            "patch_embedder.weight (the image's channels start at zero)",
            "pixel_embedder.weight (the image's channels start at zero)",
            "class_table (the null class)",
        ] {
            assert!(text.contains(fitted), "{text}");
        }
        assert_eq!(losses(&run).len(), 2);
        // A resumed run continues from its own checkpoint, not from the starting point.
        let longer = [&sizes[..], &["train.steps=3"]].concat();
        let text = succeeds(train(&run, &longer).arg("--resume"));
        assert!(!text.contains("started from"), "{text}");
    }
    let run = folder.path().join("wrong");
    let init = format!(
        "model.init={}",
        shared("fixtures/pixnerd-tiny.ckpt").display()
    );
    fails(
        &mut train(&run, &["train.steps=2", &init]),
        &["pixnerd-tiny.ckpt", "patch_size", "model.preset"],
    );
}

#[test]
fn assignment_and_radius_come_with_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: &[&str]| {
        let out = folder.path().join(name);
        let few = ["train.steps=1", "train.validate_every=0"];
        let settings = [&few[..], settings].concat();
        train(&out, &settings).assert().success();
        let longer = [&settings[..], &["train.steps=2"]].concat();
        train(&out, &longer).arg("--resume").assert().success();
        out.join("model.safetensors")
    };
    let card = |path: &Path| Card::read(&fs::read(path).unwrap()).unwrap();
    let first = run("first", &["model.order=assigned"]);
    assert_eq!(card(&first).order.len(), 3);
    assert_eq!(card(&first).filter_radius, None);
    // An assignment different from any that the search starts with.
    let mut model = Model::from_bytes(&fs::read(&first).unwrap(), &Device::flex()).unwrap();
    model.card.order = vec![2, 0, 1];
    model.card.filter_radius = Some(2);
    let init = folder.path().join("init.safetensors");
    fs::write(&init, model.to_bytes(Precision::Single).unwrap()).unwrap();
    let init = format!("model.init={}", init.display());
    let assigned = run("assigned", &["model.order=assigned", &init]);
    assert_eq!(card(&assigned).order, [2, 0, 1]);
    assert_eq!(card(&assigned).filter_radius, Some(2));
    let by_index = run("index", &["model.order=index", &init]);
    assert!(card(&by_index).order.is_empty());
}

#[test]
fn half_precision_products_train_like_single_ones() {
    for (precision, limit) in [("half", 2e-2), ("bfloat16", 1e-1)] {
        let setting = format!("train.precision={precision}");
        let settings = ["train.learning_rate=3e-3", "train.warmup=1"];
        let run = |settings: &[&str]| {
            let (mut trainer, batch) = setup(settings);
            let losses = (0..10).map(|_| read(trainer.step(&batch).loss)[0]);
            losses.collect::<Vec<_>>()
        };
        let single = run(&settings);
        let rounded = run(&[&settings[..], &[&setting]].concat());
        println!("{precision}: {rounded:?}\nsingle: {single:?}");
        assert_ne!(single, rounded);
        for (a, b) in rounded.iter().zip(&single) {
            assert!((a - b).abs() < limit * b, "{precision}: {a} {b}");
        }
        assert!(rounded[9] < rounded[0]);
    }
}

#[test]
fn a_loss_scale_leaves_the_gradient_as_it_is() {
    let (mut scaled, batch) = setup(&[]);
    let (plain, plain_output) = first_step(&[], false);
    scaled.state.loss_scale = Tensor::from_data([1024.0f32], &Device::flex());
    let output = scaled.step(&batch);
    let ratio = read(output.gradient_norm)[0] / read(plain_output.gradient_norm)[0];
    assert!((ratio - 1.0).abs() < 1e-4, "{ratio}");
    assert!(difference(&gradient(&scaled), &gradient(&plain)) < 1e-4);
}

/// The same ten steps on every kind of device: operations are composed or compiled on a GPU and
/// fused on the CPU.
#[test]
fn ten_steps_on_a_graphics_adapter_are_those_of_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "train.steps=10",
        "train.validate_every=0",
        "train.learning_rate=3e-3",
        "model.patch_size=4",
    ];
    let run = |device: &str| {
        let out = folder.path().join(device);
        let mut command = flowseg();
        command.args(["train", "--device", device, "--data", "scenes:3@16x24"]);
        command.arg("--out").arg(&out);
        for setting in common::SMALL.iter().chain(&settings) {
            command.args(["--set", setting]);
        }
        command.assert().success();
        losses(&out)
    };
    let (found, expected) = (run("wgpu"), run("cpu"));
    println!("{found:?}\n{expected:?}");
    assert_eq!((found.len(), expected.len()), (10, 10));
    for (a, b) in found.iter().zip(&expected) {
        assert!((a.1 - b.1).abs() < 1e-3 * b.1, "{a:?} {b:?}");
    }
}

#[test]
fn a_run_that_cannot_fit_is_refused_with_numbers_and_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "model.hidden_size=192",
        "model.heads=3",
        "model.transformer_blocks=6",
        "model.patch_size=8",
        "data.size=[96,128]",
        "train.batch_size=32",
        "train.memory_gib=0.6",
    ];
    let words = ["needs", "GiB", "0.60", "train.accumulate"];
    fails(&mut train(&run, &settings), &words);
    assert!(!run.exists());
    let output = train(&run, &settings).arg("--dry-run").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for word in [
        "expected peak",
        "activations",
        "largest batch",
        "longest edge",
    ] {
        assert!(text.contains(word), "{text}");
    }
    // Its suggestion is accepted.
    let errors = String::from_utf8(output.stderr).unwrap();
    let start = errors.find("train.accumulate=").unwrap();
    let suggestion: String = errors[start..].chars().take_while(|c| *c != ' ').collect();
    train(&run, &[&settings[..], &[&suggestion]].concat())
        .arg("--dry-run")
        .assert()
        .success();
}
