//! Label maps as pictures.
//!
//! A class has the colour of its centroid, so that a mask here and a state in the window look the
//! same, unless the window shows the colours of the data set.

use crate::encoding::Centroids;
use image::{Rgb, RgbImage};

/// Colour of pixels whose prediction differs from the truth.
const WRONG: Rgb<u8> = Rgb([230, 40, 40]);

/// Ignored pixels are hatched, since no class can look like that.
fn ignored(x: u32, y: u32) -> Rgb<u8> {
    Rgb([if (x + y) % 6 < 3 { 70 } else { 150 }; 3])
}

/// A label map `[height, width]` in class colours; labels outside the table are hatched.
pub fn mask(labels: &[u16], width: usize, centroids: &Centroids) -> RgbImage {
    let height = labels.len() / width.max(1);
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let label = usize::from(labels[y as usize * width + x as usize]);
        if label < centroids.len() {
            Rgb(centroids.colour(label))
        } else {
            ignored(x, y)
        }
    })
}

/// The pixels whose prediction differs from the truth, in red on a pale grey photo; ignored pixels are
/// hatched. `truth` and `prediction` have one label per pixel of `photo`.
pub fn errors(photo: &RgbImage, truth: &[u16], prediction: &[u16], classes: usize) -> RgbImage {
    let mut picture = photo.clone();
    let labels = truth.iter().zip(prediction);
    for ((x, y, pixel), (&truth, &prediction)) in picture.enumerate_pixels_mut().zip(labels) {
        *pixel = if usize::from(truth) >= classes {
            ignored(x, y)
        } else if truth != prediction {
            WRONG
        } else {
            let sum: u16 = pixel.0.iter().map(|&c| u16::from(c)).sum();
            Rgb([(128 + sum / 6) as u8; 3])
        };
    }
    picture
}
