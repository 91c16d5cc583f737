//! The initial state of a run.

use super::TrainError;
use super::config::{Config, Stage};
use super::folder::RunFolder;
use super::metrics;
use super::repa;
use super::state::TrainState;
use super::supervision::Supervision;
use crate::data::Dataset;
use crate::encoding::Order;
use crate::model::Card;
use crate::model::init::Initializer;
use crate::model::vit::Vit;
use crate::model::warm_start::{Loaded, WarmStartError, check_start, warm_start};
use crate::models;
use crate::run_format::{CHECKPOINTS, METRICS, MODEL};
use burn::module::Module;
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Checks that the files that a fresh run starts from can be read and fit its network for `classes` classes, which is
/// not built.
///
/// # Errors
/// As for [`Setup::restore`].
pub(super) fn check_weights(config: &Config, classes: usize) -> Result<(), TrainError> {
    let network = config.network(classes);
    if let (Some(vit), Some(path)) = (&network.encoder, encoder_file(config)) {
        let device = Device::flex();
        let empty = Vit::init(vit, &mut Initializer::placeholders(&device));
        repa::encoder(empty, path)?;
    }
    match &config.model.init {
        Some(path) => {
            let bytes = models::bytes(path)?;
            check_start(&network, path, &bytes).map_err(unusable(path))
        }
        None => Ok(()),
    }
}

/// The file of the encoder, unless it comes with the other weights of the model that the run starts from.
fn encoder_file(config: &Config) -> Option<&PathBuf> {
    let encoder = config.model.encoder.as_ref();
    encoder.filter(|path| config.model.init.as_ref() != Some(path))
}

fn unusable(path: &Path) -> impl Fn(WarmStartError) -> TrainError + use<> {
    let path = path.to_owned();
    move |source| TrainError::Start {
        path: path.clone(),
        source,
    }
}

/// What every device of a run starts with.
#[derive(Clone)]
pub(super) struct Setup {
    pub plan: Vec<Stage>,
    pub folder: RunFolder,
    pub resume: bool,
    pub data: Arc<Dataset>,
}

impl Setup {
    /// When resuming, the state of the newest checkpoint, otherwise a fresh one. A fresh state may
    /// load weights from a file; the report says which.
    pub(super) fn restore(
        &self,
        supervision: &Supervision,
        device: &Device,
    ) -> Result<(TrainState, Option<Loaded>), TrainError> {
        let config = &self.plan[0].config;
        let names = &self.data.classes().names;
        let network = config.network(names.len());
        let projector = supervision.projector(config, network.hidden_size, device);
        if self.resume {
            let training = device.clone().autodiff();
            if let Some(mut state) = self.folder.resume(projector.clone(), &training)? {
                let card = &state.model.card;
                let same = card.network == network
                    && card.classes == *names
                    && card.encoding == config.model.encoding
                    && (card.base_classes.is_some()
                        || card.order.is_empty() == (config.model.order == Order::Index))
                    && card.prediction == config.prediction()
                    && card.source == config.flow.source;
                if !same {
                    return Err(TrainError::Changed(self.folder.path(CHECKPOINTS)));
                }
                // Before the settings are saved, which would lose the run's length.
                let (step, steps) = (state.progress.step, self.plan.last().map(|last| last.last));
                if let Some(steps) = steps.filter(|steps| *steps < step) {
                    return Err(TrainError::TooShort { step, steps });
                }
                state.average.network = state.average.network.valid();
                return Ok((state, None));
            }
            self.refuse_to_start_over(config.train.checkpoint_every)?;
            tracing::warn!(
                "the run in {} has no checkpoint yet: it starts again",
                self.folder.path("").display()
            );
        }
        let mut state = TrainState::new(config, self.data.name(), names, device);
        state.projector = projector;
        let init = match &config.model.init {
            Some(path) => Some((path, models::bytes(path)?)),
            None => None,
        };
        let card = init.as_ref().and_then(|(_, bytes)| Card::read(bytes).ok());
        let card = card.filter(|card| !card.classes.is_empty() && names.starts_with(&card.classes));
        let appends = card
            .as_ref()
            .is_some_and(|card| card.classes.len() < names.len());
        if let Some(card) = &card
            && card.network.patch_size == state.model.card.network.patch_size
        {
            state.set_filter_radius(card.filter_radius);
        }
        self.place_classes(&mut state, card)?;
        let encoder = &mut state.model.network.encoder;
        if let (Some(encoder), Some(path)) = (encoder, encoder_file(config)) {
            *encoder = repa::encoder(encoder.clone(), path)?;
            state.average.network = state.model.network.valid();
        }
        let Some((path, bytes)) = init else {
            return Ok((state, None));
        };
        let appends = appends && config.prediction().has_class_outputs();
        let started = warm_start(state.model.network, path, &bytes, appends);
        let (network, loaded) = started.map_err(unusable(path))?;
        state.average.network = network.valid();
        state.model.network = network;
        Ok((state, Some(loaded)))
    }

    /// Refuses to start a run again that had reached its first checkpoint: its metrics and models would be
    /// replaced.
    fn refuse_to_start_over(&self, checkpoint_every: u64) -> Result<(), TrainError> {
        let step = metrics::last_step(&self.folder.path(METRICS));
        // The line of that step comes before the checkpoint.
        if step <= checkpoint_every && !self.folder.path(MODEL).exists() {
            return Ok(());
        }
        let folder = self.folder.path("");
        Err(TrainError::Gone { folder, step })
    }

    /// Chooses the points of the classes of a fresh state: those that the weights of the model that it
    /// starts from mean, if that has its classes or the first of them.
    fn place_classes(&self, state: &mut TrainState, init: Option<Card>) -> Result<(), TrainError> {
        let config = &self.plan[0].config;
        let assigned = config.model.order == Order::Assigned;
        let points = init
            .filter(|card| {
                card.encoding == config.model.encoding
                    && card.network.state_channels == config.model.code_dims
            })
            .and_then(|card| card.with_classes(&self.data.classes().names))
            .filter(|card| card.base_classes.is_some() || assigned && !card.order.is_empty());
        match points {
            Some(card) => state.set_points(&card),
            None => state.order_classes(config, &self.data)?,
        }
        Ok(())
    }
}
