//! The loop of a run over its stages: batches, steps, logged lines, validations and checkpoints.

use super::config::{Config, Stage};
use super::event::{Event, Outcome};
use super::folder::RunFolder;
use super::metrics::Metrics;
use super::parallel::WorkerGroup;
use super::running_metrics::RunningMetrics;
use super::state::Progress;
use super::tokens::Keeping;
use super::trainer::Trainer;
use super::{TrainError, validate};
use crate::data::{Dataset, Loader, LoaderConfig};
use crate::model;
use crate::model::tensors::Precision;
use crate::run_format::{BEST, CHECKPOINTS, MODEL, SkippedLine};
use std::path::PathBuf;
use std::sync::Arc;
use web_time::Instant;

/// A run: the trainer, and everything around it that is not on its device.
pub(super) struct TrainLoop<'a> {
    pub plan: &'a [Stage],
    pub folder: &'a RunFolder,
    pub metrics: Metrics,
    pub data: &'a Arc<Dataset>,
    pub validation: Option<&'a Dataset>,
    pub trainer: Trainer,
    /// The devices that share the batches.
    pub group: WorkerGroup,
    pub report: &'a mut dyn FnMut(Event),
    pub stop: &'a dyn Fn() -> bool,
    pub running: RunningMetrics,
    /// Reports the stage's file of tokens, if it has one.
    pub keeping: Option<Keeping>,
}

impl TrainLoop<'_> {
    /// Takes the steps of all stages, saves, and, unless stopped, writes the finished model.
    pub(super) fn run(mut self) -> Result<Outcome, TrainError> {
        let mut stopped = self.catch_up()?;
        for stage in self.plan {
            if stopped {
                break;
            }
            if self.trainer.state.progress.step >= stage.last {
                continue;
            }
            (self.report)(Event::Stage {
                number: stage.number,
                of: self.plan.len(),
                last: stage.last,
                size: stage.config.data.size,
                batch_size: stage.config.train.batch_size,
            });
            stopped = self.stage(stage)?;
        }
        let last = &self.plan[self.plan.len() - 1].config;
        let step = self.trainer.state.progress.step;
        let reached = self.plan.iter().find(|stage| step <= stage.last);
        let reached = reached.map_or(last, |stage| &stage.config);
        let saved = self.save(reached.train.keep)?;
        let state = &self.trainer.state;
        let start = self.metrics.validation_at_start().map(|line| line.miou);
        let end = self.metrics.last_validation();
        let end = end.filter(|line| line.step == state.progress.step && line.step > 0);
        let gain = start.zip(end).filter(|_| !stopped);
        let model = if stopped {
            None
        } else {
            let path = self.folder.path(MODEL);
            let line = self.metrics.last_validation();
            let finished = state.finished(last, line.as_ref());
            model::file::write(&path, &finished, Precision::Half)?;
            Some(path)
        };
        let Progress { step, best, .. } = state.progress;
        Ok(Outcome {
            step,
            stopped,
            best,
            gain: gain.map(|(start, end)| [start, end.miou]),
            saved: Some(saved),
            model,
        })
    }

    /// Takes the steps of a stage. Returns whether it was stopped before its end.
    fn stage(&mut self, stage: &Stage) -> Result<bool, TrainError> {
        let config = &stage.config;
        let shared = config.data.token_cache.is_some();
        let tokens = self.folder.tokens(config);
        self.trainer.enter(stage, self.data, Some(&tokens))?;
        self.keeping = Keeping::new(self.trainer.tokens.as_ref(), shared);
        self.report_tokens();
        let step = self.trainer.state.progress.step;
        let loader = LoaderConfig {
            cache_bytes: config.data.cache_mib << 20,
            workers: config.data.workers.max(1),
            ..config.loader()
        };
        let data = Arc::new(self.data.weighted(&config.data.weights));
        let mut loader = Loader::new(data, loader, step, stage.last)?;
        while self.trainer.state.progress.step < stage.last {
            if (self.stop)() {
                return Ok(true);
            }
            let waiting = Instant::now();
            let Some(batch) = loader.next_unless(self.stop) else {
                return Ok((self.stop)());
            };
            let batch = batch?;
            self.running.waited(waiting.elapsed());
            let photos = batch.len;
            let Some(output) = self.group.step(&mut self.trainer, batch, self.stop)? else {
                return Ok(true);
            };
            self.running.add(&output, photos);
            let step = self.trainer.state.progress.step;
            (self.report)(Event::Step { step });
            if step.is_multiple_of(config.train.log_every) || step == self.last() {
                self.log(config, step)?;
            }
            if self.validation_is_due(config, step) && !self.validate(config)? {
                return Ok(true);
            }
            let due = step.is_multiple_of(config.train.checkpoint_every);
            if due && step < self.last() {
                self.save(config.train.keep)?;
            }
        }
        Ok(false)
    }

    /// Reports how many views have been encoded, until all are.
    fn report_tokens(&mut self) {
        if let (Some(tokens), Some(keeping)) = (&self.trainer.tokens, &mut self.keeping)
            && let Some(event) = keeping.event(tokens)
        {
            (self.report)(Event::Tokens(event));
        }
    }

    /// The last step of the last stage.
    fn last(&self) -> u64 {
        self.plan.last().map_or(0, |stage| stage.last)
    }

    /// Takes the validation that a run stopped during or before it still lacks, and that before the
    /// first step. Returns whether it was stopped again.
    fn catch_up(&mut self) -> Result<bool, TrainError> {
        let step = self.trainer.state.progress.step;
        if step == 0
            && let Some(Stage { config, .. }) = self.plan.first()
            && config.train.validate_start
            && config.train.validate_every > 0
            && self.metrics.validation_at_start().is_none()
        {
            return Ok(!self.validate(config)?);
        }
        let stage = self.plan.iter().find(|s| s.first < step && step <= s.last);
        let last = self.metrics.last_validation();
        let Some(Stage { config, .. }) = stage.filter(|stage| {
            self.validation_is_due(&stage.config, step) && last.is_none_or(|line| line.step < step)
        }) else {
            return Ok(false);
        };
        Ok(!self.validate(config)?)
    }

    fn validation_is_due(&self, config: &Config, step: u64) -> bool {
        let every = config.train.validate_every;
        every > 0 && (step.is_multiple_of(every) || step == self.last())
    }

    /// Saves a checkpoint, including the metrics that have not been logged yet.
    fn save(&mut self, keep: usize) -> Result<PathBuf, TrainError> {
        let state = &mut self.trainer.state;
        state.progress.unlogged = self.running.unlogged();
        let path = self.folder.save(state, keep)?;
        (self.report)(Event::Saved { path: path.clone() });
        Ok(path)
    }

    /// Writes a line of loss and reports skipped steps.
    fn log(&mut self, config: &Config, step: u64) -> Result<(), TrainError> {
        self.report_tokens();
        let summary = self.running.close(step);
        if let Some(line) = summary.line {
            self.metrics.write(&line)?;
            (self.report)(Event::Logged(line));
        }
        if summary.skipped > 0 {
            let skipped = summary.skipped;
            let line = SkippedLine { step, skipped };
            self.metrics.write(&line)?;
            (self.report)(Event::Skipped(line));
        }
        if summary.in_a_row >= config.train.bad_steps {
            let saved = self.folder.saved().pop();
            return Err(TrainError::Diverged {
                step,
                in_a_row: summary.in_a_row,
                checkpoint: saved.unwrap_or_else(|| self.folder.path(CHECKPOINTS)),
            });
        }
        Ok(())
    }

    /// Scores the moving average, and writes it if it is the best so far. Returns `false` if
    /// stopped.
    fn validate(&mut self, config: &Config) -> Result<bool, TrainError> {
        let Some(validation) = self.validation else {
            return Ok(true);
        };
        (self.report)(Event::Validating);
        let state = &mut self.trainer.state;
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
        // Before its line: a run that resumes takes the best line for the score of this file.
        if state.progress.best.is_none_or(|(best, _)| line.miou > best) {
            state.progress.best = Some((line.miou, step));
            let best = state.finished(config, Some(&line));
            let path = self.folder.path(BEST);
            model::file::write(&path, &best, Precision::Half)?;
        }
        self.metrics.write(&line)?;
        (self.report)(Event::Validated(line));
        self.running.restart_clock();
        Ok(true)
    }
}
