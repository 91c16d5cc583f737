//! Exports of a flow: masks, pictures, animations, states and numbers.
//!
//! Shared by `flowseg segment` and the window. It works on host data alone, without the tensor library or the window, so
//! that an export can run on any thread.

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
pub use scene::{GivenMask, Look, Scene, Trajectory};
pub use selection::{Merge, Selection, UnknownClass};
pub use tables::{numbers, safetensors};
pub use yolo::{class_list, data_yaml, former_data_yaml};

use crate::data::Origin;
use crate::files;
use error::go_on;
use std::borrow::Cow;
use std::path::Path;

/// A file that a flow can be exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// Its mask, or how sure the network is of it.
    Mask(Format),
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
}

impl Artifact {
    /// The artifacts in the menu, in its order.
    pub const ALL: [Self; 13] = [
        Self::Mask(Format::Index),
        Self::Mask(Format::Colours),
        Self::Mask(Format::Overlay),
        Self::Gif,
        Self::Frames,
        Self::Trajectory,
        Self::Numbers,
        Self::Mask(Format::Probability),
        Self::Mask(Format::Margin),
        Self::Mask(Format::Entropy),
        Self::Mask(Format::ProbabilityNpy),
        Self::Mask(Format::MarginNpy),
        Self::Mask(Format::EntropyNpy),
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Mask(format) => format.label(),
            Self::Gif => "Animation (GIF)",
            Self::Frames => "Animation frames (folder of PNGs)",
            Self::Trajectory => "Trajectory (safetensors)",
            Self::Numbers => "Numbers (CSV)",
        }
    }

    /// The file's extension without its dot; empty for a folder.
    pub fn extension(self) -> &'static str {
        let (_, extension) = self.suffix().rsplit_once('.').unwrap_or_default();
        if self.is_folder() { "" } else { extension }
    }

    fn is_folder(self) -> bool {
        match self {
            Self::Mask(format) => format.is_folder(),
            Self::Frames => true,
            Self::Gif | Self::Trajectory | Self::Numbers => false,
        }
    }

    /// What follows the photo's name (without its extension) in the file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Mask(format) => format.suffix().unwrap_or_default(),
            Self::Gif => ".trajectory.gif",
            Self::Frames => ".frames",
            Self::Trajectory => ".trajectory.safetensors",
            Self::Numbers => ".numbers.csv",
        }
    }

    /// The default file name for a photo named `name` (without its extension).
    pub fn file_name(self, name: &str) -> String {
        format!("{name}{}", self.suffix())
    }

    /// Whether it shows only the final mask and not the states. It then shows a corrected mask, and its
    /// name says so.
    pub fn is_of_mask(self) -> bool {
        matches!(self, Self::Mask(format) if format.shows_mask())
    }

    /// Its name in the middle of a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Mask(format) => format.noun(),
            Self::Gif => "animation",
            Self::Frames => "frames",
            Self::Trajectory => "trajectory",
            Self::Numbers => "table of numbers",
        }
    }
}

/// Writes an artifact of a scene to `path` (for [`Artifact::Frames`] a new or empty folder),
/// atomically. `progress` is called with the share done, 0 to 1, and returns whether to continue.
///
/// # Errors
/// The disk cannot be written, the scene has no states, its votes do not fit into memory, the folder is not empty, or
/// `progress` returned false.
pub fn write(
    artifact: Artifact,
    scene: &Scene,
    path: &Path,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    scene.check(path)?;
    go_on(progress(0.0))?;
    match artifact {
        Artifact::Mask(format) => write_mask(format, scene, path)?,
        Artifact::Gif => pictures::write_gif(path, scene, progress)?,
        Artifact::Frames => pictures::write_frames(path, scene, progress)?,
        Artifact::Trajectory => {
            let bytes = safetensors(scene).map_err(|e| ExportError::write(path, e))?;
            files::write_atomic(path, &bytes)?;
        }
        Artifact::Numbers => files::write_atomic(path, &numbers(scene))?,
    }
    // The file is written, so it is too late to cancel.
    progress(1.0);
    Ok(())
}

fn write_mask(format: Format, scene: &Scene, path: &Path) -> Result<(), ExportError> {
    let votes = (scene.given.is_none() || !format.shows_mask()).then(|| scene.votes());
    let votes = votes.transpose()?;
    let labels = match (scene.given, &votes) {
        (Some(given), _) => Cow::Borrowed(given.labels.as_slice()),
        (None, Some(votes)) if format.shows_mask() => {
            Cow::Owned(votes.labels(scene.size_of_photo()))
        }
        // How sure the network is needs no mask.
        _ => Cow::default(),
    };
    let details = Details {
        photo: path,
        cutout: &[],
        opacity: scene.opacity,
        votes: votes.as_ref(),
        origin: scene.given.map_or(Origin::Unstated, |given| given.origin),
    };
    format.write(&scene.mask(&labels), path, &details)
}
