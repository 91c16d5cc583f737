//! The initial state of a run.

use super::TrainError;
use super::config::{Config, Stage, sizes};
use super::folder::RunFolder;
use super::metrics;
use super::repa;
use super::start;
use super::state::TrainState;
use super::supervision::Supervision;
use crate::data::Dataset;
use crate::encoding::Order;
use crate::model::Card;
use crate::model::config::NetworkConfig;
use crate::model::init::Initializer;
use crate::model::vit::Vit;
use crate::model::warm_start::{Loaded, WarmStartError, check_start, warm_start};
use crate::models;
use crate::run_format::{CHECKPOINTS, METRICS};
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
                if let Some(what) = changed(&state.model.card, config, names) {
                    let path = self.folder.path(CHECKPOINTS);
                    return Err(TrainError::Changed { path, what });
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
        if let Some((path, _)) = &init {
            for own in [&mut state.model.card, &mut state.average.card] {
                start::inherit(own, path, card.as_ref());
            }
        }
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
        if step <= checkpoint_every && !self.folder.has_finished() {
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

/// What must stay the same during a run and differs between its checkpoint's card and its settings now, with a
/// remedy; `None` if nothing does.
fn changed(card: &Card, config: &Config, names: &[String]) -> Option<String> {
    changed_classes(&card.classes, names)
        .or_else(|| changed_method(card, config))
        .or_else(|| changed_network(&card.network, &config.network(names.len())))
}

/// How the classes of a run differ from those of the data.
fn changed_classes(run: &[String], data: &[String]) -> Option<String> {
    let lacked = |by: &[String], of: &[String]| of.iter().find(|name| !by.contains(name)).cloned();
    if let Some(name) = lacked(run, data) {
        return Some(format!(
            "the data now has the class \"{name}\", which the run lacks: list only the run's classes in \
             classes.txt (Labelme: labels.txt), or in dataset.toml ignore it or join it to one of them ([map])"
        ));
    }
    if let Some(name) = lacked(data, run) {
        return Some(format!(
            "the data now lacks the run's class \"{name}\": list it in classes.txt, or give all of the run's data \
             folders"
        ));
    }
    (run != data).then(|| "the data now has its classes in another order: restore it".to_owned())
}

/// How the encoding, the prediction or the source of a run differ from the settings.
fn changed_method(card: &Card, config: &Config) -> Option<String> {
    let differing = start::differing_method(card, config).into_iter().next();
    differing.map(|(key, _)| {
        format!("{key} is not what it was when the run started: set it back as in config.toml of the run")
    })
}

/// The first size in which the network of a run differs from that of the settings.
fn changed_network(run: &NetworkConfig, now: &NetworkConfig) -> Option<String> {
    let mut pairs = sizes(run).into_iter().zip(sizes(now));
    if let Some(((key, before), (_, now))) = pairs.find(|(before, now)| before != now) {
        return Some(format!(
            "{key} is {now}, but it was {before} when the run started: set it back"
        ));
    }
    let others = [
        (run.condition == now.condition, "model.condition"),
        (run.patch_output == now.patch_output, "model.patch_output"),
        (
            run.encoder == now.encoder,
            "the encoder (model.encoder and the settings that begin so)",
        ),
        (run == now, "the network"),
    ];
    let differing = others.into_iter().find(|(same, _)| !same);
    differing.map(|(_, key)| format!("{key} is not what it was when the run started: set it back"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resume_names_what_has_changed() {
        let config = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            Config::parse("", &sets).unwrap()
        };
        let names =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let small = [
            "model.hidden_size=16",
            "model.heads=2",
            "model.pixel_width=8",
            "model.transformer_blocks=1",
            "model.field_blocks=1",
        ];
        let run = names("sky road");
        let state = TrainState::new(&config(&small), "data", &run, &Device::flex());
        let told = |sets: &[&str], classes: &str| {
            let config = config(&[&small[..], sets].concat());
            changed(&state.model.card, &config, &names(classes)).unwrap_or_default()
        };
        assert_eq!(told(&[], "sky road"), "");
        for (sets, classes, words) in [
            (
                &[][..],
                "sky road bus",
                ["has the class \"bus\"", "dataset.toml ignore it or join it"],
            ),
            (&[], "sky bus", ["has the class \"bus\"", "classes.txt"]),
            (
                &[],
                "sky",
                ["lacks the run's class \"road\"", "classes.txt"],
            ),
            (
                &[],
                "sky",
                ["lacks the run's class \"road\"", "all of the run's data"],
            ),
            (
                &["model.pixel_width=4"],
                "sky road",
                ["model.pixel_width is 4", "it was 8"],
            ),
            (
                &["model.condition=none"],
                "sky road",
                ["model.condition", "set it back"],
            ),
            (
                &["model.order=assigned"],
                "sky road",
                ["model.order", "set it back"],
            ),
            (
                &["loss.objective=cross-entropy"],
                "sky road",
                ["loss.objective", "set it back"],
            ),
        ] {
            let text = told(sets, classes);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
