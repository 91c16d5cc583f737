//! The record of a finished run: `scores/NAME.json`.

use super::error::AblateError;
use super::table::{Job, ScoreSettings};
use crate::device::Opened;
use crate::files::{self, FileError};
use crate::run_format::{MODEL, StepLine, ValidationLine, metrics_text};
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
    /// The device that it was trained on.
    pub device: String,
    pub data: String,
    /// [`Dataset::fingerprint`](crate::data::Dataset::fingerprint) of the photos to train on and of those to score;
    /// empty in a record of an earlier version.
    #[serde(default)]
    pub fingerprints: [String; 2],
    pub classes: usize,
    /// Number of photos trained on, and of photos scored.
    pub photos: [usize; 2],
    /// Parameters of the network; 0 if unknown.
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
            fingerprints: Default::default(),
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

    /// The record of a finished job, with the results of the numbers of solver steps that are asked for. One with
    /// other score settings, or without one of these numbers, is ignored if there is a model, which can be scored
    /// again.
    ///
    /// # Errors
    /// If the record cannot be read, has other training settings, or has other score settings and the
    /// model is gone.
    pub(super) fn read(
        out: &Path,
        job: &Job,
        score: &ScoreSettings,
    ) -> Result<Option<Self>, AblateError> {
        let Some(record) = Self::stored(out, job)? else {
            return Ok(None);
        };
        if record.score == *score {
            return Ok(Some(record));
        }
        if let Some(record) = record.with_steps(score) {
            return Ok(Some(record));
        }
        let model = out.join("runs").join(&job.name).join(MODEL);
        match (model.exists(), &record.failure) {
            (true, _) => Ok(None),
            // A run that diverged has no model, nor checkpoints to train it again from.
            (false, Some(_)) => Ok(Some(record)),
            (false, None) => Err(AblateError::Unscored {
                record: path(out, job),
                model,
            }),
        }
    }

    /// The record for score settings that differ from its own only in the numbers of solver steps, each of which it
    /// has a result of.
    fn with_steps(&self, score: &ScoreSettings) -> Option<Self> {
        let own = ScoreSettings {
            steps: score.steps.clone(),
            ..self.score.clone()
        };
        let result = |steps: &usize| self.results.iter().find(|result| result.steps == *steps);
        let results: Option<Vec<&StepResult>> = score.steps.iter().map(result).collect();
        let results = results.filter(|_| own == *score && self.failure.is_none())?;
        Some(Self {
            results: results.into_iter().cloned().collect(),
            score: own,
            ..self.clone()
        })
    }

    /// The record of a job, whatever its score settings. Its row has the name that the table has now:
    /// another may have the same file name.
    ///
    /// # Errors
    /// If the record cannot be read, or has other training settings.
    pub(super) fn stored(out: &Path, job: &Job) -> Result<Option<Self>, AblateError> {
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
        Ok(Some(Self {
            row: job.row_name.clone(),
            ..record
        }))
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
        let text = metrics_text(path).unwrap_or_default();
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record with a score, or of a run that diverged.
    pub(crate) fn record(row: &str, seed: u64, miou: Option<f64>) -> Record {
        let result = miou.map(|miou| StepResult {
            steps: 5,
            miou,
            pixel_accuracy: 0.5,
            agreement: Some(0.75),
            iou: vec![Some(miou), None],
        });
        Record {
            row: row.to_owned(),
            seed,
            config: Config::default().to_toml(),
            score: ScoreSettings::default(),
            version: "1.0.0".to_owned(),
            device: "cpu".to_owned(),
            data: "scenes".to_owned(),
            fingerprints: Default::default(),
            classes: 2,
            photos: [512, 64],
            parameters: 1_500_000,
            steps: 300,
            seconds_per_step: Some(0.25),
            curve: vec![(100, 0.1), (200, 0.2)],
            failure: result.is_none().then(|| "the loss is NaN".to_owned()),
            results: result.into_iter().collect(),
        }
    }

    #[test]
    fn a_record_is_that_of_its_job_whatever_the_row_is_called() {
        let out = tempfile::tempdir().unwrap();
        std::fs::create_dir(out.path().join("scores")).unwrap();
        let job = |row_name: &str| Job {
            name: "vanilla-seed0".to_owned(),
            row: 0,
            row_name: row_name.to_owned(),
            seed: 0,
            config: Config::default(),
        };
        let written = record("vanilla", 0, Some(0.5));
        written.write(out.path(), &job("vanilla")).unwrap();
        let read = |score: &ScoreSettings| Record::read(out.path(), &job("Vanilla"), score);
        let found = read(&written.score).unwrap().unwrap();
        assert_eq!(found.row, "Vanilla");
        assert_eq!(found.results, written.results);
        // Each number of steps has its own result.
        let several = ScoreSettings {
            steps: vec![3, 5],
            ..written.score.clone()
        };
        let with_both = Record {
            score: several.clone(),
            results: [3, 5]
                .map(|steps| StepResult {
                    steps,
                    ..written.results[0].clone()
                })
                .to_vec(),
            ..written.clone()
        };
        with_both.write(out.path(), &job("vanilla")).unwrap();
        let five = ScoreSettings {
            steps: vec![5],
            ..several.clone()
        };
        assert_eq!(read(&five).unwrap().unwrap().results, written.results);
        let on_test = ScoreSettings {
            split: "test".to_owned(),
            ..five
        };
        assert!(read(&on_test).is_err());
        written.write(out.path(), &job("vanilla")).unwrap();
        // Other score settings need the model.
        let other = ScoreSettings {
            steps: vec![3],
            ..ScoreSettings::default()
        };
        let error = read(&other).unwrap_err();
        assert!(matches!(error, AblateError::Unscored { .. }), "{error}");
        let run = out.path().join("runs/vanilla-seed0");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join(MODEL), "").unwrap();
        assert_eq!(read(&other).unwrap(), None);
        std::fs::remove_file(run.join(MODEL)).unwrap();
        let diverged = record("vanilla", 0, None);
        diverged.write(out.path(), &job("vanilla")).unwrap();
        assert!(read(&other).unwrap().is_some());
    }
}
