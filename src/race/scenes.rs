//! The scenes that both sides are measured on, and what is found there.

use super::config::RaceConfig;
use super::error::RaceError;
use super::gradient::GradientByDistance;
use super::traversals::{Traversals, traversals};
use crate::data::{self, Batch, Dataset};
use crate::encoding::Centroids;
use crate::eval::Confusion;
use crate::inference::{self, Sampling};
use crate::labels;
use crate::model::tensors::read;
use crate::pictures;
use crate::sampler;
use crate::train::trainer::Trainer;
use crate::vector_field::CentroidTable;
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Data sets with more classes have centroids too close to tell apart in a picture.
const MOST_CLASSES: usize = 256;

/// The data of a race.
#[derive(Debug)]
pub struct HeldOut {
    pub classes: Vec<String>,
    /// `[height, width]`
    pub size: [usize; 2],
    /// The scene that is shown.
    pub photo: RgbImage,
    /// Its classes, `[height, width]`.
    pub truth: Vec<u16>,
    /// The times of the states, from 0 to 1.
    pub times: Vec<f32>,
    /// Scenes measured.
    pub scenes: usize,
    batch: Batch,
    shown: usize,
}

/// A side after a number of training steps. Everything is the moving average's of the weights, on
/// scenes that are not trained on.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// 0 for side a, 1 for side b.
    pub side: usize,
    /// Training steps so far.
    pub step: u64,
    /// Seconds since the first training step, pauses left out.
    pub seconds: f64,
    /// The mean training loss since the last snapshot; `None` before the first step.
    pub loss: Option<f64>,
    /// Mean IoU over the scenes, 0 to 1.
    pub miou: f64,
    /// Share of the labelled pixels that are right, 0 to 1.
    pub pixel_accuracy: f64,
    /// The centroids of the side's classes.
    pub centroids: Arc<Centroids>,
    /// The states of the shown scene, `[3, height, width]` each, one for every time. Frames of a
    /// [`Record`](super::Record) other than the newest have none.
    pub states: Vec<Vec<f32>>,
    /// The classes of its last state, `[height, width]`.
    pub mask: Vec<u16>,
    /// Where the velocities at t = 0 lead its pixels, `[3, height, width]`. Older frames have none.
    pub targets: Vec<f32>,
    /// `None` for an objective over classes, whose gradient is not one over the cube.
    pub gradient: Option<GradientByDistance>,
    pub traversals: Traversals,
}

impl HeldOut {
    /// Opens the scenes that both sides are measured on. The one with the most classes is shown.
    pub(super) fn open(config: &RaceConfig) -> Result<Self, RaceError> {
        let validation = Dataset::open(&config.path(), "validation")?;
        let classes = validation.classes().names.clone();
        if !(2..=MOST_CLASSES).contains(&classes.len()) {
            return Err(RaceError::Classes(classes.len()));
        }
        let mut measured = config.measured();
        measured.batch_size = measured.batch_size.min(validation.len());
        let batch = data::batch_at(&validation, &measured, 0)?;
        let distinct = |scene: usize| {
            let labels = batch.labels_of(scene..scene + 1).iter();
            let classes = labels.filter(|label| usize::from(**label) < classes.len());
            classes.collect::<BTreeSet<_>>().len()
        };
        if (0..batch.len).all(|scene| distinct(scene) == 0) {
            return Err(RaceError::Unlabelled);
        }
        let richest = (0..batch.len).rev().max_by_key(|scene| distinct(*scene));
        let shown = richest.unwrap_or(0);
        Ok(Self {
            classes,
            size: batch.size,
            photo: pictures::of_state(batch.images_of(shown..shown + 1), batch.size),
            truth: batch.labels_of(shown..shown + 1).to_vec(),
            times: sampler::times(config.solver_steps, 1.0),
            scenes: batch.len,
            batch,
            shown,
        })
    }

    /// Bytes of the states of one measurement.
    pub(super) fn bytes(&self) -> u64 {
        let numbers = self.scenes * 3 * self.pixels() * (self.times.len() + 2);
        (numbers * size_of::<f32>()) as u64
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Measures a side.
    pub(super) fn measure(&self, trainer: &Trainer, device: &Device) -> Measured {
        let model = &trainer.state.average;
        let centroids = model.centroids();
        let [height, width] = self.size;
        let photos = TensorData::new(
            self.batch.images.clone(),
            [self.batch.len, 3, height, width],
        );
        let photos = Tensor::<4>::from_data(photos, device);
        let sampling = Sampling {
            steps: self.times.len() - 1,
            ..Sampling::default()
        };
        let states: Vec<Vec<f32>> = inference::flow(model, photos, sampling)
            .map(|state| read(state.x))
            .collect();
        let (confusion, mask) = self.score(&states, &centroids);
        let table = CentroidTable::new(&centroids);
        let pixels = self.pixels();
        let of_scene = |scene: usize| scene * 3 * pixels..(scene + 1) * 3 * pixels;
        let crossings = (0..self.batch.len).map(|scene| {
            let states: Vec<&[f32]> = states.iter().map(|state| &state[of_scene(scene)]).collect();
            traversals(&states, self.batch.labels_of(scene..scene + 1), &table)
        });
        let traversals = crossings.fold(Traversals::default(), Traversals::add);
        let gradient = trainer.prediction_gradient(&self.batch).map(|found| {
            let (targets, gradients) = (read(found.target), read(found.gradient));
            let labels = &self.batch.labels;
            GradientByDistance::measure(&targets, &gradients, labels, pixels, &centroids)
        });
        let states: Vec<Vec<f32>> = states
            .iter()
            .map(|state| state[of_scene(self.shown)].to_vec())
            .collect();
        let scores = confusion.scores();
        Measured {
            miou: scores.miou.unwrap_or_default(),
            pixel_accuracy: scores.pixel_accuracy.unwrap_or_default(),
            targets: self.targets(&states),
            centroids,
            states,
            mask,
            gradient,
            traversals,
        }
    }

    /// The confusion of the last states of all scenes, and the mask of the shown one.
    fn score(&self, states: &[Vec<f32>], centroids: &Centroids) -> (Confusion, Vec<u16>) {
        let mut confusion = Confusion::new(centroids.len());
        let mut mask = Vec::new();
        let last = states.last().map_or(&[][..], Vec::as_slice);
        for (scene, state) in last.chunks_exact(3 * self.pixels()).enumerate() {
            let decided = centroids.decode(state);
            confusion.add(self.batch.labels_of(scene..scene + 1), &decided);
            if scene == self.shown {
                mask = decided;
            }
        }
        (confusion, mask)
    }

    /// Where the first solver step leads if it is followed to t = 1.
    fn targets(&self, states: &[Vec<f32>]) -> Vec<f32> {
        let [first, second] = [0, 1].map(|i| states.get(i).map_or(&[][..], Vec::as_slice));
        // A one-step flow, such as a classifier's, is at t = 1 after its first step.
        let reached = if states.len() == 2 {
            1.0
        } else {
            self.times[1]
        };
        let pairs = first.iter().zip(second);
        pairs.map(|(x0, x)| x0 + (x - x0) / reached).collect()
    }
}

/// What is found on the scenes; see [`Snapshot`].
pub(super) struct Measured {
    pub miou: f64,
    pub pixel_accuracy: f64,
    pub centroids: Centroids,
    pub states: Vec<Vec<f32>>,
    pub mask: Vec<u16>,
    pub targets: Vec<f32>,
    pub gradient: Option<GradientByDistance>,
    pub traversals: Traversals,
}

impl Snapshot {
    /// The same without what only the newest frame is drawn with.
    pub(super) fn without_states(&self) -> Self {
        Self {
            states: Vec::new(),
            mask: self.mask.clone(),
            targets: Vec::new(),
            centroids: self.centroids.clone(),
            gradient: self.gradient.clone(),
            ..*self
        }
    }

    /// The shown scene's mask in class colours.
    pub fn picture(&self, width: usize) -> RgbImage {
        labels::mask(&self.mask, width, &self.centroids)
    }
}
