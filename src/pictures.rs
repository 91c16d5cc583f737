//! Composed pictures: a prediction beside the truth, sheets, thumbnails, PNG files.

mod indexed;

use crate::encoding::{Centroids, to_byte};
use crate::fonts::Pen;
use crate::labels;
use crate::own_gif::own_gif;
use crate::own_png;
use image::error::{EncodingError, ParameterError, ParameterErrorKind};
use image::imageops::{self, FilterType};
use image::{ImageError, ImageFormat, Rgb, RgbImage};
use indexed::Indexed;
use std::io::Write;
use std::time::Duration;

/// Gap between the pictures of a strip or a sheet, in pixels.
const GAP: u32 = 4;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: [u8; 3] = [34; 3];
/// The em of captions as a fraction of a picture's longer side, and its limits in pixels.
const TEXT_SHARE: f32 = 1.0 / 30.0;
const TEXT: [f32; 2] = [14.0, 24.0];

/// What the parts of a [`strip`] show, from left to right.
pub const PARTS: [&str; 4] = ["photo", "ground truth", "prediction", "errors"];

/// The left edge and the width, in pixels, of one part of a strip that is `width` pixels wide.
pub fn part_of_strip(part: usize, width: f32) -> [f32; 2] {
    let count = PARTS.len() as f32;
    let side = (width - (count - 1.0) * GAP as f32) / count;
    [part as f32 * (side + GAP as f32), side]
}

/// Photo, truth, prediction and errors side by side, all at the photo's size `[height, width]`.
pub fn strip(
    photo: &RgbImage,
    truth: &[u16],
    prediction: &[u16],
    centroids: &Centroids,
) -> RgbImage {
    let width = photo.width() as usize;
    let parts = [
        photo.clone(),
        labels::mask(truth, width, centroids),
        labels::mask(prediction, width, centroids),
        labels::errors(photo, truth, prediction, centroids.len()),
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

/// A picture with its caption above.
pub fn captioned(caption: &str, picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let size = (width.max(height) as f32 * TEXT_SHARE).clamp(TEXT[0], TEXT[1]);
    let mut pen = Pen::new(size.round());
    let band = (1.9 * size) as u32;
    let least = (16.0 * size) as u32;
    let mut sheet = RgbImage::from_pixel(width.max(least), height + band, PAPER);
    let text = pen.elide(caption, sheet.width() as f32 - size);
    let baseline = (band as f32 + pen.capital()) / 2.0;
    pen.write(&mut sheet, &text, [size / 2.0, baseline], INK);
    imageops::replace(&mut sheet, picture, 0, i64::from(band));
    sheet
}

/// A state `[d, height, width]` whose first three channels are read as red, green and blue.
pub fn of_state(state: &[f32], [height, width]: [usize; 2]) -> RgbImage {
    let pixels = height * width;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        Rgb([0, 1, 2].map(|channel| to_byte(state[channel * pixels + at])))
    })
}

/// A picture scaled down to fit a square of `side` pixels; smaller pictures are not enlarged.
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

/// Encodes a picture as PNG, marked as this program's.
///
/// # Errors
/// If the picture has no pixels.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, png::EncodingError> {
    let size = picture.dimensions().into();
    own_png::encoded(size, png::ColorType::Rgb, picture.as_raw())
}

/// An endlessly looping GIF, written frame by frame and marked as this program's.
pub struct Gif<W: Write> {
    /// Until the first frame says how large the pictures are.
    writer: Option<W>,
    encoder: Option<gif::Encoder<W>>,
}

impl<W: Write> Gif<W> {
    /// Nothing is written before the first frame.
    pub fn new(writer: W) -> Self {
        Self {
            writer: Some(writer),
            encoder: None,
        }
    }

    /// Adds a picture of at most 256 colours exactly, and others with the nearest of 256, among them the colours of flat
    /// areas. All pictures have the size of the first.
    ///
    /// # Errors
    /// If writing fails, or a side has more than 65535 pixels.
    pub fn frame(&mut self, picture: RgbImage, shown: Duration) -> image::ImageResult<()> {
        let side = |side: u32| {
            let kind = ParameterErrorKind::DimensionMismatch;
            let too_large = |_| ImageError::Parameter(ParameterError::from_kind(kind));
            u16::try_from(side).map_err(too_large)
        };
        let (width, height) = (side(picture.width())?, side(picture.height())?);
        let Indexed { palette, pixels } = Indexed::of(&picture);
        let mut frame = gif::Frame::from_palette_pixels(width, height, pixels, palette, None);
        // In hundredths of a second.
        frame.delay = u16::try_from(shown.as_millis() / 10).unwrap_or(u16::MAX);
        frame.dispose = gif::DisposalMethod::Background;
        if let Some(writer) = self.writer.take() {
            let mut encoder = own_gif(writer, [width, height]).map_err(gif_error)?;
            let repeated = encoder.set_repeat(gif::Repeat::Infinite);
            repeated.map_err(gif_error)?;
            self.encoder = Some(encoder);
        }
        let Some(encoder) = &mut self.encoder else {
            return Err(std::io::Error::other("the start of the GIF could not be written").into());
        };
        encoder.write_frame(&frame).map_err(gif_error)
    }
}

fn gif_error(error: gif::EncodingError) -> ImageError {
    match error {
        gif::EncodingError::Io(error) => ImageError::IoError(error),
        other => ImageError::Encoding(EncodingError::new(ImageFormat::Gif.into(), other)),
    }
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
        let (hatched, wrong) = (Rgb([70; 3]), Rgb([230, 40, 40]));
        let pixel = |part: u32, x: u32| *strip.get_pixel(part + x, 0);
        assert_eq!(pixel(part(0), 2), Rgb([60, 120, 180]));
        assert_eq!(pixel(part(1), 1), Rgb(centroids.colour(1)));
        assert_eq!(pixel(part(1), 2), hatched);
        assert_eq!(pixel(part(2), 1), Rgb(centroids.colour(0)));
        assert_eq!(
            [0, 1, 2].map(|x| pixel(part(3), x)),
            [Rgb([188; 3]), wrong, hatched]
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
