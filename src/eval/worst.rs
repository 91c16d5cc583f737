//! The photos with the worst scores.

use super::ScoredPhoto;
use super::confusion::own_scores;
use super::label_runs::{LabelRuns, from_runs, runs};
use crate::data::{DataError, Dataset};
use crate::encoding::Centroids;
use crate::pictures;
use image::RgbImage;

/// How photos are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum WorstBy {
    /// The lowest mIoU of the photo
    #[default]
    Iou,
    /// The greatest uncertainty: the mean entropy of the photo's pixels
    Doubt,
}

/// A photo with its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub index: usize,
    pub name: String,
    /// Mean IoU over the classes that the photo or its prediction has, 0 to 1, apart from those that
    /// the data set does not have.
    pub miou: f64,
    /// Share of its labelled pixels that are right, 0 to 1.
    pub pixel_accuracy: f64,
    /// Mean entropy of its pixels at the network's size, 0 to 1 (see [`mean_doubt`](crate::votes::Votes::mean_doubt)).
    pub doubt: f64,
    /// The predicted class of every pixel, at the labels' size. Thousands of whole masks would fill the memory.
    prediction: LabelRuns,
}

/// Keeps the `count` worst photos, worst first. Photos without a labelled pixel have no score and are
/// left out.
pub struct Worst {
    count: usize,
    by: WorstBy,
    ranked: Vec<Ranked>,
}

impl Worst {
    pub fn new(count: usize, by: WorstBy) -> Self {
        Self {
            count,
            by,
            ranked: Vec::new(),
        }
    }

    /// Adds a scored photo, at the labels' resolution.
    pub fn add(&mut self, seen: &ScoredPhoto) {
        let prediction = seen.at_label_size();
        let Some(own) = own_scores(&seen.sample.labels.data, &prediction, seen.known) else {
            return;
        };
        let mut ranked = Ranked {
            index: seen.index,
            name: seen.sample.name.clone(),
            miou: own.miou,
            pixel_accuracy: own.pixel_accuracy,
            doubt: seen.segmented.votes.mean_doubt(),
            prediction: Vec::new(),
        };
        let key = |ranked: &Ranked| match self.by {
            WorstBy::Iou => ranked.miou,
            WorstBy::Doubt => -ranked.doubt,
        };
        // Ties go to the lower index, so that the result does not depend on the order of scoring.
        let at = self
            .ranked
            .partition_point(|r| (key(r), r.index) < (key(&ranked), ranked.index));
        if at >= self.count {
            return;
        }
        ranked.prediction = runs(&prediction);
        self.ranked.insert(at, ranked);
        self.ranked.truncate(self.count);
    }

    /// The photos, worst first.
    pub fn ranked(&self) -> &[Ranked] {
        &self.ranked
    }
}

impl Ranked {
    /// Photo, truth, prediction and errors side by side.
    ///
    /// # Errors
    /// The photo can no longer be loaded.
    pub fn strip(&self, data: &Dataset, centroids: &Centroids) -> Result<RgbImage, DataError> {
        let sample = data.load(self.index)?;
        Ok(pictures::strip(
            &sample.image,
            &sample.labels.data,
            &from_runs(&self.prediction).collect::<Vec<_>>(),
            centroids,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Sample;
    use crate::inference::Segmented;
    use crate::labels::{IGNORE, LabelMap};
    use crate::votes::Votes;

    /// Adds a photo of `side` by `side` pixels, all of which have the same label, and what is predicted for it.
    fn add(
        worst: &mut Worst,
        index: usize,
        label: u16,
        side: usize,
        prediction: &[u16],
        votes: Votes,
    ) {
        let sample = Sample {
            name: format!("p{index}"),
            image: RgbImage::new(side as u32, side as u32),
            labels: LabelMap {
                width: side,
                height: side,
                data: vec![label; side * side],
            },
        };
        worst.add(&ScoredPhoto {
            index,
            steps: 1,
            sample: &sample,
            size: [side, side],
            known: &[true; 3],
            prediction,
            segmented: &Segmented::whole(votes),
        });
    }

    #[test]
    fn only_the_worst_are_kept_in_order() {
        let mut worst = Worst::new(2, WorstBy::Iou);
        // Photo i has i of 4 pixels wrong; the last has no labels.
        for (index, wrong) in [1usize, 3, 0, 2, 4].into_iter().enumerate() {
            let prediction: Vec<u16> = (0..4).map(|p| u16::from(p < wrong)).collect();
            let label = if index == 4 { IGNORE } else { 0 };
            let votes = Votes::for_labels(&prediction, 10, [2, 2]);
            add(&mut worst, index, label, 2, &prediction, votes);
        }
        let names: Vec<&str> = worst.ranked().iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["p1", "p3"]);
        assert_eq!(worst.ranked()[0].pixel_accuracy, 0.25);
        let mask = |at: usize| from_runs(&worst.ranked()[at].prediction).collect::<Vec<_>>();
        assert_eq!([mask(0), mask(1)], [[1, 1, 1, 0], [1, 1, 0, 0]]);
    }

    #[test]
    fn the_most_doubtful_come_first_where_doubt_is_asked_for() {
        let mut worst = Worst::new(2, WorstBy::Doubt);
        let centroids = Centroids::kronecker(3);
        let code = |class: usize, axis: usize| centroids.code(class)[axis] as f32;
        // Photos of one pixel on the way from class 0 to class 1.
        for (index, share) in [0.0f32, 0.5, 0.2].into_iter().enumerate() {
            let state = [0, 1, 2].map(|a| code(0, a) + share * (code(1, a) - code(0, a)));
            let votes = Votes::of(&centroids, &state, [1, 1]);
            add(&mut worst, index, 0, 1, &[0], votes);
        }
        let names: Vec<&str> = worst.ranked().iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["p1", "p2"]);
        assert!(worst.ranked()[0].doubt > worst.ranked()[1].doubt);
    }
}
