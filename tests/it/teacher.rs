//! The teacher of REPA: its tokens, the files that it is read from, and runs that use it.

use crate::common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{fails, flowseg, losses, shared, succeeds, train};
use flowseg::model::dinov2::Dinov2;
use flowseg::model::tensors::{HostTensor, Tensors, from_safetensors, read};
use flowseg::train::objective::misalignment;
use std::fs;
use std::path::Path;

#[test]
fn the_teacher_matches_its_reference() {
    let shared_file = |name: &str| shared(name).display().to_string();
    let tiny = shared_file("fixtures/dinov2-tiny.expected.safetensors");
    let small = shared_file("fixtures/dinov2-small-128x160.safetensors");
    let weights = shared_file("weights/dinov2-small.safetensors");
    for arguments in [vec![tiny.as_str()], vec![&small, "--weights", &weights]] {
        let text = succeeds(
            flowseg()
                .args(["selftest", "--device", "cpu"])
                .args(&arguments),
        );
        println!("{text}");
        assert!(
            text.contains("patch_tokens") && text.contains("ok"),
            "{text}"
        );
    }
    // Weights of another kind are refused, and the error names the file.
    let wrong = shared_file("fixtures/pixnerd-tiny.weights.safetensors");
    fails(
        flowseg().args(["selftest", "--device", "cpu", &tiny, "--weights", &wrong]),
        &["pos_embed", "DINOv2"],
    );
}

/// The name in original checkpoints for a Hugging Face name.
fn original(name: &str) -> String {
    [
        ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
        ("embeddings.position_embeddings", "pos_embed"),
        ("embeddings.", ""),
        ("encoder.layer", "blocks"),
        ("attention.output.dense", "attn.proj"),
        ("layer_scale1.lambda1", "ls1.gamma"),
        ("layer_scale2.lambda1", "ls2.gamma"),
        ("layernorm", "norm"),
    ]
    .iter()
    .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

#[test]
fn a_teacher_reads_both_kinds_of_names_and_registers() {
    let device = Device::flex();
    let path = shared("fixtures/dinov2-tiny.weights.safetensors");
    let bytes = fs::read(path).unwrap();
    let (published, _) = from_safetensors(&bytes).unwrap();
    // The original files have queries, keys and values in one matrix.
    let mut renamed = Tensors::new();
    for (name, tensor) in &published {
        if name.contains("attention.attention.query") {
            let part = |other: &str| &published[&name.replace("query", other)];
            let mut shape = tensor.shape.clone();
            shape[0] *= 3;
            let data = ["query", "key", "value"].map(|p| part(p).data.clone());
            let name = original(&name.replace("attention.attention.query", "attn.qkv"));
            let data = data.concat();
            renamed.insert(name, HostTensor { shape, data });
        } else if !name.contains("attention.attention.") {
            renamed.insert(original(name), tensor.clone());
        }
    }
    let photo = flowseg::random::noise([1, 3, 64, 96], 1, &device);
    let tokens = |tensors: &Tensors| {
        let teacher = Dinov2::new(tensors.clone(), Some(4), &device).unwrap();
        let tokens = teacher.patch_tokens(teacher.prepare(photo.clone()));
        assert_eq!(tokens.dims(), [1, 24, 48]);
        read(tokens)
    };
    assert_eq!(tokens(&published), tokens(&renamed));
    // Registers take part in attention but are not part of the tokens.
    let with_registers = |value: f32| {
        let mut tensors = published.clone();
        let registers = HostTensor {
            shape: vec![1, 4, 48],
            data: (0..4 * 48).map(|i| value * (i % 7) as f32).collect(),
        };
        tensors.insert("embeddings.register_tokens".into(), registers);
        tokens(&tensors)
    };
    let (a, b) = (with_registers(0.1), with_registers(0.5));
    assert!(a != b && a != tokens(&published));
    // The error names the missing tensor.
    renamed.remove("blocks.1.attn.qkv.weight");
    let error = Dinov2::new(renamed, Some(4), &device).err().unwrap();
    assert!(error.to_string().contains("blocks.1.attn.qkv.weight"));
}

/// Settings of a run with the tiny teacher, whose folder also contains its configuration.
fn repa_settings(folder: &Path) -> Vec<String> {
    fs::copy(
        shared("fixtures/dinov2-tiny.weights.safetensors"),
        folder.join("teacher.safetensors"),
    )
    .unwrap();
    fs::copy(
        shared("fixtures/dinov2-tiny.json"),
        folder.join("config.json"),
    )
    .unwrap();
    vec![
        format!(
            "repa.teacher={}",
            folder.join("teacher.safetensors").display()
        ),
        "repa.layer=1".into(),
        "repa.projector_width=24".into(),
        "train.validate_every=0".into(),
        "data.crop=false".into(),
        "data.photometric=false".into(),
    ]
}

#[test]
fn a_run_with_a_teacher_resumes_and_its_cache_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = repa_settings(folder.path());
    let run = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let all: Vec<&str> = settings
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        (out.clone(), train(&out, &all))
    };
    let cache = format!("repa.cache={}", folder.path().join("cache").display());
    let (cold, mut command) = run("cold", &["train.steps=6", &cache]);
    command.assert().success();
    let (warm, mut command) = run(
        "warm",
        &[
            "train.steps=6",
            &cache,
            "train.checkpoint_every=3",
            "train.keep=9",
        ],
    );
    command.assert().success();
    assert_eq!(losses(&cold), losses(&warm));
    let files = |folder: &Path| {
        let mut count = 0;
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path)
                } else {
                    count += 1
                }
            }
        }
        count
    };
    let kept = files(&folder.path().join("cache"));
    assert!(kept > 0 && kept <= 12, "{kept} photos");
    // Without a cache the result differs only by the rounding to half precision.
    let (plain, mut command) = run("plain", &["train.steps=6"]);
    command.assert().success();
    for (a, b) in losses(&plain).iter().zip(losses(&cold)) {
        assert!((a.1 - b.1).abs() < 1e-3 * b.1, "{a:?} {b:?}");
    }
    // The projector is part of the checkpoint; a resumed run needs it to continue unchanged.
    fs::remove_dir_all(warm.join("checkpoints/step-00000006")).unwrap();
    let before = losses(&warm);
    let projector = warm.join("checkpoints/step-00000003/projector.safetensors");
    assert!(projector.is_file());
    let (_, mut command) = run("warm", &["train.steps=6", &cache]);
    command.arg("--resume").assert().success();
    assert_eq!(losses(&warm), before);
    let bytes = fs::read(warm.join("model.safetensors")).unwrap();
    let (model, _) = from_safetensors(&bytes).unwrap();
    assert!(model.keys().all(|name| !name.contains("projector")));
}

#[test]
fn a_token_without_a_direction_has_a_finite_gradient() {
    let device = Device::flex();
    let data = TensorData::new(vec![0f32, 0.0, 3.0, 4.0], [1, 2, 2]);
    let tokens = Tensor::<3>::from_data(data, &device)
        .autodiff()
        .require_grad();
    let data = TensorData::new(vec![1f32, 0.0, 2.0, 0.0], [1, 2, 2]);
    let teacher = Tensor::<3>::from_data(data, &device);
    let loss = misalignment(tokens.clone(), teacher, 1);
    // 1 for the zero token, 1 - 3/5 for the other.
    assert!((loss.clone().into_scalar::<f32>() - 0.7).abs() < 1e-6);
    let gradient = read(tokens.grad(&loss.backward()).unwrap());
    assert!(gradient.iter().all(|g| g.abs() <= 0.5), "{gradient:?}");
    // Tangential to the circle, with no component along the token itself.
    assert!((3.0 * gradient[2] + 4.0 * gradient[3]).abs() < 1e-6 && gradient[3] > 0.0);
}
