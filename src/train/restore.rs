//! What a run begins with, and what it ends with.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::config::{Config, Stage};
use super::folder::RunFolder;
use super::metrics::ValidationLine;
use super::repa::{self, Projector, Teacher};
use super::step;
use crate::data::Dataset;
use crate::files;
use crate::model::warm_start::{Loaded, warm_start};
use crate::model::{Model, Score};
use burn::module::Module;
use burn::tensor::Device;

/// The checkpoint to go on from, or a start: fresh, or from a file and with what was loaded of it.
pub(super) fn restore(
    plan: &[Stage],
    folder: &RunFolder,
    resume: bool,
    data: &Dataset,
    teacher: Option<&Teacher>,
    device: &Device,
) -> Result<(Checkpoint, Option<Loaded>), TrainError> {
    let config = &plan[0].config;
    let training = device.clone().autodiff();
    let names = &data.classes().names;
    let network = config.network(names.len());
    let projector = teacher.map(|teacher| {
        let (hidden, seed) = (config.repa.projector_width, config.train.seed);
        Projector::new(
            network.hidden_size,
            hidden,
            teacher.width(),
            seed,
            &training,
        )
    });
    let before = match resume {
        true => folder.resume(projector.clone(), &training)?,
        false => None,
    };
    if let Some(mut checkpoint) = before {
        let card = &checkpoint.model.card;
        let same = card.network == network
            && card.classes == *names
            && card.encoding == config.model.encoding
            && card.prediction == config.prediction()
            && card.source == config.flow.source;
        if !same {
            return Err(TrainError::Changed(folder.path("checkpoints")));
        }
        checkpoint.average.network = checkpoint.average.network.valid();
        return Ok((checkpoint, None));
    }
    if resume {
        tracing::warn!(
            "the run in {} has no checkpoint yet: it begins again",
            folder.path("").display()
        );
    }
    let mut state = step::start(config, data.name(), names, device);
    state.projector = projector;
    if let (Some(encoder), Some(path)) = (&mut state.model.network.encoder, &config.model.encoder) {
        *encoder = repa::encoder(encoder.clone(), path)?;
        state.average.network = state.model.network.valid();
    }
    let Some(path) = &config.model.init else {
        return Ok((state, None));
    };
    let started = warm_start(state.model.network, path, &files::read(path)?);
    let (network, loaded) = started.map_err(|source| TrainError::Start {
        path: path.clone(),
        source,
    })?;
    state.average.network = network.valid();
    state.model.network = network;
    Ok((state, Some(loaded)))
}

/// The model of a run so far: the moving average, with its last score on the card.
pub(super) fn finished(
    state: &Checkpoint,
    config: &Config,
    line: Option<&ValidationLine>,
) -> Model {
    let mut model = state.average.clone();
    model.card.steps = state.progress.step;
    model.card.sampling_steps = line.map(|_| config.train.validate_steps);
    model.card.score = line.map(|line| Score {
        miou: line.miou,
        on: format!("validation split at network size {:?}", config.data.size),
        steps: config.train.validate_steps,
    });
    model
}
