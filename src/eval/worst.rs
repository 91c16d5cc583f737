//! The photos that a model does worst on.

use super::Seen;
use crate::data::{DataError, Dataset};
use crate::encoding::Centroids;
use crate::pictures;
use image::RgbImage;

/// A photo and how well it was segmented.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its index in the data set.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Mean IoU over the classes that the photo or its prediction has, 0 to 1.
    pub miou: f64,
    /// Share of its labelled pixels that are right, 0 to 1.
    pub pixel_accuracy: f64,
    /// The predicted class of every pixel, at the labels' size.
    prediction: Vec<u16>,
}

/// Keeps the `count` photos with the lowest mIoU of their own, worst first. Photos without any
/// labelled pixel have no score and are left out.
pub struct Worst {
    count: usize,
    classes: usize,
    ranked: Vec<Ranked>,
}

impl Worst {
    /// For `count` photos of a data set with `classes` classes.
    pub fn new(count: usize, classes: usize) -> Self {
        Self {
            count,
            classes,
            ranked: Vec::new(),
        }
    }

    /// Takes a scored photo into account, at the labels' resolution.
    pub fn add(&mut self, seen: &Seen) {
        let prediction = seen.at_label_size();
        let Some((miou, pixel_accuracy)) =
            own_scores(&seen.sample.labels.data, &prediction, self.classes)
        else {
            return;
        };
        // The index settles a tie, so that the order in which photos were run does not show.
        let at = self
            .ranked
            .partition_point(|r| (r.miou, r.index) < (miou, seen.index));
        if at >= self.count {
            return;
        }
        self.ranked.insert(
            at,
            Ranked {
                index: seen.index,
                name: seen.sample.name.clone(),
                miou,
                pixel_accuracy,
                prediction,
            },
        );
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
    /// The photo can't be loaded any more.
    pub fn strip(&self, data: &Dataset, centroids: &Centroids) -> Result<RgbImage, DataError> {
        let sample = data.load(self.index)?;
        Ok(pictures::strip(
            &sample.image,
            &sample.labels.data,
            &self.prediction,
            centroids,
        ))
    }
}

/// mIoU and pixel accuracy of one photo; three counts a class rather than a matrix, which would
/// cost more than the photo for many classes.
pub(super) fn own_scores(truth: &[u16], prediction: &[u16], classes: usize) -> Option<(f64, f64)> {
    let mut both = vec![0u64; classes];
    let mut either = vec![0u64; classes];
    let mut labelled = 0u64;
    for (&truth, &prediction) in truth.iter().zip(prediction) {
        let (truth, prediction) = (usize::from(truth), usize::from(prediction));
        if truth >= classes {
            continue;
        }
        labelled += 1;
        either[truth] += 1;
        if truth == prediction {
            both[truth] += 1;
        } else if let Some(count) = either.get_mut(prediction) {
            *count += 1;
        }
    }
    if labelled == 0 {
        return None;
    }
    let present = either.iter().filter(|&&n| n > 0).count();
    let sum: f64 = both
        .iter()
        .zip(&either)
        .filter(|(_, either)| **either > 0)
        .map(|(&both, &either)| both as f64 / either as f64)
        .sum();
    let right: u64 = both.iter().sum();
    Some((sum / present as f64, right as f64 / labelled as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{IGNORE, LabelMap, Sample};
    use crate::eval::Confusion;
    use crate::votes::Votes;

    #[test]
    fn the_score_of_a_photo_is_that_of_its_confusion() {
        let truth = [0, 0, 1, IGNORE, 1, 2, 2, 3];
        let prediction = [0, 1, 1, 2, 9, 2, 0, 3];
        let (miou, accuracy) = own_scores(&truth, &prediction, 5).unwrap();
        let mut confusion = Confusion::new(5);
        confusion.add(&truth, &prediction);
        let scores = confusion.scores();
        assert!((miou - scores.miou.unwrap()).abs() < 1e-12);
        assert!((accuracy - scores.pixel_accuracy.unwrap()).abs() < 1e-12);
        assert_eq!(own_scores(&[IGNORE], &[0], 5), None);
    }

    #[test]
    fn only_the_worst_are_kept_in_order() {
        let mut worst = Worst::new(2, 2);
        // Photo i has i of 4 pixels wrong; the last has no labels.
        for (index, wrong) in [1usize, 3, 0, 2, 4].into_iter().enumerate() {
            let prediction: Vec<u16> = (0..4).map(|p| u16::from(p < wrong)).collect();
            let label = if index == 4 { IGNORE } else { 0 };
            let sample = Sample {
                name: format!("p{index}"),
                image: RgbImage::new(2, 2),
                labels: LabelMap {
                    width: 2,
                    height: 2,
                    data: vec![label; 4],
                },
            };
            worst.add(&Seen {
                index,
                steps: 1,
                sample: &sample,
                size: [2, 2],
                prediction: &prediction,
                votes: &Votes::for_labels(&prediction, 10, [2, 2]),
            });
        }
        let names: Vec<&str> = worst.ranked().iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["p1", "p3"]);
        assert_eq!(worst.ranked()[0].pixel_accuracy, 0.25);
    }
}
