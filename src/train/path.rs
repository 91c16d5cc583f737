//! A batch of photos and labels on its way from image to mask.

use super::config::Config;
use super::trainee::Part;
use crate::data::Batch;
use crate::encoding::Centroids;
use crate::flow::{self, Objective, PathBatch, Source};
use burn::tensor::{Device, Tensor, TensorData, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Some entries of a batch somewhere on their path, ready for the network: their loss is a share of
/// the whole batch's. Times and noise are functions of the seed and the batch's step. Without
/// `class_weights` all classes weigh 1.
pub fn part(
    config: &Config,
    centroids: &Centroids,
    class_weights: Option<&[f32]>,
    batch: &Batch,
    share: Range<usize>,
    device: &Device,
) -> Part {
    let [height, width] = batch.size;
    let pixels = height * width;
    let classes = centroids.len();
    let len = share.len();
    let four = |data: Vec<f32>, channels: usize| {
        let data = TensorData::new(data, [len, channels, height, width]);
        Tensor::<4>::from_data(data, device)
    };
    let image = four(batch.images_of(share.clone()).to_vec(), 3);
    let own_labels = batch.labels_of(share.clone());
    let target: Vec<f32> = own_labels
        .chunks_exact(pixels)
        .flat_map(|labels| centroids.encode(labels))
        .collect();
    let target = four(target, 3);
    let source = match config.flow.source {
        Source::Image => image.clone(),
        Source::Noise => {
            let seed = config.train.seed.wrapping_mul(0x9e37_79b9);
            let shape = [batch.len, 3, height, width];
            let noise = crate::model::noise(shape, seed.wrapping_add(batch.step), device);
            noise.slice(s![share.clone(), .., .., ..])
        }
    };
    let times = times(config, batch)[share.clone()].to_vec();
    let t = TensorData::new(times.clone(), [len, 1, 1, 1]);
    let t = Tensor::<4>::from_data(t, device);

    let labelled = |l: &u16| usize::from(*l) < classes;
    let labels: Vec<i32> = own_labels
        .iter()
        .map(|l| if labelled(l) { i32::from(*l) } else { -1 })
        .collect();
    let ignored = f32::from(u8::from(!config.loss.mask_ignored));
    let weight = |label: usize| match label < classes {
        false => ignored,
        true => class_weights.map_or(1.0, |weights| weights[label]),
    };
    let weights =
        |labels: &[u16]| -> Vec<f32> { labels.iter().map(|l| weight(usize::from(*l))).collect() };
    // Of the whole batch, whoever has the rest of it. A sum in single precision would lose most of a
    // weight beside millions of pixels.
    let total_weight = weights(&batch.labels).into_iter().map(f64::from);
    let total_weight = total_weight.sum::<f64>() as f32;
    let weights = weights(own_labels);
    let labels = TensorData::new(labels, [len, height, width]);
    Part {
        path: PathBatch {
            state: flow::interpolate(source.clone(), target.clone(), t.clone()),
            source,
            target,
            t,
            labels: Tensor::from_data(labels, device),
            weights: four(weights, 1),
            total_weight,
        },
        image,
        times,
        teacher: None,
        whole: batch.len,
    }
}

/// The time of every entry. A classifier sees the photo itself, at time 0.
fn times(config: &Config, batch: &Batch) -> Vec<f32> {
    if config.loss.objective == Objective::CrossEntropy {
        return vec![0.0; batch.len];
    }
    // A stream of its own, so that times don't depend on how many numbers augmentation drew.
    let mut rng = ChaCha8Rng::seed_from_u64(config.train.seed);
    rng.set_stream(batch.step.wrapping_add(1));
    let sampler = config.time();
    (0..batch.len).map(|_| sampler.sample(&mut rng)).collect()
}
