//! A photo with its labels.

use crate::labels::LabelMap;
use image::RgbImage;

/// A photo and its labels, of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The name, without folder and extension.
    pub name: String,
    /// The photo, upright.
    pub image: RgbImage,
    /// A label for each of its pixels.
    pub labels: LabelMap,
}
