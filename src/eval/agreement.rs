//! How often predictions of several runs over the same photos agree.

use super::ScoredPhoto;
use super::label_runs::{LabelRuns, from_runs, runs};
use std::collections::BTreeMap;

/// Pixels on which predictions agree. Every run's prediction is compared with the first run's, so that
/// only one prediction per photo is kept, as runs of equal labels.
#[derive(Default)]
pub struct Agreement {
    first: BTreeMap<(usize, usize), LabelRuns>,
    same: BTreeMap<usize, [u64; 2]>,
}

impl Agreement {
    /// Adds a prediction. The first one of a photo at a number of steps is the reference for later
    /// ones.
    pub fn add(&mut self, seen: &ScoredPhoto) {
        let key = (seen.index, seen.steps);
        match self.first.get(&key) {
            None => {
                self.first.insert(key, runs(seen.prediction));
            }
            Some(first) => {
                let same = from_runs(first).zip(seen.prediction);
                let counts = self.same.entry(seen.steps).or_default();
                counts[0] += same.filter(|(a, b)| a == *b).count() as u64;
                counts[1] += seen.prediction.len() as u64;
            }
        }
    }

    /// The share of pixels, 0 to 1, at which a run predicts what the first one did; `None` after a
    /// single run.
    pub fn share(&self, steps: usize) -> Option<f64> {
        let [same, all] = self.same.get(&steps)?;
        (*all > 0).then(|| *same as f64 / *all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Sample;
    use crate::inference::Segmented;
    use crate::labels::LabelMap;
    use crate::votes::Votes;

    #[test]
    fn pixels_that_agree_are_counted_by_steps() {
        let sample = Sample {
            name: "p".to_owned(),
            image: image::RgbImage::new(2, 2),
            labels: LabelMap {
                width: 2,
                height: 2,
                data: vec![0; 4],
            },
        };
        let mut agreement = Agreement::default();
        let mut add = |steps, prediction: [u16; 4]| {
            agreement.add(&ScoredPhoto {
                index: 0,
                steps,
                sample: &sample,
                size: [2, 2],
                known: &[true; 10],
                prediction: &prediction,
                segmented: &Segmented::whole(Votes::for_labels(&prediction, 10, [2, 2])),
            });
        };
        add(1, [0, 1, 2, 3]);
        add(2, [5; 4]);
        add(1, [0, 1, 2, 9]);
        add(1, [0, 9, 9, 3]);
        assert_eq!(agreement.share(1), Some(5.0 / 8.0));
        assert_eq!(agreement.share(2), None);
    }
}
