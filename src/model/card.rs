//! What a model file says of its network: sizes, classes, licence and scores.

use super::ModelError;
use super::config::NetworkConfig;
use super::tensors;
use crate::encoding::{self, Centroids, Encoding};
use crate::flow::{Prediction, Source};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The metadata key that marks a safetensors file as a FlowSeg model.
pub const METADATA_KEY: &str = "flowseg";
/// The version that this program writes, and the highest that it reads: 2 adds class logits and
/// encodings other than the Kronecker sequence, 3 image encoders, 4 posteriors and patch outputs, 5
/// centroids of more dimensions, orders of classes, stems, joined layers and matrices of int8, 6 appended
/// classes.
pub const FORMAT_VERSION: u32 = 6;
/// Range of the scale of a network's input size: far from 1 the input differs from training, and the
/// cost grows with the square.
pub const SCALES: [f64; 2] = [0.25, 4.0];
/// Maximum number of scales in a card.
const MOST_SCALES: usize = 8;
/// Maximum side of the training size in a card, in pixels.
const LONGEST_SIDE: usize = 4096;
/// Maximum number of classes of a label map: 16 bits minus two reserved values.
const MOST_CLASSES: usize = u16::MAX as usize - 2;

/// The description in a model file: JSON under [`METADATA_KEY`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Format version, at most [`FORMAT_VERSION`].
    pub format: u32,
    /// The network's configuration.
    pub network: NetworkConfig,
    /// Class names, in index order.
    pub classes: Vec<String>,
    /// How classes become centroids.
    pub encoding: Encoding,
    /// The index of each class's point in the encoding, `[classes]`; empty for their own order. An
    /// order of another length belongs to a class table that was replaced, and is ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<usize>,
    /// The number of classes before the first was appended, where that has happened: the encoding is
    /// normalised over that many points, and `order` names the point of every class; see
    /// [`Encoding::appended`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_classes: Option<usize>,
    /// Where the flow starts.
    pub source: Source,
    /// What the network predicts.
    pub prediction: Prediction,
    /// `[height, width]` of the training size, in pixels.
    pub size: [usize; 2],
    /// How photos of another shape are resized.
    #[serde(default)]
    pub fit: Fit,
    /// The recommended number of solver steps, if known; see [`default_steps`](Self::default_steps).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_steps: Option<usize>,
    /// The data set's name.
    pub dataset: String,
    /// Optimiser steps taken.
    pub steps: u64,
    /// Score on validation data, if measured.
    pub score: Option<Score>,
    /// The gain from several passes over a photo, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Radius, in the network's pixels, of the filter that moves outlines to the edges of the photo; half
    /// a patch if absent. See [`Outlines`](crate::votes::Outlines).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_radius: Option<usize>,
    /// A note on the licence of weights and data.
    pub licence: String,
}

/// How photos are resized whose shape differs from the training size's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// To the training area with their own aspect ratio. The default for cards without this entry.
    #[default]
    Aspect,
    /// Stretched to exactly the training size, like whole photos in training.
    Stretch,
}

/// Solver steps for a model that recommends none.
pub const STEPS: usize = 10;
/// Most solver steps that a model may recommend.
pub const MOST_SOLVER_STEPS: usize = 1000;
/// Maximum radius that a model may recommend, in pixels.
const MOST_RADIUS: usize = 64;

impl Card {
    /// The steps that the model's flow takes where so many are asked for: one at most for a classifier, whose
    /// decision does not depend on the state.
    pub fn flow_steps(&self, steps: usize) -> usize {
        if self.prediction.is_one_step() {
            1
        } else {
            steps.max(1)
        }
    }

    /// Default number of solver steps: what the model recommends, else [`STEPS`]; 1 for a classifier, see
    /// [`flow_steps`](Self::flow_steps).
    pub fn default_steps(&self) -> usize {
        let recommended = self.sampling_steps.unwrap_or(STEPS);
        self.flow_steps(recommended.clamp(1, MOST_SOLVER_STEPS))
    }

    /// The steps that the model's flow takes where so many are asked for, or by default; see
    /// [`flow_steps`](Self::flow_steps).
    pub fn solver_steps(&self, asked: Option<usize>) -> usize {
        self.flow_steps(asked.unwrap_or_else(|| self.default_steps()))
    }

    /// The steps of every flow that is scored, in the order asked for and none twice; by default those of one flow.
    pub fn scored_steps(&self, asked: &[usize]) -> Vec<usize> {
        let mut scored = Vec::new();
        for steps in asked.iter().map(|&steps| self.flow_steps(steps)) {
            if !scored.contains(&steps) {
                scored.push(steps);
            }
        }
        if scored.is_empty() {
            scored.push(self.default_steps());
        }
        scored
    }

    /// The radius of the filter that moves outlines: what the model recommends, else half a patch.
    pub fn filter_radius(&self) -> usize {
        let half = self.network.patch_size / 2;
        self.filter_radius.unwrap_or(half).min(MOST_RADIUS)
    }

    /// The card of an imported network, of which only the configuration is known.
    pub fn of_network(network: &NetworkConfig) -> Self {
        Self {
            format: FORMAT_VERSION,
            network: network.clone(),
            classes: Vec::new(),
            encoding: Encoding::Kronecker,
            order: Vec::new(),
            base_classes: None,
            source: Source::Noise,
            prediction: Prediction::Velocity,
            size: [16 * network.patch_size; 2],
            fit: Fit::default(),
            sampling_steps: None,
            dataset: "imported".into(),
            steps: 0,
            score: None,
            quality: None,
            filter_radius: None,
            licence: "that of the imported checkpoint".into(),
        }
    }

    /// The card of a model file's bytes.
    ///
    /// # Errors
    /// Bytes that are not a model, or a card with invalid values.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::of_metadata(&tensors::metadata(bytes)?)
    }

    /// The card in the metadata of a model file.
    ///
    /// # Errors
    /// [`ModelError::Foreign`] without one, [`ModelError::Metadata`] for text that is none, and those of
    /// [`checked`](Self::checked).
    pub(super) fn of_metadata(metadata: &HashMap<String, String>) -> Result<Self, ModelError> {
        let json = metadata.get(METADATA_KEY).ok_or(ModelError::Foreign)?;
        let card: Card =
            serde_json::from_str(json).map_err(|e| ModelError::Metadata(e.to_string()))?;
        card.checked()
    }

    /// The card without an order that belongs to another class table, if its values are possible.
    ///
    /// # Errors
    /// The first invalid value, with the range that is possible.
    pub(super) fn checked(mut self) -> Result<Self, ModelError> {
        if self.base_classes.is_none() && self.order.len() != self.classes.len() {
            self.order.clear();
        }
        self.check()?;
        Ok(self)
    }

    /// The class centroids.
    pub fn centroids(&self) -> Centroids {
        let dims = self.network.state_channels;
        match self.base_classes {
            Some(base) => self.encoding.appended(base, &self.order, dims),
            None => {
                let codes = self.encoding.codes(self.classes.len(), dims);
                codes.ordered(&self.order)
            }
        }
    }

    /// The card with these classes: its own, possibly followed by additional ones. Its own classes
    /// keep their points, so the weights keep their meaning; each additional class gets a new point in the cube.
    /// `None` if `names` doesn't begin with its classes.
    pub fn with_classes(&self, names: &[String]) -> Option<Self> {
        if !names.starts_with(&self.classes) || self.classes.is_empty() {
            return None;
        }
        let mut card = self.clone();
        if names.len() == self.classes.len() {
            return Some(card);
        }
        let base = *card.base_classes.get_or_insert(self.classes.len());
        if card.order.is_empty() {
            card.order = (0..self.classes.len()).collect();
        }
        for _ in self.classes.len()..names.len() {
            let dims = card.network.state_channels;
            let point = card.encoding.next_point(base, &card.order, dims);
            card.order.push(point);
        }
        card.classes = names.to_vec();
        card.format = FORMAT_VERSION;
        if card.prediction.has_class_outputs() {
            card.network.outputs = names.len();
        }
        Some(card)
    }

    /// The first change since `before` that makes the card untrue of the same weights, or recommends what
    /// cannot be done: the entry's name and the reason. A card without classes is that of a starting point,
    /// whose method may still be described.
    pub(super) fn wrong_change(&self, before: &Self) -> Option<String> {
        let trained = !before.classes.is_empty();
        let of_weights = |name: &'static str, same: bool| {
            let reason = "the weights were trained with another value, and it stays";
            (name, same || !trained, reason.to_owned())
        };
        let same_count = self.classes.len() == before.classes.len();
        let classes = if trained {
            let count = before.classes.len();
            format!(
                "the weights were trained for {count} classes: give as many names, in their order"
            )
        } else {
            "a model needs at least two".to_owned()
        };
        let patch = self.network.patch_size;
        let fits = self.size.iter().all(|side| side.is_multiple_of(patch));
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let score = self.score.as_ref();
        let sound_score = score.is_none_or(|score| is_share(score.miou) && score.steps >= 1);
        let quality = self.quality.as_ref();
        let sound_quality =
            quality.is_none_or(|found| is_share(found.fast) && is_share(found.best));
        let steps = self.sampling_steps;
        let rules = [
            (
                "classes",
                same_count || !trained && self.classes.len() >= 2,
                classes,
            ),
            of_weights("encoding", self.encoding == before.encoding),
            of_weights("order", self.order == before.order),
            of_weights("base_classes", self.base_classes == before.base_classes),
            of_weights("source", self.source == before.source),
            of_weights("prediction", self.prediction == before.prediction),
            (
                "size",
                fits || self.size == before.size,
                format!("sides must be multiples of the network's patch of {patch} pixels"),
            ),
            (
                "sampling_steps",
                steps.is_none_or(|steps| (1..=MOST_SOLVER_STEPS).contains(&steps))
                    || steps == before.sampling_steps,
                format!("use a number from 1 to {MOST_SOLVER_STEPS}"),
            ),
            (
                "filter_radius",
                self.filter_radius
                    .is_none_or(|radius| radius <= MOST_RADIUS)
                    || self.filter_radius == before.filter_radius,
                format!("use a number from 0 to {MOST_RADIUS}"),
            ),
            (
                "score",
                sound_score || self.score == before.score,
                "its miou must be from 0 to 1, and its steps at least 1".to_owned(),
            ),
            (
                "quality",
                sound_quality || self.quality == before.quality,
                "its fast and best must be from 0 to 1".to_owned(),
            ),
        ];
        let wrong = rules.into_iter().find(|(_, holds, _)| !holds);
        wrong.map(|(name, _, reason)| format!("{name}: {reason}"))
    }

    /// Checks the card's values before anything of their size is allocated.
    ///
    /// # Errors
    /// The first invalid value, with the range that is possible.
    fn check(&self) -> Result<(), ModelError> {
        if self.format > FORMAT_VERSION {
            return Err(ModelError::Newer(self.format));
        }
        self.network.validate()?;
        let refuse = |reason: String| Err(ModelError::Metadata(reason));
        let [height, width] = self.size;
        if !self
            .size
            .iter()
            .all(|side| (1..=LONGEST_SIDE).contains(side))
        {
            return refuse(format!(
                "its size is {height} x {width} pixels, but sides must be from 1 to {LONGEST_SIDE}"
            ));
        }
        let classes = self.classes.len();
        if classes > MOST_CLASSES {
            return refuse(format!(
                "it has {classes} classes, but at most {MOST_CLASSES} are possible"
            ));
        }
        let dims = self.network.state_channels;
        if !self.encoding.has_dims(dims) {
            return refuse(format!("its encoding has no points in {dims} dimensions"));
        }
        let expected = if self.prediction.has_class_outputs() {
            classes
        } else {
            self.network.state_channels
        };
        let sound = match self.base_classes {
            None => self.order.is_empty() || encoding::is_permutation(&self.order, classes),
            Some(base) => {
                let distinct: BTreeSet<usize> = self.order.iter().copied().collect();
                (1..=classes).contains(&base)
                    && self.order.len() == classes
                    && distinct.len() == classes
                    && self.order.iter().all(|&point| point < MOST_CLASSES)
            }
        };
        if !sound {
            return refuse("its order assigns a point to two classes or to none".into());
        }
        if let Some(quality) = &self.quality {
            let [low, high] = SCALES;
            let usable = |scale: &f64| (low..=high).contains(scale);
            if !(1..=MOST_SCALES).contains(&quality.scales.len())
                || !quality.scales.iter().all(usable)
            {
                return refuse(format!(
                    "its quality has the scales {:?}, but 1 to {MOST_SCALES} scales from {low} to \
                     {high} are possible",
                    quality.scales
                ));
            }
        }
        match self.network.outputs {
            outputs if outputs == expected => Ok(()),
            outputs => refuse(format!(
                "its network has {outputs} outputs, but its prediction needs {expected}"
            )),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean intersection over union, 0 to 1.
    pub miou: f64,
    pub on: String,
    pub steps: usize,
}

/// The passes over a photo that score best; see `flowseg segment --quality`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Input sizes as factors of the training size, within [`SCALES`].
    pub scales: Vec<f64>,
    /// Whether the mirror image is segmented as well.
    pub flip: bool,
    /// Mean intersection over union with one pass, 0 to 1.
    pub fast: f64,
    /// Mean intersection over union with these passes, 0 to 1.
    pub best: f64,
    /// The data that both were measured on.
    pub on: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_filtered_within_half_a_patch_unless_the_card_says_otherwise() {
        let network = NetworkConfig::miniature();
        let mut card = Card::of_network(&network);
        assert_eq!(card.filter_radius(), network.patch_size / 2);
        for (recommended, expected) in [(0, 0), (2, 2), (usize::MAX, MOST_RADIUS)] {
            card.filter_radius = Some(recommended);
            assert_eq!(card.filter_radius(), expected);
        }
    }

    #[test]
    fn a_classifier_is_scored_once_at_its_one_step() {
        let mut card = Card::of_network(&NetworkConfig::miniature());
        card.sampling_steps = Some(7);
        assert_eq!(
            (card.solver_steps(None), card.solver_steps(Some(50))),
            (7, 50)
        );
        assert_eq!(card.scored_steps(&[5, 1, 5]), [5, 1]);
        assert_eq!(card.scored_steps(&[]), [7]);
        card.prediction = Prediction::Logits;
        assert_eq!(
            (card.solver_steps(None), card.solver_steps(Some(50))),
            (1, 1)
        );
        assert_eq!(card.scored_steps(&[1, 5, 10]), [1]);
        assert_eq!(card.scored_steps(&[]), [1]);
    }

    #[test]
    fn a_card_with_more_classes_keeps_the_points_of_its_own() {
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
        let mut card = Card::of_network(&NetworkConfig::miniature());
        card.classes = names(&["a", "b", "c"]);
        card.order = vec![2, 0, 1];
        assert_eq!(card.with_classes(&card.classes), Some(card.clone()));
        assert_eq!(card.with_classes(&names(&["a", "c", "b", "d"])), None);
        assert_eq!(card.with_classes(&names(&["a", "b"])), None);
        let more = card.with_classes(&names(&["a", "b", "c", "d"])).unwrap();
        let twice = more
            .with_classes(&names(&["a", "b", "c", "d", "e"]))
            .unwrap();
        for card_with_more in [&more, &twice] {
            let json = serde_json::to_string(card_with_more).unwrap();
            let read: Card = serde_json::from_str(&json).unwrap();
            read.check().unwrap();
            let points = read.centroids();
            assert_eq!(points.len(), read.classes.len());
            for class in 0..3 {
                assert_eq!(points.code(class), card.centroids().code(class));
            }
        }
        assert_eq!(twice.centroids().code(3), more.centroids().code(3));
        let mut damaged = more;
        damaged.order[3] = damaged.order[0];
        assert!(damaged.check().is_err());
    }
}
