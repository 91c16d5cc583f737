//! What the scores of a run depend on besides its weights.

use super::config::{Config, Stage};
use crate::model::Fit;
use serde::{Deserialize, Serialize};

/// How a validation is taken: only scores of the same kind can be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreKind {
    /// `[height, width]` of the photos, in pixels.
    pub size: [usize; 2],
    pub fit: Fit,
    /// Solver steps.
    pub steps: usize,
    /// The number of photos that are scored; 0 for all.
    pub samples: usize,
    /// [`Dataset::fingerprint`](crate::data::Dataset::fingerprint) of the split.
    pub photos: String,
}

impl ScoreKind {
    /// The kind of the scores with these settings, of a split with so many photos and this fingerprint.
    pub(super) fn of(config: &Config, photos: usize, fingerprint: &str) -> Self {
        let samples = config.train.validate_samples;
        Self {
            size: config.data.size,
            fit: config.fit(),
            steps: config.train.validate_steps,
            samples: if samples < photos { samples } else { 0 },
            photos: fingerprint.to_owned(),
        }
    }

    /// The settings and the data in which another kind differs.
    pub(super) fn differences(&self, other: &Self) -> String {
        let parts = [
            (self.size != other.size, "data.size"),
            (self.fit != other.fit, "data.crop"),
            (self.steps != other.steps, "train.validate_steps"),
            (self.samples != other.samples, "train.validate_samples"),
            (
                self.photos != other.photos,
                "the classes, photos or labels of the validation",
            ),
        ];
        let differing = parts.iter().filter(|(differs, _)| *differs);
        let names: Vec<&str> = differing.map(|(_, name)| *name).collect();
        names.join(", ")
    }
}

/// The settings of a validation at `step`: one at the end of a stage is that stage's.
pub(super) fn validated_at(plan: &[Stage], step: u64) -> &Config {
    let stage = plan.iter().find(|stage| step <= stage.last);
    &stage.unwrap_or(&plan[plan.len() - 1]).config
}
