//! A photo with its labels.

use super::IGNORE;
use crate::trajectory;
use image::RgbImage;

/// A label per pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width]`, row-major: a class index or [`IGNORE`].
    pub data: Vec<u16>,
}

impl LabelMap {
    /// The pixels of each of so many classes.
    pub fn class_pixels(&self, classes: usize) -> Vec<usize> {
        let known = |label: &u16| usize::from(*label) < classes || *label == IGNORE;
        debug_assert!(self.data.iter().all(known));
        trajectory::counts(&self.data, classes)
    }

    /// The classes that occur, ascending, and how many pixels each has.
    pub(super) fn present_classes(&self, classes: usize) -> ClassPixels {
        let counts = self.class_pixels(classes);
        let present = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
        present
            .map(|(class, count)| (class, count as u64))
            .collect()
    }
}

/// The classes of a sample, ascending, and how many pixels each has there.
pub(super) type ClassPixels = Vec<(u16, u64)>;

/// A photo and its labels, of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The name, without folder and extension.
    pub name: String,
    /// The photo.
    pub image: RgbImage,
    /// Its labels.
    pub labels: LabelMap,
}
