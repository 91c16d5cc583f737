//! The training batch: states on the path between photos and labels, with their times and weights.

use super::completed_labels::completed;
use super::config::Config;
use super::objective::{Objective, PathBatch, REMAINING_FLOOR};
use super::wrong_states::{States, chosen, corrupted};
use crate::data::Batch;
use crate::encoding::Centroids;
use crate::flow::{self, Prediction, Source};
use crate::model::network::Query;
use crate::random::{self, Draw};
use burn::tensor::{Device, Int, Tensor, TensorData, s};
use rayon::prelude::*;
use std::ops::Range;

/// The current network, outside any graph, for the parts of a batch that depend on it.
#[derive(Clone, Copy)]
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

/// What the batches of a stage are made with.
pub(super) struct BatchContext<'a> {
    pub config: &'a Config,
    pub centroids: &'a Centroids,
    /// By class; without them every class has weight 1.
    pub class_weights: Option<&'a [f32]>,
    pub frozen: Frozen<'a>,
    pub device: &'a Device,
}

/// Some samples of a batch at the beginning of their paths.
struct Starts<'a> {
    batch: &'a Batch,
    /// Which of the batch's samples they are.
    share: Range<usize>,
    image: Tensor<4>,
    features: Option<Tensor<3>>,
    /// The states at t = 0.
    source: Tensor<4>,
    times: Vec<f32>,
}

impl Starts<'_> {
    /// Their labels, `[len, H, W]`.
    fn labels(&self) -> &[u16] {
        self.batch.labels_of(self.share.clone())
    }
}

impl BatchContext<'_> {
    /// The samples `share` of a batch. Times and noise are functions of the seed and the batch's
    /// step. States that lead to the network's own decision are computed by `frozen`.
    ///
    /// The target of an ignored pixel is the class of the nearest labelled pixel; with
    /// `loss.mask_ignored = false` it is the centre of the cube.
    pub(super) fn batch(&self, batch: &Batch, share: Range<usize>) -> TrainBatch {
        let starts = self.starts(batch, share);
        let target = self.target(&starts);
        let t = self.numbers(starts.times.clone());
        let wrong = self.wrong_ends(&starts);
        let towards = wrong.map(|(samples, ends)| replaced(&target, &samples, &ends));
        let end = towards.as_ref().unwrap_or(&target);
        let state = flow::interpolate(starts.source.clone(), end.clone(), t.clone());
        let velocity = match (self.config.prediction(), towards) {
            // With the bound of the predicted target's velocity: the true target has no loss.
            (Prediction::Target, _) => {
                flow::velocity_towards(target, state.clone(), t.clone(), REMAINING_FLOOR)
            }
            (_, None) => target - starts.source.clone(),
            (_, Some(towards)) => {
                velocity_to_truth(starts.source.clone(), towards, target, t.clone())
            }
        };
        TrainBatch {
            path: PathBatch {
                state,
                velocity,
                t,
                labels: self.labels(&starts),
                weights: self.weights(&starts),
                total_weight: self.total_weight(batch),
            },
            image: starts.image,
            times: starts.times,
            features: starts.features,
            teacher: None,
            total: batch.len,
        }
    }

    fn starts<'a>(&self, batch: &'a Batch, share: Range<usize>) -> Starts<'a> {
        let config = self.config;
        let photos = batch.images_of(share.clone()).to_vec();
        let image = self.four(photos, batch.size, 3);
        let features = (self.frozen.encode)(&image);
        let dims = self.centroids.dims();
        let source = match config.flow.source {
            Source::Image => flow::photo_state(&image, dims),
            Source::Noise => {
                let draw = Draw::StartNoise { step: batch.step };
                let seed = draw.noise_seed(config.train.seed);
                let shape = [batch.len, dims, batch.size[0], batch.size[1]];
                let noise = random::noise(shape, seed, self.device);
                noise.slice(s![share.clone(), .., .., ..])
            }
        };
        Starts {
            image,
            features,
            source,
            times: times(config, batch)[share.clone()].to_vec(),
            batch,
            share,
        }
    }

    /// Values `[len, channels, H, W]` on the device.
    fn four(&self, data: Vec<f32>, [height, width]: [usize; 2], channels: usize) -> Tensor<4> {
        let len = data.len() / (channels * height * width);
        let data = TensorData::new(data, [len, channels, height, width]);
        Tensor::from_data(data, self.device)
    }

    /// One number a sample, `[len, 1, 1, 1]`.
    fn numbers(&self, data: Vec<f32>) -> Tensor<4> {
        self.four(data, [1, 1], 1)
    }

    /// The encoded masks.
    fn target(&self, starts: &Starts) -> Tensor<4> {
        let [height, width] = starts.batch.size;
        let (centroids, completes) = (self.centroids, self.config.loss.mask_ignored);
        let encode = |labels: &[u16]| {
            if completes {
                centroids.encode(&completed(labels, width, centroids.len()))
            } else {
                centroids.encode(labels)
            }
        };
        let samples = starts.labels().par_chunks_exact(height * width);
        let target: Vec<Vec<f32>> = samples.map(encode).collect();
        self.four(target.concat(), starts.batch.size, centroids.dims())
    }

    /// The samples whose states lead elsewhere, in ascending order, and where; `None` without any.
    fn wrong_ends(&self, starts: &Starts) -> Option<(Vec<usize>, Tensor<4>)> {
        let (flow, seed) = (&self.config.flow, self.config.train.seed);
        let (batch, first) = (starts.batch, starts.share.start);
        let chosen = chosen(seed, batch.step, batch.len, flow.states_share);
        // At t = 0 the state is the photo, wherever it leads.
        let wrong: Vec<usize> = (0..starts.share.len())
            .filter(|&i| chosen[first + i] && starts.times[i] > 0.0)
            .collect();
        let ends = match flow.states {
            _ if wrong.is_empty() => return None,
            States::Truth => return None,
            States::Corrupted => self.corrupted(starts, &wrong),
            States::Rollout => {
                let features = starts.features.as_ref();
                (self.frozen.decide)(Query {
                    state: rows(&starts.source, &wrong),
                    times: vec![0.0; wrong.len()],
                    image: Some(rows(&starts.image, &wrong)),
                    features: features.map(|features| rows(features, &wrong)),
                    classes: None,
                })
            }
        };
        Some((wrong, ends))
    }

    /// The encoded masks of some samples with regions of other classes.
    fn corrupted(&self, starts: &Starts, samples: &[usize]) -> Tensor<4> {
        let (batch, labels, first) = (starts.batch, starts.labels(), starts.share.start);
        let [height, width] = batch.size;
        let (centroids, seed) = (self.centroids, self.config.train.seed);
        let encode = |&i: &usize| {
            let labels = &labels[i * height * width..(i + 1) * height * width];
            let labels = completed(labels, width, centroids.len());
            let stream = [seed, batch.step, (first + i) as u64];
            centroids.encode(&corrupted(&labels, width, centroids.len(), stream))
        };
        let encoded: Vec<Vec<f32>> = samples.par_iter().map(encode).collect();
        self.four(encoded.concat(), batch.size, centroids.dims())
    }

    fn has_class(&self, label: u16) -> bool {
        usize::from(label) < self.centroids.len()
    }

    /// Class indices `[len, H, W]`, -1 without one.
    fn labels(&self, starts: &Starts) -> Tensor<3, Int> {
        let class = |&label: &u16| {
            if self.has_class(label) {
                i32::from(label)
            } else {
                -1
            }
        };
        let labels: Vec<i32> = starts.labels().iter().map(class).collect();
        let [height, width] = starts.batch.size;
        let labels = TensorData::new(labels, [starts.share.len(), height, width]);
        Tensor::from_data(labels, self.device)
    }

    /// The weight of a pixel with this label, whatever its time.
    fn weight(&self, label: u16) -> f32 {
        if self.has_class(label) {
            let weights = self.class_weights;
            weights.map_or(1.0, |weights| weights[usize::from(label)])
        } else {
            f32::from(u8::from(!self.config.loss.mask_ignored))
        }
    }

    /// The weights of pixels, `[len, 1, H, W]`.
    fn weights(&self, starts: &Starts) -> Tensor<4> {
        let of_labels = starts.labels().iter().map(|&label| self.weight(label));
        let weights = self.four(of_labels.collect(), starts.batch.size, 1);
        let exponent = self.config.loss.time_weight;
        if exponent > 0.0 {
            let of_time = |t: &f32| (1.0 - t).powf(exponent as f32);
            weights * self.numbers(starts.times.iter().map(of_time).collect())
        } else {
            weights
        }
    }

    /// The weight of the whole batch without times, whichever devices have the rest of it. A sum in single precision
    /// would lose most of the weight of one among millions of pixels.
    fn total_weight(&self, batch: &Batch) -> f32 {
        let weights = batch.labels.iter().map(|&label| self.weight(label));
        weights.map(f64::from).sum::<f64>() as f32
    }
}

impl TrainBatch {
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

/// The time of every sample; 0 for a classifier, whose input is the photo itself.
fn times(config: &Config, batch: &Batch) -> Vec<f32> {
    if config.loss.objective == Objective::CrossEntropy {
        return vec![0.0; batch.len];
    }
    let mut rng = random::stream(config.train.seed, Draw::Times { step: batch.step });
    let sampler = config.time();
    (0..batch.len).map(|_| sampler.sample(&mut rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;
    use crate::model::tensors::read;
    use crate::patches::Patches;

    /// Samples of a batch for three classes without weights.
    fn made(config: &Config, batch: &Batch, share: Range<usize>, frozen: Frozen) -> TrainBatch {
        let context = BatchContext {
            config,
            centroids: &Centroids::kronecker(3),
            class_weights: None,
            frozen,
            device: &Device::flex(),
        };
        context.batch(batch, share)
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
            let found = made(&config, &batch, 0..2, frozen);
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
        let found = made(&config, &batch, 0..len, frozen);
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
            made(&config, &batch, 0..len, frozen)
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
            let frozen = Frozen {
                encode: &|_| None,
                decide: &|query| query.state,
            };
            let part = made(&config, &batch, 0..1, frozen);
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
