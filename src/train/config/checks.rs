//! Range checks of a configuration, beyond the types of its values.

use super::Config;
use super::error::ConfigError;
use super::sections::keys;
use crate::data::augment::SCALES;
use crate::data::list::MAX_WEIGHT;
use crate::encoding::{COLOUR_AXES, MOST_DIMS};
use crate::flow::Source;
use crate::model::MOST_SOLVER_STEPS;
use crate::model::config::can_join;
use crate::train::objective::Objective;
use crate::train::wrong_states::States;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use toml::{Table, Value};

/// More than any run needs, and far below the limit of counting steps in single precision.
const MOST_STEPS: u64 = 1_000_000_000;
/// Data sets of one run.
const MOST_SETS: usize = 64;
/// Views of a photo.
const MOST_VIEWS: u64 = 1_000_000;
/// 16 TiB.
const MOST_CACHE_MIB: usize = 1 << 24;

/// Refuses the value of a setting unless it is `ok`. `rule` says what it must be.
pub(crate) fn rule(
    ok: bool,
    key: &'static str,
    value: impl Serialize + Debug,
    rule: impl Into<Cow<'static, str>>,
) -> Result<(), ConfigError> {
    if ok {
        return Ok(());
    }
    let rule = rule.into();
    // As a configuration spells it. JSON has no numbers that are not finite.
    let value = serde_json::to_string(&value)
        .ok()
        .filter(|text| text != "null")
        .unwrap_or_else(|| format!("{value:?}"));
    Err(ConfigError::Range { key, value, rule })
}

/// Refuses the value of a setting outside of a range.
fn within<T>(key: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigError>
where
    T: PartialOrd + Display + Serialize + Debug,
{
    let words = format!("from {} to {}", range.start(), range.end());
    rule(range.contains(&value), key, value, words)
}

fn share(key: &'static str, value: f64) -> Result<(), ConfigError> {
    within(key, value, 0.0..=1.0)
}

/// A decay per step. It is used in single precision, where it must not round to 1.
fn decay(key: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = value >= 0.0 && (value as f32) < 1.0;
    rule(ok, key, value, "from 0 to less than 1")
}

/// A positive number that is divided by in single precision, where it must be neither 0 nor infinite.
fn divisor(key: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = (1e-37..=1e38).contains(&value);
    rule(ok, key, value, "above 0: from 1e-37 to 1e38")
}

impl Config {
    /// Checks every value, and conditions between values.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.validate_numbers()?;
        self.validate_method()?;
        self.validate_data()?;
        self.validate_run()?;
        self.validate_optimizer()?;
        self.validate_repa()?;
        Ok(self.network(2).validate()?)
    }

    /// No setting may be infinite or NaN, whatever its range.
    fn validate_numbers(&self) -> Result<(), ConfigError> {
        let table = Table::try_from(self).map_err(|e| super::one_line(&e))?;
        for key in keys() {
            let value = key
                .name
                .split_once('.')
                .and_then(|(section, name)| table.get(section)?.get(name));
            if let Some(value) = value
                && !is_finite(value)
            {
                return Err(ConfigError::Range {
                    key: key.name,
                    value: value.to_string(),
                    rule: "finite".into(),
                });
            }
        }
        Ok(())
    }

    fn validate_method(&self) -> Result<(), ConfigError> {
        let (m, l, f) = (&self.model, &self.loss, &self.flow);
        rule(
            !m.prediction.has_class_outputs(),
            "model.prediction",
            m.prediction,
            "velocity or target: logits follow from loss.objective = cross-entropy or variational",
        )?;
        within("model.encoder_blocks", m.encoder_blocks, 1..=256)?;
        within("model.encoder_width", m.encoder_width, 1..=8192)?;
        within("model.code_dims", m.code_dims, COLOUR_AXES..=MOST_DIMS)?;
        rule(
            m.encoding.has_dims(m.code_dims),
            "model.code_dims",
            m.code_dims,
            "3 with the encoding farthest-point",
        )?;
        within("model.stem_width", m.stem_width, 0..=512)?;
        rule(
            can_join(&m.encoder_layers, m.encoder_blocks),
            "model.encoder_layers",
            &m.encoder_layers,
            "ascending numbers from 1 to model.encoder_blocks",
        )?;
        within("loss.temperature", l.temperature, 1e-3..=1e3)?;
        divisor("loss.epsilon", l.epsilon)?;
        share("loss.class_balance", l.class_balance)?;
        within("loss.time_weight", l.time_weight, 0.0..=4.0)?;
        share("model.encoder_rate", m.encoder_rate)?;
        if self.prediction().has_class_outputs() {
            rule(
                l.mask_ignored,
                "loss.mask_ignored",
                l.mask_ignored,
                "true with cross-entropy and variational, which have no class for ignored pixels",
            )?;
        }
        if l.objective == Objective::CrossEntropy {
            rule(
                f.source == Source::Image,
                "flow.source",
                f.source,
                "image with cross-entropy, which has no flow",
            )?;
        }
        let sees_photo = m.encoder.is_some() || self.network(1).sees_pixels();
        rule(
            f.source == Source::Image || sees_photo,
            "flow.source",
            f.source,
            "image unless the network sees the photo by model.condition = concat, model.encoder or \
             model.stem_width",
        )?;
        share("flow.time_zero", f.time_zero)?;
        share("flow.states_share", f.states_share)?;
        rule(
            f.states == States::Truth || !self.prediction().has_class_outputs(),
            "flow.states",
            f.states,
            "truth with cross-entropy and variational, which predict classes",
        )?;
        rule(
            f.time_exponent > 0.0,
            "flow.time_exponent",
            f.time_exponent,
            "above 0",
        )?;
        rule(
            f.time_deviation >= 0.0,
            "flow.time_deviation",
            f.time_deviation,
            "0 or above",
        )
    }

    fn validate_data(&self) -> Result<(), ConfigError> {
        let d = &self.data;
        let sets = d.path.paths().len();
        rule(
            (1..=MOST_SETS).contains(&sets),
            "data.path",
            d.path.paths(),
            "a folder or a list of up to 64",
        )?;
        let weight = |weight: &f64| (0.0..=MAX_WEIGHT).contains(weight);
        let weighed = d.weights.len() == sets && d.weights.iter().any(|weight| *weight > 0.0);
        rule(
            d.weights.is_empty() || weighed && d.weights.iter().all(weight),
            "data.weights",
            &d.weights,
            "a number from 0 to 100 for each data set of data.path, not all of them 0",
        )?;
        let sides = d.size.iter().all(|s| (1..=4096).contains(s));
        rule(sides, "data.size", d.size, "two sides from 1 to 4096")?;
        let [low, high] = d.scale;
        rule(
            SCALES[0] <= low && low <= high && high <= SCALES[1],
            "data.scale",
            d.scale,
            "two magnifications from 0.05 to 20, the lower one first",
        )?;
        share("data.balance", f64::from(d.balance))?;
        share("data.tint", f64::from(d.tint))?;
        within("data.token_views", d.token_views, 0..=MOST_VIEWS)?;
        let m = &self.model;
        rule(
            d.token_views == 0 || m.encoder.is_some() && m.encoder_rate == 0.0,
            "data.token_views",
            d.token_views,
            "0 unless there is a model.encoder and its model.encoder_rate is 0: the tokens of an \
             encoder that is trained change",
        )?;
        within("data.cache_mib", d.cache_mib, 0..=MOST_CACHE_MIB)?;
        within("data.workers", d.workers, 1..=256)
    }

    fn validate_run(&self) -> Result<(), ConfigError> {
        let t = &self.train;
        within("train.steps", t.steps, 1..=MOST_STEPS)?;
        within("train.batch_size", t.batch_size, 1..=4096)?;
        rule(
            (1..=t.batch_size).contains(&t.accumulate),
            "train.accumulate",
            t.accumulate,
            "from 1 to train.batch_size",
        )?;
        rule(
            t.bad_steps > 0,
            "train.bad_steps",
            t.bad_steps,
            "at least 1",
        )?;
        rule(
            t.memory_gib >= 0.0,
            "train.memory_gib",
            t.memory_gib,
            "0 or above",
        )?;
        rule(
            t.log_every > 0,
            "train.log_every",
            t.log_every,
            "at least 1",
        )?;
        rule(t.keep > 0, "train.keep", t.keep, "at least 1")?;
        rule(
            t.checkpoint_every > 0,
            "train.checkpoint_every",
            t.checkpoint_every,
            "at least 1",
        )?;
        rule(
            (1..=MOST_SOLVER_STEPS).contains(&t.validate_steps),
            "train.validate_steps",
            t.validate_steps,
            format!("from 1 to {MOST_SOLVER_STEPS}, the most that a model can recommend"),
        )
    }

    fn validate_optimizer(&self) -> Result<(), ConfigError> {
        let t = &self.train;
        rule(
            t.learning_rate > 0.0 && t.learning_rate < 10.0,
            "train.learning_rate",
            t.learning_rate,
            "above 0 and below 10",
        )?;
        within("train.warmup", t.warmup, 0..=MOST_STEPS)?;
        share("train.final_rate", t.final_rate)?;
        within("train.weight_decay", t.weight_decay, 0.0..=10.0)?;
        decay("train.beta1", t.beta1)?;
        decay("train.beta2", t.beta2)?;
        rule(t.clip >= 0.0, "train.clip", t.clip, "0 or above")?;
        decay("train.ema", t.ema)
    }

    fn validate_repa(&self) -> Result<(), ConfigError> {
        let r = &self.repa;
        if r.teacher.is_none() {
            return Ok(());
        }
        let blocks = self.network(2).transformer_blocks;
        rule(r.weight >= 0.0, "repa.weight", r.weight, "0 or above")?;
        rule(
            (1..=blocks).contains(&r.layer),
            "repa.layer",
            r.layer,
            "from 1 to the network's transformer blocks",
        )?;
        within("repa.projector_width", r.projector_width, 1..=1 << 16)?;
        rule(
            r.cache.is_none()
                || (!self.data.crop && !self.data.photometric && self.data.tint == 0.0),
            "repa.cache",
            &r.cache,
            "left out unless data.crop and data.photometric are false and data.tint is 0: random \
             crops never repeat",
        )
    }
}

fn is_finite(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::Array(values) => values.iter().all(is_finite),
        _ => true,
    }
}
