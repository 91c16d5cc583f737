//! The photos that a model does worst on.

use super::Seen;
use super::confusion::own_scores;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{IGNORE, LabelMap, Sample};
    use crate::votes::Votes;

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
