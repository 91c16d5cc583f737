//! Pictures of what was computed for patches.

use crate::gpu::canvas::DOUBT_COLOURS;
use crate::patches::Patches;
use eframe::egui::{Color32, ColorImage};
use image::RgbImage;

/// The opacity of the colours over the photo where the weight is 0, and where it is greatest.
const OPACITY: [f32; 2] = [0.35, 0.8];

/// The number of patches, with a part of one, that lie over the photo along each axis. Those at the right and at the
/// bottom may reach beyond it.
pub(super) fn within(cut: Patches) -> [f32; 2] {
    cut.size.map(|side| side as f32 / cut.side as f32)
}

/// The weights of patches as colours over a photo; the greatest weight has the brightest colour. Weights are
/// interpolated between the centres of patches.
pub(super) fn over(photo: &RgbImage, weights: &[f32], cut: Patches) -> ColorImage {
    let (width, height) = photo.dimensions();
    let [rows, columns] = within(cut);
    let grid = cut.grid();
    let most = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let pixels = photo.enumerate_pixels().map(|(x, y, pixel)| {
        let at = [
            (y as f32 + 0.5) / height as f32 * rows,
            (x as f32 + 0.5) / width as f32 * columns,
        ];
        let share = (between(weights, grid, at) / most).clamp(0.0, 1.0);
        let grey =
            0.3 * f32::from(pixel[0]) + 0.59 * f32::from(pixel[1]) + 0.11 * f32::from(pixel[2]);
        let opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share;
        let above = colour(share);
        let mixed = [0, 1, 2].map(|c| (grey + (f32::from(above[c]) - grey) * opacity) as u8);
        Color32::from_rgb(mixed[0], mixed[1], mixed[2])
    });
    let pixels = pixels.collect();
    ColorImage::new([width as usize, height as usize], pixels)
}

/// The colours of patches, one pixel each.
pub(super) fn mosaic(colours: &[[u8; 3]], [rows, columns]: [usize; 2]) -> ColorImage {
    let pixels = colours.iter().map(|&[r, g, b]| Color32::from_rgb(r, g, b));
    let mut pixels: Vec<Color32> = pixels.collect();
    pixels.resize(rows * columns, Color32::BLACK);
    ColorImage::new([columns, rows], pixels)
}

/// The colour of a share of the greatest weight, 0 to 1.
fn colour(share: f32) -> [u8; 3] {
    let last = DOUBT_COLOURS.len() - 1;
    let place = share.clamp(0.0, 1.0) * last as f32;
    let low = (place as usize).min(last - 1);
    let part = place - low as f32;
    std::array::from_fn(|c| {
        let [a, b] = [low, low + 1].map(|i| f32::from(DOUBT_COLOURS[i][c]));
        (a + (b - a) * part).round() as u8
    })
}

/// The ramp of [`over`], from no weight to the greatest.
pub(super) fn ramp() -> [Color32; 8] {
    DOUBT_COLOURS.map(|[r, g, b]| Color32::from_rgb(r, g, b))
}

/// The value at a point (vertical, horizontal, in patches), linear between the patches' centres.
fn between(values: &[f32], [rows, columns]: [usize; 2], at: [f32; 2]) -> f32 {
    let axis = |at: f32, count: usize| {
        let place = (at - 0.5).clamp(0.0, count.saturating_sub(1) as f32);
        let low = place as usize;
        (
            low,
            (low + 1).min(count.saturating_sub(1)),
            place - low as f32,
        )
    };
    let (top, bottom, down) = axis(at[0], rows);
    let (left, right, across) = axis(at[1], columns);
    let value = |row: usize, column: usize| values.get(row * columns + column).copied();
    let mix = |row: usize| {
        let [a, b] = [left, right].map(|column| value(row, column).unwrap_or(0.0));
        a + (b - a) * across
    };
    let [a, b] = [top, bottom].map(mix);
    a + (b - a) * down
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_over_their_patches() {
        let photo = RgbImage::from_pixel(44, 22, image::Rgb([100; 3]));
        let mut weights = [0.0; 8];
        weights[5] = 0.25;
        let cut = Patches {
            size: [22, 44],
            side: 11,
        };
        let picture = over(&photo, &weights, cut);
        // The centre of the patch in row 1, column 1, and one far away.
        let at = |x: usize, y: usize| picture.pixels[y * 44 + x];
        let brightest = DOUBT_COLOURS[7];
        let near = at(16, 16);
        for (found, expected) in [near.r(), near.g(), near.b()].into_iter().zip(brightest) {
            let wanted = 100.0 + (f32::from(expected) - 100.0) * OPACITY[1];
            assert!(
                (f32::from(found) - wanted).abs() <= 1.0,
                "{found} for {wanted}"
            );
        }
        assert_eq!(at(35, 5), at(38, 2));
        assert_ne!(at(35, 5), near);
        // Halfway between two centres is half the weight.
        assert!((between(&weights, [2, 4], [1.5, 2.0]) - 0.125).abs() < 1e-6);
        assert_eq!(between(&[], [0, 0], [0.5, 0.5]), 0.0);
    }

    #[test]
    fn patches_that_reach_beyond_the_photo_are_not_squeezed_into_it() {
        let photo = RgbImage::from_pixel(20, 8, image::Rgb([100; 3]));
        // Three patches of 8 pixels over 20.
        let cut = Patches {
            size: [8, 20],
            side: 8,
        };
        let picture = over(&photo, &[0.0, 1.0, 0.0], cut);
        // The centre of the second is between these two pixels.
        let row = &picture.pixels[..20];
        assert_eq!(row[11].r(), row[12].r());
        assert!(row.iter().all(|pixel| pixel.r() <= row[11].r()));
        assert!(row[10].r() < row[11].r());
    }

    #[test]
    fn a_mosaic_has_a_pixel_for_each_patch() {
        let picture = mosaic(&[[1, 2, 3], [4, 5, 6]], [1, 2]);
        assert_eq!(picture.size, [2, 1]);
        assert_eq!(picture.pixels[1], Color32::from_rgb(4, 5, 6));
    }
}
