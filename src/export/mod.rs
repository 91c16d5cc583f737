//! Exports of a flow: masks, pictures, animations, states and numbers.
//!
//! Shared by `flowseg segment` and the window. It works on host data alone and depends neither on the
//! tensor library nor on the window, so that an export can run on any thread.

mod binary;
mod caption;
mod coco;
mod contour;
mod cutout;
mod error;
mod format;
mod labelme;
mod legend;
mod mask;
mod npy;
mod own;
mod palette;
mod pictures;
mod polygons;
mod regions;
mod rle;
mod scene;
mod selection;
mod tables;
#[cfg(test)]
mod tests;
mod tiff;
mod yolo;

pub use binary::masks as binary_masks;
pub use caption::with_caption;
pub use coco::{Coco, Entry, Shapes};
pub use error::ExportError;
pub use format::{Details, Format};
pub use legend::{Entry as LegendEntry, below as with_legend, below_in as with_legend_in, percent};
pub use mask::Mask;
pub use own::is_marked;
pub use pictures::{Pictures, colours, overlay, write_animation, write_sequence};
pub use polygons::{Polygon, Ring, polygons};
pub use regions::{Region, Regions, absorb_small};
pub use scene::{Look, Scene, Trajectory};
pub use selection::{Merge, Selection, UnknownClass};
pub use tables::{numbers, safetensors};
pub use yolo::{class_list, data_yaml, former_data_yaml};

use crate::data::Origin;
use crate::files;
use crate::votes::Doubt;
use error::go_on;
use std::path::Path;

/// A file that a flow can be exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// A single-channel PNG of the photo's own size with one class index per pixel.
    Labels,
    /// A PNG of the mask in class colours, with a legend of its classes.
    Colours,
    /// A PNG of the photo under class colours.
    Overlay,
    /// The flow as an endlessly looping GIF. Frames of at most 256 colours are exact, so every
    /// [map](Look::Map) of as many classes is; [raw](Look::Raw) states and [overlays](Look::Overlay)
    /// have more, and show the nearest of 256. The frames as PNGs are exact.
    Gif,
    /// The flow as a folder of numbered PNGs.
    Frames,
    /// The states, times and labels as safetensors.
    Trajectory,
    /// Shares, settling and speed of every state as CSV.
    Numbers,
    /// A grey PNG of a measure of uncertainty at the photo's own size, black for 0, white for 1.
    DoubtPicture(Doubt),
    /// The same as a NumPy array of `float32`.
    DoubtArray(Doubt),
}

impl Artifact {
    /// All artifacts, in the order of the menu.
    pub const ALL: [Self; 13] = [
        Self::Labels,
        Self::Colours,
        Self::Overlay,
        Self::Gif,
        Self::Frames,
        Self::Trajectory,
        Self::Numbers,
        Self::DoubtPicture(Doubt::Probability),
        Self::DoubtPicture(Doubt::Margin),
        Self::DoubtPicture(Doubt::Entropy),
        Self::DoubtArray(Doubt::Probability),
        Self::DoubtArray(Doubt::Margin),
        Self::DoubtArray(Doubt::Entropy),
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Labels => "Mask of class indices (PNG)",
            Self::Colours => "Class colours with legend (PNG)",
            Self::Overlay => "Overlay on the photo (PNG)",
            Self::Gif => "Animation (GIF)",
            Self::Frames => "Animation frames (folder of PNGs)",
            Self::Trajectory => "Trajectory (safetensors)",
            Self::Numbers => "Numbers (CSV)",
            Self::DoubtPicture(Doubt::Probability) => "Probability (grey PNG)",
            Self::DoubtPicture(Doubt::Margin) => "Margin (grey PNG)",
            Self::DoubtPicture(Doubt::Entropy) => "Entropy (grey PNG)",
            Self::DoubtArray(Doubt::Probability) => "Probability (NumPy)",
            Self::DoubtArray(Doubt::Margin) => "Margin (NumPy)",
            Self::DoubtArray(Doubt::Entropy) => "Entropy (NumPy)",
        }
    }

    /// The file's extension without its dot; empty for the folder of frames.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Labels | Self::Colours | Self::Overlay | Self::DoubtPicture(_) => "png",
            Self::DoubtArray(_) => "npy",
            Self::Gif => "gif",
            Self::Frames => "",
            Self::Trajectory => "safetensors",
            Self::Numbers => "csv",
        }
    }

    /// What follows the photo's name (without its extension) in the file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Labels => ".png",
            Self::Colours => ".colours.png",
            Self::Overlay => ".overlay.png",
            Self::Gif => ".trajectory.gif",
            Self::Frames => ".frames",
            Self::Trajectory => ".trajectory.safetensors",
            Self::Numbers => ".numbers.csv",
            Self::DoubtPicture(Doubt::Probability) => ".probability.png",
            Self::DoubtPicture(Doubt::Margin) => ".margin.png",
            Self::DoubtPicture(Doubt::Entropy) => ".entropy.png",
            Self::DoubtArray(Doubt::Probability) => ".probability.npy",
            Self::DoubtArray(Doubt::Margin) => ".margin.npy",
            Self::DoubtArray(Doubt::Entropy) => ".entropy.npy",
        }
    }

    /// The default file name for a photo named `name` (without its extension).
    pub fn file_name(self, name: &str) -> String {
        format!("{name}{}", self.suffix())
    }

    /// Whether it shows only the final mask and not the states. It then shows a corrected mask, and its
    /// name says so.
    pub fn is_of_mask(self) -> bool {
        matches!(self, Self::Labels | Self::Colours | Self::Overlay)
    }

    /// Its name in the middle of a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Labels => "mask",
            Self::Colours => "coloured mask",
            Self::Overlay => "overlay",
            Self::Gif => "animation",
            Self::Frames => "frames",
            Self::Trajectory => "trajectory",
            Self::Numbers => "table of numbers",
            Self::DoubtPicture(_) => "picture of uncertainty",
            Self::DoubtArray(_) => "array of uncertainty",
        }
    }
}

/// Writes an artifact of a scene to `path` (for [`Artifact::Frames`] a new or empty folder),
/// atomically. `progress` is called with the share done, 0 to 1, and returns whether to continue.
///
/// # Errors
/// The disk cannot be written, the scene has no states, the folder is not empty, or `progress` returned
/// false.
pub fn write(
    artifact: Artifact,
    scene: &Scene,
    path: &Path,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    scene.check(path)?;
    go_on(progress(0.0))?;
    match artifact {
        Artifact::Labels => write_mask(Format::Index, scene, path)?,
        Artifact::Colours => write_mask(Format::Colours, scene, path)?,
        Artifact::Overlay => write_mask(Format::Overlay, scene, path)?,
        Artifact::Gif => pictures::write_gif(path, scene, progress)?,
        Artifact::Frames => pictures::write_frames(path, scene, progress)?,
        Artifact::Trajectory => {
            let bytes = safetensors(scene).map_err(|e| ExportError::write(path, e))?;
            files::write_atomic(path, &bytes)?;
        }
        Artifact::Numbers => files::write_atomic(path, &numbers(scene))?,
        Artifact::DoubtPicture(doubt) => {
            format::write_grey(path, doubt, &scene.votes(), scene.size_of_photo())?;
        }
        Artifact::DoubtArray(doubt) => {
            format::write_npy(path, doubt, &scene.votes(), scene.size_of_photo())?;
        }
    }
    // The file is written, so it is too late to cancel.
    progress(1.0);
    Ok(())
}

fn write_mask(format: Format, scene: &Scene, path: &Path) -> Result<(), ExportError> {
    let (votes, labels) = (scene.votes(), scene.labels_of_photo());
    let details = Details {
        photo: path,
        cutout: &[],
        opacity: scene.opacity,
        votes: &votes,
        origin: if scene.by_hand {
            Origin::ByHand
        } else {
            Origin::Unstated
        },
    };
    format.write(&scene.mask(&labels), path, &details)
}
