//! The settings of a race, and the training configuration of each side.

use super::error::RaceError;
use crate::data::LoaderConfig;
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::potential::Operator;
use crate::text_file;
use crate::train::config::{Config, rule};
use crate::train::objective::{Objective, TimeDistribution};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::Table;

/// Classes of a procedural scene, the background included.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=12;
/// Scenes that both sides are measured on.
const MOST_HELD_OUT: usize = 64;
/// Patches of a scene.
const MOST_TOKENS: usize = 1024;
/// Training steps over which the learning rate rises from 0.
const WARMUP: u64 = 30;
/// Decay of the moving average that is measured.
const AVERAGE: f64 = 0.99;
/// Memory of each race for decoded photos, in MiB.
const CACHE: usize = 256;

/// Everything that decides a race. Every setting is optional in a file; the default race shows the
/// paper's claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RaceConfig {
    /// Classes of the procedural scenes, 2 to 12, the background included.
    pub classes: usize,
    /// A data folder in any known layout, instead of procedural scenes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// `[height, width]` that both networks see, 8 to 256 each.
    pub size: [usize; 2],
    /// Training steps of each side, 1 to 1000000.
    pub steps: u64,
    /// Ends the race after this many seconds of training, if it has not ended by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Seed of the initial weights, the batches and the times, the same for both sides.
    pub seed: u64,
    /// Training steps between two measurements.
    pub measure_every: u64,
    /// Scenes of the validation split that both sides are measured on, 1 to 64.
    pub held_out: usize,
    /// K, the solver steps from a photo to its mask, 1 to 50.
    pub solver_steps: usize,
    /// Photos per training step, 1 to 64.
    pub batch_size: usize,
    /// Peak of the learning rate, which falls along a cosine until the last step.
    pub learning_rate: f64,
    /// Whether training sees random crops instead of whole scenes.
    pub crop: bool,
    /// Whether training sees random brightness, contrast, saturation and hue.
    pub photometric: bool,
    pub network: NetworkSizes,
    pub a: Side,
    pub b: Side,
}

impl Default for RaceConfig {
    fn default() -> Self {
        Self {
            classes: 11,
            data: None,
            size: [48, 48],
            steps: 360,
            seconds: None,
            seed: 0,
            measure_every: 25,
            held_out: 12,
            solver_steps: 5,
            batch_size: 8,
            learning_rate: 1e-3,
            crop: true,
            photometric: false,
            network: NetworkSizes::default(),
            a: Side {
                objective: Objective::Vanilla,
                ..Side::default()
            },
            b: Side::default(),
        }
    }
}

/// The sizes of both networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSizes {
    /// Side of a patch in pixels, 2 to 32.
    pub patch_size: usize,
    /// Width of a token, at most 512: heads times a multiple of 4.
    pub hidden_size: usize,
    /// Attention heads.
    pub heads: usize,
    /// Features per pixel, at most 64.
    pub pixel_width: usize,
    /// Transformer blocks, 1 to 12.
    pub transformer_blocks: usize,
    /// Neural field blocks, 1 to 4.
    pub field_blocks: usize,
}

impl Default for NetworkSizes {
    fn default() -> Self {
        Self {
            patch_size: 8,
            hidden_size: 96,
            heads: 3,
            pixel_width: 16,
            transformer_blocks: 3,
            field_blocks: 1,
        }
    }
}

/// How one side trains. The meaning of each setting is that of `flowseg train`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Side {
    /// Its name in plots and pictures; by default its objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `loss.objective`; cross-entropy is the discriminative twin.
    pub objective: Objective,
    /// `loss.operator`
    pub operator: Operator,
    /// tau, `loss.temperature`
    pub temperature: f64,
    /// eps, `loss.epsilon`
    pub epsilon: f64,
    /// `model.prediction`: velocity or target.
    pub prediction: Prediction,
    /// `model.order`
    pub order: Order,
    /// `flow.time`
    pub time: TimeDistribution,
    /// `flow.time_zero`
    pub time_zero: f64,
    /// `flow.time_exponent`
    pub time_exponent: f64,
    /// `flow.time_mean`
    pub time_mean: f64,
    /// `flow.time_deviation`
    pub time_deviation: f64,
}

impl Default for Side {
    /// The reshaped objective with the paper's operator, temperature and epsilon, and a network that
    /// predicts the target, as in the paper's Figure 1.
    fn default() -> Self {
        let Config {
            model, loss, flow, ..
        } = Config::default();
        Self {
            name: None,
            objective: loss.objective,
            operator: loss.operator,
            temperature: loss.temperature,
            epsilon: loss.epsilon,
            prediction: Prediction::Target,
            order: model.order,
            time: flow.time,
            time_zero: flow.time_zero,
            time_exponent: flow.time_exponent,
            time_mean: flow.time_mean,
            time_deviation: flow.time_deviation,
        }
    }
}

impl Side {
    /// The name of its objective, or its own.
    pub fn title(&self) -> &str {
        let of_objective = match self.objective {
            Objective::Reshaped => "reshaped",
            Objective::Annealed => "annealed",
            Objective::Vanilla => "vanilla",
            Objective::CrossEntropy => "cross-entropy",
            Objective::Variational => "variational",
        };
        self.name.as_deref().unwrap_or(of_objective)
    }
}

impl RaceConfig {
    /// Reads the settings of a race from a TOML file.
    ///
    /// # Errors
    /// A file that cannot be read, unknown keys, and values out of range, in one line that names the
    /// file.
    pub fn read(path: &Path) -> Result<Self, RaceError> {
        let text = text_file::read(path)?;
        Self::parse(&text).map_err(|error| RaceError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Reads settings from TOML.
    ///
    /// # Errors
    /// Unknown keys and values out of range, in one line.
    pub fn parse(text: &str) -> Result<Self, RaceError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| RaceError::Config(text_file::toml_reason(text, &error)))?;
        config.check()?;
        Ok(config)
    }

    /// All settings as TOML, defaults included.
    pub fn to_toml(&self) -> String {
        // Plain values always convert; tables come last by the order of the fields.
        Table::try_from(self).unwrap_or_default().to_string()
    }

    /// The share of the race that is over after `step` training steps in `seconds` seconds, 0 to 1. It ends by the limit
    /// that is reached first.
    pub fn share(&self, step: u64, seconds: f64) -> f64 {
        let of_steps = step as f64 / self.steps.max(1) as f64;
        let of_time = self.seconds.map_or(0.0, |limit| seconds / limit);
        of_steps.max(of_time).min(1.0)
    }

    /// Seconds of training until the end if each further step takes as long as the first `step` ones did, which took
    /// `seconds` seconds.
    pub fn seconds_left(&self, step: u64, seconds: f64) -> f64 {
        let further = self.steps.saturating_sub(step) as f64;
        let of_steps = seconds / step.max(1) as f64 * further;
        let of_time = self.seconds.map(|limit| (limit - seconds).max(0.0));
        of_time.map_or(of_steps, |of_time| of_time.min(of_steps))
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The first value out of its range.
    pub fn check(&self) -> Result<(), RaceError> {
        rule(
            self.data.is_some() || CLASSES.contains(&self.classes),
            "classes",
            self.classes,
            "a number from 2 to 12",
        )?;
        let sides = self.size.iter().all(|side| (8..=256).contains(side));
        rule(sides, "size", self.size, "two numbers from 8 to 256")?;
        for (key, value, least, most) in [
            // TOML has no larger integers.
            ("seed", self.seed, 0, i64::MAX as u64),
            ("steps", self.steps, 1, 1_000_000),
            ("measure_every", self.measure_every, 1, 100_000),
            ("held_out", self.held_out as u64, 1, MOST_HELD_OUT as u64),
            ("solver_steps", self.solver_steps as u64, 1, 50),
            ("batch_size", self.batch_size as u64, 1, 64),
        ] {
            let wanted = format!("a number from {least} to {most}");
            rule((least..=most).contains(&value), key, value, wanted)?;
        }
        if let Some(seconds) = self.seconds {
            let ok = (1.0..=1e6).contains(&seconds);
            rule(ok, "seconds", seconds, "a number from 1 to 1000000")?;
        }
        let n = self.network;
        for (key, value, least, most) in [
            ("network.patch_size", n.patch_size, 2, 32),
            ("network.hidden_size", n.hidden_size, 4, 512),
            ("network.heads", n.heads, 1, 32),
            ("network.pixel_width", n.pixel_width, 1, 64),
            ("network.transformer_blocks", n.transformer_blocks, 1, 12),
            ("network.field_blocks", n.field_blocks, 1, 4),
        ] {
            let wanted = format!("a number from {least} to {most}");
            rule((least..=most).contains(&value), key, value, wanted)?;
        }
        let tokens = self.size.map(|side| side.div_ceil(n.patch_size));
        rule(
            tokens[0] * tokens[1] <= MOST_TOKENS,
            "network.patch_size",
            n.patch_size,
            "a larger one for this size: at most 1024 patches",
        )?;
        for (name, side) in [("a", &self.a), ("b", &self.b)] {
            let checked = self.training(side).plan();
            checked.map_err(|error| RaceError::Config(format!("side {name}: {error}")))?;
        }
        Ok(())
    }

    /// The names of both sides; if they are the same, with their letters.
    pub fn titles(&self) -> [String; 2] {
        let [a, b] = [&self.a, &self.b].map(|side| side.title().to_owned());
        if a == b {
            [format!("{a} (a)"), format!("{b} (b)")]
        } else {
            [a, b]
        }
    }

    /// The data set, as `flowseg train` names it.
    pub(super) fn path(&self) -> PathBuf {
        let [height, width] = self.size;
        let scenes = format!("scenes:{}@{height}x{width}", self.classes);
        self.data.clone().unwrap_or_else(|| scenes.into())
    }

    /// The configuration of a side's training.
    pub(super) fn training(&self, side: &Side) -> Config {
        let mut config = Config::default();
        let (m, n) = (&mut config.model, self.network);
        m.patch_size = Some(n.patch_size);
        m.hidden_size = Some(n.hidden_size);
        m.heads = Some(n.heads);
        m.pixel_width = Some(n.pixel_width);
        m.transformer_blocks = Some(n.transformer_blocks);
        m.field_blocks = Some(n.field_blocks);
        m.prediction = side.prediction;
        m.order = side.order;
        let loss = &mut config.loss;
        loss.objective = side.objective;
        loss.operator = side.operator;
        loss.temperature = side.temperature;
        loss.epsilon = side.epsilon;
        let flow = &mut config.flow;
        flow.time = side.time;
        flow.time_zero = side.time_zero;
        flow.time_exponent = side.time_exponent;
        flow.time_mean = side.time_mean;
        flow.time_deviation = side.time_deviation;
        let data = &mut config.data;
        data.path = self.path().into();
        data.size = self.size;
        data.crop = self.crop;
        data.photometric = self.photometric;
        let train = &mut config.train;
        train.steps = self.steps;
        train.batch_size = self.batch_size;
        train.learning_rate = self.learning_rate;
        train.warmup = WARMUP;
        train.ema = AVERAGE;
        train.seed = self.seed;
        config
    }

    /// How both sides' batches are made.
    pub(super) fn batches(&self) -> LoaderConfig {
        LoaderConfig {
            cache_bytes: CACHE << 20,
            ..self.training(&self.a).loader()
        }
    }

    /// How the scenes that both sides are measured on are made: the same in every race on the same
    /// data.
    pub(super) fn measured(&self) -> LoaderConfig {
        LoaderConfig {
            batch_size: self.held_out,
            seed: 0,
            augment: None,
            ..self.training(&self.a).loader()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_race() {
        assert_eq!(RaceConfig::parse("").unwrap(), RaceConfig::default());
        let default = RaceConfig::default();
        assert_eq!(RaceConfig::parse(&default.to_toml()).unwrap(), default);
        assert_eq!(default.titles(), ["vanilla", "reshaped"]);
    }

    #[test]
    fn a_side_trains_as_its_settings_say() {
        let text = "seed = 3\n[b]\nobjective = 'annealed'\noperator = 'sqrt'\ntemperature = 0.5\n\
                    prediction = 'velocity'\ntime = 'uniform'\norder = 'assigned'\n";
        let race = RaceConfig::parse(text).unwrap();
        let [a, b] = [&race.a, &race.b].map(|side| race.training(side));
        assert_eq!(a.loss.objective, Objective::Vanilla);
        assert_eq!(b.loss.objective, Objective::Annealed);
        assert_eq!((b.loss.operator, b.loss.temperature), (Operator::Sqrt, 0.5));
        assert_eq!(
            (b.model.prediction, b.model.order),
            (Prediction::Velocity, Order::Assigned)
        );
        assert_eq!(b.flow.time, TimeDistribution::Uniform);
        // What makes the race fair.
        assert_eq!(
            (a.train.seed, a.data.clone(), a.network(5)),
            (3, b.data.clone(), b.network(5))
        );
        assert_eq!(a.train, b.train);
    }

    #[test]
    fn a_race_ends_by_its_steps_or_by_its_time() {
        let race = |seconds| RaceConfig {
            steps: 60,
            seconds,
            ..RaceConfig::default()
        };
        // 15 steps in 3 seconds: 45 more take 9.
        for (limit, share, left) in [
            (None, 0.25, 9.0),
            (Some(600.0), 0.25, 9.0),
            (Some(6.0), 0.5, 3.0),
            (Some(2.0), 1.0, 0.0),
        ] {
            let race = race(limit);
            assert!((race.share(15, 3.0) - share).abs() < 1e-9, "{limit:?}");
            assert!(
                (race.seconds_left(15, 3.0) - left).abs() < 1e-9,
                "{limit:?}"
            );
        }
    }

    #[test]
    fn mistakes_are_one_line_that_names_the_key() {
        for (text, named) in [
            ("clases = 3", "clases"),
            (
                "classes = 13",
                "classes is 13: it must be a number from 2 to 12",
            ),
            ("size = [4, 48]", "size is [4,48]"),
            ("steps = 0", "steps"),
            ("seconds = nan", "seconds is NaN"),
            ("seconds = 0.5", "seconds is 0.5"),
            ("held_out = 1000", "held_out"),
            ("[network]\nhidden_size = 100000", "network.hidden_size"),
            ("[network]\nhidden_size = 97", "hidden_size"),
            (
                "size = [256, 256]\nnetwork.patch_size = 4",
                "network.patch_size is 4",
            ),
            ("[a]\ntemperature = -1", "side a: loss.temperature"),
            ("[b]\nobjective = 'fast'", "fast"),
            ("[b]\nprediction = 'logits'", "side b: model.prediction"),
            ("learning_rate = 0.0", "learning_rate"),
        ] {
            let error = RaceConfig::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn equal_sides_have_different_titles() {
        let race = RaceConfig {
            a: Side::default(),
            ..RaceConfig::default()
        };
        assert_eq!(race.titles(), ["reshaped (a)", "reshaped (b)"]);
    }
}
