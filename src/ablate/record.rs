//! The record of a finished run: `scores/NAME.json`.

use super::error::AblateError;
use super::table::{Job, ScoreSettings};
use crate::device::Opened;
use crate::files::{self, FileError};
use crate::run_format::{MODEL, StepLine, ValidationLine};
use crate::train::config::Config;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that a table needs from a run, so that the run's folder can be deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub row: String,
    pub seed: u64,
    /// Its settings, as TOML.
    pub config: String,
    pub score: ScoreSettings,
    /// Version of this program.
    pub version: String,
    pub device: String,
    pub data: String,
    pub classes: usize,
    /// Number of photos trained on, and of photos scored.
    pub photos: [usize; 2],
    /// Parameters of the network.
    pub parameters: usize,
    pub steps: u64,
    /// Median seconds per training step, without validations.
    pub seconds_per_step: Option<f64>,
    /// Step and mIoU, 0 to 1, of every validation of the training.
    pub curve: Vec<(u64, f64)>,
    /// Scores by number of solver steps; empty if the run diverged.
    pub results: Vec<StepResult>,
    /// Why there are no scores.
    pub failure: Option<String>,
}

/// The scores at one number of solver steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// Solver steps.
    pub steps: usize,
    /// Mean IoU, 0 to 1.
    pub miou: f64,
    /// Pixel accuracy, 0 to 1.
    pub pixel_accuracy: f64,
    /// Share of pixels for which the other noise seeds predict the same class as the first, 0 to 1.
    pub agreement: Option<f64>,
    /// IoU by class index; `None` for classes that are neither present nor predicted.
    pub iou: Vec<Option<f64>>,
}

fn path(out: &Path, job: &Job) -> PathBuf {
    out.join("scores").join(format!("{}.json", job.name))
}

impl Record {
    pub(super) fn new(job: &Job, score: &ScoreSettings, device: &Opened) -> Self {
        Self {
            row: job.row_name.clone(),
            seed: job.seed,
            config: job.config.to_toml(),
            score: score.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: device.to_string(),
            data: String::new(),
            classes: 0,
            photos: [0; 2],
            parameters: 0,
            steps: 0,
            seconds_per_step: None,
            curve: Vec::new(),
            results: Vec::new(),
            failure: None,
        }
    }

    /// The record of a finished job. One with other score settings is ignored if there is a model,
    /// which can be scored again.
    ///
    /// # Errors
    /// If the record cannot be read, or has other training settings.
    pub(super) fn read(
        out: &Path,
        job: &Job,
        score: &ScoreSettings,
    ) -> Result<Option<Self>, AblateError> {
        let path = path(out, job);
        if !path.exists() {
            return Ok(None);
        }
        let record: Self =
            serde_json::from_slice(&files::read(&path)?).map_err(|error| AblateError::Table {
                path: path.clone(),
                reason: format!("{error}: remove it to score the run again"),
            })?;
        if record.settings().as_ref() != Some(&job.config) {
            return Err(AblateError::Changed(path));
        }
        // A run that diverged has none, nor checkpoints to train it again from.
        let model = out.join("runs").join(&job.name).join(MODEL);
        let lost = record.failure.is_some() && !model.exists();
        Ok(Some(record).filter(|record| record.score == *score || lost))
    }

    pub(super) fn write(&self, out: &Path, job: &Job) -> Result<(), FileError> {
        let path = path(out, job);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| FileError::Write {
            path: path.clone(),
            source: error.into(),
        })?;
        files::write_atomic(&path, &bytes)
    }

    /// Its settings; those added in later versions have their defaults.
    pub(super) fn settings(&self) -> Option<Config> {
        Config::parse(&self.config, &[]).ok()
    }

    /// Reads curve and cost from a run's `metrics.jsonl`, if there is one.
    pub(super) fn read_metrics(&mut self, path: &Path) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut seconds = Vec::new();
        let plan = self.settings().and_then(|config| config.plan().ok());
        let plan = plan.unwrap_or_default();
        // A line belongs to the stage that contains its step.
        let batch = |step: u64| {
            let stage = plan.iter().find(|stage| step <= stage.last);
            stage.map_or(0, |stage| stage.config.train.batch_size)
        };
        for line in text.lines() {
            if let Ok(line) = serde_json::from_str::<ValidationLine>(line) {
                self.curve.push((line.step, line.miou));
            } else if let Ok(line) = serde_json::from_str::<StepLine>(line) {
                self.steps = line.step;
                seconds.push(batch(line.step) as f64 / line.photos_per_second.max(1e-9));
            }
        }
        seconds.sort_by(f64::total_cmp);
        self.seconds_per_step = seconds.get(seconds.len() / 2).copied();
    }
}
