//! `flowseg export-onnx`. What the graphs compute is for `.ci/onnx`.

use crate::common;

use common::{fails, flowseg};
use std::fs;

#[test]
fn a_graph_and_its_samples_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, samples) = (
        folder.path().join("scenes.onnx"),
        folder.path().join("samples.safetensors"),
    );
    flowseg()
        .args(["export-onnx", "scenes", "--device", "cpu", "--steps", "2"])
        .args(["--size", "16x24", "-o"])
        .arg(&graph)
        .arg("--expected")
        .arg(&samples)
        .assert()
        .success();
    let graph = fs::read(&graph).unwrap();
    // IR version 8, and a producer's name.
    assert!(graph.starts_with(b"\x08\x08\x12\x07flowseg"));
    let samples = fs::read(&samples).unwrap();
    let samples = safetensors::SafeTensors::deserialize(&samples).unwrap();
    let shape = |name: &str| samples.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("photo"), [1, 3, 16, 24]);
    assert_eq!(shape("state"), [1, 8, 16, 24]);
    assert_eq!(shape("probabilities"), [1, 20, 16, 24]);
    assert_eq!(shape("labels"), [1, 16, 24]);
}

#[test]
fn what_cannot_be_exported_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let export = |model: &std::path::Path, more: &[&str]| {
        let mut command = flowseg();
        command.args(["export-onnx", "--device", "cpu"]).arg(model);
        command.args(more).arg("-o").arg(path("graph.onnx"));
        command
    };
    let scenes = "scenes".as_ref();
    fails(&mut export(&path("none"), &[]), &["none", "cannot read"]);
    fails(
        &mut export(scenes, &["--graph", "encoder"]),
        &["no image encoder", "scenes"],
    );
    fails(
        &mut export(scenes, &["--graph", "velocity", "--steps", "2"]),
        &["--steps"],
    );
    let samples = path("samples.safetensors");
    let samples = ["--size", "20x24", "--expected", samples.to_str().unwrap()];
    fails(&mut export(scenes, &samples), &["multiple", "8"]);
    // Neither output may be the model, or the other.
    fs::write(path("graph.onnx"), "something of somebody's").unwrap();
    fails(
        &mut export(&path("graph.onnx"), &[]),
        &["graph.onnx", "another place"],
    );
    let twice = path("graph.onnx");
    let twice = ["--expected", twice.to_str().unwrap()];
    fails(&mut export(scenes, &twice), &["both"]);
    assert_eq!(
        fs::read(path("graph.onnx")).unwrap(),
        b"something of somebody's"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
