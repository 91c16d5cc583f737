//! Stages: the parts of a run, each with its own length, size, batch or other settings.

use super::Config;
use super::error::ConfigError;
use super::settings;
use crate::format::counted;
use crate::run_format::last_validated_otherwise;
use toml::{Table, Value};

/// A part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its number, counted from 1.
    pub number: usize,
    /// Number of steps before it.
    pub first: u64,
    /// Number of steps at its end.
    pub last: u64,
    /// The whole configuration with the stage's own values, and no stages.
    pub config: Config,
}

impl Stage {
    /// What to say about a stage, named `name`, that ends before its learning rate has risen to its peak, or with it.
    fn warm_up_caution(&self, name: &str) -> Option<String> {
        let t = &self.config.train;
        // A warm-up of one step has its peak at once.
        (t.warmup >= t.steps.max(2)).then(|| {
            format!(
                "{name} takes {} and its warm-up {} (train.warmup): its learning rate rises until it ends; set \
                 train.warmup below train.steps",
                counted(t.steps, "step"),
                t.warmup
            )
        })
    }
}

impl Config {
    /// The stages of the run in order: those of `stages`, or the whole run as one.
    ///
    /// # Errors
    /// If a stage has a wrong value, or changes what must stay the same during a run: the network
    /// (except for its encoder's learning rate), the data, the validation before the first step, the
    /// source of the flow or the teacher.
    pub fn plan(&self) -> Result<Vec<Stage>, ConfigError> {
        let whole = Config {
            stages: Vec::new(),
            ..self.clone()
        };
        if self.stages.is_empty() {
            whole.validate()?;
            let last = self.train.steps;
            return Ok(vec![Stage {
                number: 1,
                first: 0,
                last,
                config: whole,
            }]);
        }
        let mut plan: Vec<Stage> = Vec::with_capacity(self.stages.len());
        for (index, own) in self.stages.iter().enumerate() {
            let number = index + 1;
            let wrong = |reason: String| ConfigError::Stage { number, reason };
            let config = whole.with(own).map_err(|e| wrong(e.to_string()))?;
            config.validate().map_err(|e| wrong(e.to_string()))?;
            let first = plan.last().map_or(0, |stage| stage.last);
            if let Some(before) = plan.first()
                && let Some(key) = changed(&before.config, &config)
            {
                return Err(wrong(format!("it cannot change {key} during a run")));
            }
            let last = first + config.train.steps;
            plan.push(Stage {
                number,
                first,
                last,
                config,
            });
        }
        Ok(plan)
    }

    /// This configuration with the values of a partial one.
    fn with(&self, own: &Table) -> Result<Self, ConfigError> {
        let mut table = Table::try_from(self).map_err(|e| super::one_line(&e))?;
        for (section, values) in own {
            let (Some(Value::Table(into)), Value::Table(values)) = (table.get_mut(section), values)
            else {
                return Err(ConfigError::Toml(format!("{section} is not a section")));
            };
            into.extend(values.clone());
        }
        settings::leave_out(&mut table);
        Value::Table(table)
            .try_into()
            .map_err(|e| super::one_line(&e))
    }
}

/// What to say about the stages of a plan that end before their learning rates have risen to their peaks, or with them,
/// of those that are not over after `step`.
pub(crate) fn warm_up_cautions(plan: &[Stage], step: u64) -> Vec<String> {
    let caution = |stage: &Stage| {
        let name = match plan.len() {
            1 => "the run".to_owned(),
            _ => format!("stage {}", stage.number),
        };
        stage.warm_up_caution(&name)
    };
    let left = plan.iter().filter(|stage| stage.last > step);
    left.filter_map(caution).collect()
}

/// The step after which a run's validations can be compared with that at `step`: the end of the last
/// stage before it that is validated at another size or with other settings. `None` if all can be
/// compared, or if the stage at `step` is not validated.
pub(crate) fn comparable_after(plan: &[Stage], step: u64) -> Option<u64> {
    let validation = |stage: &Stage| {
        let (config, t) = (&stage.config, &stage.config.train);
        let photos = (config.data.size, config.fit());
        (t.validate_every > 0).then_some((photos, t.validate_steps, t.validate_samples))
    };
    let at = plan.iter().position(|stage| step <= stage.last);
    let at = at.or(plan.len().checked_sub(1))?;
    let stages: Vec<_> = plan[..=at].iter().map(validation).collect();
    last_validated_otherwise(&stages).map(|index| plan[index].last)
}

/// The first setting that differs but must not.
fn changed(a: &Config, b: &Config) -> Option<&'static str> {
    // The encoder's learning rate belongs to the optimiser, not to the network.
    let mut model = b.model.clone();
    model.encoder_rate = a.model.encoder_rate;
    [
        (a.model != model, "model"),
        (
            a.prediction() != b.prediction(),
            "loss.objective to or from cross-entropy or variational",
        ),
        (a.data.path != b.data.path, "data.path"),
        (
            a.data.further_classes != b.data.further_classes,
            "data.further_classes",
        ),
        (a.data.skip_bad != b.data.skip_bad, "data.skip_bad"),
        (
            a.train.validate_start != b.train.validate_start,
            "train.validate_start",
        ),
        (a.flow.source != b.flow.source, "flow.source"),
        (a.repa.teacher != b.repa.teacher, "repa.teacher"),
        (
            a.repa.projector_width != b.repa.projector_width,
            "repa.projector_width",
        ),
    ]
    .into_iter()
    .find_map(|(differs, key)| differs.then_some(key))
}
