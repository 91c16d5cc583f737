//! The file formats of masks.

use super::binary;
use super::contour::contour;
use super::cutout::cutout;
use super::error::ExportError;
use super::labelme;
use super::mask::Mask;
use super::npy;
use super::palette;
use super::pictures::{colours, overlay, write_png};
use super::tiff;
use super::yolo;
use crate::data::Origin;
use crate::labels::IGNORE;
use crate::votes::{Doubt, Votes};
use crate::{data, files};
use image::GrayImage;
use std::path::Path;

/// A file format of masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// NAME.png: a grey PNG with one class index per pixel, in 16 bits if the model has more than 255
    /// classes
    Index,
    /// NAME.palette.png: the same indices with the class colours as palette, for up to 255 classes
    Palette,
    /// NAME.binary/INDEX-CLASS.png: one black and white PNG for every class in the mask
    Binary,
    /// annotations.json: one COCO file for all photos, with one annotation per connected region
    Coco,
    /// NAME.json: polygons for Labelme
    Labelme,
    /// NAME.txt: polygons for Ultralytics YOLO, with classes.txt and data.yaml
    Yolo,
    /// NAME.npy: a NumPy array of class indices
    Npy,
    /// NAME.tif: a TIFF with one class index per pixel, which keeps the georeference of a GeoTIFF
    Tiff,
    /// NAME.cutout.png: the photo where it has the classes of --class, transparent elsewhere
    Cutout,
    /// NAME.contour.png: the photo with the outlines of the classes
    Contour,
    /// NAME.overlay.png: the photo under half-transparent class colours
    Overlay,
    /// NAME.colours.png: the mask in class colours, with a legend
    Colours,
    /// NAME.probability.png: a grey PNG of the probability of each pixel's class, white if certain
    Probability,
    /// NAME.margin.png: a grey PNG of the lead of each pixel's class over the second (p1 - p2),
    /// white if certain
    Margin,
    /// NAME.entropy.png: a grey PNG of the entropy over ln N, black for certain, white where all N
    /// classes are equally probable
    Entropy,
    /// NAME.probability.npy: the same numbers, 0 to 1, as a NumPy array of float32
    ProbabilityNpy,
    /// NAME.margin.npy: the same as float32
    MarginNpy,
    /// NAME.entropy.npy: the same as float32
    EntropyNpy,
}

/// What a format needs besides the mask.
#[derive(Clone, Copy, Debug)]
pub struct Details<'a> {
    pub photo: &'a Path,
    /// The classes that a cut-out shows.
    pub cutout: &'a [u16],
    /// Opacity of class colours over the photo, 0 to 1.
    pub opacity: f32,
    /// The votes that the mask was decided from, for its uncertainty.
    pub votes: Option<&'a Votes>,
    /// What the files of indices say of the mask.
    pub origin: Origin<'a>,
}

impl Format {
    /// What follows the photo's name (without its extension) in the name of the file, or of the folder
    /// of [`Binary`](Self::Binary); `None` for [`Coco`](Self::Coco), which is one file for all photos.
    pub fn suffix(self) -> Option<&'static str> {
        Some(match self {
            Self::Index => ".png",
            Self::Palette => ".palette.png",
            Self::Binary => ".binary",
            Self::Coco => return None,
            Self::Labelme => ".json",
            Self::Yolo => ".txt",
            Self::Npy => ".npy",
            Self::Tiff => ".tif",
            Self::Cutout => ".cutout.png",
            Self::Contour => ".contour.png",
            Self::Overlay => ".overlay.png",
            Self::Colours => ".colours.png",
            Self::Probability => ".probability.png",
            Self::Margin => ".margin.png",
            Self::Entropy => ".entropy.png",
            Self::ProbabilityNpy => ".probability.npy",
            Self::MarginNpy => ".margin.npy",
            Self::EntropyNpy => ".entropy.npy",
        })
    }

    /// Its name in a menu.
    pub fn label(self) -> &'static str {
        match self {
            Self::Index => "Mask of class indices (PNG)",
            Self::Palette => "Mask of class indices with palette (PNG)",
            Self::Binary => "Masks of the classes (folder of PNGs)",
            Self::Coco => "Annotations (COCO)",
            Self::Labelme => "Polygons (Labelme)",
            Self::Yolo => "Polygons (YOLO)",
            Self::Npy => "Mask of class indices (NumPy)",
            Self::Tiff => "Mask of class indices (TIFF)",
            Self::Cutout => "Cut-out (PNG)",
            Self::Contour => "Outlines on the photo (PNG)",
            Self::Overlay => "Overlay on the photo (PNG)",
            Self::Colours => "Class colours with legend (PNG)",
            Self::Probability => "Probability (grey PNG)",
            Self::Margin => "Margin (grey PNG)",
            Self::Entropy => "Entropy (grey PNG)",
            Self::ProbabilityNpy => "Probability (NumPy)",
            Self::MarginNpy => "Margin (NumPy)",
            Self::EntropyNpy => "Entropy (NumPy)",
        }
    }

    /// Its name in the middle of a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Index => "mask",
            Self::Palette => "palette mask",
            Self::Binary => "masks of the classes",
            Self::Coco => "COCO annotations",
            Self::Labelme => "Labelme polygons",
            Self::Yolo => "YOLO polygons",
            Self::Npy => "array",
            Self::Tiff => "TIFF mask",
            Self::Cutout => "cut-out",
            Self::Contour => "outlines",
            Self::Overlay => "overlay",
            Self::Colours => "coloured mask",
            Self::Probability => "probabilities",
            Self::Margin => "margins",
            Self::Entropy => "entropies",
            Self::ProbabilityNpy => "array of probabilities",
            Self::MarginNpy => "array of margins",
            Self::EntropyNpy => "array of entropies",
        }
    }

    pub fn is_folder(self) -> bool {
        self == Self::Binary
    }

    /// Whether it is a map of class indices that other programs edit.
    pub fn is_map(self) -> bool {
        matches!(self, Self::Index | Self::Palette | Self::Tiff)
    }

    /// Whether its files say how many pixels the photo has. Coloured masks are magnified, and have a legend.
    pub fn says_size(self) -> bool {
        !matches!(self, Self::Colours | Self::Binary | Self::Coco | Self::Yolo)
    }

    /// Whether its files say where the mask comes from.
    pub fn says_origin(self) -> bool {
        matches!(self, Self::Index | Self::Palette)
    }

    /// Whether it shows the mask, and not how sure the network is of it.
    pub fn shows_mask(self) -> bool {
        !matches!(
            self,
            Self::Probability
                | Self::Margin
                | Self::Entropy
                | Self::ProbabilityNpy
                | Self::MarginNpy
                | Self::EntropyNpy
        )
    }

    /// The largest number of classes that it can represent.
    pub fn most_classes(self) -> usize {
        match self {
            Self::Palette => 255,
            _ => usize::from(IGNORE),
        }
    }

    /// Writes a mask to `path` atomically, the folder of [`Binary`](Self::Binary) file by file.
    /// [`Coco`](Self::Coco) writes nothing here: see [`Coco`](super::Coco).
    ///
    /// # Errors
    /// The disk cannot be written, there are more classes than [`most_classes`](Self::most_classes),
    /// the mask does not have the photo's size, or its uncertainty is wanted without votes.
    pub fn write(self, mask: &Mask, path: &Path, details: &Details) -> Result<(), ExportError> {
        // How sure the network is does not depend on the mask.
        if self.shows_mask() {
            mask.check(path)?;
        }
        let [width, height] = mask.size().map(|side| side as usize);
        let size = [height, width];
        let votes = || {
            details.votes.ok_or_else(|| ExportError::Scene {
                path: path.to_owned(),
                reason: "how sure the network was of its mask is not known; sample it again (R)",
            })
        };
        match self {
            Self::Index => {
                let (origin, classes) = (details.origin, mask.classes.len());
                data::write_mask(path, [width, height], mask.labels, classes, origin)?;
            }
            Self::Palette => {
                files::write_atomic(path, &palette::encode(mask, path, details.origin)?)?
            }
            Self::Binary => binary::write(mask, path)?,
            Self::Coco => {}
            Self::Labelme => {
                files::write_atomic(path, &labelme::encode(mask, details.photo, path))?;
            }
            Self::Yolo => files::write_atomic(path, yolo::encode(mask).as_bytes())?,
            Self::Npy => files::write_atomic(path, &npy::encode(mask))?,
            Self::Tiff => tiff::write(mask, details.photo, path)?,
            Self::Cutout => write_png(path, cutout(mask, details.cutout))?,
            Self::Contour => write_png(path, contour(mask))?,
            Self::Overlay => write_png(path, overlay(mask, details.opacity))?,
            Self::Colours => write_png(path, colours(mask))?,
            Self::Probability => write_grey(path, Doubt::Probability, votes()?, size)?,
            Self::Margin => write_grey(path, Doubt::Margin, votes()?, size)?,
            Self::Entropy => write_grey(path, Doubt::Entropy, votes()?, size)?,
            Self::ProbabilityNpy => write_npy(path, Doubt::Probability, votes()?, size)?,
            Self::MarginNpy => write_npy(path, Doubt::Margin, votes()?, size)?,
            Self::EntropyNpy => write_npy(path, Doubt::Entropy, votes()?, size)?,
        }
        Ok(())
    }
}

/// Writes a measure of uncertainty at the photo's size, `[height, width]`, as a grey PNG: black for 0, white
/// for 1.
fn write_grey(
    path: &Path,
    doubt: Doubt,
    votes: &Votes,
    size: [usize; 2],
) -> Result<(), ExportError> {
    let byte = |value: f32| (255.0 * value).round().clamp(0.0, 255.0) as u8;
    let bytes: Vec<u8> = votes.doubt(doubt, size).into_iter().map(byte).collect();
    let [height, width] = size.map(|side| side as u32);
    let grey = GrayImage::from_raw(width, height, bytes);
    write_png(path, grey.unwrap_or_default())
}

/// Writes the same as a NumPy array of `float32`.
fn write_npy(
    path: &Path,
    doubt: Doubt,
    votes: &Votes,
    size: [usize; 2],
) -> Result<(), ExportError> {
    let values = votes.doubt(doubt, size);
    Ok(files::write_atomic(path, &npy::floats(&values, size))?)
}
