//! The format of a run folder, for its writers and readers.
//!
//! ```text
//! RUN/config.toml                    every setting, and the run's starting point
//! RUN/metrics.jsonl                  a JSON object per line: StepLine, ValidationLine or SkippedLine
//! RUN/samples/step-STEP-PHOTO.png    photo, truth, prediction and errors of a validation
//! RUN/checkpoints/step-STEP/         training states
//! RUN/tokens/                        a frozen encoder's tokens of fixed views
//! RUN/tensorboard/                   the numbers of metrics.jsonl as event files
//! RUN/best.safetensors               the model with the best validation score
//! RUN/model.safetensors              the finished model
//! RUN/best-step-STEP.safetensors     a best model that another took the place of after a resume
//! RUN/model-step-STEP.safetensors    the finished model of an earlier end, of a run that went on
//! RUN/run.lock                       locked while a process trains in the folder
//! ```

use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;
use std::{fs, io};

/// Of consecutive stages, the index of the last one that is validated in another way than the final one; `None` if there
/// is none, or the final one is not validated. A stage is given by what its scores depend on, `None` if it has no scores.
pub(crate) fn last_validated_otherwise<V: PartialEq>(stages: &[Option<V>]) -> Option<usize> {
    let (own, earlier) = stages.split_last()?;
    let own = own.as_ref()?;
    let differs = |stage: &Option<V>| stage.as_ref().is_some_and(|stage| stage != own);
    earlier.iter().rposition(differs)
}

pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const SAMPLES: &str = "samples";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// The moving average of the weights, in the folder of a checkpoint.
pub(crate) const AVERAGE: &str = "ema.safetensors";
pub(crate) const TENSORBOARD: &str = "tensorboard";
/// A frozen encoder's tokens of fixed views, unless `data.token_cache` names another folder.
pub(crate) const TOKENS: &str = "tokens";
/// The model with the best validation score.
pub(crate) const BEST: &str = "best.safetensors";
pub(crate) const MODEL: &str = "model.safetensors";
/// The lock file. It is never removed; the lock ends with the process.
pub(crate) const LOCK: &str = "run.lock";

/// The text of a file of metrics. Bytes that are not UTF-8, as a power failure may leave, are replaced, so that
/// they damage their own line only.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn metrics_text(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line of loss: means since the previous such line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    pub step: u64,
    /// Mean loss of the steps that were not skipped.
    pub loss: f64,
    pub learning_rate: f64,
    /// Norm of the gradient of the last step that was not skipped, before clipping; NaN in files in
    /// which it is null.
    #[serde(deserialize_with = "or_nan")]
    pub gradient_norm: f64,
    /// Throughput since the previous line.
    pub photos_per_second: f64,
    /// Share of the time spent waiting for data, 0 to 1.
    pub waiting: f64,
}

/// A number, or NaN for null, which JSON has in its place.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number: Option<f64>| number.unwrap_or(f64::NAN))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLine {
    pub step: u64,
    /// Mean IoU at network size, 0 to 1.
    pub miou: f64,
    /// Pixel accuracy, 0 to 1.
    pub pixel_accuracy: f64,
}

/// A line about skipped steps, whose gradient was not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkippedLine {
    pub step: u64,
    /// Steps skipped since the previous line.
    pub skipped: u64,
}

/// Any line. Every field is optional, so that files of other versions and programs can be read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct AnyLine {
    pub step: Option<u64>,
    pub loss: Option<f64>,
    pub learning_rate: Option<f64>,
    pub photos_per_second: Option<f64>,
    pub waiting: Option<f64>,
    pub miou: Option<f64>,
    pub pixel_accuracy: Option<f64>,
    pub skipped: Option<u64>,
}

/// The folder of a checkpoint, in [`CHECKPOINTS`].
pub(crate) fn checkpoint_name(step: u64) -> String {
    format!("step-{step:08}")
}

/// The step in the name of a checkpoint's folder.
pub(crate) fn checkpoint_step(name: &str) -> Option<u64> {
    number(name.strip_prefix("step-")?)
}

/// The file name of a sample prediction, in [`SAMPLES`]. `photo` must be valid in a file name.
pub(crate) fn sample_name(step: u64, photo: &str) -> String {
    format!("step-{step:08}-{photo}.png")
}

/// The step and the photo in the name of a sample prediction.
pub(crate) fn parse_sample_name(name: &str) -> Option<(u64, &str)> {
    let (step, photo) = name
        .strip_suffix(".png")?
        .strip_prefix("step-")?
        .split_once('-')?;
    Some((number(step)?, photo))
}

fn number(digits: &str) -> Option<u64> {
    let valid = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        for step in [0, 7, 12_345_678, u64::MAX] {
            assert_eq!(checkpoint_step(&checkpoint_name(step)), Some(step));
            let name = sample_name(step, "street-2-step-7.png");
            assert_eq!(
                parse_sample_name(&name),
                Some((step, "street-2-step-7.png"))
            );
        }
        for name in ["step-", "step-+7", "step-3.old", "step-backup", "3"] {
            assert_eq!(checkpoint_step(name), None, "{name}");
        }
        for name in ["step-3.png", "step-+7-a.png", "step-3-a.txt", "a.png"] {
            assert_eq!(parse_sample_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_line_has_one_kind() {
        let step = StepLine {
            step: 3,
            loss: 0.5,
            learning_rate: 1e-3,
            gradient_norm: 2.0,
            photos_per_second: 9.0,
            waiting: 0.25,
        };
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<StepLine>(&text).unwrap(), step);
        assert!(serde_json::from_str::<ValidationLine>(&text).is_err());
        assert!(serde_json::from_str::<SkippedLine>(&text).is_err());
        // As some versions wrote the norm of a skipped step.
        let null = text.replace("\"gradient_norm\":2.0", "\"gradient_norm\":null");
        let line: StepLine = serde_json::from_str(&null).unwrap();
        assert!(line.gradient_norm.is_nan() && line.loss == step.loss);
        let line: AnyLine = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (line.step, line.loss, line.miou),
            (Some(3), Some(0.5), None)
        );
    }
}
