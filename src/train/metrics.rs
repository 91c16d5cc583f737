//! Writes `metrics.jsonl` during a run, and the same numbers for TensorBoard.

use super::tensorboard::EventFile;
use crate::files::{self, FileError};
use crate::run_format::{TENSORBOARD, ValidationLine, metrics_text};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) struct Metrics {
    path: PathBuf,
    file: File,
    events: EventFile,
    /// All lines of validations.
    validations: Vec<ValidationLine>,
}

impl Metrics {
    /// Opens the file for appending, and a new event file in `tensorboard/` beside it. Lines past
    /// `step` are deleted: a run that was killed after its last checkpoint repeats those steps.
    ///
    /// # Errors
    /// If a read or write fails.
    pub(super) fn open(path: &Path, step: u64) -> Result<Self, FileError> {
        let mut validations = Vec::new();
        let text = match metrics_text(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::read(path)(error)),
        };
        if let Some(text) = text {
            let mut kept = String::new();
            for line in text.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                if value["step"].as_u64().is_some_and(|s| s <= step) {
                    kept.push_str(line);
                    kept.push('\n');
                    validations.extend(serde_json::from_value::<ValidationLine>(value).ok());
                }
            }
            files::write_atomic(path, kept.as_bytes())?;
        }
        let file = files::append(path)?;
        let events = EventFile::create(&path.with_file_name(TENSORBOARD), step)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            events,
            validations,
        })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If a write fails.
    pub(super) fn write(&mut self, line: &(impl Serialize + Clone)) -> Result<(), FileError> {
        let failed = |source| FileError::Write {
            path: self.path.clone(),
            source,
        };
        let value = serde_json::to_value(line).map_err(|e| failed(io::Error::other(e)))?;
        append_line(&mut self.file, &value).map_err(failed)?;
        self.events
            .scalars(value["step"].as_u64().unwrap_or(0), scalars(&value))?;
        self.validations.extend(serde_json::from_value(value).ok());
        Ok(())
    }

    /// The first of the best validations, of all or of those after a step.
    pub(super) fn best_validation(&self, after: Option<u64>) -> Option<&ValidationLine> {
        self.validations
            .iter()
            .filter(|line| after.is_none_or(|after| line.step > after))
            .reduce(|best, line| if line.miou > best.miou { line } else { best })
    }

    /// The validation before the first step, also of a run that was resumed.
    pub(super) fn validation_at_start(&self) -> Option<&ValidationLine> {
        self.validations.first().filter(|line| line.step == 0)
    }

    /// The last validation, also of a run that was resumed.
    pub(super) fn last_validation(&self) -> Option<ValidationLine> {
        self.validations.last().cloned()
    }
}

/// Appends a value as a line with one write, so that programs that read the file meanwhile see whole
/// lines.
fn append_line(file: &mut impl Write, value: &serde_json::Value) -> io::Result<()> {
    file.write_all(format!("{value}\n").as_bytes())
}

/// The greatest step of the lines of a file; 0 without any.
pub(super) fn last_step(path: &Path) -> u64 {
    let text = metrics_text(path).unwrap_or_default();
    let steps = text.lines().filter_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value["step"].as_u64()
    });
    steps.max().unwrap_or(0)
}

/// The numbers of a line with their TensorBoard tags, `train/KEY` or `validation/KEY`.
fn scalars(line: &serde_json::Value) -> Vec<(String, f64)> {
    let group = if line.get("miou").is_some() {
        "validation"
    } else {
        "train"
    };
    let numbers = line.as_object().into_iter().flatten();
    numbers
        .filter(|(key, _)| *key != "step")
        .filter_map(|(key, value)| Some((format!("{group}/{key}"), value.as_f64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_damaged_line_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let line = |step, end: &[u8]| {
            let text = format!("{{\"step\":{step},\"miou\":0.5,\"pixel_accuracy\":0.5}}");
            [text.as_bytes(), end].concat()
        };
        let lines = [line(2, b"\n"), line(4, b"\n"), line(6, b"\xff\x00")];
        fs::write(&path, lines.concat()).unwrap();
        assert_eq!(last_step(&path), 4);
        let mut metrics = Metrics::open(&path, 2).unwrap();
        assert_eq!(metrics.best_validation(None).map(|line| line.step), Some(2));
        metrics.write(&serde_json::json!({"step": 3})).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn metrics_that_cannot_be_read_are_no_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::create_dir(&path).unwrap();
        let opened = Metrics::open(&path, 2).map(|_| ());
        assert!(matches!(opened, Err(FileError::Read { .. })), "{opened:?}");
    }

    #[test]
    fn lines_past_the_checkpoint_are_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let line = |step| ValidationLine {
            step,
            miou: 0.25,
            pixel_accuracy: 0.5,
        };
        let mut metrics = Metrics::open(&path, 0).unwrap();
        for step in [2, 4, 6] {
            metrics.write(&line(step)).unwrap();
        }
        drop(metrics);
        let metrics = Metrics::open(&path, 4).unwrap();
        assert_eq!(metrics.last_validation(), Some(line(4)));
        // The first of equal ones.
        assert_eq!(metrics.best_validation(None), Some(&line(2)));
        assert_eq!(metrics.best_validation(Some(2)), Some(&line(4)));
        assert_eq!(metrics.best_validation(Some(4)), None);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(
            fs::read_dir(folder.path().join("tensorboard"))
                .unwrap()
                .count(),
            2
        );
    }

    #[test]
    fn a_line_is_written_at_once() {
        struct Writes(Vec<String>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(String::from_utf8_lossy(bytes).into_owned());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Writes(Vec::new());
        append_line(&mut writes, &serde_json::json!({"step": 3})).unwrap();
        assert_eq!(writes.0, ["{\"step\":3}\n"]);
    }

    #[test]
    fn tags_name_training_or_validation() {
        let tags =
            |text: &str| -> Vec<(String, f64)> { scalars(&serde_json::from_str(text).unwrap()) };
        assert_eq!(
            tags(r#"{"step":3,"loss":0.5}"#),
            [("train/loss".to_owned(), 0.5)]
        );
        assert_eq!(
            tags(r#"{"step":3,"miou":0.5,"note":"x"}"#),
            [("validation/miou".to_owned(), 0.5)]
        );
    }
}
