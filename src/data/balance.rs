//! Class-balanced crops, for data sets with a long tail.
//!
//! A class is rare if an epoch shows fewer labelled pixels of it than of the average class. A
//! balanced crop draws a rare class, then a photo that holds it, in proportion to how often an epoch shows it, then one
//! of the class's pixels, and is placed around that pixel. Every rare class is thus seen equally often, however few
//! photos it has.

use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};

use super::dataset::Dataset;
use crate::labels::LabelMap;

/// The rare classes of a data set and the samples that hold them.
#[derive(Debug)]
pub struct Rare {
    /// Every rare class with its samples.
    classes: Vec<(u16, Samples)>,
}

/// The samples that hold a class.
#[derive(Debug, Default)]
struct Samples {
    /// Their indices, ascending.
    indices: Vec<usize>,
    /// For every one, how often an epoch shows it.
    times: Vec<f64>,
}

impl Samples {
    fn add(&mut self, index: usize, times: f64) {
        self.indices.push(index);
        self.times.push(times);
    }

    /// A random one, in proportion to how often an epoch shows it.
    fn choose(&self, rng: &mut impl Rng) -> usize {
        let (indices, times) = (&self.indices, &self.times);
        // Equal weights draw one number as they did before there were weights, so that runs stay the same.
        if times.iter().all(|own| *own == times[0]) {
            return indices[rng.random_range(0..indices.len())];
        }
        let mut left = rng.random::<f64>() * times.iter().sum::<f64>();
        let within = |own: &f64| {
            left -= own;
            left < 0.0
        };
        let at = times.iter().position(within);
        indices[at.unwrap_or(indices.len() - 1)]
    }
}

/// A sample chosen for a rare class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    pub sample: usize,
    pub class: u16,
}

impl Rare {
    /// The rare classes of a whole data set; reads all labels.
    pub fn of(dataset: &Dataset) -> Self {
        let classes = dataset.classes().len();
        let mut pixels = vec![0.0; classes];
        let mut samples: Vec<Samples> = Vec::new();
        samples.resize_with(classes, Samples::default);
        let seen = |(i, _): &(usize, _)| !dataset.is_left_out(*i);
        for (i, counts) in dataset.class_pixels().iter().enumerate().filter(seen) {
            let times = dataset.times_shown(i);
            for &(class, count) in counts {
                pixels[usize::from(class)] += times * count as f64;
                samples[usize::from(class)].add(i, times);
            }
        }
        let present = pixels.iter().filter(|&&n| n > 0.0).count() as f64;
        let all: f64 = pixels.iter().sum();
        let classes = (0u16..)
            .zip(pixels.into_iter().zip(samples))
            .filter(|(_, (pixels, _))| *pixels > 0.0 && pixels * present < all)
            .map(|(class, (_, samples))| (class, samples))
            .collect();
        Self { classes }
    }

    /// The rare classes, ascending.
    pub fn classes(&self) -> impl Iterator<Item = u16> + '_ {
        self.classes.iter().map(|(class, _)| *class)
    }

    /// With probability `share` a sample with a rare class; otherwise, or if no class is rare, `None`.
    pub(super) fn choose(&self, share: f32, rng: &mut impl Rng) -> Option<Chosen> {
        if self.classes.is_empty() || rng.random::<f32>() >= share {
            return None;
        }
        let (class, samples) = &self.classes[rng.random_range(0..self.classes.len())];
        Some(Chosen {
            sample: samples.choose(rng),
            class: *class,
        })
    }

    /// With probability `share` one of the rare classes that a sample holds; otherwise, or if it
    /// holds none, `None`.
    pub(super) fn within(&self, sample: usize, share: f32, rng: &mut impl Rng) -> Option<Chosen> {
        if rng.random::<f32>() >= share {
            return None;
        }
        let holds = |(_, samples): &&(u16, Samples)| samples.indices.binary_search(&sample).is_ok();
        let class = self.classes.iter().filter(holds).choose(rng)?.0;
        Some(Chosen { sample, class })
    }
}

impl Chosen {
    /// The centre `[x, y]` of a random pixel of the class.
    pub(super) fn pixel(self, labels: &LabelMap, rng: &mut impl Rng) -> Option<[f32; 2]> {
        let pixels = || (0..labels.data.len()).filter(|&i| labels.data[i] == self.class);
        let count = pixels().count();
        let at = pixels().nth(rng.random_range(0..count.max(1)))?;
        let (x, y) = (at % labels.width, at / labels.width);
        Some([x as f32 + 0.5, y as f32 + 0.5])
    }
}

/// The loss weight of each class's pixels: `(pixels of an average class / pixels of this class) ^
/// exponent`, clamped to 0.1..10, where a photo counts as often as an epoch shows it. Classes that it
/// does not show have weight 1.
pub fn class_weights(dataset: &Dataset, exponent: f64) -> Vec<f32> {
    let mut pixels = vec![0.0; dataset.classes().len()];
    for (i, counts) in dataset.class_pixels().iter().enumerate() {
        let times = dataset.times_shown(i);
        for &(class, count) in counts {
            pixels[usize::from(class)] += times * count as f64;
        }
    }
    let present = pixels.iter().filter(|&&n| n > 0.0).count().max(1) as f64;
    let average = pixels.iter().sum::<f64>() / present;
    let weight = |n: f64| {
        if n > 0.0 {
            (average / n).powf(exponent).clamp(WEIGHTS[0], WEIGHTS[1]) as f32
        } else {
            1.0
        }
    };
    pixels.into_iter().map(weight).collect()
}

/// Minimum and maximum weight of a pixel.
const WEIGHTS: [f64; 2] = [0.1, 10.0];
