//! The training batch: states on the path between photos and labels, with their times and weights.

use super::config::Config;
use super::objective::{Objective, PathBatch, REMAINING_FLOOR};
use super::wrong_states::{States, chosen, corrupted};
use crate::data::Batch;
use crate::encoding::Centroids;
use crate::flow::{self, Prediction, Source};
use crate::model::network::Query;
use burn::tensor::{Device, Tensor, TensorData, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// The current network, outside any graph, for the parts of a batch that depend on it.
pub(super) struct Frozen<'a> {
    /// The tokens of photos `[B, 3, H, W]` from a frozen encoder.
    pub encode: &'a dyn Fn(&Tensor<4>) -> Option<Tensor<3>>,
    /// The network's own decision as a target, `[B, d, H, W]`.
    pub decide: &'a dyn Fn(Query) -> Tensor<4>,
}

/// A batch, or some of its samples, as input of the network and the loss. All tensors are outside
/// any graph. The losses of the parts of a batch sum to that of the whole.
pub(super) struct TrainBatch {
    /// The photos, `[B, 3, H, W]`.
    pub image: Tensor<4>,
    pub path: PathBatch,
    /// `[B]`
    pub times: Vec<f32>,
    /// The frozen encoder's tokens of the photos, if there is one.
    pub features: Option<Tensor<3>>,
    /// The teacher's tokens on the network's grid, `[B, L, width]`.
    pub teacher: Option<Tensor<3>>,
    /// Number of samples in the whole batch.
    pub total: usize,
}

impl TrainBatch {
    /// The samples `share` of a batch. Times and noise are functions of the seed and the batch's
    /// step. Without `class_weights` every class has weight 1. States that lead to the network's
    /// own decision are computed by `frozen`.
    ///
    /// The target of an ignored pixel is the class of the nearest labelled pixel; with
    /// `loss.mask_ignored = false` it is the centre of the cube.
    pub(super) fn new(
        config: &Config,
        centroids: &Centroids,
        class_weights: Option<&[f32]>,
        batch: &Batch,
        share: Range<usize>,
        frozen: &Frozen,
        device: &Device,
    ) -> Self {
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
        let features = (frozen.encode)(&image);
        let own_labels = batch.labels_of(share.clone());
        let target: Vec<Vec<f32>> = own_labels
            .par_chunks_exact(pixels)
            .map(|labels| {
                if config.loss.mask_ignored {
                    centroids.encode(&completed(labels, width, classes))
                } else {
                    centroids.encode(labels)
                }
            })
            .collect();
        let target = four(target.concat(), dims);
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
        let numbers = |data: Vec<f32>| {
            let data = TensorData::new(data, [len, 1, 1, 1]);
            Tensor::<4>::from_data(data, device)
        };
        let t = numbers(times.clone());
        let (flow, seed) = (&config.flow, config.train.seed);
        let wrong = chosen(seed, batch.step, batch.len, flow.states_share);
        // At t = 0 the state is the photo, wherever it leads.
        let wrong: Vec<usize> = (0..len)
            .filter(|&i| wrong[share.start + i] && times[i] > 0.0)
            .collect();
        let of_wrong = match flow.states {
            _ if wrong.is_empty() => None,
            States::Truth => None,
            States::Corrupted => {
                let encode = |&i: &usize| {
                    let labels = &own_labels[i * pixels..(i + 1) * pixels];
                    let labels = completed(labels, width, classes);
                    let stream = [seed, batch.step, (share.start + i) as u64];
                    centroids.encode(&corrupted(&labels, width, classes, stream))
                };
                let encoded: Vec<Vec<f32>> = wrong.par_iter().map(encode).collect();
                let shape = [wrong.len(), dims, height, width];
                let data = TensorData::new(encoded.concat(), shape);
                Some(Tensor::from_data(data, device))
            }
            States::Rollout => Some((frozen.decide)(Query {
                state: rows(&source, &wrong),
                times: vec![0.0; wrong.len()],
                image: Some(rows(&image, &wrong)),
                features: features.as_ref().map(|features| rows(features, &wrong)),
                classes: None,
            })),
        };
        let towards = of_wrong.map(|of_wrong| replaced(&target, &wrong, &of_wrong));
        let end = towards.as_ref().unwrap_or(&target);
        let state = flow::interpolate(source.clone(), end.clone(), t.clone());
        let velocity = match (config.prediction(), towards) {
            // With the bound of the predicted target's velocity: the true target has no loss.
            (Prediction::Target, _) => {
                flow::velocity_towards(target, state.clone(), t.clone(), REMAINING_FLOOR)
            }
            (_, None) => target - source,
            (_, Some(towards)) => velocity_to_truth(source, towards, target, t.clone()),
        };

        let labelled = |label: &u16| usize::from(*label) < classes;
        let labels: Vec<i32> = own_labels
            .iter()
            .map(|l| if labelled(l) { i32::from(*l) } else { -1 })
            .collect();
        let labels = TensorData::new(labels, [len, height, width]);
        let ignored = f32::from(u8::from(!config.loss.mask_ignored));
        let weight = |label: &u16| {
            if labelled(label) {
                class_weights.map_or(1.0, |weights| weights[usize::from(*label)])
            } else {
                ignored
            }
        };
        // Over the whole batch, whichever devices have the rest of it. A sum in single precision
        // would lose most of the weight of one among millions of pixels.
        let total_weight = batch.labels.iter().map(|label| f64::from(weight(label)));
        let total_weight = total_weight.sum::<f64>() as f32;
        let mut weights = four(own_labels.iter().map(weight).collect(), 1);
        if config.loss.time_weight > 0.0 {
            let of_time = |t: &f32| (1.0 - t).powf(config.loss.time_weight as f32);
            weights = weights * numbers(times.iter().map(of_time).collect());
        }
        Self {
            path: PathBatch {
                state,
                velocity,
                t,
                labels: Tensor::from_data(labels, device),
                weights,
                total_weight,
            },
            image,
            times,
            features,
            teacher: None,
            total: batch.len,
        }
    }

    /// `[height, width]` of the photos.
    pub(super) fn size(&self) -> [usize; 2] {
        let [_, _, height, width] = self.image.dims();
        [height, width]
    }

    /// The network's input, in a graph. A frozen encoder is kept out of it.
    pub(super) fn query(&self) -> Query {
        Query {
            state: self.path.state.clone().autodiff(),
            times: self.times.clone(),
            image: Some(self.image.clone().autodiff()),
            features: self.features.clone().map(Tensor::autodiff),
            classes: None,
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let four = |x: &Tensor<4>| x.clone().slice(s![range.clone(), .., .., ..]);
        let three = |x: &Option<Tensor<3>>| {
            let tokens = x.as_ref();
            tokens.map(|tokens| tokens.clone().slice(s![range.clone(), .., ..]))
        };
        let path = &self.path;
        Self {
            image: four(&self.image),
            path: PathBatch {
                velocity: four(&path.velocity),
                state: four(&path.state),
                t: four(&path.t),
                labels: path.labels.clone().slice(s![range.clone(), .., ..]),
                weights: four(&path.weights),
                total_weight: path.total_weight,
            },
            times: self.times[range.clone()].to_vec(),
            features: three(&self.features),
            teacher: three(&self.teacher),
            total: self.total,
        }
    }
}

/// Some samples of a batch.
fn rows<const R: usize>(of: &Tensor<R>, samples: &[usize]) -> Tensor<R> {
    let one = |&i: &usize| of.clone().narrow(0, i, 1);
    Tensor::cat(samples.iter().map(one).collect(), 0)
}

/// The velocity that leads to `target`, x1, from the state at `t: [B, 1, 1, 1]` on the path from
/// `source`, x0, to `towards`, x~: `x1 - x0 + t (x1 - x~) / (1 - t)`. Where x~ = x1 it is exactly
/// `x1 - x0`; elsewhere `1 - t` has a [lower bound](REMAINING_FLOOR).
fn velocity_to_truth(
    source: Tensor<4>,
    towards: Tensor<4>,
    target: Tensor<4>,
    t: Tensor<4>,
) -> Tensor<4> {
    let remaining = (t.clone().neg() + 1.0).clamp_min(REMAINING_FLOOR);
    target.clone() - source + (target - towards) * (t / remaining)
}

/// The batch `of` with other values for some samples, given in ascending order.
fn replaced(of: &Tensor<4>, samples: &[usize], by: &Tensor<4>) -> Tensor<4> {
    let one = |i: usize| match samples.binary_search(&i) {
        Ok(at) => by.clone().narrow(0, at, 1),
        Err(_) => of.clone().narrow(0, i, 1),
    };
    Tensor::cat((0..of.dims()[0]).map(one).collect(), 0)
}

/// Labels `[H, W]` with a class for every pixel: its own or that of the nearest labelled pixel, in
/// steps along rows and columns. A map without any class is returned unchanged.
///
/// The grey that encodes an ignored pixel is on no path: the network never sees it in sampling,
/// while in training it would share tokens with labelled pixels, mostly at borders between classes.
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

/// The time of every sample; 0 for a classifier, whose input is the photo itself.
fn times(config: &Config, batch: &Batch) -> Vec<f32> {
    if config.loss.objective == Objective::CrossEntropy {
        return vec![0.0; batch.len];
    }
    // A separate stream, so that times do not depend on how many numbers augmentation draws.
    let mut rng = ChaCha8Rng::seed_from_u64(config.train.seed);
    rng.set_stream(batch.step.wrapping_add(1));
    let sampler = config.time();
    (0..batch.len).map(|_| sampler.sample(&mut rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;
    use crate::model::tensors::read;
    use crate::patches::Patches;
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
    fn wrong_states_lead_elsewhere_and_their_velocity_to_the_truth() {
        let batch = Batch {
            step: 3,
            images: vec![0.5; 2 * 3 * 64],
            labels: vec![2; 2 * 64],
            size: [8, 8],
            len: 2,
            names: vec![String::new(); 2],
            views: Vec::new(),
        };
        let centroids = Centroids::kronecker(3);
        let device = Device::flex();
        // The network's own decision: class 0 everywhere.
        let own = centroids.encode(&[0; 64]);
        let decide = |query: Query| -> Tensor<4> {
            assert!(query.times.iter().all(|&t| t == 0.0));
            let own = TensorData::new(own.repeat(2), [2, 3, 8, 8]);
            Tensor::<4>::from_data(own, &Device::flex())
        };
        let frozen = Frozen {
            encode: &|_| None,
            decide: &decide,
        };
        for states in ["corrupted", "rollout"] {
            let sets = [
                format!("flow.states={states}"),
                "flow.states_share=1".to_owned(),
                "flow.time_zero=0".to_owned(),
            ];
            let config = Config::parse("", &sets).unwrap();
            let found = TrainBatch::new(&config, &centroids, None, &batch, 0..2, &frozen, &device);
            let (state, velocity) = (read(found.path.state), read(found.path.velocity));
            let target = centroids.encode(&[2; 64]);
            let mut elsewhere = 0;
            for i in 0..2 * 3 * 64 {
                let (t, x1) = (found.times[i / 192], target[i % 192]);
                assert!((state[i] + (1.0 - t) * velocity[i] - x1).abs() < 1e-4);
                elsewhere += usize::from((state[i] - (0.5 + (x1 - 0.5) * t)).abs() > 1e-6);
                if states == "rollout" {
                    assert!((state[i] - (0.5 + (own[i % 192] - 0.5) * t)).abs() < 1e-5);
                }
            }
            assert!(elsewhere > 0, "{states}");
        }
    }

    /// A batch of sixteen grey photos of class 2 with times near 1, as these settings make it.
    fn late(sets: &[&str]) -> (Config, Centroids, TrainBatch) {
        let len = 16;
        let batch = Batch {
            step: 3,
            images: vec![0.5; len * 3 * 64],
            labels: vec![2; len * 64],
            size: [8, 8],
            len,
            names: vec![String::new(); len],
            views: Vec::new(),
        };
        // About 1 / (1 + exp(-6)) = 0.9975.
        let time = [
            "flow.time=logit-normal",
            "flow.time_zero=0",
            "flow.time_mean=6",
            "flow.time_deviation=0.1",
        ];
        let sets: Vec<String> = time.iter().chain(sets).map(ToString::to_string).collect();
        let config = Config::parse("", &sets).unwrap();
        let centroids = Centroids::kronecker(3);
        let frozen = Frozen {
            encode: &|_| None,
            decide: &|query| query.state,
        };
        let device = Device::flex();
        let found = TrainBatch::new(&config, &centroids, None, &batch, 0..len, &frozen, &device);
        assert!(found.times.iter().all(|&t| t > 0.98));
        (config, centroids, found)
    }

    #[test]
    fn a_perfect_prediction_of_the_target_has_no_loss_however_late() {
        for states in ["truth", "corrupted"] {
            let states = format!("flow.states={states}");
            let settings = ["model.prediction=target", "loss.objective=vanilla", &states];
            let (config, centroids, batch) = late(&settings);
            let [count, pixels] = [16, 64];
            let target = centroids.encode(&[2]).repeat(count * pixels);
            let target = TensorData::new(target, [count * pixels, 1, 3]);
            let patches = Patches {
                size: [8, 8],
                side: 1,
            };
            let outputs = Tensor::<3>::from_data(target, &Device::flex());
            let loss = config.loss_of(&centroids);
            let loss = loss.of(&batch.path, outputs, patches).into_scalar::<f32>();
            assert!(loss < 1e-8, "{states}: {loss}");
        }
    }

    #[test]
    fn late_velocities_on_the_true_path_are_those_of_the_path() {
        let (_, centroids, batch) = late(&["flow.states=corrupted", "flow.states_share=0.5"]);
        let (state, velocity) = (read(batch.path.state), read(batch.path.velocity));
        let target = centroids.encode(&[2; 64]);
        let samples = state.chunks(3 * 64).zip(velocity.chunks(3 * 64));
        let (mut own, mut wrong) = (0, 0);
        for ((state, velocity), t) in samples.zip(&batch.times) {
            let numbers = || state.iter().zip(velocity).zip(&target);
            let is_own = numbers().all(|((x, _), x1)| (x - (0.5 + (x1 - 0.5) * t)).abs() < 1e-5);
            own += usize::from(is_own);
            wrong += usize::from(!is_own);
            for ((x, v), x1) in numbers() {
                let towards = if is_own { *x1 } else { 0.5 + (x - 0.5) / t };
                let expected = x1 - 0.5 + t / REMAINING_FLOOR * (x1 - towards);
                assert!((v - expected).abs() < 1e-3, "{v} {expected}");
            }
        }
        assert!(own > 0 && wrong > 0, "{own} {wrong}");
    }

    #[test]
    fn only_states_away_from_the_photo_are_decided_and_late_ones_weigh_less() {
        let len = 16;
        let batch = Batch {
            step: 1,
            images: (0..len * 3 * 4).map(|i| (i / 12) as f32 / 16.0).collect(),
            labels: vec![1; len * 4],
            size: [2, 2],
            len,
            names: vec![String::new(); len],
            views: Vec::new(),
        };
        let centroids = Centroids::kronecker(3);
        let device = Device::flex();
        let asked = std::cell::Cell::new(0);
        // The mask that each photo leads to is its own grey plus 10.
        let decide = |query: Query| -> Tensor<4> {
            asked.set(query.times.len());
            query.state + 10.0
        };
        let frozen = Frozen {
            encode: &|_| None,
            decide: &decide,
        };
        let sets = [
            "flow.states=rollout",
            "flow.states_share=1",
            "flow.time_zero=0.5",
        ]
        .map(str::to_owned);
        let of = |more: &str| {
            let config = Config::parse("", &[&sets[..], &[more.to_owned()]].concat()).unwrap();
            TrainBatch::new(&config, &centroids, None, &batch, 0..len, &frozen, &device)
        };
        let found = of("loss.time_weight=2");
        let later = found.times.iter().filter(|&&t| t > 0.0).count();
        assert!(0 < later && later < len, "{later}");
        assert_eq!(asked.get(), later);
        let (state, weights) = (read(found.path.state), read(found.path.weights));
        for (i, t) in found.times.iter().enumerate() {
            let expected = i as f32 / 16.0 + 10.0 * t;
            assert!((state[12 * i] - expected).abs() < 1e-4, "{i}");
            assert!((weights[4 * i] - (1.0 - t).powi(2)).abs() < 1e-6);
        }
        assert_eq!(found.path.total_weight, 64.0);
        assert_eq!(read(of("loss.time_weight=0").path.weights), [1.0; 64]);
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
            views: Vec::new(),
        };
        let centroids = Centroids::kronecker(3);
        let state = |set: &str| {
            let sets = [set.to_owned(), "flow.time_zero=0".to_owned()];
            let config = Config::parse("", &sets).unwrap();
            let device = Device::flex();
            let frozen = Frozen {
                encode: &|_| None,
                decide: &|query| query.state,
            };
            let part = TrainBatch::new(&config, &centroids, None, &batch, 0..1, &frozen, &device);
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
