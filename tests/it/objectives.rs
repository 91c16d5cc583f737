//! Models trained with objectives that have an output per class.

use crate::common;

use burn::tensor::Device;
use common::{flowseg, losses, train};
use flowseg::flow::Prediction;
use flowseg::inference::{self, Sampling};
use flowseg::model::Model;
use flowseg::model::network::Query;
use flowseg::model::tensors::read;
use std::fs;

#[test]
fn a_posterior_over_the_classes_flows_in_many_steps() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "loss.objective=variational",
        "train.steps=6",
        "model.patch_output=true",
    ];
    train(&run, &settings).assert().success();
    let bytes = fs::read(run.join("model.safetensors")).unwrap();
    let model = Model::from_bytes(&bytes, &Device::flex()).unwrap();
    assert_eq!(model.card.prediction, Prediction::Posterior);
    assert_eq!(model.card.network.outputs, 3);
    let photo = image::open(common::photo(folder.path(), "photo.png")).unwrap();
    let photo = inference::input(&[&photo.to_rgb8()], model.card.size, &Device::flex());
    let flow = |steps| {
        let sampling = Sampling {
            steps,
            ..Sampling::default()
        };
        inference::flow(&model, photo.clone(), sampling).collect::<Vec<_>>()
    };
    // A single step reaches the centroids of the classes of the first outputs.
    let query = Query {
        state: photo.clone(),
        times: vec![0.0],
        image: Some(photo.clone()),
        features: None,
        classes: None,
    };
    let first = model.network.forward(query).argmax(1).into_data();
    let end = model.centroids().decode(&read(flow(1)[1].x.clone()));
    let classes: Vec<u16> = first.iter::<u16>().collect();
    assert_eq!(end, classes);
    let states = flow(10);
    assert_eq!(states.len(), 11);
    // Whatever its intermediate decisions, every pixel ends at a centroid.
    let last = read(states[10].x.clone());
    let centroids = model.centroids();
    let nearest = centroids.encode(&centroids.decode(&last));
    assert!(
        last.iter()
            .zip(&nearest)
            .all(|(x, mu)| (x - mu).abs() < 1e-4)
    );
}

#[test]
fn a_classifier_on_the_same_trunk_segments_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = [
        "loss.objective=cross-entropy",
        "train.steps=6",
        "train.validate_every=3",
        "train.validate_samples=2",
    ];
    train(&run, &settings).assert().success();
    let model = run.join("model.safetensors");
    let photo = common::photo(folder.path(), "photo.png");
    let mask = |steps: &str| {
        let out = folder.path().join(format!("masks-{steps}"));
        flowseg()
            .args(["segment", "--device", "cpu", "--steps", steps, "--model"])
            .arg(&model)
            .arg(&photo)
            .arg("-o")
            .arg(&out)
            .assert()
            .success();
        // The files themselves say how many steps were taken.
        image::open(out.join("photo.png")).unwrap().into_luma8()
    };
    assert_eq!(mask("1"), mask("10"));
    flowseg()
        .args(["eval", "--device", "cpu", "--data", "scenes:3@16x24"])
        .args(["--steps", "1", "--model"])
        .arg(&model)
        .assert()
        .success();
    // The backbone is the same as for the flow: only the output layer has a different width.
    let bytes = fs::read(&model).unwrap();
    let (tensors, _) = flowseg::model::tensors::from_safetensors(&bytes).unwrap();
    assert_eq!(tensors["final_layer.linear.bias"].shape, [3]);
    // Losses start at the logarithm of the number of classes.
    let first = losses(&run)[0].1;
    assert!((first - 3f64.ln()).abs() < 1e-3, "{first}");
}
