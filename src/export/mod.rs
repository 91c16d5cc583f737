//! What a flow leaves behind: masks, pictures, animations, states and numbers.
//!
//! One code for `flowseg segment` and for the window. It works on host data alone and knows
//! neither the tensor library nor the window, so that an export can run on any thread.

mod legend;
mod pictures;
mod tables;
#[cfg(test)]
mod tests;

pub use pictures::{colours, overlay};
pub use tables::{numbers, safetensors};

use crate::data::{self, DataError};
use crate::encoding::Centroids;
use crate::files::{self, FileError};
use crate::inference;
use image::RgbImage;
use std::io;
use std::path::{Path, PathBuf};

/// The states of a flow on the host, from the source at t = 0 on.
#[derive(Clone, Debug)]
pub struct Trajectory<'a> {
    /// Height and width of the states.
    pub size: [usize; 2],
    /// The time of every state, in `[0, 1]`.
    pub times: &'a [f32],
    /// The states `x_t: [3, H, W]`, channel-major, about in `[-1, 1]`.
    pub states: Vec<&'a [f32]>,
    /// The nearest class of every pixel of every state, `[H, W]` each.
    pub labels: Vec<&'a [u16]>,
}

/// What an animation shows of every state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Look {
    /// Its three channels read as RGB.
    #[default]
    Raw,
    /// The nearest class of every pixel, in class colours.
    Map,
    /// The map over the photo.
    Overlay,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Map, Self::Overlay];

    /// Its name in a menu.
    pub fn label(self) -> &'static str {
        match self {
            Self::Raw => "Raw",
            Self::Map => "Map",
            Self::Overlay => "Overlay",
        }
    }
}

/// Everything that an export may show.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The photo, upright, at its own size.
    pub photo: &'a RgbImage,
    /// Its flow so far. The last state is taken for the answer.
    pub trajectory: Trajectory<'a>,
    /// The classes' centroids.
    pub centroids: &'a Centroids,
    /// The classes' colours, such as [`Centroids::colours`], in the same order.
    pub colours: &'a [[u8; 3]],
    /// The classes' names, in the order of the centroids.
    pub classes: &'a [String],
    /// What animations show.
    pub look: Look,
    /// Opacity of class colours over the photo, 0 to 1.
    pub opacity: f32,
}

/// A kind of file that a flow can be exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// A single-channel PNG of the photo's own size with a class index a pixel.
    Labels,
    /// A PNG of the mask in class colours, with a legend of the classes in it.
    Colours,
    /// A PNG of the photo under class colours.
    Overlay,
    /// The flow as an endless GIF. Colours are exact in every frame of at most 256 colours, which is
    /// every [map](Look::Map) of as many classes; [raw](Look::Raw) states and
    /// [overlays](Look::Overlay) have more, and the nearest of 256 stand for them. The frames as
    /// PNGs are exact.
    Gif,
    /// The flow as a folder of numbered PNGs.
    Frames,
    /// The states, times and labels as safetensors.
    Trajectory,
    /// Shares, settling and speed of every state as CSV.
    Numbers,
}

impl Artifact {
    /// All of them, in the order of a menu.
    pub const ALL: [Self; 7] = [
        Self::Labels,
        Self::Colours,
        Self::Overlay,
        Self::Gif,
        Self::Frames,
        Self::Trajectory,
        Self::Numbers,
    ];

    /// Its name in a menu.
    pub fn label(self) -> &'static str {
        match self {
            Self::Labels => "Label map (PNG)",
            Self::Colours => "Class colours with legend (PNG)",
            Self::Overlay => "Overlay on the photo (PNG)",
            Self::Gif => "Animation (GIF)",
            Self::Frames => "Animation frames (folder of PNGs)",
            Self::Trajectory => "Trajectory (safetensors)",
            Self::Numbers => "Numbers (CSV)",
        }
    }

    /// The file's extension without its dot; empty for the folder of frames.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Labels | Self::Colours | Self::Overlay => "png",
            Self::Gif => "gif",
            Self::Frames => "",
            Self::Trajectory => "safetensors",
            Self::Numbers => "csv",
        }
    }

    /// What follows the photo's name (without its ending) in the file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Labels => ".png",
            Self::Colours => ".colours.png",
            Self::Overlay => ".overlay.png",
            Self::Gif => ".trajectory.gif",
            Self::Frames => ".frames",
            Self::Trajectory => ".trajectory.safetensors",
            Self::Numbers => ".numbers.csv",
        }
    }

    /// The default file name for a photo named `name` (without its ending).
    pub fn file_name(self, name: &str) -> String {
        format!("{name}{}", self.suffix())
    }

    /// What it is, in the middle of a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Labels => "mask",
            Self::Colours => "coloured mask",
            Self::Overlay => "overlay",
            Self::Gif => "animation",
            Self::Frames => "frames",
            Self::Trajectory => "trajectory",
            Self::Numbers => "table of numbers",
        }
    }
}

/// Why an export failed. Nothing half-written is left.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk, or the file's place on it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The label map.
    #[error(transparent)]
    Labels(DataError),
    /// The folder for the frames has something in it.
    #[error("{} is not an empty folder: name a new one for the frames", .0.display())]
    Occupied(PathBuf),
    /// No state was computed yet, or the numbers of a scene don't fit each other.
    #[error("cannot write {}: {reason}", path.display())]
    Scene {
        /// The file.
        path: PathBuf,
        /// What is wrong with the scene.
        reason: &'static str,
    },
    /// The one who waits for it asked it to stop.
    #[error("cancelled")]
    Cancelled,
}

impl ExportError {
    /// A failure to write `path`, from whatever an encoder reports.
    fn write(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        let source = match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        };
        let path = path.to_owned();
        Self::File(FileError::Write { path, source })
    }
}

/// Writes an artifact of a scene to `path` (for [`Artifact::Frames`] a new or empty folder), whole
/// or not at all. `progress` hears the share done, 0 to 1, and answers whether to go on.
///
/// # Errors
/// A disk that refuses, a scene without states, a folder with something in it, or a `progress`
/// that answers false.
pub fn write(
    artifact: Artifact,
    scene: &Scene,
    path: &Path,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    scene.check(path)?;
    go_on(progress(0.0))?;
    match artifact {
        Artifact::Labels => {
            let (width, height) = scene.photo.dimensions();
            let labels = scene.labels_of_photo();
            data::write_labels(path, width as usize, height as usize, &labels)?;
        }
        Artifact::Colours => pictures::write_png(path, &colours(scene))?,
        Artifact::Overlay => pictures::write_png(path, &overlay(scene))?,
        Artifact::Gif => pictures::write_gif(path, scene, progress)?,
        Artifact::Frames => pictures::write_frames(path, scene, progress)?,
        Artifact::Trajectory => {
            let bytes = safetensors(scene).map_err(|e| ExportError::write(path, e))?;
            files::write_atomic(path, &bytes)?;
        }
        Artifact::Numbers => files::write_atomic(path, &numbers(scene))?,
    }
    // The file is there: an answer to stop comes too late.
    progress(1.0);
    Ok(())
}

impl From<DataError> for ExportError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::File(error) => Self::File(error),
            other => Self::Labels(other),
        }
    }
}

fn go_on(yes: bool) -> Result<(), ExportError> {
    yes.then_some(()).ok_or(ExportError::Cancelled)
}

impl Scene<'_> {
    /// A class's colour; black outside the table.
    fn colour(&self, class: usize) -> [u8; 3] {
        self.colours.get(class).copied().unwrap_or_default()
    }

    /// Refuses what the writers would have to trip over.
    fn check(&self, path: &Path) -> Result<(), ExportError> {
        let t = &self.trajectory;
        let pixels = t.size[0].checked_mul(t.size[1]).unwrap_or(0);
        let reason = if t.states.is_empty() {
            "no state was computed yet; wait for the flow's first step"
        } else if pixels == 0
            || t.times.len() != t.states.len()
            || t.labels.len() != t.states.len()
            || t.states.iter().any(|state| state.len() / 3 != pixels)
            || t.labels.iter().any(|labels| labels.len() != pixels)
        {
            "its states have different sizes; run the flow again"
        } else {
            return Ok(());
        };
        let path = path.to_owned();
        Err(ExportError::Scene { path, reason })
    }

    /// The last state's classes at the photo's own size, `[height, width]`.
    pub fn labels_of_photo(&self) -> Vec<u16> {
        let last = self.trajectory.labels.last().copied().unwrap_or_default();
        let to = [self.photo.height() as usize, self.photo.width() as usize];
        inference::scale_labels(last, self.trajectory.size, to)
    }
}
