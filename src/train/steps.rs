//! The steps of a run: batches, updates, lines of loss, validations, checkpoints.

use super::checkpoint::Checkpoint;
use super::config::{Config, Stage};
use super::folder::RunFolder;
use super::metrics::Metrics;
use super::restore::finished;
use super::step::{Attempt, Guides};
use super::team::Team;
use super::validate;
use super::window::Window;
use super::{Event, TrainError};
use crate::data::{Dataset, Loader, LoaderConfig};
use crate::model;
use crate::model::tensors::Precision;
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::Arc;
use web_time::Instant;

/// What all stages of a run share.
pub(super) struct Run<'a> {
    pub folder: &'a RunFolder,
    pub metrics: &'a mut Metrics,
    pub data: &'a Arc<Dataset>,
    pub validation: Option<&'a Dataset>,
    pub guides: Guides,
    pub device: &'a Device,
    /// That device and those that share its batches.
    pub team: Team,
    pub report: &'a mut dyn FnMut(Event),
    pub stop: &'a dyn Fn() -> bool,
    pub window: Window,
    /// The last step of the last stage.
    pub last: u64,
}

impl Run<'_> {
    /// Takes the steps of a stage. Says whether it was stopped before its end.
    pub(super) fn stage(
        &mut self,
        stage: &Stage,
        mut state: Checkpoint,
    ) -> Result<(Checkpoint, bool), TrainError> {
        let config = &stage.config;
        let shared = Arc::new(stage.clone());
        for card in [&mut state.model.card, &mut state.average.card] {
            card.size = config.data.size;
            card.fit = config.fit();
        }
        self.guides.enter(config, self.data)?;
        let loader_config = LoaderConfig {
            size: config.data.size,
            batch_size: config.train.batch_size,
            seed: config.train.seed,
            augment: Some(config.augment()),
            cache_bytes: config.data.cache_mib << 20,
            workers: config.data.workers.max(1),
        };
        let step = state.progress.step;
        let mut loader = Loader::new(self.data.clone(), loader_config, step, stage.last)?;
        while state.progress.step < stage.last {
            if (self.stop)() {
                return Ok((state, true));
            }
            let waiting = Instant::now();
            let Some(batch) = loader.next_unless(self.stop) else {
                return Ok((state, (self.stop)()));
            };
            let batch = batch?;
            self.window.waited(waiting.elapsed());
            let photos = batch.len;
            let (guides, device) = (&self.guides, self.device);
            let attempt = self
                .team
                .take(&shared, state, batch, guides, device, self.stop)?;
            let taken = match attempt {
                Attempt::Taken(taken) => taken,
                Attempt::Stopped(state) => return Ok((*state, true)),
            };
            self.window.add(&taken, photos);
            state = taken.state;
            let step = state.progress.step;
            (self.report)(Event::Step { step });
            if step.is_multiple_of(config.train.log_every) || step == self.last {
                self.log(config, step)?;
            }
            if self.validation_is_due(config, step) && !self.validate(config, &mut state)? {
                return Ok((state, true));
            }
            let due = step.is_multiple_of(config.train.checkpoint_every);
            if due && step < self.last {
                self.save(&mut state, config.train.keep)?;
            }
        }
        Ok((state, false))
    }

    /// Validates what a run that was stopped in its validation, or before it, still owes. Says whether
    /// that was stopped too.
    pub(super) fn catch_up(
        &mut self,
        plan: &[Stage],
        state: &mut Checkpoint,
    ) -> Result<bool, TrainError> {
        let step = state.progress.step;
        let stage = plan.iter().find(|s| s.first < step && step <= s.last);
        let last = self.metrics.last_validation();
        let Some(Stage { config, .. }) = stage.filter(|stage| {
            self.validation_is_due(&stage.config, step) && last.is_none_or(|line| line.step < step)
        }) else {
            return Ok(false);
        };
        Ok(!self.validate(config, state)?)
    }

    fn validation_is_due(&self, config: &Config, step: u64) -> bool {
        let every = config.train.validate_every;
        every > 0 && (step.is_multiple_of(every) || step == self.last)
    }

    /// Saves a checkpoint, with what is not logged yet.
    pub(super) fn save(
        &mut self,
        state: &mut Checkpoint,
        keep: usize,
    ) -> Result<PathBuf, TrainError> {
        state.progress.unlogged = self.window.unlogged();
        let path = self.folder.save(state, keep)?;
        (self.report)(Event::Saved { path: path.clone() });
        Ok(path)
    }

    /// Writes a line of loss, and reports what was skipped.
    fn log(&mut self, config: &Config, step: u64) -> Result<(), TrainError> {
        let gathered = self.window.close(step);
        if let Some(line) = gathered.line {
            self.metrics.write(&line)?;
            (self.report)(Event::Logged(line));
        }
        if gathered.skipped > 0 {
            let count = gathered.skipped;
            self.metrics
                .write(&serde_json::json!({"step": step, "skipped": count}))?;
            (self.report)(Event::Skipped { step, count });
        }
        if gathered.in_a_row >= config.train.bad_steps {
            let saved = self.folder.saved().pop();
            return Err(TrainError::Diverged {
                step,
                in_a_row: gathered.in_a_row,
                checkpoint: saved.unwrap_or_else(|| self.folder.path("checkpoints")),
            });
        }
        Ok(())
    }

    /// Scores the moving average, and keeps it where it is the best so far. Says whether it came to
    /// its end.
    fn validate(&mut self, config: &Config, state: &mut Checkpoint) -> Result<bool, TrainError> {
        let Some(validation) = self.validation else {
            return Ok(true);
        };
        (self.report)(Event::Validating);
        let step = state.progress.step;
        let scored = validate::validate(
            config,
            &state.average,
            validation,
            step,
            self.folder,
            self.stop,
        )?;
        let Some(line) = scored else {
            return Ok(false);
        };
        self.metrics.write(&line)?;
        if state.progress.best.is_none_or(|(best, _)| line.miou > best) {
            state.progress.best = Some((line.miou, step));
            let best = finished(state, config, Some(&line));
            let path = self.folder.path("best.safetensors");
            model::file::write(&path, &best, Precision::Half)?;
        }
        (self.report)(Event::Validated(line));
        self.window.restart_clock();
        Ok(true)
    }
}
