//! The rules that a configuration has to keep, besides the types of its values.

use super::{Config, ConfigError};
use crate::flow::{Objective, Source};
use std::fmt::Debug;

fn rule(
    ok: bool,
    key: &'static str,
    value: impl Debug,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if ok {
        return Ok(());
    }
    let value = format!("{value:?}");
    Err(ConfigError::Range { key, value, rule })
}

impl Config {
    /// Checks every value and what must hold between them.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.validate_method()?;
        self.validate_run()?;
        self.validate_repa()?;
        Ok(self.network(2).validate()?)
    }

    fn validate_method(&self) -> Result<(), ConfigError> {
        let (m, l, f) = (&self.model, &self.loss, &self.flow);
        let share = |v: f64| (0.0..=1.0).contains(&v);
        rule(
            !m.prediction.has_class_outputs(),
            "model.prediction",
            m.prediction,
            "velocity or target: logits follow from loss.objective = cross-entropy or variational",
        )?;
        rule(
            l.temperature > 0.0,
            "loss.temperature",
            l.temperature,
            "above 0",
        )?;
        rule(l.epsilon > 0.0, "loss.epsilon", l.epsilon, "above 0")?;
        rule(
            share(l.class_balance),
            "loss.class_balance",
            l.class_balance,
            "from 0 to 1",
        )?;
        rule(
            share(m.encoder_rate),
            "model.encoder_rate",
            m.encoder_rate,
            "from 0 to 1",
        )?;
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
        rule(
            share(f.time_zero),
            "flow.time_zero",
            f.time_zero,
            "from 0 to 1",
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

    fn validate_run(&self) -> Result<(), ConfigError> {
        let (d, t) = (&self.data, &self.train);
        let sides = d.size.iter().all(|s| (1..=4096).contains(s));
        rule(sides, "data.size", d.size, "two sides from 1 to 4096")?;
        rule(
            (0.0..=1.0).contains(&d.balance),
            "data.balance",
            d.balance,
            "from 0 to 1",
        )?;
        rule(t.steps > 0, "train.steps", t.steps, "at least 1")?;
        rule(
            (1..=4096).contains(&t.batch_size),
            "train.batch_size",
            t.batch_size,
            "from 1 to 4096",
        )?;
        rule(
            (1..=t.batch_size).contains(&t.accumulate),
            "train.accumulate",
            t.accumulate,
            "from 1 to train.batch_size",
        )?;
        rule(
            t.learning_rate > 0.0 && t.learning_rate < 10.0,
            "train.learning_rate",
            t.learning_rate,
            "above 0 and below 10",
        )?;
        rule(
            (0.0..1.0).contains(&t.ema),
            "train.ema",
            t.ema,
            "from 0 to below 1",
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
        )
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
        rule(
            (1..=1 << 16).contains(&r.projector_width),
            "repa.projector_width",
            r.projector_width,
            "from 1 to 65536",
        )?;
        rule(
            r.cache.is_none() || (!self.data.crop && !self.data.photometric),
            "repa.cache",
            &r.cache,
            "left out unless data.crop and data.photometric are false: random views never repeat",
        )
    }
}
