//! Training from the user's point of view: files, resuming, determinism, interrupts.

use crate::common;

use common::{fails, flowseg, losses, shared, succeeds, train, wait_for};
#[cfg(target_os = "linux")]
use common::{signal, started, train_on};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TEN: &[&str] = &[
    "train.steps=10",
    "train.checkpoint_every=4",
    "train.validate_every=5",
    "train.validate_samples=4",
];

#[test]
fn a_run_leaves_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, TEN).assert().success();
    let losses = losses(&run);
    assert_eq!(
        losses.iter().map(|l| l.0).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    for name in [
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "best.safetensors",
    ] {
        assert!(run.join(name).is_file(), "{name}");
    }
    assert!(run.join("samples/step-00000005-scene-00000.png").is_file());
    assert!(
        run.join("checkpoints/step-00000010/optimizer.safetensors")
            .is_file()
    );
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(
        config.contains("learning_rate") && config.contains("hidden_size = 16"),
        "{config}"
    );
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert!(
        metrics
            .lines()
            .any(|l| l.contains("\"miou\"") && l.contains("\"step\":5"))
    );

    // The folder contains a run; a second run must not mix with it.
    fails(&mut train(&run, TEN), &["already holds a run", "--resume"]);
    // The finished model can be used.
    flowseg()
        .args([
            "eval",
            "--device",
            "cpu",
            "--data",
            "scenes:3@16x24",
            "--steps",
            "1,2",
            "--json",
        ])
        .arg(folder.path().join("scores.json"))
        .arg("--model")
        .arg(run.join("model.safetensors"))
        .assert()
        .success();
    let scores = fs::read_to_string(folder.path().join("scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&scores).unwrap();
    assert_eq!(scores["results"].as_array().unwrap().len(), 2);
    assert!(scores["results"][0]["iou"].as_object().unwrap().len() == 3);
}

#[test]
fn the_same_seed_gives_the_same_losses_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        train(&out, &["train.steps=6", "train.validate_every=0", seed])
            .assert()
            .success();
        losses(&out)
    };
    let first = run("a", "train.seed=1");
    assert_eq!(first, run("b", "train.seed=1"));
    assert_ne!(first, run("c", "train.seed=2"));
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    // Logs every step, or averages steps before and after the checkpoint at step 4.
    for log in ["train.log_every=1", "train.log_every=3"] {
        let settings = [TEN, &[log]].concat();
        let [whole, parts] =
            ["whole", "parts"].map(|name| folder.path().join(format!("{name}-{log}")));
        train(&whole, &settings).assert().success();
        // The schedule depends on the last step, so the first part is not a shorter run: it is a
        // copy of the whole run with everything after the checkpoint at step 4 removed.
        train(&parts, &[&settings[..], &["train.keep=5"]].concat())
            .assert()
            .success();
        for step in ["08", "10"] {
            fs::remove_dir_all(parts.join(format!("checkpoints/step-000000{step}"))).unwrap();
        }
        fs::remove_file(parts.join("model.safetensors")).unwrap();
        train(&parts, &settings).arg("--resume").assert().success();
        assert_eq!(losses(&parts), losses(&whole));
        let model = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
        assert_eq!(model(&parts), model(&whole));
    }
}

#[test]
fn a_kill_in_the_middle_leaves_a_run_that_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Saves every step, so that the kill happens during or near a save, and keeps all checkpoints,
    // so that the one that is waited for stays.
    let settings = &[
        "train.steps=100000",
        "train.checkpoint_every=1",
        "train.keep=1000000",
        "train.validate_every=0",
    ];
    let template = train(&run, settings);
    let mut child = Command::new(template.get_program())
        .args(template.get_args())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&run.join("checkpoints/step-00000005"));
    child.kill().unwrap();
    child.wait().unwrap();
    // The leftovers of a process that was killed while saving must not be taken for a checkpoint.
    fs::create_dir_all(run.join("checkpoints/.flowseg-half")).unwrap();
    let saved = || {
        let names = fs::read_dir(run.join("checkpoints")).unwrap();
        let mut names: Vec<String> = names
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let newest: u64 = saved()
        .last()
        .unwrap()
        .trim_start_matches("step-")
        .parse()
        .unwrap();
    let last = format!("train.steps={}", newest + 3);
    train(
        &run,
        &["train.validate_every=0", "train.checkpoint_every=1", &last],
    )
    .arg("--resume")
    .assert()
    .success();
    let steps: Vec<u64> = losses(&run).iter().map(|l| l.0).collect();
    assert_eq!(steps, (1..=newest + 3).collect::<Vec<_>>());
    assert!(
        saved().iter().all(|name| name.starts_with("step-")),
        "{:?}",
        saved()
    );
}

#[test]
fn a_run_whose_checkpoints_are_gone_is_not_started_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, TEN).assert().success();
    let kept = ["metrics.jsonl", "model.safetensors"].map(|name| run.join(name));
    let before = kept.clone().map(|path| fs::read(path).unwrap());
    // Killed between the two renames of a save: the checkpoint has its temporary name.
    let checkpoints = run.join("checkpoints");
    let (last, replaced) = ("step-00000010", ".flowseg-replaced");
    fs::rename(checkpoints.join(last), checkpoints.join(replaced)).unwrap();
    let text = succeeds(train(&run, TEN).arg("--resume"));
    assert!(
        text.contains("no step was taken: the run is at step 10 already"),
        "{text}"
    );
    assert!(checkpoints.join(last).exists() && !checkpoints.join(replaced).exists());
    // A length that the run has passed is not stored.
    let config = fs::read(run.join("config.toml")).unwrap();
    fails(
        train(&run, TEN).args(["--set", "train.steps=9", "--resume"]),
        &["at step 10 already", "cannot end at step 9"],
    );
    assert_eq!(fs::read(run.join("config.toml")).unwrap(), config);
    fs::remove_dir_all(&checkpoints).unwrap();
    fails(
        train(&run, TEN).arg("--resume"),
        &["reached step 10", "checkpoints are gone"],
    );
    assert_eq!(kept.map(|path| fs::read(path).unwrap()), before);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_saves_and_is_no_success() {
    for (name, status) in [("-INT", 130), ("-TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let child = started(&train(
            &run,
            &[
                "train.steps=100000",
                "train.validate_every=0",
                "train.checkpoint_every=1000000",
            ],
        ));
        wait_for(&run.join("metrics.jsonl"));
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(status), "{name}: {text}");
        assert!(text.contains("--resume"), "{name}: {text}");
        assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_interrupt_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // A step that takes far longer than stopping does.
    let mut child = started(&train(
        &run,
        &[
            "model.hidden_size=192",
            "model.heads=3",
            "model.transformer_blocks=6",
            "data.size=[96,128]",
            "train.batch_size=192",
            "train.checkpointing=true",
            "train.validate_every=0",
        ],
    ));
    wait_for(&run.join("metrics.jsonl"));
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let mut line = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    while !line.contains("press Ctrl-C again to exit at once") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "it ended");
    }
    // A second signal within a second would count as the same interrupt.
    std::thread::sleep(Duration::from_millis(1100));
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 0);
}

/// The driver is reset during a training: the error says how to go on, and the run continues from its
/// last checkpoint on another device.
#[cfg(target_os = "linux")]
#[test]
fn a_training_on_a_lost_device_continues_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (run, lose) = (folder.path().join("run"), folder.path().join("lose"));
    let settings = |steps: &'static str| {
        [
            "train.validate_every=0",
            "train.checkpoint_every=2",
            "model.patch_size=4",
            steps,
        ]
    };
    let mut command = train_on("wgpu", &run, &settings("train.steps=100000"));
    command.env("FLOWSEG_LOSE_DEVICE", &lose);
    // The crash's log.
    command.env("XDG_STATE_HOME", folder.path());
    let child = started(&command);
    let newest = || {
        let names = fs::read_dir(run.join("checkpoints")).ok()?;
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let steps = names.filter_map(|name| name.strip_prefix("step-")?.parse::<u64>().ok());
        steps.max()
    };
    let begin = Instant::now();
    while newest().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(900));
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::write(&lose, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("flowseg: a device of this run failed") && text.contains("--resume"),
        "{text}"
    );
    let newest = newest().unwrap();
    let steps = format!("train.steps={}", newest + 3);
    let mut resumed = train(&run, &settings("train.validate_every=0"));
    resumed.args(["--set", &steps, "--resume"]);
    resumed.assert().success();
    let steps: Vec<u64> = losses(&run).iter().map(|l| l.0).collect();
    assert_eq!(steps, (1..=newest + 3).collect::<Vec<_>>());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named_before_the_first_step() {
    // Read-only for all users.
    let run = Path::new("/proc/flowseg-run");
    fails(
        &mut train(run, &["train.steps=1000000"]),
        &["cannot write /proc/flowseg-run", "permissions"],
    );
}

#[test]
fn training_lowers_the_loss_of_every_objective() {
    let folder = tempfile::tempdir().unwrap();
    let flows = ["reshaped", "annealed", "vanilla", "variational"];
    for objective in flows.into_iter().chain(["cross-entropy"]) {
        let run = folder.path().join(objective);
        let objective = format!("loss.objective={objective}");
        let settings = [
            "train.steps=60",
            "train.validate_every=0",
            "train.learning_rate=3e-3",
            &objective,
        ];
        train(&run, &settings).assert().success();
        let losses = losses(&run);
        let mean = |part: &[(u64, f64)]| part.iter().map(|l| l.1).sum::<f64>() / part.len() as f64;
        let (before, after) = (mean(&losses[..10]), mean(&losses[50..]));
        assert!(after < 0.95 * before, "{objective}: {before} to {after}");
    }
}

#[test]
fn every_way_of_conditioning_trains() {
    let folder = tempfile::tempdir().unwrap();
    let variants: &[&[&str]] = &[
        &["model.condition=none"],
        &["model.prediction=target"],
        &["model.patch_output=true"],
        &["model.patch_output=true", "loss.objective=variational"],
        &["model.encoding=random"],
        &["model.encoding=farthest-point"],
        &["loss.mask_ignored=false"],
        &["loss.operator=sqrt"],
        &["loss.operator=linear"],
        &["loss.operator=normalized-gradient"],
        &["train.schedule=constant"],
        &["train.checkpointing=true"],
        &["train.accumulate=2"],
        &["flow.source=noise"],
        &["flow.time=uniform", "flow.time_zero=0"],
        &["flow.time=logit-normal"],
    ];
    for (i, variant) in variants.iter().enumerate() {
        let run = folder.path().join(i.to_string());
        let settings = [
            "train.steps=2",
            "train.validate_every=2",
            "train.validate_samples=2",
        ];
        train(&run, &[&settings, *variant].concat())
            .assert()
            .success();
        assert!(losses(&run).iter().all(|l| l.1.is_finite()));
    }
}

#[test]
fn mistakes_in_settings_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fails(
        &mut train(&run, &["train.learning_rat=1"]),
        &["train.learning_rate"],
    );
    fails(&mut train(&run, &["train.steps=many"]), &["many"]);
    fails(&mut train(&run, &["model.heads=3"]), &["hidden_size"]);
    fails(&mut train(&run, &["data.path=/nowhere"]), &["/nowhere"]);
    let toml = folder.path().join("wrong.toml");
    fs::write(&toml, "[train]\nstep = 3\n").unwrap();
    fails(
        flowseg().args(["train", "--config"]).arg(&toml),
        &["train.steps", "wrong.toml"],
    );
    assert!(!run.exists());
}

#[test]
fn the_flag_is_the_command() {
    let help = |word: &str| {
        String::from_utf8(flowseg().args([word, "--help"]).output().unwrap().stdout).unwrap()
    };
    assert_eq!(help("train"), help("--train"));
    assert!(help("train").contains("loss.temperature"));
}

#[test]
fn real_photos_train() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = format!("data.path={}", shared("data/ade20k-samples").display());
    train(&run, &[&data, "train.steps=2", "train.validate_every=0"])
        .assert()
        .success();
    assert_eq!(losses(&run).len(), 2);
}

/// Gives the checkpoint of step 4 a loss scale at which the gradient's squares overflow single precision. Returns the
/// progress file and its text before.
fn overflow(run: &Path) -> (PathBuf, String) {
    let path = run.join("checkpoints/step-00000004/progress.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut progress: serde_json::Value = serde_json::from_str(&text).unwrap();
    progress["loss_scale"] = 1e38.into();
    fs::write(&path, progress.to_string()).unwrap();
    (path, text)
}

#[test]
fn a_run_without_finite_gradients_stops_and_leaves_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&run, &["train.steps=4", "train.validate_every=0"])
        .assert()
        .success();
    let saved = run.join("checkpoints/step-00000004/model.safetensors");
    let before = fs::read(&saved).unwrap();
    overflow(&run);
    let mut command = train(
        &run,
        &[
            "train.steps=100",
            "train.validate_every=0",
            "train.bad_steps=3",
            "train.checkpoint_every=50",
        ],
    );
    fails(
        command.arg("--resume"),
        &["3 steps in a row", "step 7", "step-00000004", "--resume"],
    );
    assert_eq!(fs::read(&saved).unwrap(), before);
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("\"skipped\":1").count(), 3, "{metrics}");
    assert!(losses(&run).iter().all(|l| l.0 <= 4 && l.1.is_finite()));
}

/// Bad steps are only looked at with the line of step 20. A checkpoint at step 10 would be amid them.
#[test]
fn a_run_goes_back_to_its_checkpoint_from_before_bad_steps() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "train.bad_steps=3",
        "train.checkpoint_every=10",
        "train.log_every=20",
    ];
    let with = |steps| [&settings[..], &[steps]].concat();
    train(&run, &with("train.steps=4")).assert().success();
    let (progress, before) = overflow(&run);
    fails(
        train(&run, &with("train.steps=100")).arg("--resume"),
        &["by step 20, ", "in a row", "continues from", "step-"],
    );
    fs::write(progress, before).unwrap();
    train(&run, &with("train.steps=24"))
        .arg("--resume")
        .assert()
        .success();
    assert!(run.join("model.safetensors").exists());
}
