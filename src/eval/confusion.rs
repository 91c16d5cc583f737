//! The confusion matrix and its scores.

use serde::Serialize;

/// Pixels by true class (row) and predicted class (column).
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    /// Which classes labels can have; the others have no scores of their own.
    known: Vec<bool>,
    counts: Vec<u64>,
    /// Labelled pixels per true class whose prediction is outside the table.
    unpredicted: Vec<u64>,
}

/// Scores over all labelled pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Mean IoU over the classes whose union is not empty, 0 to 1; `None` without a labelled pixel.
    pub miou: Option<f64>,
    /// Share of labelled pixels that are right, 0 to 1; `None` without a labelled pixel.
    pub pixel_accuracy: Option<f64>,
    /// IoU of every class, 0 to 1; `None` for a class that is neither present nor predicted.
    pub iou: Vec<Option<f64>>,
}

impl Confusion {
    /// An empty matrix for N classes.
    pub fn new(classes: usize) -> Self {
        Self::of(vec![true; classes])
    }

    /// An empty matrix for classes of which the labels' table lacks some: those have no IoU, and are not
    /// in the mean. Pixels predicted as such still count as errors of the others.
    pub fn of(known: Vec<bool>) -> Self {
        let classes = known.len();
        Self {
            classes,
            known,
            counts: vec![0; classes * classes],
            unpredicted: vec![0; classes],
        }
    }

    /// Counts pixels. Truths outside `0..N` (ignored pixels) don't count; predictions outside it
    /// count as wrong.
    pub fn add(&mut self, truth: &[u16], prediction: &[u16]) {
        for (&truth, &prediction) in truth.iter().zip(prediction) {
            let (truth, prediction) = (usize::from(truth), usize::from(prediction));
            if truth >= self.classes {
                continue;
            }
            if prediction < self.classes {
                self.counts[truth * self.classes + prediction] += 1;
            } else {
                self.unpredicted[truth] += 1;
            }
        }
    }

    /// Adds another matrix of the same classes.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        for (sum, count) in self.unpredicted.iter_mut().zip(&other.unpredicted) {
            *sum += count;
        }
    }

    /// Pixels of true class `truth` that were predicted as `prediction`.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts[truth * self.classes + prediction]
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Which classes labels can have.
    pub fn known(&self) -> &[bool] {
        &self.known
    }

    /// Labelled pixels of true class `truth`, whatever was predicted.
    pub fn labelled(&self, truth: usize) -> u64 {
        let row = truth * self.classes..(truth + 1) * self.classes;
        self.counts[row].iter().sum::<u64>() + self.unpredicted[truth]
    }

    /// The scores of the pixels counted so far; classes that labels cannot have are without an IoU.
    pub fn scores(&self) -> Scores {
        let n = self.classes;
        let mut right = 0;
        let mut labelled = 0;
        let mut iou = Vec::with_capacity(n);
        for k in 0..n {
            let both = self.count(k, k);
            let truth = self.labelled(k);
            let predicted: u64 = (0..n).map(|j| self.count(j, k)).sum();
            let union = truth + predicted - both;
            let scored = self.known[k] && union > 0;
            iou.push(scored.then(|| both as f64 / union as f64));
            right += both;
            labelled += truth;
        }
        Scores {
            miou: mean(iou.iter().flatten()),
            pixel_accuracy: (labelled > 0).then(|| right as f64 / labelled as f64),
            iou,
        }
    }

    /// Mean IoU over the classes whose union is not empty, except `classes`; `None` if no class is
    /// left. Pixels of those classes still count as errors of the others.
    pub fn miou_without(&self, classes: &[usize]) -> Option<f64> {
        let iou = self.scores().iou;
        let kept = iou.iter().enumerate().filter(|(k, _)| !classes.contains(k));
        mean(kept.filter_map(|(_, iou)| iou.as_ref()))
    }
}

/// The mean; `None` without values.
pub(super) fn mean<'a>(values: impl Iterator<Item = &'a f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The scores of one photo, from three counts per class: with many classes, a matrix would be larger
/// than the photo. As in [`Confusion::of`], classes that labels cannot have are in no mean. `None`
/// without a labelled pixel.
pub(super) fn own_scores(truth: &[u16], prediction: &[u16], known: &[bool]) -> Option<OwnScores> {
    let classes = known.len();
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
    let iou: Vec<Option<f64>> = both
        .iter()
        .zip(&either)
        .zip(known)
        .map(|((&both, &either), &known)| {
            (known && either > 0).then(|| both as f64 / either as f64)
        })
        .collect();
    let right: u64 = both.iter().sum();
    Some(OwnScores {
        miou: mean(iou.iter().flatten())?,
        pixel_accuracy: right as f64 / labelled as f64,
        iou,
    })
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnScores {
    /// Mean IoU over the classes that the photo or its prediction has, 0 to 1.
    pub miou: f64,
    /// Share of the labelled pixels that are right, 0 to 1.
    pub pixel_accuracy: f64,
    /// IoU of every class, 0 to 1; `None` for a class that neither the photo nor its prediction has, or
    /// that labels cannot have.
    pub iou: Vec<Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;

    #[test]
    fn classes_that_labels_cannot_have_are_not_in_the_mean() {
        let mut confusion = Confusion::of(vec![true, true, false]);
        confusion.add(&[0, 0, 1, 1], &[0, 2, 1, 1]);
        let scores = confusion.scores();
        assert_eq!(scores.iou, [Some(0.5), Some(1.0), None]);
        assert_eq!(scores.miou, Some(0.75));
        assert_eq!(scores.pixel_accuracy, Some(0.75));
    }

    #[test]
    fn scores_of_a_small_example() {
        let mut confusion = Confusion::new(3);
        confusion.add(&[0, 0, 1, u16::MAX, 1], &[0, 1, 1, 2, u16::MAX]);
        let scores = confusion.scores();
        assert_eq!(scores.iou, vec![Some(0.5), Some(1.0 / 3.0), None]);
        assert!((scores.miou.unwrap() - (0.5 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!(scores.pixel_accuracy, Some(0.5));
        assert_eq!(confusion.miou_without(&[1]), Some(0.5));
        assert_eq!(confusion.miou_without(&[0, 1]), None);
        assert_eq!(confusion.labelled(1), 2);
    }

    #[test]
    fn without_labels_there_is_no_score() {
        let mut confusion = Confusion::new(4);
        confusion.add(&[u16::MAX, u16::MAX], &[0, 3]);
        let scores = confusion.scores();
        assert_eq!((scores.miou, scores.pixel_accuracy), (None, None));
        assert_eq!(scores.iou, [None; 4]);
        // All wrong is a score of 0, not a missing one.
        confusion.add(&[1], &[2]);
        let scores = confusion.scores();
        assert_eq!((scores.miou, scores.pixel_accuracy), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn the_score_of_a_photo_is_that_of_its_confusion() {
        let truth = [0, 0, 1, IGNORE, 1, 2, 2, 3];
        let prediction = [0, 1, 1, 2, 9, 2, 0, 3];
        // The second photo's labels cannot have class 2 nor 4.
        let without = [true, true, false, true, false];
        for (truth, known) in [(truth, [true; 5]), ([0, 0, 1, IGNORE, 1, 0, 3, 3], without)] {
            let own = own_scores(&truth, &prediction, &known).unwrap();
            let mut confusion = Confusion::of(known.to_vec());
            confusion.add(&truth, &prediction);
            let scores = confusion.scores();
            assert!((own.miou - scores.miou.unwrap()).abs() < 1e-12);
            assert!((own.pixel_accuracy - scores.pixel_accuracy.unwrap()).abs() < 1e-12);
            assert_eq!(own.iou, scores.iou);
        }
        assert_eq!(own_scores(&[IGNORE], &[0], &[true; 5]), None);
    }
}
