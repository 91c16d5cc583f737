//! Recognises the files that this program wrote: no output of a batch replaces any other file.
//!
//! A format that can say so names the program that wrote it. The others are recognised by details that another
//! program would write otherwise. Files of labels, which are corrected, have the digest of their bytes: some programs
//! keep what a file says of itself, and write on one line, too.

use super::error::FOREIGN;
use super::{Artifact, Format, binary, labelme, npy, pictures, tables, tiff, yolo};
use crate::data;
use crate::files::{self, FileError};
use crate::labels::IGNORE;
use crate::own_gif::is_own_gif;
use crate::own_png::{self, is_own_png};
use image::{ImageDecoder, ImageReader};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

impl Format {
    /// Refuses an output in whose place there is something that this program did not write: labels that were
    /// drawn or corrected by hand, or a picture of the same name. Empty files are replaced. In the folder of
    /// [`Binary`](Self::Binary), it looks at the files that have the names of masks. Devices and pipes are
    /// written to and never replaced.
    ///
    /// # Errors
    /// The file, and what to do.
    pub fn keep_foreign(self, path: &Path) -> Result<(), FileError> {
        if self.is_folder() {
            return match binary::foreign_in(path) {
                Some(foreign) => files::refuse_existing(&foreign, FOREIGN),
                None => Ok(()),
            };
        }
        if !path.is_file() || is_empty(path) || self.is_own(path) {
            return Ok(());
        }
        let what = match self {
            Self::Index | Self::Palette if own_png::is_by_hand(path) => {
                "a mask that was corrected by hand"
            }
            Self::Index | Self::Tiff if is_in_colour(path) => "a picture in colour and not a mask",
            Self::Index | Self::Palette | Self::Tiff => {
                "a mask saved by another program or by an earlier version of FlowSeg"
            }
            _ => FOREIGN,
        };
        files::refuse_existing(path, what)
    }

    /// Whether a file that [`keep_foreign`](Self::keep_foreign) refuses has valid labels of a photo in this format,
    /// with classes below `classes`: those of this program that a person has corrected, here or in another one. `false`
    /// for formats that are not edited.
    pub fn is_corrected(self, path: &Path, photo: &Path, classes: usize) -> bool {
        match self {
            Self::Index | Self::Palette | Self::Tiff => {
                is_label_map_of(self.label_map(path), photo, classes)
            }
            Self::Labelme => fs::read(path).is_ok_and(|text| labelme::is_valid(&text)),
            Self::Yolo => fs::read_to_string(path).is_ok_and(|text| yolo::is_valid(&text, classes)),
            _ => false,
        }
    }

    /// What a file in this format says that it was made with.
    pub fn made_with(self, path: &Path) -> Option<String> {
        let said = self.says_origin().then(|| own_png::made_with(path));
        said.flatten()
    }

    /// Width, height and values of the label map in a file by any program; `None` for what is none, and for formats
    /// that are not maps of class indices.
    pub fn label_map(self, path: &Path) -> Option<(usize, usize, Vec<u16>)> {
        match self {
            Self::Index | Self::Palette | Self::Tiff => data::read_labels(path).ok(),
            _ => None,
        }
    }

    /// Whether a file in this format, as far as it tells, is about a photo of this size, `[width, height]`, upright or
    /// not.
    pub fn fits(self, path: &Path, [width, height]: [u32; 2]) -> bool {
        let found = match self {
            Self::Index
            | Self::Palette
            | Self::Cutout
            | Self::Contour
            | Self::Overlay
            | Self::Probability
            | Self::Margin
            | Self::Entropy => image::image_dimensions(path).ok().map(<[u32; 2]>::from),
            Self::Labelme => fs::read(path).ok().and_then(|text| labelme::size(&text)),
            Self::Npy | Self::ProbabilityNpy | Self::MarginNpy | Self::EntropyNpy => {
                npy::size(path)
            }
            Self::Tiff => tiff::size(path),
            // See `says_size`.
            Self::Colours | Self::Binary | Self::Coco | Self::Yolo => None,
        };
        found.is_none_or(|found| [[width, height], [height, width]].contains(&found))
    }

    /// Whether a file is one that this program wrote in this format and nobody has corrected, or not even a picture in
    /// the place of one.
    fn is_own(self, path: &Path) -> bool {
        match self {
            Self::Index | Self::Palette => {
                let unchanged = own_png::unchanged(path);
                unchanged.is_some_and(|labels| !labels.by_hand) || !files::is_picture(path)
            }
            _ => self.is_unchanged(path),
        }
    }

    /// Whether a file is one that this program wrote in this format and no other one has changed, as far as it tells, or
    /// not even a picture in the place of one. What was corrected in the window is unchanged.
    pub fn is_unchanged(self, path: &Path) -> bool {
        match self {
            Self::Index | Self::Palette => own_png::is_unchanged(path) || !files::is_picture(path),
            Self::Cutout
            | Self::Contour
            | Self::Overlay
            | Self::Colours
            | Self::Probability
            | Self::Margin
            | Self::Entropy => is_own_png(path) || !files::is_picture(path),
            Self::Labelme => fs::read(path).is_ok_and(|text| labelme::is_own(&text)),
            Self::Yolo => fs::read_to_string(path).is_ok_and(|text| yolo::is_own(&text)),
            Self::Npy | Self::ProbabilityNpy | Self::MarginNpy | Self::EntropyNpy => {
                npy::is_own(path)
            }
            Self::Tiff => tiff::is_unchanged(path) || !files::is_picture(path),
            // Neither is one file for one photo.
            Self::Binary | Self::Coco => false,
        }
    }
}

impl Artifact {
    /// Like [`Format::keep_foreign`], for the artifacts that a batch writes. A person who saves one by hand is
    /// asked whether it replaces a file.
    ///
    /// # Errors
    /// The file, and what to do.
    pub fn keep_foreign(self, path: &Path) -> Result<(), FileError> {
        let is_own: fn(&Path) -> bool = match self {
            Self::Mask(format) => return format.keep_foreign(path),
            Self::Gif => pictures::is_own_animation,
            Self::Numbers => tables::is_own_numbers,
            Self::Frames | Self::Trajectory => return Ok(()),
        };
        if !path.is_file() || is_empty(path) || is_own(path) {
            return Ok(());
        }
        files::refuse_existing(path, FOREIGN)
    }
}

/// Whether a PNG, GIF or TIFF says that this program wrote it.
pub fn is_marked(path: &Path) -> bool {
    // Files are opened over slow networks too: each only once, as what its name says that it is.
    match path.extension().and_then(OsStr::to_str) {
        Some("gif") => is_own_gif(path),
        Some("tif") => tiff::is_own(path),
        _ => is_own_png(path),
    }
}

/// Whether a file has no bytes, so that nothing is lost with it, such as one that a full disk left.
fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

/// Whether a label map, its width, height and values, has as many pixels as a photo, upright or not, and its values
/// are classes.
fn is_label_map_of(map: Option<(usize, usize, Vec<u16>)>, photo: &Path, classes: usize) -> bool {
    let Some((width, height, labels)) = map else {
        return false;
    };
    let is_class = |&label: &u16| usize::from(label) < classes || [255, IGNORE].contains(&label);
    let bytes = || files::read(photo).ok();
    let pixels = || data::pixels_of(photo, &bytes()?).ok();
    labels.iter().all(is_class) && pixels() == Some((width * height) as u64)
}

/// Whether a file is a picture with several channels, which masks never have.
fn is_in_colour(path: &Path) -> bool {
    let reader = ImageReader::open(path).ok();
    let reader = reader.and_then(|reader| reader.with_guessed_format().ok());
    let decoder = reader.and_then(|reader| reader.into_decoder().ok());
    decoder.is_some_and(|decoder| decoder.color_type().has_color())
}
