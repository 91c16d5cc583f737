//! Parts of a photo on a transparent background.

use super::mask::Mask;
use image::{Rgba, RgbaImage};

/// The photo where the mask has one of `classes`; transparent black elsewhere, so that the file
/// contains no other part of the photo.
pub(super) fn cutout(mask: &Mask, classes: &[u16]) -> RgbaImage {
    let (width, height) = mask.photo.dimensions();
    let mut picture = RgbaImage::new(width, height);
    let pixels = mask.photo.pixels().zip(mask.labels);
    for (to, (from, label)) in picture.pixels_mut().zip(pixels) {
        if classes.contains(label) {
            let [r, g, b] = from.0;
            *to = Rgba([r, g, b, 255]);
        }
    }
    picture
}
