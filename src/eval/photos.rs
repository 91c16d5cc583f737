//! The scores of every photo: which photos have pixels in a cell of the confusion matrix, and which
//! have a low score for a class.

use super::ScoredPhoto;
use super::confusion::own_scores;
use crate::csv;
use crate::data::Dataset;

/// The scores of one photo at the labels' own size.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotoScores {
    pub index: usize,
    pub name: String,
    /// Mean IoU over the classes that the photo or its prediction has, 0 to 1, apart from those that
    /// the data set does not have; `None` without a labelled pixel.
    pub miou: Option<f64>,
    /// Share of its labelled pixels that are right, 0 to 1; `None` without any.
    pub pixel_accuracy: Option<f64>,
    /// Mean entropy of its pixels, 0 to 1.
    pub doubt: f64,
    /// IoU of every class, 0 to 1; `None` for a class that neither the photo nor its prediction has,
    /// or that the data set does not have.
    pub iou: Vec<Option<f64>>,
    /// Its pixels in the [cell](Photos::new), if there is one.
    pub in_cell: u64,
}

/// Gathers the scores of every photo.
pub struct Photos {
    classes: Vec<String>,
    cell: Option<[usize; 2]>,
    photos: Vec<PhotoScores>,
}

impl Photos {
    /// For a model with these classes, and optionally a cell of the confusion matrix: true and
    /// predicted class.
    pub fn new(classes: Vec<String>, cell: Option<[usize; 2]>) -> Self {
        Self {
            classes,
            cell,
            photos: Vec::new(),
        }
    }

    /// Adds a scored photo.
    pub fn add(&mut self, seen: &ScoredPhoto) {
        let (truth, prediction) = (&seen.sample.labels.data, seen.at_label_size());
        let classes = self.classes.len();
        let own = own_scores(truth, &prediction, seen.known);
        let in_cell = self.cell.map_or(0, |[of_truth, of_prediction]| {
            let here = |(&truth, &prediction): (&u16, &u16)| {
                usize::from(truth) == of_truth && usize::from(prediction) == of_prediction
            };
            truth
                .iter()
                .zip(&prediction)
                .filter(|both| here(*both))
                .count() as u64
        });
        let scores = PhotoScores {
            index: seen.index,
            name: seen.sample.name.clone(),
            miou: own.as_ref().map(|own| own.miou),
            pixel_accuracy: own.as_ref().map(|own| own.pixel_accuracy),
            doubt: seen.segmented.votes.mean_doubt(),
            iou: own.map_or_else(|| vec![None; classes], |own| own.iou),
            in_cell,
        };
        let at = self
            .photos
            .partition_point(|photo| photo.index < seen.index);
        self.photos.insert(at, scores);
    }

    /// The photos with pixels in the cell, those with the most first.
    pub fn in_cell(&self) -> Vec<&PhotoScores> {
        let mut photos: Vec<_> = self.photos.iter().filter(|p| p.in_cell > 0).collect();
        photos.sort_by_key(|photo| (std::cmp::Reverse(photo.in_cell), photo.index));
        photos
    }

    /// The photos with a score, the worst first.
    pub fn ranked(&self) -> Vec<&PhotoScores> {
        let mut photos: Vec<_> = self.photos.iter().filter(|p| p.miou.is_some()).collect();
        let score = |photo: &PhotoScores| photo.miou.unwrap_or_default();
        photos.sort_by(|a, b| score(a).total_cmp(&score(b)));
        photos
    }

    /// One row per photo, in the order of the data set: `photo`, `file`, `miou`, `pixel_accuracy`,
    /// `doubt`, `pixels_in_cell` if there is a cell, then `iou_NAME` for every class. Scores are 0 to
    /// 1, and empty if undefined.
    pub fn csv(&self, data: &Dataset) -> String {
        let text = |score: Option<f64>| score.map_or_else(String::new, |score| score.to_string());
        let fixed = ["photo", "file", "miou", "pixel_accuracy", "doubt"].map(str::to_owned);
        let cell = self.cell.map(|_| "pixels_in_cell".to_owned());
        let iou = self.classes.iter().map(|name| format!("iou_{name}"));
        let mut table = csv::line(fixed.into_iter().chain(cell).chain(iou));
        for photo in &self.photos {
            let file = data.image_path(photo.index);
            let fixed = [
                photo.name.clone(),
                file.map_or_else(String::new, |file| file.display().to_string()),
                text(photo.miou),
                text(photo.pixel_accuracy),
                photo.doubt.to_string(),
            ];
            let cell = self.cell.map(|_| photo.in_cell.to_string());
            let iou = photo.iou.iter().map(|iou| text(*iou));
            table += &csv::line(fixed.into_iter().chain(cell).chain(iou));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Sample, SceneConfig};
    use crate::inference::Segmented;
    use crate::labels::{IGNORE, LabelMap};
    use crate::votes::Votes;

    fn sample(name: String, truth: &[u16]) -> Sample {
        Sample {
            name,
            image: image::RgbImage::new(truth.len() as u32, 1),
            labels: row(truth),
        }
    }

    fn row(labels: &[u16]) -> LabelMap {
        LabelMap {
            width: labels.len(),
            height: 1,
            data: labels.to_vec(),
        }
    }

    fn whole(prediction: &[u16]) -> Segmented {
        Segmented::whole(Votes::for_labels(prediction, 3, [1, prediction.len()]))
    }

    #[test]
    fn the_mask_is_scored_and_not_its_coarse_votes_without_classes_that_the_data_lack() {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut photos = Photos::new(names, Some([0, 1]));
        let sample = sample("p".to_owned(), &[0, 0, 1, 1]);
        // One pixel of class c, which the data set does not have. The votes say c everywhere.
        let mask = row(&[0, 1, 1, 2]);
        let coarse = Votes::for_labels(&[2], 3, [1, 1]);
        photos.add(&ScoredPhoto {
            index: 0,
            steps: 1,
            sample: &sample,
            known: &[true, true, false],
            size: [1, 4],
            prediction: &mask.data,
            segmented: &Segmented::in_strips([1, 4], mask.clone(), coarse),
        });
        let scores = &photos.photos[0];
        assert_eq!(scores.iou, [Some(0.5), Some(1.0 / 3.0), None]);
        assert_eq!(scores.miou, Some((0.5 + 1.0 / 3.0) / 2.0));
        assert_eq!((scores.pixel_accuracy, scores.in_cell), (Some(0.5), 1));
    }

    #[test]
    fn photos_of_a_cell_come_by_their_pixels_and_every_photo_has_a_row() {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut photos = Photos::new(names, Some([0, 1]));
        let truths = [[0, 0, 1, IGNORE], [0, 0, 0, 2], [2; 4], [IGNORE; 4]];
        let predictions = [[1, 0, 1, 1], [1, 1, 0, 2], [2; 4], [0; 4]];
        // Photos may be scored out of order.
        for index in [2, 0, 3, 1] {
            let sample = sample(format!("p{index}"), &truths[index]);
            photos.add(&ScoredPhoto {
                index,
                steps: 1,
                sample: &sample,
                size: [1, 4],
                known: &[true; 3],
                prediction: &predictions[index],
                segmented: &whole(&predictions[index]),
            });
        }
        let cell: Vec<_> = photos
            .in_cell()
            .iter()
            .map(|p| (p.index, p.in_cell))
            .collect();
        assert_eq!(cell, [(1, 2), (0, 1)]);
        let data = Dataset::scenes(SceneConfig::default(), 4);
        let table = photos.csv(&data);
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split(',').collect())
            .collect();
        assert_eq!(rows[0][5..], ["pixels_in_cell", "iou_a", "iou_b", "iou_c"]);
        // One of the two pixels of a is right, and b is predicted once too often.
        assert_eq!(rows[1][..3], ["p0", "", "0.5"]);
        assert_eq!(rows[1][5..], ["1", "0.5", "0.5", ""]);
        assert_eq!(rows[3][5..], ["0", "", "", "1"]);
        assert_eq!(rows[4][2..4], ["", ""]);
    }
}
