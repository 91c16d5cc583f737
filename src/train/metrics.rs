//! `metrics.jsonl`: one JSON object a line, appended as the run goes.

use crate::files::FileError;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A line of loss, averaged since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    /// The step.
    pub step: u64,
    /// Mean loss.
    pub loss: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Norm of the last step's gradient, before clipping.
    pub gradient_norm: f64,
    /// Throughput.
    pub photos_per_second: f64,
    /// Share of the time spent waiting for data, 0 to 1.
    pub waiting: f64,
}

/// A line of validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLine {
    /// The step.
    pub step: u64,
    /// Mean IoU at network size, 0 to 1.
    pub miou: f64,
    /// Pixel accuracy, 0 to 1.
    pub pixel_accuracy: f64,
}

/// The open file.
pub struct Metrics {
    path: PathBuf,
    file: File,
    last_validation: Option<ValidationLine>,
}

impl Metrics {
    /// Opens the file for appending. Lines past `step` are dropped: a run that was killed after
    /// its last checkpoint takes those steps again.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn open(path: &Path, step: u64) -> Result<Self, FileError> {
        let mut last_validation = None;
        if let Ok(text) = fs::read_to_string(path) {
            let mut kept = String::new();
            for line in text.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                if value["step"].as_u64().is_some_and(|s| s <= step) {
                    kept.push_str(line);
                    kept.push('\n');
                    if let Ok(line) = serde_json::from_value(value) {
                        last_validation = Some(line);
                    }
                }
            }
            crate::files::write_atomic(path, kept.as_bytes())?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| FileError::Write {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            last_validation,
        })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn write(&mut self, line: &(impl Serialize + Clone)) -> Result<(), FileError> {
        let failed = |source| FileError::Write {
            path: self.path.clone(),
            source,
        };
        let value = serde_json::to_value(line).map_err(|e| failed(io::Error::other(e)))?;
        writeln!(self.file, "{value}").map_err(failed)?;
        if let Ok(line) = serde_json::from_value(value) {
            self.last_validation = Some(line);
        }
        Ok(())
    }

    /// The last validation written or found.
    pub fn last_validation(&self) -> Option<ValidationLine> {
        self.last_validation.clone()
    }
}
