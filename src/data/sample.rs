//! A photo with its labels.

use crate::labels::LabelMap;
use image::RgbImage;

/// A photo and its labels, of the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The name, without folder and extension.
    pub name: String,
    /// The photo, upright.
    pub image: RgbImage,
    /// One label per pixel.
    pub labels: LabelMap,
}
