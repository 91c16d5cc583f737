//! A photo with the classes of its pixels: the input of every format.

use super::error::ExportError;
use crate::labels::IGNORE;
use image::RgbImage;
use std::path::Path;

/// The colour of pixels without a class: that of "void" in Pascal VOC's palette.
pub(super) const VOID: [u8; 3] = [224, 224, 192];

/// A label map with its photo and class table.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    /// The photo, upright.
    pub photo: &'a RgbImage,
    /// One class index per pixel, [`IGNORE`] for pixels without a class: `[height, width]` of the
    /// photo.
    pub labels: &'a [u16],
    /// The classes' names by index.
    pub classes: &'a [String],
    /// The classes' colours by index.
    pub colours: &'a [[u8; 3]],
}

impl Mask<'_> {
    /// Width and height in pixels.
    pub(super) fn size(&self) -> [u32; 2] {
        let (width, height) = self.photo.dimensions();
        [width, height]
    }

    /// The colour of a label; black if it is not a class.
    pub(super) fn colour(&self, label: u16) -> [u8; 3] {
        match label {
            IGNORE => VOID,
            class => {
                let colour = self.colours.get(usize::from(class));
                colour.copied().unwrap_or_default()
            }
        }
    }

    /// Whether one byte holds every class and [`IGNORE`], as 255.
    pub(super) fn is_narrow(&self) -> bool {
        self.classes.len() < 256
    }

    /// The name of a label; empty if it is not a class.
    pub(super) fn name(&self, label: u16) -> &str {
        self.classes
            .get(usize::from(label))
            .map_or("", String::as_str)
    }

    /// Refuses masks that no writer could handle.
    pub(super) fn check(&self, path: &Path) -> Result<(), ExportError> {
        let [width, height] = self.size().map(|side| side as usize);
        if self.labels.len() == width * height && !self.labels.is_empty() {
            Ok(())
        } else {
            Err(ExportError::Scene {
                path: path.to_owned(),
                reason: "its photo and its labels have different sizes; sample it again (R)",
            })
        }
    }
}
