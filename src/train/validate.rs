//! Validation during training: mIoU at network size, and pictures of sample predictions.

use super::TrainError;
use super::config::Config;
use super::folder::RunFolder;
use crate::data::Dataset;
use crate::eval::{self, Confusion, EvalError, Resolution, ScoredPhoto, Scoring};
use crate::model::Model;
use crate::run_format::{self, SAMPLES, ValidationLine};
use crate::{files, pictures};
use image::RgbImage;
use image::imageops::{self, FilterType};

const SHOWN: usize = 6;
/// Maximum length of the photo's name in a sample's file name, in bytes; file systems allow 255 in
/// all.
const LONGEST_NAME: usize = 200;

/// Scores `model` on the validation split, with whole photos and labels at the size that its card
/// specifies, and writes sample predictions of a few photos spread over the split. `None` if
/// stopped.
pub(super) fn validate(
    config: &Config,
    model: &Model,
    data: &Dataset,
    step: u64,
    folder: &RunFolder,
    stop: &dyn Fn() -> bool,
) -> Result<Option<ValidationLine>, TrainError> {
    let scoring = scoring(config);
    let scored = eval::spread(data.len(), scoring.samples);
    let shown: Vec<usize> = eval::spread(scored.len(), SHOWN)
        .into_iter()
        .map(|i| scored[i])
        .collect();
    let centroids = model.centroids();
    let mut strips: Vec<(String, RgbImage)> = Vec::new();
    let mut keep = |seen: &ScoredPhoto| {
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
        // A picture that cannot be made or written does not stop a run.
        if let Ok(png) = pictures::png(&strip) {
            let name = files::name_part(&name, LONGEST_NAME);
            let file = run_format::sample_name(step, &name);
            if let Err(error) = files::write_atomic(&folder.path(SAMPLES).join(file), &png) {
                tracing::warn!("the pictures of step {step} are left out: {error}");
                break;
            }
        }
    }
    let samples = scoring.samples;
    let scores = outcomes
        .into_iter()
        .next()
        .map_or_else(|| Confusion::new(0), |outcome| outcome.confusion)
        .scores();
    Ok(Some(ValidationLine {
        step,
        miou: scores.miou.ok_or(TrainError::Unlabelled { samples })?,
        pixel_accuracy: scores
            .pixel_accuracy
            .ok_or(TrainError::Unlabelled { samples })?,
    }))
}

fn scoring(config: &Config) -> Scoring {
    let t = &config.train;
    Scoring {
        steps: vec![t.validate_steps],
        resolutions: vec![Resolution::Network],
        // As many at once as in a part of a training batch, so that memory suffices.
        batch: t.batch_size.div_ceil(t.accumulate),
        samples: t.validate_samples,
        ..Scoring::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_photos_are_scored_at_once_than_are_trained_on_at_once() {
        let sets = ["train.batch_size=9", "train.accumulate=4"].map(str::to_owned);
        let config = Config::parse("", &sets).unwrap();
        assert_eq!(scoring(&config).batch, 3);
    }
}
