//! Masks in little memory: compressed at the photo's size, and reduced for a row of a list.

use crate::labels::IGNORE;
use crate::votes::Votes;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, RgbImage};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;

/// Maximum longer side of a reduced mask, in pixels.
const SMALL: usize = 64;
/// Maximum longer side of a drawn mask, in pixels.
const DRAWN: usize = 2048;

/// A size with at most `longest` pixels on the longer side.
fn reduced(size: [usize; 2], longest: usize) -> [usize; 2] {
    let scale = (size[0].max(size[1]) as f64 / longest as f64).max(1.0);
    size.map(|side| ((side as f64 / scale).round() as usize).max(1))
}

/// A number of the size and the pixels of a photo, which tells whether it has changed.
pub(super) fn digest(photo: &RgbImage) -> u64 {
    let mut digest = DefaultHasher::new();
    (photo.dimensions(), photo.as_raw()).hash(&mut digest);
    digest.finish()
}

/// Labels at a reduced size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LabelPicture {
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// One class index or [`IGNORE`] per pixel.
    pub labels: Vec<u16>,
}

impl LabelPicture {
    /// Labels `[height, width]`, subsampled to at most `longest` pixels on the longer side.
    fn of(labels: &[u16], [width, height]: [usize; 2], longest: usize) -> Self {
        let size = reduced([width, height], longest);
        let [columns, rows] = size;
        let place = |at: usize| {
            let (x, y) = (at % columns * width / columns, at / columns * height / rows);
            labels.get(y * width + x).copied().unwrap_or(IGNORE)
        };
        Self {
            size,
            labels: (0..columns * rows).map(place).collect(),
        }
    }

    /// The mask of votes for a photo of this width and height, with at most `DRAWN` pixels on its longer
    /// side.
    pub(super) fn of_votes(votes: &Votes, photo: [usize; 2]) -> Self {
        let size = reduced(photo, DRAWN);
        Self {
            size,
            labels: votes.labels([size[1], size[0]]),
        }
    }

    /// RGBA in the colours and opacities of the classes; pixels without a class are transparent.
    pub(super) fn rgba(&self, colours: &[[u8; 3]], opacity: impl Fn(usize) -> u8) -> Vec<u8> {
        let colour = |&label: &u16| match colours.get(usize::from(label)) {
            Some([r, g, b]) => [*r, *g, *b, opacity(usize::from(label))],
            None => [0; 4],
        };
        self.labels.iter().flat_map(colour).collect()
    }
}

/// The mask of a photo.
pub(super) struct StoredMask {
    /// Width and height of the photo in pixels.
    pub size: [u32; 2],
    /// The [`digest`] of the photo.
    photo: u64,
    /// The labels as a single-channel PNG of 8 or 16 bits.
    png: Vec<u8>,
    pub small: LabelPicture,
}

impl StoredMask {
    /// Compresses the labels `[height, width]` of a photo.
    ///
    /// # Errors
    /// The labels have another size; one line.
    pub(super) fn new(labels: &[u16], photo: &RgbImage) -> Result<Self, String> {
        const OTHER_SIZE: &str = "the mask has another size than its photo";
        let (width, height) = photo.dimensions();
        let size = [width, height];
        if labels.len() != width as usize * height as usize {
            return Err(OTHER_SIZE.to_owned());
        }
        let wide = labels
            .iter()
            .any(|&label| label >= u16::from(u8::MAX) && label != IGNORE);
        let picture = if wide {
            ImageBuffer::<Luma<u16>, _>::from_raw(width, height, labels.to_vec())
                .map(DynamicImage::ImageLuma16)
        } else {
            // The low byte of an ignored label is 255.
            let bytes = labels.iter().map(|&label| label as u8).collect();
            GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8)
        };
        let picture = picture.ok_or(OTHER_SIZE)?;
        let mut png = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
            .map_err(|error| format!("cannot encode the mask: {error}"))?;
        png.shrink_to_fit();
        let small = LabelPicture::of(labels, size.map(|side| side as usize), SMALL);
        Ok(Self {
            size,
            photo: digest(photo),
            png,
            small,
        })
    }

    /// Whether it is the mask of a photo with this [`digest`].
    pub(super) fn is_of(&self, photo: u64) -> bool {
        self.photo == photo
    }

    /// Its memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.png.len() + 2 * self.small.labels.len()
    }

    /// The labels at the photo's size, `[height, width]`.
    ///
    /// # Errors
    /// None with these bytes.
    pub(super) fn labels(&self) -> Result<Vec<u16>, String> {
        let picture = image::load_from_memory_with_format(&self.png, ImageFormat::Png)
            .map_err(|error| format!("cannot read the mask: {error}"))?;
        Ok(match picture {
            DynamicImage::ImageLuma8(narrow) => {
                let label = |&byte: &u8| match byte {
                    u8::MAX => IGNORE,
                    byte => u16::from(byte),
                };
                narrow.as_raw().iter().map(label).collect()
            }
            wide => wide.into_luma16().into_raw(),
        })
    }

    /// The mask for the canvas, with at most `DRAWN` pixels on its longer side.
    ///
    /// # Errors
    /// None with these bytes.
    pub(super) fn drawn(&self) -> Result<LabelPicture, String> {
        let size = self.size.map(|side| side as usize);
        Ok(LabelPicture::of(&self.labels()?, size, DRAWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_come_back_as_they_were() {
        for most in [3, 254, 255, 4000] {
            let mut labels: Vec<u16> = (0..300 * 200)
                .map(|at| (at / 900 % (most + 1)) as u16)
                .collect();
            labels[7] = IGNORE;
            let mask = StoredMask::new(&labels, &RgbImage::new(300, 200)).unwrap();
            assert_eq!(mask.labels().unwrap(), labels);
            assert_eq!(mask.drawn().unwrap().labels, labels);
            assert_eq!(mask.small.size, [64, 43]);
            assert!(mask.bytes() < 300 * 200 / 4, "{}", mask.bytes());
        }
        assert!(StoredMask::new(&[0; 5], &RgbImage::new(2, 2)).is_err());
    }

    #[test]
    fn ignored_pixels_are_transparent_and_classes_as_opaque_as_asked() {
        let labels = LabelPicture::of(&[0, 1, IGNORE, 9], [2, 2], 64);
        let rgba = labels.rgba(&[[1, 2, 3], [4, 5, 6]], |class| [255, 38][class]);
        assert_eq!(
            rgba,
            [[1, 2, 3, 255], [4, 5, 6, 38], [0; 4], [0; 4]].concat()
        );
    }
}
