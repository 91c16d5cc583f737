//! Samples of what a graph computes, by the program itself.

use super::Graph;
use crate::data::{self, SceneConfig};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::{HostTensor, Tensors, read};
use crate::random;
use crate::sampler;
use crate::votes::Votes;
use burn::tensor::Tensor;
use image::RgbImage;

/// A time that no flow of few steps has, so that nothing is right by chance.
const TIME: f32 = 0.37;
/// A step that is longer than the rest of the time would be for a target.
const STEP: f32 = 0.7;
/// Weight of the noise in the state that the velocity is computed at.
const NOISE: f32 = 0.3;

/// Inputs and outputs of a model's graph by their names, for a photo resized to `size`, `[height,
/// width]` in whole patches; without a photo for one of the program's scenes. Labels are whole numbers.
pub fn expected(
    model: &Model,
    graph: Graph,
    photo: Option<&RgbImage>,
    size: [usize; 2],
) -> Tensors {
    let scene;
    let photo = match photo {
        Some(photo) => photo,
        None => {
            let config = SceneConfig {
                size,
                ..SceneConfig::default()
            };
            scene = data::render(&config, 0).image;
            &scene
        }
    };
    let device = model.network.device();
    let photo = inference::input(&[photo], size, &device);
    let mut tensors = Tensors::from([("photo".to_owned(), host(photo.clone()))]);
    let mut keep = |name: &str, tensor: HostTensor| tensors.insert(name.to_owned(), tensor);
    let features = model.network.encode(&photo);
    match graph {
        Graph::Encoder => {
            if let Some(features) = features {
                keep("features", host(features));
            }
        }
        Graph::Velocity => {
            let source = model.source(None, &photo, 0);
            let noise = random::noise(source.dims(), 1, &device);
            let state = source + noise * NOISE;
            let velocity = model.velocity(state.clone(), TIME, STEP, &photo, features.as_ref());
            keep("state", host(state));
            keep("t", number(TIME));
            keep("h", number(STEP));
            keep("velocity", host(velocity));
            if let Some(features) = features {
                keep("features", host(features));
            }
        }
        Graph::Flow { steps } => {
            let sampling = Sampling {
                steps: model.card.flow_steps(steps),
                solver: sampler::Solver::Euler,
                ..Sampling::default()
            };
            keep("noise", host(model.source(None, &photo, sampling.seed)));
            if let Some(last) = inference::flow(model, photo, sampling).last() {
                decide(model, host(last.x), size, keep);
            }
        }
    }
    tensors
}

/// Keeps the outputs of a flow that ends at a state.
fn decide(
    model: &Model,
    state: HostTensor,
    size: [usize; 2],
    mut keep: impl FnMut(&str, HostTensor) -> Option<HostTensor>,
) {
    let votes = Votes::of(&model.centroids(), &state.data, size);
    let ([height, width], classes) = (size, model.card.classes.len());
    let pixels = height * width;
    let mut probabilities = vec![0.0; classes * pixels];
    for pixel in 0..pixels {
        for (class, share) in votes.at(pixel).iter().enumerate() {
            probabilities[class * pixels + pixel] = *share;
        }
    }
    let labels = votes.labels(size).into_iter().map(f32::from).collect();
    keep("state", state);
    let tensor = |shape: &[usize], data| HostTensor {
        shape: shape.to_vec(),
        data,
    };
    keep(
        "probabilities",
        tensor(&[1, classes, height, width], probabilities),
    );
    keep("labels", tensor(&[1, height, width], labels));
}

fn host<const R: usize>(tensor: Tensor<R>) -> HostTensor {
    HostTensor {
        shape: tensor.dims().to_vec(),
        data: read(tensor),
    }
}

fn number(value: f32) -> HostTensor {
    HostTensor {
        shape: vec![1],
        data: vec![value],
    }
}
