//! The loop of a run over its stages: batches, steps, logged lines, validations and checkpoints.

use super::config::{Config, Stage};
use super::earlier_models::EarlierBest;
use super::event::{Event, Outcome};
use super::folder::RunFolder;
use super::metrics::Metrics;
use super::parallel::WorkerGroup;
use super::running_metrics::RunningMetrics;
use super::score_kind::{ScoreKind, validated_at};
use super::state::Progress;
use super::tokens::Keeping;
use super::trainer::Trainer;
use super::{TrainError, validate};
use crate::data::{Dataset, Loader, LoaderConfig};
use crate::model;
use crate::model::tensors::Precision;
use crate::run_format::{MODEL, SkippedLine, ValidationLine, checkpoint_step};
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
    /// [`Dataset::fingerprint`] of `validation`; empty without it.
    pub fingerprint: &'a str,
    pub earlier_best: EarlierBest,
    pub trainer: Trainer,
    /// The devices that share the batches.
    pub group: WorkerGroup,
    pub report: &'a mut dyn FnMut(Event),
    pub stop: &'a dyn Fn() -> bool,
    pub running: RunningMetrics,
    /// Whether a checkpoint waits for a step that is not skipped, also across stages.
    pub checkpoint_is_due: bool,
    /// Reports the stage's file of tokens, if it has one.
    pub keeping: Option<Keeping>,
}

impl TrainLoop<'_> {
    /// Takes the steps of all stages, saves, and, unless stopped, writes the finished model.
    pub(super) fn run(mut self) -> Result<Outcome, TrainError> {
        let stopped = match self.stages() {
            Err(error) if error.leaves_state() => return Err(self.interrupted(error)),
            stopped => stopped?,
        };
        let saved = match self.save_reached() {
            Ok(saved) => saved,
            Err(error) => return Err(self.unsaved(error)),
        };
        let last = &self.plan[self.plan.len() - 1].config;
        let state = &self.trainer.state;
        let step = state.progress.step;
        let start = self.metrics.validation_at_start().map(|line| line.miou);
        let end = self.metrics.last_validation();
        let end = end.filter(|line| line.step == step && line.step > 0);
        let is_comparable = state.progress.scored_otherwise.is_none();
        let gain = start.zip(end).filter(|_| !stopped && is_comparable);
        let model = if stopped {
            None
        } else {
            let path = self.folder.path(MODEL);
            let line = self.metrics.last_validation();
            let finished = state.finished(last, line.as_ref());
            model::file::write(&path, &finished, Precision::Half)
                .map_err(|error| saved_at(step, error.into()))?;
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

    /// Takes the steps of all stages. Returns whether they were stopped before their end.
    fn stages(&mut self) -> Result<bool, TrainError> {
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
        Ok(stopped)
    }

    /// Saves the steps that the run has taken before this error. If that fails, too, those since the
    /// last checkpoint are lost.
    fn interrupted(&mut self, error: TrainError) -> TrainError {
        match self.save_reached() {
            Ok(_) => saved_at(self.trainer.state.progress.step, error),
            Err(_) => self.unsaved(error),
        }
    }

    /// The error of a run whose state cannot be saved, with the step of the last checkpoint, if any.
    fn unsaved(&self, error: TrainError) -> TrainError {
        let saved = self.folder.saved().pop();
        let step = saved.and_then(|path| checkpoint_step(path.file_name()?.to_str()?));
        match step {
            Some(step) => TrainError::Unsaved {
                step,
                source: Box::new(error),
            },
            None => error,
        }
    }

    /// Saves a checkpoint with the settings of the stage that the run has reached.
    fn save_reached(&mut self) -> Result<PathBuf, TrainError> {
        let step = self.trainer.state.progress.step;
        let reached = self.plan.iter().find(|stage| step <= stage.last);
        let reached = reached.unwrap_or(&self.plan[self.plan.len() - 1]);
        self.save(&reached.config)
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
            self.checkpoint_is_due |= step.is_multiple_of(config.train.checkpoint_every);
            // Amid skipped steps the weights are those before them, and may be why there is no finite gradient.
            if self.checkpoint_is_due && step < self.last() && !self.running.ends_skipped() {
                self.save(config)?;
                self.checkpoint_is_due = false;
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
    fn save(&mut self, config: &Config) -> Result<PathBuf, TrainError> {
        let state = &mut self.trainer.state;
        state.progress.unlogged = self.running.unlogged();
        state.describe(config, self.metrics.last_validation().as_ref());
        let path = self.folder.save(state, config.train.keep)?;
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
        if summary.unweighed > 0 {
            let steps = summary.unweighed;
            (self.report)(Event::Unweighed { step, steps });
        }
        if summary.skipped > 0 {
            let skipped = summary.skipped;
            let line = SkippedLine { step, skipped };
            self.metrics.write(&line)?;
            (self.report)(Event::Skipped(line));
        }
        if summary.in_a_row >= config.train.bad_steps {
            return Err(TrainError::Diverged {
                step,
                in_a_row: summary.in_a_row,
                has_temperature: config.loss.objective.has_temperature(),
                checkpoint: self.folder.return_to_finite(),
            });
        }
        Ok(())
    }

    /// Scores the moving average, and writes it if it is the best so far, among the scores that can
    /// be compared. Returns `false` if stopped.
    fn validate(&mut self, config: &Config) -> Result<bool, TrainError> {
        let Some(validation) = self.validation else {
            return Ok(true);
        };
        (self.report)(Event::Validating);
        let step = self.trainer.state.progress.step;
        let scored = validate::validate(
            config,
            &self.trainer.state.average,
            validation,
            step,
            self.folder,
            self.stop,
        )?;
        let Some(line) = scored else {
            return Ok(false);
        };
        // The size at which the model was scored: a run that resumes at another one first takes the validation
        // that it lacks.
        let card = &self.trainer.state.average.card;
        let kind = ScoreKind {
            size: card.size,
            fit: card.fit,
            ..ScoreKind::of(config, validation.len(), self.fingerprint)
        };
        let before = self.trainer.state.progress.clone();
        self.score_as(kind, validation.len());
        // Before its line: a run that resumes takes the best line for the score of this file.
        if let Err(error) = self.keep_if_best(config, &line) {
            // A run that could not write the file is saved as it was, and writes it when it resumes.
            self.trainer.state.progress = before;
            return Err(error);
        }
        self.metrics.write(&line)?;
        (self.report)(Event::Validated {
            line,
            best: self.trainer.state.progress.best,
        });
        self.running.restart_clock();
        Ok(true)
    }

    /// Writes the moving average if its score is the best so far.
    fn keep_if_best(&mut self, config: &Config, line: &ValidationLine) -> Result<(), TrainError> {
        let state = &mut self.trainer.state;
        if state
            .progress
            .best
            .is_some_and(|(best, _)| line.miou <= best)
        {
            return Ok(());
        }
        let best = state.finished(config, Some(line));
        let keeps = self.earlier_best != EarlierBest::Replaced;
        let kept = self.folder.write_best(&best, keeps)?;
        state.progress.best = Some((line.miou, line.step));
        let comparable = self.earlier_best == EarlierBest::Compared;
        self.earlier_best = EarlierBest::Replaced;
        match kept {
            Some(kept) => Ok(self.folder.drop_same(&kept, comparable)?),
            None => Ok(()),
        }
    }

    /// Begins to compare scores of this kind, of `photos` photos. The best of another kind is forgotten; its
    /// model stays unless the plan's next stage has brought the change.
    fn score_as(&mut self, kind: ScoreKind, photos: usize) {
        let progress = &mut self.trainer.state.progress;
        if let Some(before) = progress.scored.as_ref().filter(|before| **before != kind) {
            let last = self.metrics.last_validation().map(|line| line.step);
            let planned = last.is_some_and(|step| {
                let config = validated_at(self.plan, step);
                *before == ScoreKind::of(config, photos, self.fingerprint)
            });
            if !planned {
                self.earlier_best = EarlierBest::Kept;
            }
            progress.best = None;
            progress.scored_otherwise = last;
        }
        progress.scored = Some(kind);
    }
}

/// The error of a run that ended early, but whose state is saved at `step`.
fn saved_at(step: u64, error: TrainError) -> TrainError {
    TrainError::Interrupted {
        step,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Card;
    use crate::run_format::{BEST, CHECKPOINTS, METRICS, SAMPLES, checkpoint_name};
    use crate::train;
    use crate::train::testing::{config, raise_score};
    use burn::tensor::Device;
    use std::fs;
    use std::path::Path;

    fn run(
        config: &Config,
        out: &Path,
        resume: bool,
        report: &mut dyn FnMut(Event),
    ) -> Result<Outcome, TrainError> {
        train::run(config, out, resume, &Device::flex(), report, &|| false)
    }

    fn checkpoint(out: &Path, step: u64) -> PathBuf {
        out.join(CHECKPOINTS).join(checkpoint_name(step))
    }

    #[test]
    fn photos_that_disappear_cost_no_step() {
        let folder = tempfile::tempdir().unwrap();
        let (data, out) = (folder.path().join("data"), folder.path().join("run"));
        let [photos, labels] =
            ["images", "annotations"].map(|kind| data.join(kind).join("training"));
        for path in [&photos, &labels] {
            fs::create_dir_all(path).unwrap();
        }
        for i in 0..4 {
            let name = format!("p{i}.png");
            let photo = image::RgbImage::new(24, 16);
            photo.save(photos.join(&name)).unwrap();
            let label = image::GrayImage::from_fn(24, 16, |x, _| image::Luma([(x / 12) as u8]));
            label.save(labels.join(&name)).unwrap();
        }
        fs::write(data.join("classes.txt"), "sky\nroad\n").unwrap();
        let path = format!("data.path={}", data.display());
        let settings = [
            path.as_str(),
            "data.cache_mib=0",
            "train.steps=1000",
            "train.checkpoint_every=1000",
            "train.validate_every=0",
        ];
        let mut report = |event| {
            if let Event::Step { step: 3 } = event {
                fs::remove_dir_all(&photos).unwrap();
            }
        };
        let error = run(&config("", &settings), &out, false, &mut report).unwrap_err();
        let text = error.to_string();
        let TrainError::Interrupted { step, source } = error else {
            panic!("{text}");
        };
        assert!(matches!(*source, TrainError::Data(_)), "{text}");
        assert!((3..1000).contains(&step), "{text}");
        assert!(text.contains(&format!("step {step}")) && text.contains("--resume"));
        assert!(checkpoint(&out, step).is_dir());
    }

    #[test]
    fn files_that_cannot_be_written_cost_no_step() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let settings = [
            "data.path=scenes:3@16x24",
            "train.steps=4",
            "train.checkpoint_every=1000",
            "train.validate_every=2",
            "train.validate_samples=2",
            "train.validate_steps=1",
        ];
        let config = config("", &settings);
        let mut report = |event| {
            if let Event::Step { step: 1 } = event {
                // Only pictures of predictions are missed.
                fs::remove_dir_all(out.join(SAMPLES)).unwrap();
                fs::write(out.join(SAMPLES), "").unwrap();
                fs::create_dir_all(out.join(BEST).join("in the way")).unwrap();
            }
        };
        let error = run(&config, &out, false, &mut report).unwrap_err();
        let text = error.to_string();
        let TrainError::Interrupted { step: 2, source } = error else {
            panic!("{text}");
        };
        assert!(matches!(*source, TrainError::File(_)), "{text}");
        assert!(text.contains(BEST) && text.contains("--resume"), "{text}");
        assert!(checkpoint(&out, 2).is_dir());
        fs::remove_dir_all(out.join(BEST)).unwrap();
        fs::remove_file(out.join(SAMPLES)).unwrap();
        let mut validated = Vec::new();
        let mut report = |event| {
            if let Event::Validated { line, .. } = event {
                validated.push(line.step);
            }
        };
        let outcome = run(&config, &out, true, &mut report).unwrap();
        assert_eq!((outcome.step, validated), (4, vec![2, 4]));
        assert!(out.join(BEST).is_file());
    }

    /// The checkpoint at the end of a stage waits for a step with a finite gradient, which only the next stage brings.
    #[test]
    fn a_checkpoint_that_waits_is_saved_in_the_next_stage() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let settings = ["data.path=scenes:3@16x24", "train.validate_every=0"];
        let first = config("", &[&settings[..], &["train.steps=1"]].concat());
        run(&first, &out, false, &mut |_| ()).unwrap();
        // A scale at which all gradients overflow. Half precision lowers it until they do not.
        let path = checkpoint(&out, 1).join("progress.json");
        let progress = fs::read_to_string(&path).unwrap();
        let mut progress: serde_json::Value = serde_json::from_str(&progress).unwrap();
        progress["loss_scale"] = 1e38.into();
        fs::write(&path, progress.to_string()).unwrap();
        let toml = "[[stages]]\ntrain.steps = 2\ntrain.checkpoint_every = 2\n[[stages]]\ntrain.steps = 40\n\
                    train.checkpoint_every = 1000\ntrain.precision = \"half\"\n";
        let staged = config(toml, &[&settings[..], &["train.bad_steps=100"]].concat());
        let mut saved = Vec::new();
        let mut report = |event| {
            if let Event::Saved { path } = event {
                saved.extend(checkpoint_step(path.file_name().unwrap().to_str().unwrap()));
            }
        };
        run(&staged, &out, true, &mut report).unwrap();
        assert!(saved.len() == 2 && saved[1] == 42, "{saved:?}");
        assert!((3..42).contains(&saved[0]), "{saved:?}");
    }

    #[test]
    fn a_run_that_cannot_be_saved_says_where_it_continues() {
        let source = Box::new(TrainError::NoDevice);
        let text = TrainError::Unsaved { step: 40, source }.to_string();
        let words = "then continue with --resume from step 40";
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn a_stage_at_another_size_has_a_best_model_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let toml = "[[stages]]\ntrain.steps = 2\n[[stages]]\ntrain.steps = 2\n";
        let settings = [
            "data.path=scenes:3@16x24",
            "stages.2.data.size=[32,48]",
            "train.checkpoint_every=1",
            "train.validate_every=1",
            "train.validate_start=true",
            "train.validate_samples=2",
            "train.validate_steps=1",
        ];
        let config = config(toml, &settings);
        let whole = run(&config, &out, false, &mut |_| ()).unwrap();
        assert!(whole.best.unwrap().1 > 2, "{whole:?}");
        assert_eq!(whole.gain, None);
        // A score of the first stage that no later one reaches, before and after a resume.
        for step in [3, 2] {
            for later in step + 1..=4 {
                fs::remove_dir_all(checkpoint(&out, later)).unwrap();
            }
            raise_score(&out.join(METRICS), 2);
            let mut shown = Vec::new();
            let mut report = |event| {
                if let Event::Validated { best, .. } = event {
                    shown.push(best);
                }
            };
            let resumed = run(&config, &out, true, &mut report).unwrap();
            assert!(resumed.best.unwrap().1 > 2, "{step}: {resumed:?}");
            assert_eq!(shown.last(), Some(&resumed.best));
            let best = Card::read(&fs::read(out.join(BEST)).unwrap()).unwrap();
            assert_eq!(best.size, [32, 48]);
        }
    }
}
