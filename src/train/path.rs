//! A batch of photos and labels on its way from image to mask.

use super::config::Config;
use super::trainee::Part;
use crate::data::Batch;
use crate::encoding::Centroids;
use crate::flow::{self, Objective, PathBatch, Source};
use burn::tensor::{Device, Tensor, TensorData, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// Some entries of a batch somewhere on their path, ready for the network: their loss is a share of
/// the whole batch's. Times and noise are functions of the seed and the batch's step. Without
/// `class_weights` all classes weigh 1.
///
/// Pixels without a class that don't count go the way of the nearest pixel that has one. Where they
/// count (`loss.mask_ignored = false`) they go to the middle of the cube.
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
    let dims = centroids.dims();
    let four = |data: Vec<f32>, channels: usize| {
        let data = TensorData::new(data, [len, channels, height, width]);
        Tensor::<4>::from_data(data, device)
    };
    let image = four(batch.images_of(share.clone()).to_vec(), 3);
    let own_labels = batch.labels_of(share.clone());
    let target: Vec<Vec<f32>> = own_labels
        .par_chunks_exact(pixels)
        .map(|labels| match config.loss.mask_ignored {
            true => centroids.encode(&completed(labels, width, classes)),
            false => centroids.encode(labels),
        })
        .collect();
    let target = target.concat();
    let target = four(target, dims);
    let source = match config.flow.source {
        Source::Image => flow::photo_state(&image, dims),
        Source::Noise => {
            let seed = config.train.seed.wrapping_mul(0x9e37_79b9);
            let shape = [batch.len, dims, height, width];
            let noise = crate::random::noise(shape, seed.wrapping_add(batch.step), device);
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

/// Labels `[H, W]` of which every pixel has a class: its own, or that of the nearest pixel with one,
/// counting steps along rows and columns. A map without any class stays as it is.
///
/// The grey that stands for no class lies on no path: a flow that is sampled never shows it to the
/// network, while in training it would stand in the same tokens as labelled pixels, at borders
/// between classes above all.
fn completed(labels: &[u16], width: usize, classes: usize) -> Cow<'_, [u16]> {
    let has_class = |label: u16| usize::from(label) < classes;
    if labels.iter().all(|&label| has_class(label)) {
        return Cow::Borrowed(labels);
    }
    let mut all = labels.to_vec();
    let mut frontier: VecDeque<usize> = (0..all.len()).filter(|&i| has_class(all[i])).collect();
    while let Some(pixel) = frontier.pop_front() {
        let (x, label) = (pixel % width, all[pixel]);
        let around = [
            pixel.checked_sub(width),
            (x > 0).then(|| pixel - 1),
            (x + 1 < width).then_some(pixel + 1),
            Some(pixel + width).filter(|&below| below < all.len()),
        ];
        for neighbour in around.into_iter().flatten() {
            if !has_class(all[neighbour]) {
                all[neighbour] = label;
                frontier.push_back(neighbour);
            }
        }
    }
    Cow::Owned(all)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::IGNORE;
    use crate::model::tensors::read;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_takes_the_class_of_a_nearest_one(
            (width, height) in (1usize..9, 1usize..9),
            seed in any::<u64>(),
        ) {
            let mut random = seed;
            let labels: Vec<u16> = (0..width * height)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    match random >> 61 {
                        class @ 0..3 => class as u16,
                        _ => IGNORE,
                    }
                })
                .collect();
            let all = completed(&labels, width, 3);
            let distance = |a: usize, b: usize| {
                (a % width).abs_diff(b % width) + (a / width).abs_diff(b / width)
            };
            for (pixel, &class) in all.iter().enumerate() {
                let known: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] < 3).collect();
                let Some(nearest) = known.iter().map(|&i| distance(pixel, i)).min() else {
                    prop_assert_eq!(class, IGNORE);
                    continue;
                };
                prop_assert!(
                    known.iter().any(|&i| distance(pixel, i) == nearest && labels[i] == class)
                );
            }
        }
    }

    #[test]
    fn a_state_without_a_class_lies_on_a_path_unless_it_counts() {
        let batch = Batch {
            step: 0,
            images: vec![0.5; 3 * 4],
            labels: vec![2, IGNORE, 0, IGNORE],
            size: [1, 4],
            len: 1,
            names: vec![String::new()],
        };
        let centroids = Centroids::kronecker(3);
        let state = |set: &str| {
            let sets = [set.to_owned(), "flow.time_zero=0".to_owned()];
            let config = Config::parse("", &sets).unwrap();
            let device = Device::flex();
            let part = part(&config, &centroids, None, &batch, 0..1, &device);
            (
                read(part.path.state),
                part.times[0],
                read(part.path.weights),
            )
        };
        let expected = |t: f32, classes: [u16; 4]| -> Vec<f32> {
            let target = centroids.encode(&classes);
            target.iter().map(|x1| 0.5 + (x1 - 0.5) * t).collect()
        };
        let (found, t, weights) = state("loss.mask_ignored=true");
        assert!(t > 0.0);
        assert_eq!(found, expected(t, [2, 2, 0, 0]));
        assert_eq!(weights, [1.0, 0.0, 1.0, 0.0]);
        let (found, t, weights) = state("loss.mask_ignored=false");
        assert_eq!(found, expected(t, batch.labels.clone().try_into().unwrap()));
        assert_eq!(weights, [1.0; 4]);
    }
}
