//! Validation during training: mIoU at network size, and sample predictions as pictures.

use super::TrainError;
use super::config::Config;
use super::folder::RunFolder;
use super::metrics::ValidationLine;
use crate::data::Dataset;
use crate::eval::{self, Confusion, EvalError, Resolution, Scoring, Seen};
use crate::model::Model;
use crate::{files, pictures};
use image::RgbImage;
use image::imageops::{self, FilterType};

/// Photos whose predictions are written at every validation.
const SHOWN: usize = 6;
/// Bytes of a photo's name in that of its picture; disks allow 255 in all.
const LONGEST_NAME: usize = 200;

/// Scores `model` on the validation split, whole photos at the size that its card gives them and
/// labels with them, and writes `samples/step-STEP-NAME.png` for a few photos spread over the split:
/// photo, truth, prediction and errors. None where `stop` said so before it was done.
pub(super) fn validate(
    config: &Config,
    model: &Model,
    data: &Dataset,
    step: u64,
    folder: &RunFolder,
    stop: &dyn Fn() -> bool,
) -> Result<Option<ValidationLine>, TrainError> {
    let scoring = Scoring {
        steps: vec![config.train.validate_steps],
        resolutions: vec![Resolution::Network],
        batch: config.train.batch_size,
        samples: config.train.validate_samples,
        ..Scoring::default()
    };
    let scored = eval::spread(data.len(), scoring.samples);
    let shown: Vec<usize> = eval::spread(scored.len(), SHOWN)
        .into_iter()
        .map(|i| scored[i])
        .collect();
    let centroids = model.centroids();
    let mut strips: Vec<(String, RgbImage)> = Vec::new();
    let mut keep = |seen: &Seen| {
        if shown.contains(&seen.index) {
            let [height, width] = seen.size.map(|side| side as u32);
            let photo = imageops::resize(&seen.sample.image, width, height, FilterType::Triangle);
            let truth = seen.labels_at_network_size();
            let strip = pictures::strip(&photo, &truth, seen.prediction, &centroids);
            strips.push((seen.sample.name.clone(), strip));
        }
    };
    let outcomes = match eval::score(model, data, &scoring, &mut keep, stop) {
        Err(EvalError::Stopped) => return Ok(None),
        scored => scored?,
    };
    for (name, strip) in strips {
        // A picture that cannot be encoded is no reason to stop a run; a full disk is.
        if let Ok(png) = pictures::png(&strip) {
            let name = files::name_part(&name, LONGEST_NAME);
            let file = format!("step-{step:08}-{name}.png");
            files::write_atomic(&folder.path("samples").join(file), &png)?;
        }
    }
    let scores = outcomes
        .into_iter()
        .next()
        .map_or_else(|| Confusion::new(0), |outcome| outcome.confusion)
        .scores();
    Ok(Some(ValidationLine {
        step,
        miou: scores.miou.unwrap_or_default(),
        pixel_accuracy: scores.pixel_accuracy.unwrap_or_default(),
    }))
}
