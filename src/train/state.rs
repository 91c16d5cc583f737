//! The state of training: weights, their moving average, the optimiser's moments and progress.

use super::config::Config;
use super::optimizer::AdamW;
use super::repa::Projector;
use super::score_kind::ScoreKind;
use super::unlogged::Unlogged;
use crate::assignment;
use crate::data::scenes::is_procedural;
use crate::data::{DataError, Dataset, mixtures};
use crate::encoding::Order;
use crate::model::network::Network;
use crate::model::{Card, FORMAT_VERSION, Model, Score};
use crate::run_format::ValidationLine;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The part of the state that is not tensors, as a checkpoint stores it. Order, augmentation and
/// times are functions of the configuration's seed and the step; there is no other random state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps taken, including skipped ones.
    pub step: u64,
    /// The best validation score so far, and its step, among those that can be compared with the
    /// last one.
    pub best: Option<(f64, u64)>,
    /// How the last validation was taken; `None` without one, and in checkpoints of older versions.
    #[serde(default)]
    pub scored: Option<ScoreKind>,
    /// The step of the last validation that was taken otherwise, if there is one.
    #[serde(default)]
    pub scored_otherwise: Option<u64>,
    /// The step of the last validation before a resume that found no best model, if there was one: a score without its
    /// model is none that later ones have to reach.
    #[serde(default)]
    pub forgotten: Option<u64>,
    /// The loss scale for half precision.
    #[serde(default = "one")]
    pub loss_scale: f32,
    /// Metrics of the steps since the last line of loss.
    #[serde(default)]
    pub unlogged: Unlogged,
    /// Whether all numbers of the checkpoint are finite. It is found when a checkpoint is written, and older
    /// versions do not say it.
    #[serde(default = "yes")]
    pub finite: bool,
}

fn one() -> f32 {
    1.0
}

fn yes() -> bool {
    true
}

impl Progress {
    /// The step up to which no score counts as the best, if there are such ones.
    pub(super) fn not_best_until(&self) -> Option<u64> {
        self.scored_otherwise.max(self.forgotten)
    }

    /// Forgets a best score that does not count; see [`not_best_until`](Self::not_best_until).
    pub(super) fn forget_best(&mut self) {
        let after = self.not_best_until();
        self.best = self
            .best
            .filter(|(_, step)| after.is_none_or(|after| *step > after));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            step: 0,
            best: None,
            scored: None,
            scored_otherwise: None,
            forgotten: None,
            loss_scale: 1.0,
            unlogged: Unlogged::default(),
            finite: true,
        }
    }
}

/// Everything that training changes and a run resumes from.
pub struct TrainState {
    /// The weights as trained.
    pub model: Model,
    /// Their moving average.
    pub average: Model,
    /// Maps the network's tokens to the teacher's, in a run with REPA.
    pub projector: Option<Projector>,
    pub optimizer: AdamW,
    /// The current [`Progress::loss_scale`], `[1]` on the device.
    pub loss_scale: Tensor<1>,
    pub progress: Progress,
}

impl TrainState {
    /// Assigns the centroids to the classes in another order.
    pub(super) fn set_order(&mut self, order: Vec<usize>) {
        self.average.card.order = order.clone();
        self.model.card.order = order;
    }

    /// Recommends the radius of the filter that moves outlines.
    pub(super) fn set_filter_radius(&mut self, radius: Option<usize>) {
        self.average.card.filter_radius = radius;
        self.model.card.filter_radius = radius;
    }

    /// Assigns the centroids to the classes as `model.order` says.
    ///
    /// # Errors
    /// If labels that the assignment depends on cannot be read.
    pub(crate) fn order_classes(
        &mut self,
        config: &Config,
        data: &Dataset,
    ) -> Result<(), DataError> {
        if config.model.order == Order::Assigned {
            let mixtures = mixtures::mixtures(data, config.data.size)?;
            let order = assignment::assign(&self.model.card.centroids(), &mixtures);
            self.set_order(order);
        }
        Ok(())
    }

    /// Gives the classes the centroids of another card with the same classes.
    pub(super) fn set_points(&mut self, card: &Card) {
        self.set_order(card.order.clone());
        for own in [&mut self.model.card, &mut self.average.card] {
            own.base_classes = card.base_classes;
        }
    }

    /// Fresh weights drawn from the configuration's seed.
    pub fn new(config: &Config, dataset: &str, classes: &[String], device: &Device) -> Self {
        let training = device.clone().autodiff();
        let card = Card {
            format: FORMAT_VERSION,
            network: config.network(classes.len()),
            classes: classes.to_vec(),
            encoding: config.model.encoding,
            order: Vec::new(),
            base_classes: None,
            source: config.flow.source,
            prediction: config.prediction(),
            size: config.data.size,
            fit: config.fit(),
            sampling_steps: None,
            dataset: dataset.to_owned(),
            steps: 0,
            score: None,
            quality: None,
            filter_radius: None,
            licence: licence(config, dataset),
        };
        let network = Network::new(&card.network, config.train.seed, &training);
        let average = Model {
            network: network.valid(),
            card: card.clone(),
        };
        let progress = Progress::default();
        Self {
            model: Model { network, card },
            average,
            projector: None,
            optimizer: AdamW::default(),
            loss_scale: Tensor::from_data([progress.loss_scale], device),
            progress,
        }
    }

    /// The model so far: the moving average, with its last validation score on the card.
    pub(super) fn finished(&self, config: &Config, line: Option<&ValidationLine>) -> Model {
        let mut model = self.average.clone();
        model.card.steps = self.progress.step;
        recommend_steps(&mut model.card, config);
        // Later weights have no score.
        let line = line.filter(|line| line.step == self.progress.step);
        model.card.score = line.map(|line| {
            // The settings may have changed since.
            let scored = self.progress.scored.as_ref();
            let size = scored.map_or(config.data.size, |scored| scored.size);
            Score {
                miou: line.miou,
                on: format!("validation split at network size {size:?}"),
                steps: scored.map_or(config.train.validate_steps, |scored| scored.steps),
            }
        });
        model
    }

    /// Writes on both cards what [`finished`](Self::finished) would, for the models in a checkpoint.
    pub(super) fn describe(&mut self, config: &Config, line: Option<&ValidationLine>) {
        self.model.card.steps = self.progress.step;
        recommend_steps(&mut self.model.card, config);
        self.average.card = self.finished(config, line).card;
    }
}

/// The licence note of a model that is trained on a data set of this name.
fn licence(config: &Config, dataset: &str) -> String {
    if config
        .data
        .path
        .paths()
        .iter()
        .all(|path| is_procedural(path))
    {
        return "trained by flowseg on procedural scenes; no data licence applies".into();
    }
    format!("trained by flowseg on {dataset}; the data's licence applies")
}

/// Recommends the solver steps that a run validates with. Without validation, the card stays as it is.
pub(super) fn recommend_steps(card: &mut Card, config: &Config) {
    if config.train.validate_every > 0 {
        card.sampling_steps = Some(config.train.validate_steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_photos_have_a_licence() {
        let note = |path: &str| {
            let config = Config::parse("", &[format!("data.path={path}")]).unwrap();
            licence(&config, "the name")
        };
        for path in ["scenes:3", "['scenes:3', 'scenes:4@32x32']"] {
            let note = note(path);
            assert!(note.ends_with("scenes; no data licence applies"), "{note}");
        }
        for path in ["photos/scenes", "['scenes:3', 'photos']"] {
            let of_photos = "trained by flowseg on the name; the data's licence applies";
            assert_eq!(note(path), of_photos);
        }
    }
}
