//! Every setting of a training run: the source of its TOML, `--set` and `--help`.

mod checks;
mod error;
mod of_model;
mod sections;
mod settings;
mod stages;
#[cfg(test)]
mod tests;

pub(crate) use checks::rule;
pub use error::ConfigError;
pub(super) use of_model::sizes;
pub use of_model::{FINE_TUNE, OfModel, settings_of};
pub use sections::{
    DataSection, FlowSection, Key, LossSection, ModelSection, RepaSection, Schedule, TrainSection,
    keys,
};
pub use stages::Stage;
pub(super) use stages::{comparable_after, warm_up_cautions};

use super::objective::{Loss, Objective, TimeSampler};
use crate::data::{Augment, DataList, LoaderConfig};
use crate::encoding::Centroids;
use crate::flow::Prediction;
use crate::model::Fit;
use crate::model::config::NetworkConfig;
use crate::model::dinov2::ENCODER_SIDE;
use crate::model::vit::VitConfig;
use crate::potential::Potential;
use crate::text_file;
use serde::{Deserialize, Serialize};
use settings::{key_and_value, refuse_unknown, set, unset_word};
use toml::{Table, Value};

/// The section of a run's configuration that describes its provenance; it holds no settings.
pub(super) const PROVENANCE: &str = "provenance";

/// The settings of a training run: sections, and the stages that override them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub model: ModelSection,
    pub loss: LossSection,
    pub flow: FlowSection,
    pub repa: RepaSection,
    pub data: DataSection,
    pub train: TrainSection,
    /// Parts of the run in order, each a partial configuration; see [`Config::plan`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Table>,
}

impl Config {
    /// Reads TOML and applies `KEY=VALUE` overrides in order. An override applies to every stage,
    /// `stages.N.KEY=VALUE` (N from 1) to one.
    ///
    /// # Errors
    /// For unknown keys (with the nearest known one), wrong types and values out of range.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::parse_over(&[], text, overrides)
    }

    /// Like [`parse`](Self::parse), with these `KEY=VALUE` in the place of the settings that the TOML leaves
    /// out.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_over(
        defaults: &[String],
        text: &str,
        overrides: &[String],
    ) -> Result<Self, ConfigError> {
        let wrong = |error| ConfigError::Toml(text_file::toml_reason(text, &error));
        let mut table: Table = text.parse().map_err(wrong)?;
        table.remove(PROVENANCE);
        let mut stages = settings::take_stages(&mut table)?;
        for text in defaults {
            let (key, value) = key_and_value(text)?;
            if settings::get(&table, key).is_none() {
                set(&mut table, key, value)?;
            }
        }
        for text in overrides {
            let (key, value) = key_and_value(text)?;
            match settings::stage_of(key, &mut stages)? {
                Some((stage, key)) => set(stage, key, value)?,
                None => {
                    set(&mut table, key, value)?;
                    stages.iter_mut().for_each(|s| settings::unset(s, key));
                }
            }
        }
        for table in stages.iter().chain([&table]) {
            refuse_unknown(table)?;
        }
        settings::leave_out(&mut table);
        let mut config: Config = Value::Table(table).try_into().map_err(|e| one_line(&e))?;
        config.stages = stages;
        config.plan()?;
        Ok(config)
    }

    /// The whole configuration as TOML, including defaults.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("sections of plain values can be written as TOML")
    }

    /// The same run from any working directory: all paths made absolute.
    ///
    /// # Errors
    /// None for a configuration from [`parse`](Self::parse).
    pub fn absolute(&self) -> Result<Self, ConfigError> {
        let mut table = Table::try_from(self).map_err(|e| one_line(&e))?;
        table.remove("stages");
        settings::make_absolute(&mut table);
        let mut stages = self.stages.clone();
        stages.iter_mut().for_each(settings::make_absolute);
        let config: Config = Value::Table(table).try_into().map_err(|e| one_line(&e))?;
        Ok(Self { stages, ..config })
    }

    /// The network that the model section describes, for `classes` classes. With an objective over
    /// classes it has one output per class.
    pub fn network(&self, classes: usize) -> NetworkConfig {
        let m = &self.model;
        let preset = m.preset.network();
        NetworkConfig {
            condition: m.condition,
            patch_size: m.patch_size.unwrap_or(preset.patch_size),
            hidden_size: m.hidden_size.unwrap_or(preset.hidden_size),
            heads: m.heads.unwrap_or(preset.heads),
            pixel_width: m.pixel_width.unwrap_or(preset.pixel_width),
            transformer_blocks: m.transformer_blocks.unwrap_or(preset.transformer_blocks),
            field_blocks: m.field_blocks.unwrap_or(preset.field_blocks),
            state_channels: m.code_dims,
            stem_width: m.stem_width,
            outputs: if self.prediction().has_class_outputs() {
                classes
            } else {
                m.code_dims
            },
            patch_output: m.patch_output,
            encoder: m.encoder.is_some().then(|| VitConfig {
                width: m.encoder_width,
                heads: (m.encoder_width / 64).max(1),
                blocks: m.encoder_blocks,
                mlp_width: 4 * m.encoder_width,
                patch_size: 14,
                side: ENCODER_SIDE,
                registers: 0,
                layers: m.encoder_layers.clone(),
                int8: m.encoder_int8,
            }),
            ..preset
        }
    }

    /// What the network predicts.
    pub fn prediction(&self) -> Prediction {
        match self.loss.objective {
            Objective::CrossEntropy => Prediction::Logits,
            Objective::Variational => Prediction::Posterior,
            _ => self.model.prediction,
        }
    }

    /// Total optimiser steps of all stages.
    pub fn steps(&self) -> u64 {
        self.plan()
            .ok()
            .and_then(|plan| plan.last().map(|stage| stage.last))
            .unwrap_or(self.train.steps)
    }

    /// The potential of the loss section.
    pub fn potential(&self) -> Potential {
        Potential {
            operator: self.loss.operator,
            temperature: self.loss.temperature,
            epsilon: self.loss.epsilon,
        }
    }

    /// The loss that a stage minimises, for these class centroids.
    pub(super) fn loss_of<'a>(&self, centroids: &'a Centroids) -> Loss<'a> {
        Loss {
            objective: self.loss.objective,
            prediction: self.prediction(),
            potential: self.potential(),
            centroids,
        }
    }

    pub(super) fn time(&self) -> TimeSampler {
        TimeSampler {
            distribution: self.flow.time,
            zero: self.flow.time_zero,
            exponent: self.flow.time_exponent,
            mean: self.flow.time_mean,
            deviation: self.flow.time_deviation,
        }
    }

    /// How photos are fitted to a trained network: as in training.
    pub fn fit(&self) -> Fit {
        if self.data.crop {
            Fit::Aspect
        } else {
            Fit::Stretch
        }
    }

    /// Settings of the batch loader, with one thread and no cache.
    pub(crate) fn loader(&self) -> LoaderConfig {
        LoaderConfig {
            size: self.data.size,
            batch_size: self.train.batch_size,
            seed: self.train.seed,
            augment: Some(self.augment()),
            views: self.data.token_views,
            cache_bytes: 0,
            workers: 1,
        }
    }

    /// The data sets.
    pub fn data_list(&self) -> DataList {
        DataList {
            paths: self.data.path.clone(),
            weights: self.data.weights.clone(),
            further: self.data.further_classes,
        }
    }

    /// The augmentation of training samples.
    pub fn augment(&self) -> Augment {
        Augment {
            scale: self.data.scale,
            crop: self.data.crop,
            flip: self.data.flip,
            photometric: self.data.photometric,
            balance: self.data.balance,
            tint: self.data.tint,
        }
    }
}

/// The settings as text for `--help`: name and default, and below them the meaning, whose line is indented, so that
/// the lines into which it is broken are as well.
pub fn help() -> String {
    let defaults = Table::try_from(Config::default()).unwrap_or_default();
    let mut text = String::from(
        "Settings (TOML, or --set KEY=VALUE) and their defaults. [[stages]] tables override any of \
         them for a part of the run; --set stages.1.train.steps=500 sets one stage's. A bare word as \
         the default (none, preset, tokens in run) means that the setting is unset; writing that word \
         unsets it again (./none is a file called none):\n",
    );
    for key in keys() {
        let default = key
            .name
            .split_once('.')
            .and_then(|(section, key)| defaults.get(section)?.get(key))
            .map(Value::to_string)
            .or_else(|| Some(unset_word(key.name)?.to_owned()))
            .unwrap_or_default();
        text.push_str(&format!(
            "  {} = {default}\n      {}\n",
            key.name,
            key.help.trim()
        ));
    }
    text
}

/// The error of a value, on one line that begins with its key.
fn one_line(error: &impl ToString) -> ConfigError {
    let line = error.to_string().trim().replace('\n', " ");
    let reason = text_file::plain_reason(&line);
    let keyed = reason
        .strip_suffix('`')
        .and_then(|reason| reason.rsplit_once(" in `"));
    ConfigError::Toml(match keyed {
        Some((reason, key @ "data.size")) if reason.starts_with("invalid length") => {
            format!("{key}: it must be [height, width], two whole numbers")
        }
        Some((reason, key)) => format!("{key}: {reason}"),
        None => reason,
    })
}
