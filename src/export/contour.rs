//! The outlines of the classes, drawn over the photo.

use super::mask::Mask;
use image::RgbImage;

/// The width of an outline as a fraction of the photo's shorter side; it covers at least one pixel on
/// either side of the border.
const WIDTH: f32 = 1.0 / 300.0;

/// The photo with a line along every border between classes; each side of the line has its class's
/// colour.
pub(super) fn contour(mask: &Mask) -> RgbImage {
    let [width, height] = mask.size().map(|side| side as usize);
    let half = (0.5 * WIDTH * width.min(height) as f32).round().max(1.0) as usize;
    let mut near = vec![false; mask.labels.len()];
    for at in 0..near.len() {
        if at % width > 0 && mask.labels[at] != mask.labels[at - 1] {
            near[at] = true;
            near[at - 1] = true;
        }
        if at >= width && mask.labels[at] != mask.labels[at - width] {
            near[at] = true;
            near[at - width] = true;
        }
    }
    for _ in 1..half {
        near = grown(&near, width);
    }
    let mut picture = mask.photo.clone();
    for ((pixel, near), &label) in picture.pixels_mut().zip(near).zip(mask.labels) {
        if near {
            pixel.0 = mask.colour(label);
        }
    }
    picture
}

/// The flags, dilated by one pixel horizontally and vertically.
fn grown(flags: &[bool], width: usize) -> Vec<bool> {
    let at = |at: Option<usize>| at.and_then(|at| flags.get(at)).copied().unwrap_or(false);
    (0..flags.len())
        .map(|i| {
            flags[i]
                || at(i.checked_sub(width))
                || at(Some(i + width))
                || i % width > 0 && flags[i - 1]
                || (i + 1) % width > 0 && at(Some(i + 1))
        })
        .collect()
}
