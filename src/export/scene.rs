//! The input of an export.

use super::error::ExportError;
use super::mask::Mask;
use crate::data::Origin;
use crate::encoding::Centroids;
use crate::inference;
use crate::votes::Votes;
use image::RgbImage;
use std::path::Path;

/// The states of a flow on the host, beginning with the source at t = 0.
#[derive(Clone, Debug)]
pub struct Trajectory<'a> {
    /// `[height, width]` of the states.
    pub size: [usize; 2],
    /// The time of every state, in `[0, 1]`.
    pub times: &'a [f32],
    /// The states `x_t: [d, H, W]`, channel-major, about in `[-1, 1]`.
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
    /// The mask over the photo.
    Overlay,
}

impl Look {
    pub const ALL: [Self; 3] = [Self::Raw, Self::Map, Self::Overlay];

    pub fn label(self) -> &'static str {
        match self {
            Self::Raw => "State",
            Self::Map => "Mask",
            Self::Overlay => "Overlay",
        }
    }
}

/// A mask that is not the last state's: from several passes or tiles, or corrected by hand.
#[derive(Clone, Debug)]
pub struct GivenMask {
    /// One class index per pixel, [`IGNORE`](crate::labels::IGNORE) for pixels without a class: `[height, width]` of
    /// the photo.
    pub labels: Vec<u16>,
    /// What files of indices say of it.
    pub origin: Origin<'static>,
}

/// The input of an export.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The photo, upright, at its own size.
    pub photo: &'a RgbImage,
    /// Its flow so far. The last state counts as the result.
    pub trajectory: Trajectory<'a>,
    pub centroids: &'a Centroids,
    /// The classes' colours, such as [`Centroids::colours`], in the order of the centroids.
    pub colours: &'a [[u8; 3]],
    /// The classes' names, in the order of the centroids.
    pub classes: &'a [String],
    /// A mask instead of the last state's.
    pub given: Option<&'a GivenMask>,
    /// How far the votes of the last state are filtered along the photo's colours, in pixels of the
    /// state; see [`Outlines::radius`](crate::votes::Outlines::radius).
    pub radius: usize,
    pub look: Look,
    /// Opacity of class colours over the photo, 0 to 1.
    pub opacity: f32,
}

impl Scene<'_> {
    /// The mask with these labels, `[height, width]` of the photo.
    pub fn mask<'a>(&'a self, labels: &'a [u16]) -> Mask<'a> {
        Mask {
            photo: self.photo,
            labels,
            classes: self.classes,
            colours: self.colours,
        }
    }

    /// The colour of a class; black if the index is out of range.
    pub(super) fn colour(&self, class: usize) -> [u8; 3] {
        self.colours.get(class).copied().unwrap_or_default()
    }

    /// Refuses scenes that no writer could handle.
    pub(super) fn check(&self, path: &Path) -> Result<(), ExportError> {
        let t = &self.trajectory;
        let pixels = t.size[0].checked_mul(t.size[1]).unwrap_or(0);
        let reason = if t.states.is_empty() {
            "no state was computed yet; wait for the flow's first step"
        } else if pixels == 0
            || t.times.len() != t.states.len()
            || t.labels.len() != t.states.len()
            || t.states
                .iter()
                .any(|state| state.len() != self.centroids.dims() * pixels)
            || t.labels.iter().any(|labels| labels.len() != pixels)
        {
            "its states have different sizes; sample it again (R)"
        } else {
            return Ok(());
        };
        let path = path.to_owned();
        Err(ExportError::Scene { path, reason })
    }

    /// The votes of the last state, along the photo's colours.
    ///
    /// # Errors
    /// They do not fit into memory.
    pub(super) fn votes(&self) -> Result<Votes, ExportError> {
        let size = self.trajectory.size;
        inference::check_votes([size], self.centroids.len()).map_err(ExportError::Votes)?;
        let last = self.trajectory.states.last().copied().unwrap_or_default();
        Ok(Votes::of(self.centroids, last, size).along(self.photo, self.radius))
    }

    /// `[height, width]`
    pub(super) fn size_of_photo(&self) -> [usize; 2] {
        [self.photo.height(), self.photo.width()].map(|side| side as usize)
    }

    /// The mask at the photo's own size, `[height, width]`: the given one, else the last state's.
    ///
    /// # Errors
    /// The votes of the last state are needed and do not fit into memory.
    pub fn labels_of_photo(&self) -> Result<Vec<u16>, ExportError> {
        match self.given {
            Some(given) => Ok(given.labels.clone()),
            None => Ok(self.votes()?.labels(self.size_of_photo())),
        }
    }
}
