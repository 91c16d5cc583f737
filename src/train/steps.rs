//! The steps of a run: batches, updates, lines of loss, validations, checkpoints.

use super::checkpoint::{Checkpoint, RunFolder};
use super::config::{Config, Stage};
use super::finished;
use super::metrics::Metrics;
use super::step::Guides;
use super::team::Team;
use super::validate;
use super::window::Window;
use super::{Event, TrainError};
use crate::data::{Dataset, Loader, LoaderConfig};
use crate::files;
use crate::model::tensors::Precision;
use burn::tensor::Device;
use std::sync::Arc;
use web_time::Instant;

/// What all stages of a run share.
pub(super) struct Run<'a> {
    pub folder: &'a RunFolder,
    pub metrics: &'a mut Metrics,
    pub data: &'a Arc<Dataset>,
    pub validation: Option<&'a Dataset>,
    pub guides: &'a Guides,
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
        }
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
            let Some(batch) = loader.next() else { break };
            let batch = batch?;
            self.window.waited(waiting.elapsed());
            let photos = batch.len;
            let taken = self
                .team
                .take(&shared, state, batch, self.guides, self.device)?;
            self.window.add(&taken, photos);
            state = taken.state;
            let step = state.progress.step;
            (self.report)(Event::Step { step });
            if step.is_multiple_of(config.train.log_every) || step == self.last {
                self.log(config, step)?;
            }
            let due = |every: u64| every > 0 && step.is_multiple_of(every);
            let every = config.train.validate_every;
            if due(every) || (every > 0 && step == self.last) {
                self.validate(config, &mut state)?;
            }
            if due(config.train.checkpoint_every) && step < self.last {
                let path = self.folder.save(&state, config.train.keep)?;
                (self.report)(Event::Saved { path });
            }
        }
        Ok((state, false))
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

    /// Scores the moving average, and keeps it where it is the best so far.
    fn validate(&mut self, config: &Config, state: &mut Checkpoint) -> Result<(), TrainError> {
        let Some(validation) = self.validation else {
            return Ok(());
        };
        (self.report)(Event::Validating);
        let step = state.progress.step;
        let line = validate::validate(config, &state.average, validation, step, self.folder)?;
        self.metrics.write(&line)?;
        if state.progress.best.is_none_or(|(best, _)| line.miou > best) {
            state.progress.best = Some((line.miou, step));
            let best = finished(state, config, Some(&line));
            let path = self.folder.path("best.safetensors");
            files::write_model(&path, &best, Precision::Half)?;
        }
        (self.report)(Event::Validated(line));
        self.window.restart_clock();
        Ok(())
    }
}
