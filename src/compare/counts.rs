//! How much two results agree with each other and with the labels.

use super::{JointClasses, Side};
use crate::data::Truth;
use crate::eval::Confusion;
use crate::labels::IGNORE;
use std::borrow::Cow;

/// Pixels by the classes of two results and, if there are labels, by the true class and that of each
/// result.
#[derive(Clone, Debug)]
pub struct Comparison {
    classes: usize,
    /// Rows are classes of the first result, columns of the second.
    between: Confusion,
    /// Each result against the labels.
    scored: [Confusion; 2],
    /// Whether any photo's labels can have the class.
    known: Vec<bool>,
}

/// One class in both results.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRow {
    pub class: usize,
    /// Its share of all pixels in each result, 0 to 1.
    pub shares: [f64; 2],
    /// Of the pixels that either result gives to the class, the share that the other does not, 0 to 1;
    /// `None` if neither result has it.
    pub disagreement: Option<f64>,
    /// IoU of each result with the labels, 0 to 1; `None` if no labels have the class.
    pub iou: [Option<f64>; 2],
    /// IoU of the second result minus that of the first.
    pub difference: Option<f64>,
}

/// Labels in which classes that are not known are [`IGNORE`].
fn of_known<'a>(labels: &'a [u16], known: &[bool]) -> Cow<'a, [u16]> {
    if known.iter().all(|known| *known) {
        return Cow::Borrowed(labels);
    }
    let is_known = |label: u16| known.get(usize::from(label)).copied().unwrap_or(true);
    let labels = labels.iter().copied();
    labels
        .map(|label| if is_known(label) { label } else { IGNORE })
        .collect()
}

impl Comparison {
    /// No pixels yet, for a joint table of this many classes.
    pub fn new(classes: usize) -> Self {
        let empty = || Confusion::new(classes);
        Self {
            classes,
            between: empty(),
            scored: [empty(), empty()],
            known: vec![false; classes],
        }
    }

    /// Compares the labels of two models for one photo, both in the classes of their model and of `size`,
    /// `[height, width]`. Also returns the labels of both in the joint classes. A truth of another size is ignored.
    pub fn of_labels(
        classes: &JointClasses,
        [a, b]: [Vec<u16>; 2],
        size: [usize; 2],
        truth: Option<&Truth>,
    ) -> (Self, [Vec<u16>; 2]) {
        let labels = [classes.labels(Side::A, a), classes.labels(Side::B, b)];
        let mut comparison = Self::new(classes.names().len());
        let fits = |truth: &&Truth| [truth.labels.height, truth.labels.width] == size;
        comparison.add(&labels[0], &labels[1], truth.filter(fits));
        (comparison, labels)
    }

    /// Counts the pixels of a photo; all labels are in the joint classes. A class that the photo's data set does not
    /// have is not scored there: pixels that a result gives to it are errors of their true classes alone.
    pub fn add(&mut self, a: &[u16], b: &[u16], truth: Option<&Truth>) {
        self.between.add(a, b);
        let Some(truth) = truth else { return };
        for (known, also) in self.known.iter_mut().zip(&truth.known) {
            *known |= also;
        }
        for (scored, labels) in self.scored.iter_mut().zip([a, b]) {
            scored.add(&truth.labels.data, &of_known(labels, &truth.known));
        }
    }

    /// Adds another comparison with the same classes.
    pub fn merge(&mut self, other: &Self) {
        self.between.merge(&other.between);
        for (scored, other) in self.scored.iter_mut().zip(&other.scored) {
            scored.merge(other);
        }
        for (known, also) in self.known.iter_mut().zip(&other.known) {
            *known |= also;
        }
    }

    /// The share of pixels that have the same class in both results, 0 to 1; `None` without pixels.
    pub fn agreement(&self) -> Option<f64> {
        self.between.scores().pixel_accuracy
    }

    /// Mean IoU of each result over the classes that the labels have and that occur, 0 to 1; `None`
    /// without labels.
    pub fn miou(&self) -> [Option<f64>; 2] {
        let unknown: Vec<usize> = (0..self.classes).filter(|&k| !self.known[k]).collect();
        [0, 1].map(|side| self.scored[side].miou_without(&unknown))
    }

    /// The classes that occur in either result or in the labels.
    pub fn rows(&self) -> Vec<ClassRow> {
        let both = self.between.scores().iou;
        let scores = [0, 1].map(|side| self.scored[side].scores().iou);
        let counts = |class: usize| {
            let others = 0..self.classes;
            let a: u64 = others.clone().map(|k| self.between.count(class, k)).sum();
            let b: u64 = others.map(|k| self.between.count(k, class)).sum();
            [a, b]
        };
        let all: u64 = (0..self.classes).map(|k| counts(k)[0]).sum();
        let row = |class: usize| {
            let iou = [0, 1].map(|side| scores[side][class].filter(|_| self.known[class]));
            ClassRow {
                class,
                shares: counts(class).map(|count| count as f64 / all.max(1) as f64),
                disagreement: both[class].map(|same| 1.0 - same),
                iou,
                difference: iou[1].zip(iou[0]).map(|(b, a)| b - a),
            }
        };
        let rows = (0..self.classes).map(row);
        rows.filter(|row| row.disagreement.is_some() || row.iou.iter().any(Option::is_some))
            .collect()
    }
}
