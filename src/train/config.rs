//! Every setting of a training run, in one place: TOML, `--set` and `--help` all come from here.

use super::settings::{parse_value, refuse_unknown, set};
use crate::data::Augment;
use crate::flow::{Objective, Prediction, Source, TimeDistribution, TimeSampler};
use crate::model::config::{Condition, NetworkConfig, Preset};
use crate::potential::{Operator, Potential};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::{Table, Value};

/// One documented setting.
pub struct Key {
    /// `section.key`
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Declares a section: a struct with its defaults, and its entry in the list of keys.
macro_rules! section {
    ($(#[$doc:meta])* $section:ident $title:literal {
        $($(#[doc = $help:literal])+ $key:ident: $type:ty = $default:expr,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $section {
            $($(#[doc = $help])+ pub $key: $type,)+
        }
        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }
        impl $section {
            const KEYS: &'static [Key] = &[$(Key {
                name: concat!($title, ".", stringify!($key)),
                help: concat!($($help),+),
            },)+];
        }
    };
}

section! {
    /// The network.
    ModelSection "model" {
        /// Sizes to start from: tiny, small, base, large or xlarge.
        preset: Preset = Preset::Tiny,
        /// How the photo enters: concat or none.
        condition: Condition = Condition::Concat,
        /// What the network predicts: velocity or target.
        prediction: Prediction = Prediction::Velocity,
        /// Side of a patch in pixels, where it differs from the preset's.
        patch_size: Option<usize> = None,
        /// Width of a token, where it differs from the preset's.
        hidden_size: Option<usize> = None,
        /// Attention heads, where they differ from the preset's.
        heads: Option<usize> = None,
        /// Features a pixel, where they differ from the preset's.
        pixel_width: Option<usize> = None,
        /// Transformer blocks, where they differ from the preset's.
        transformer_blocks: Option<usize> = None,
        /// Neural field blocks, where they differ from the preset's.
        field_blocks: Option<usize> = None,
    }
}

section! {
    /// What the network is trained towards.
    LossSection "loss" {
        /// reshaped, annealed or vanilla.
        objective: Objective = Objective::Reshaped,
        /// T(d) of the potential: log, sqrt, linear or normalized-gradient.
        operator: Operator = Operator::Log,
        /// tau of the potential, above 0.
        temperature: f64 = 1.0,
        /// eps of the potential, above 0: it bounds the pull near a wrong centroid.
        epsilon: f64 = 0.01,
    }
}

section! {
    /// The path.
    FlowSection "flow" {
        /// Where the path starts: image or noise.
        source: Source = Source::Image,
        /// The distribution of t besides its point mass at 0: power, uniform or logit-normal.
        time: TimeDistribution = TimeDistribution::Power,
        /// Share of samples at t = 0.
        time_zero: f64 = 0.3,
        /// Exponent of the power distribution: t = u^exponent.
        time_exponent: f64 = 3.0,
        /// Mean of the logit-normal distribution.
        time_mean: f64 = 0.0,
        /// Standard deviation of the logit-normal distribution.
        time_deviation: f64 = 1.0,
    }
}

section! {
    /// The data.
    DataSection "data" {
        /// A data folder in any known layout, or scenes:N for N classes of procedural scenes.
        path: PathBuf = PathBuf::from("scenes:20"),
        /// [height, width] that the network sees.
        size: [usize; 2] = [96, 128],
        /// The least and the greatest random scale of a training crop.
        scale: [f32; 2] = [0.75, 1.75],
        /// Random crops; without them the whole photo is seen.
        crop: bool = true,
        /// Random horizontal flips.
        flip: bool = true,
        /// Random brightness, contrast, saturation and hue.
        photometric: bool = true,
        /// Share of crops, 0 to 1, that are made around a pixel of a rare class.
        balance: f32 = 0.0,
        /// Memory for decoded photos, in MiB.
        cache_mib: usize = 1024,
        /// Threads that prepare batches.
        workers: usize = 1,
    }
}

section! {
    /// The run.
    TrainSection "train" {
        /// Optimiser steps.
        steps: u64 = 2000,
        /// Photos a step.
        batch_size: usize = 8,
        /// Peak learning rate.
        learning_rate: f64 = 1e-3,
        /// Steps over which the learning rate rises from 0.
        warmup: u64 = 100,
        /// Learning rate at the end, as a share of the peak (cosine decay).
        final_rate: f64 = 0.02,
        /// Decoupled weight decay of matrices; norms and biases have none.
        weight_decay: f64 = 0.01,
        /// Decay of AdamW's first moment.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment.
        beta2: f64 = 0.98,
        /// Greatest norm of the whole gradient; 0 switches clipping off.
        clip: f64 = 1.0,
        /// Decay of the moving average of the weights; it warms up from 0.
        ema: f64 = 0.999,
        /// Seed of weights, order, augmentation and times.
        seed: u64 = 0,
        /// Steps between lines of loss.
        log_every: u64 = 20,
        /// Steps between checkpoints.
        checkpoint_every: u64 = 250,
        /// Checkpoints kept, besides the best model.
        keep: usize = 2,
        /// Steps between validations; 0 switches them off.
        validate_every: u64 = 500,
        /// Photos of a validation; 0 takes the whole split.
        validate_samples: usize = 0,
        /// Sampling steps of a validation.
        validate_steps: usize = 5,
    }
}

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The network.
    pub model: ModelSection,
    /// The loss.
    pub loss: LossSection,
    /// The path.
    pub flow: FlowSection,
    /// The data.
    pub data: DataSection,
    /// The run.
    pub train: TrainSection,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or values of the wrong kind.
    #[error("{0}")]
    Toml(String),
    /// A key that does not exist.
    #[error("there is no setting {key}{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n}?")))]
    Unknown {
        /// As written.
        key: String,
        /// The most similar one.
        nearest: Option<String>,
    },
    /// `--set` without `=`.
    #[error("--set takes KEY=VALUE, for example --set train.steps=500, not {0}")]
    Set(String),
    /// A value out of its range.
    #[error("{key} is {value}: it must be {rule}")]
    Range {
        /// The setting.
        key: &'static str,
        /// As given.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// Sizes that make no network.
    #[error(transparent)]
    Network(#[from] crate::model::config::InvalidNetwork),
}

/// All settings in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [
        ModelSection::KEYS,
        LossSection::KEYS,
        FlowSection::KEYS,
        DataSection::KEYS,
        TrainSection::KEYS,
    ]
    .into_iter()
    .flatten()
}

impl Config {
    /// Reads TOML and applies `KEY=VALUE` overrides in order.
    ///
    /// # Errors
    /// Unknown keys (with the nearest known one), wrong types and values out of range.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, ConfigError> {
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| one_line(&e))?;
        for text in overrides {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| ConfigError::Set(text.clone()))?;
            set(&mut table, key.trim(), parse_value(value.trim()))?;
        }
        // Written by a run for its readers; it sets nothing.
        table.remove(super::provenance::SECTION);
        refuse_unknown(&table)?;
        let config: Config = Value::Table(table).try_into().map_err(|e| one_line(&e))?;
        config.validate()?;
        Ok(config)
    }

    /// The whole configuration as TOML, defaults included.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("sections of plain values can be written as TOML")
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let within = |ok: bool, key, value: String, rule| {
            if ok {
                Ok(())
            } else {
                Err(ConfigError::Range { key, value, rule })
            }
        };
        let (l, f, d, t) = (&self.loss, &self.flow, &self.data, &self.train);
        let text = |v: f64| v.to_string();
        let share = |v: f64| (0.0..=1.0).contains(&v);
        within(
            l.temperature > 0.0,
            "loss.temperature",
            text(l.temperature),
            "above 0",
        )?;
        within(l.epsilon > 0.0, "loss.epsilon", text(l.epsilon), "above 0")?;
        within(
            share(f.time_zero),
            "flow.time_zero",
            text(f.time_zero),
            "from 0 to 1",
        )?;
        within(
            f.time_exponent > 0.0,
            "flow.time_exponent",
            text(f.time_exponent),
            "above 0",
        )?;
        within(
            (0.0..=1.0).contains(&d.balance),
            "data.balance",
            d.balance.to_string(),
            "from 0 to 1",
        )?;
        let sides = d.size.iter().all(|s| (1..=4096).contains(s));
        within(
            sides,
            "data.size",
            format!("{:?}", d.size),
            "two sides from 1 to 4096",
        )?;
        within(
            t.steps > 0,
            "train.steps",
            t.steps.to_string(),
            "at least 1",
        )?;
        let batch = (1..=4096).contains(&t.batch_size);
        within(
            batch,
            "train.batch_size",
            t.batch_size.to_string(),
            "from 1 to 4096",
        )?;
        let rate = t.learning_rate > 0.0 && t.learning_rate < 10.0;
        within(
            rate,
            "train.learning_rate",
            text(t.learning_rate),
            "above 0 and below 10",
        )?;
        within(
            share(t.ema) && t.ema < 1.0,
            "train.ema",
            text(t.ema),
            "from 0 to below 1",
        )?;
        within(
            t.log_every > 0,
            "train.log_every",
            t.log_every.to_string(),
            "at least 1",
        )?;
        within(t.keep > 0, "train.keep", t.keep.to_string(), "at least 1")?;
        let every = t.checkpoint_every;
        within(
            every > 0,
            "train.checkpoint_every",
            every.to_string(),
            "at least 1",
        )?;
        Ok(self.network().validate()?)
    }

    /// The network that the model section describes.
    pub fn network(&self) -> NetworkConfig {
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
            ..preset
        }
    }

    /// The potential of the loss section.
    pub fn potential(&self) -> Potential {
        Potential {
            operator: self.loss.operator,
            temperature: self.loss.temperature,
            epsilon: self.loss.epsilon,
        }
    }

    /// How t is drawn.
    pub fn time(&self) -> TimeSampler {
        TimeSampler {
            distribution: self.flow.time,
            zero: self.flow.time_zero,
            exponent: self.flow.time_exponent,
            mean: self.flow.time_mean,
            deviation: self.flow.time_deviation,
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
        }
    }
}

/// The text of the settings for `--help`: name, default and meaning, a line each.
pub fn help() -> String {
    let defaults = Table::try_from(Config::default()).unwrap_or_default();
    let mut text = String::from("Settings (TOML, or --set KEY=VALUE) and their defaults:\n");
    for key in keys() {
        let default = key
            .name
            .split_once('.')
            .and_then(|(section, key)| defaults.get(section)?.get(key))
            .map_or_else(|| "preset".to_owned(), Value::to_string);
        text.push_str(&format!(
            "  {:<26} {:<14} {}\n",
            key.name,
            default,
            key.help.trim()
        ));
    }
    text
}

fn one_line(error: &impl ToString) -> ConfigError {
    ConfigError::Toml(error.to_string().trim().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, overrides: &[&str]) -> Result<Config, String> {
        let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
        Config::parse(text, &overrides).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_survive_the_round_trip() {
        let config = Config::default();
        assert_eq!(parse(&config.to_toml(), &[]).unwrap(), config);
    }

    #[test]
    fn overrides_win_and_need_no_quotes() {
        let config = parse(
            "[train]\nsteps = 5",
            &[
                "train.steps=7",
                "loss.objective=vanilla",
                "data.size=[64, 96]",
                "data.path=a b",
            ],
        )
        .unwrap();
        assert_eq!(config.train.steps, 7);
        assert_eq!(config.loss.objective, Objective::Vanilla);
        assert_eq!(config.data.size, [64, 96]);
        assert_eq!(config.data.path, PathBuf::from("a b"));
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let error = parse("[train]\nlearning_rat = 1", &[]).unwrap_err();
        assert!(error.contains("train.learning_rate"), "{error}");
        let error = parse("", &["loss.objectve=vanilla"]).unwrap_err();
        assert!(error.contains("loss.objective"), "{error}");
        let error = parse("steps = 3", &[]).unwrap_err();
        assert!(error.contains("train.steps"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for set in [
            "loss.temperature=0",
            "train.steps=0",
            "flow.time_zero=1.5",
            "model.heads=5",
        ] {
            assert!(parse("", &[set]).is_err(), "{set}");
        }
    }

    #[test]
    fn every_key_is_documented_and_listed_in_help() {
        let help = help();
        for key in keys() {
            assert!(
                !key.help.trim().is_empty() && help.contains(key.name),
                "{}",
                key.name
            );
        }
    }
}
