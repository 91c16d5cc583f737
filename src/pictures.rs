//! Pictures of labels: masks in class colours, comparisons of a prediction with the truth, sheets.
//!
//! A class has the colour of its centroid everywhere, so that a mask here and a state in the window
//! look the same.

use crate::encoding::Centroids;
use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

/// Pixels whose prediction differs from the truth.
const WRONG: Rgb<u8> = Rgb([230, 40, 40]);
/// Pixels between the pictures of a strip or a sheet.
const GAP: u32 = 4;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// Pixels that are neither trained on nor scored are hatched: no class can look like that.
fn ignored(x: u32, y: u32) -> Rgb<u8> {
    Rgb([if (x + y) % 6 < 3 { 70 } else { 150 }; 3])
}

/// A label map `[height, width]` in class colours; labels outside the table are hatched.
pub fn mask(labels: &[u16], width: usize, centroids: &Centroids) -> RgbImage {
    let height = labels.len() / width.max(1);
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let label = usize::from(labels[y as usize * width + x as usize]);
        match label < centroids.len() {
            true => Rgb(centroids.colour(label)),
            false => ignored(x, y),
        }
    })
}

/// Where a prediction differs from the truth: red on a pale grey photo, ignored pixels hatched.
/// `truth` and `prediction` have a label for every pixel of `photo`.
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

/// What the parts of a [`strip`] show, from left to right.
pub const PARTS: [&str; 4] = ["photo", "truth", "prediction", "errors"];

/// The left end and the width of a part of a strip that is `width` pixels wide, in pixels.
pub fn part_of_strip(part: usize, width: f32) -> [f32; 2] {
    let count = PARTS.len() as f32;
    let side = (width - (count - 1.0) * GAP as f32) / count;
    [part as f32 * (side + GAP as f32), side]
}

/// Photo, truth, prediction and errors side by side, all `[height, width]` of the photo.
pub fn strip(
    photo: &RgbImage,
    truth: &[u16],
    prediction: &[u16],
    centroids: &Centroids,
) -> RgbImage {
    let width = photo.width() as usize;
    let parts = [
        photo.clone(),
        mask(truth, width, centroids),
        mask(prediction, width, centroids),
        errors(photo, truth, prediction, centroids.len()),
    ];
    grid(&parts, parts.len())
}

/// Pictures in rows of `columns`, each cell as large as the largest picture.
pub fn grid(pictures: &[RgbImage], columns: usize) -> RgbImage {
    let columns = columns.clamp(1, pictures.len().max(1)) as u32;
    let rows = (pictures.len() as u32).div_ceil(columns);
    let cell_width = pictures.iter().map(RgbImage::width).max().unwrap_or(1) + GAP;
    let cell_height = pictures.iter().map(RgbImage::height).max().unwrap_or(1) + GAP;
    let mut sheet = RgbImage::from_pixel(
        columns * cell_width - GAP,
        (rows * cell_height).max(GAP + 1) - GAP,
        PAPER,
    );
    for (i, picture) in pictures.iter().enumerate() {
        let (column, row) = (i as u32 % columns, i as u32 / columns);
        let (x, y) = (column * cell_width, row * cell_height);
        imageops::replace(&mut sheet, picture, i64::from(x), i64::from(y));
    }
    sheet
}

/// A picture scaled down to fit a square of `side` pixels; a small one stays as it is.
pub fn thumbnail(picture: &RgbImage, side: u32, filter: FilterType) -> RgbImage {
    let longer = picture.width().max(picture.height());
    if longer <= side {
        return picture.clone();
    }
    let scaled = |n: u32| ((u64::from(n) * u64::from(side) / u64::from(longer)) as u32).max(1);
    imageops::resize(
        picture,
        scaled(picture.width()),
        scaled(picture.height()),
        filter,
    )
}

/// The bytes of a PNG file.
///
/// # Errors
/// A picture without pixels.
pub fn png(picture: &RgbImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_shows_what_is_wrong_and_what_is_ignored() {
        let photo = RgbImage::from_pixel(3, 1, Rgb([60, 120, 180]));
        let centroids = Centroids::kronecker(2);
        let strip = strip(&photo, &[0, 1, u16::MAX], &[0, 0, 1], &centroids);
        assert_eq!((strip.width(), strip.height()), (4 * 3 + 3 * GAP, 1));
        let part = |i: u32| {
            let [left, width] = part_of_strip(i as usize, strip.width() as f32);
            assert_eq!(width, 3.0);
            left as u32
        };
        let pixel = |part: u32, x: u32| *strip.get_pixel(part + x, 0);
        assert_eq!(pixel(part(0), 2), Rgb([60, 120, 180]));
        assert_eq!(pixel(part(1), 1), Rgb(centroids.colour(1)));
        assert_eq!(pixel(part(1), 2), ignored(2, 0));
        assert_eq!(pixel(part(2), 1), Rgb(centroids.colour(0)));
        assert_eq!(
            [0, 1, 2].map(|x| pixel(part(3), x)),
            [Rgb([188; 3]), WRONG, ignored(2, 0)]
        );
    }

    #[test]
    fn grids_hold_pictures_of_several_sizes() {
        let pictures = [
            RgbImage::new(5, 2),
            RgbImage::new(3, 7),
            RgbImage::new(1, 1),
        ];
        let sheet = grid(&pictures, 2);
        assert_eq!((sheet.width(), sheet.height()), (5 + GAP + 5, 7 + GAP + 7));
        assert_eq!(*sheet.get_pixel(5 + GAP + 1, 6), Rgb([0; 3]));
        assert_eq!(*sheet.get_pixel(2, 7 + GAP), PAPER);
        assert!(grid(&[], 3).width() > 0);
    }

    #[test]
    fn thumbnails_fit_and_keep_the_aspect() {
        let small = thumbnail(&RgbImage::new(400, 100), 80, FilterType::Triangle);
        assert_eq!((small.width(), small.height()), (80, 20));
        let kept = thumbnail(&RgbImage::new(8, 9), 80, FilterType::Triangle);
        assert_eq!((kept.width(), kept.height()), (8, 9));
    }
}
