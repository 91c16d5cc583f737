//! The work on each photo: its flow, and its files.

use super::flicker::Sampled;
use super::outputs::Photo;
use super::records::{Done, Shown};
use crate::cli::arguments::SMALLER_VOTES;
use crate::data::{self, Origin};
use crate::encoding::Centroids;
use crate::export::{self, Details, Entry, Look, Mask, Scene, Selection, Shapes, Trajectory};
use crate::inference::{self, SegmentError, Segmented, Tiles, Viewing};
use crate::labels;
use crate::model::Model;
use crate::model::tensors::read;
use anyhow::{Context, Error};
use image::RgbImage;
use std::time::Duration;

/// Opacity of class colours over a photo.
const OPACITY: f32 = 0.5;

/// Everything shared by all photos.
pub(super) struct Work<'a> {
    pub model: &'a Model,
    /// The model's name in errors.
    pub model_name: String,
    pub viewing: Viewing,
    pub keeps_states: bool,
    pub centroids: Centroids,
    pub colours: Vec<[u8; 3]>,
    pub selection: Selection,
    pub cutout: Vec<u16>,
    pub shapes: Vec<Shapes>,
}

/// The states of one look at a whole photo.
#[derive(Default)]
struct Seen {
    size: [usize; 2],
    times: Vec<f32>,
    states: Vec<Vec<f32>>,
    /// The label map of every state.
    labels: Vec<Vec<u16>>,
}

/// A segmented photo.
pub(super) struct Flow {
    photo: RgbImage,
    /// Duration of a frame of an animation.
    delay: Option<Duration>,
    /// The first look's; empty if no states are kept.
    seen: Seen,
    segmented: Segmented,
}

impl Work<'_> {
    /// Computes the votes of all looks at a photo, and the states of the first. `count` is called with the number of
    /// tiles done and of all.
    pub(super) fn flow(
        &self,
        photo: RgbImage,
        delay: Option<Duration>,
        count: &dyn Fn(usize, usize),
    ) -> anyhow::Result<Flow> {
        let seen = if self.keeps_states {
            self.states(&photo)?
        } else {
            Seen::default()
        };
        let told = |error: SegmentError| Error::msg(error.with_remedy(SMALLER_VOTES));
        let segmented = match seen.states.last() {
            Some(last) if self.looks_once(&photo) => {
                let look = self.first_look();
                inference::check_votes([seen.size], self.centroids.len())
                    .map_err(told)
                    .with_context(|| self.model_name.clone())?;
                let votes = look.votes(&self.centroids, last, seen.size);
                Segmented::whole(votes.along(&photo, self.radius()))
            }
            _ => inference::segment_counting(
                self.model,
                &self.centroids,
                &photo,
                &self.viewing,
                &|| false,
                count,
            )
            .map_err(told)
            .with_context(|| self.model_name.clone())?,
        };
        Ok(Flow {
            photo,
            delay,
            seen,
            segmented,
        })
    }

    /// See [`Outlines::radius`](crate::votes::Outlines::radius).
    fn radius(&self) -> usize {
        let radius = self.model.card.filter_radius();
        self.viewing.outlines.radius(radius)
    }

    fn first_look(&self) -> inference::Look {
        self.viewing.looks.first().copied().unwrap_or_default()
    }

    /// Whether the mask comes from a single look at the whole photo.
    fn looks_once(&self, photo: &RgbImage) -> bool {
        let size = data::size_of(photo);
        let (scale, tiling) = (self.first_look().scale, self.viewing.tiling);
        let windows = Tiles::new(self.model, size, scale, tiling);
        self.viewing.looks.len() == 1 && windows.is_whole()
    }

    /// All states of the first look at a whole photo.
    fn states(&self, photo: &RgbImage) -> anyhow::Result<Seen> {
        let look = self.first_look();
        let (size, flow) = inference::look_at(self.model, photo, look, self.viewing.sampling);
        let mut seen = Seen {
            size,
            ..Seen::default()
        };
        for state in flow {
            let x = read(state.x);
            inference::check_finite(self.model, &x).with_context(|| self.model_name.clone())?;
            seen.times.push(state.t);
            seen.labels.push(self.centroids.decode(&x));
            seen.states.push(x);
        }
        Ok(seen)
    }

    /// Writes the requested outputs of one photo. Its masks say where they come from.
    pub(super) fn write(&self, photo: &Photo, flow: Flow, origin: Origin) -> anyhow::Result<Done> {
        let Flow {
            photo: picture,
            delay,
            seen,
            segmented,
        } = flow;
        let scene = Scene {
            photo: &picture,
            trajectory: Trajectory {
                size: seen.size,
                times: &seen.times,
                states: seen.states.iter().map(Vec::as_slice).collect(),
                labels: seen.labels.iter().map(Vec::as_slice).collect(),
            },
            centroids: &self.centroids,
            colours: &self.colours,
            classes: &self.model.card.classes,
            given: None,
            radius: self.radius(),
            look: Look::Raw,
            opacity: OPACITY,
        };
        let to = data::size_of(&picture);
        let network_size = segmented.size;
        let (mut labels, votes) = segmented.into_labels(to, self.viewing.ignore_below);
        let outputs = &photo.outputs;
        // What a person has corrected is the mask, also its small regions.
        let corrected = outputs.corrected_labels([picture.width(), picture.height()]);
        let is_corrected = corrected.is_some();
        if let Some(corrected) = corrected {
            labels = corrected;
            self.selection.choose(&mut labels);
        } else {
            self.selection.apply(&mut labels, to[1]);
        }
        let mut others = outputs.masks.iter().map(|(format, _)| format.shows_mask());
        let shown = if is_corrected {
            Shown::Corrected
        } else if !outputs.corrected.is_empty()
            && (others.any(|shows| shows) || !self.shapes.is_empty())
        {
            Shown::Both
        } else {
            Shown::Network
        };
        let mask = Mask {
            photo: &picture,
            labels: &labels,
            classes: self.selection.names(),
            colours: &self.colours,
        };
        let details = Details {
            photo: &photo.path,
            cutout: &self.cutout,
            opacity: OPACITY,
            votes: Some(&votes),
            origin,
        };
        for (format, path) in &photo.outputs.masks {
            format.write(&mask, path, &details)?;
        }
        for (artifact, path) in &photo.outputs.flow {
            export::write(*artifact, &scene, path, &|_| true)?;
        }
        let entry = |&shapes: &Shapes| {
            Entry::new(&mask, &photo.name, shapes).corrected_at(outputs.corrected_at)
        };
        Ok(Done {
            size: [picture.width(), picture.height()],
            network_size,
            shares: shares(&mask),
            shown,
            entries: self.shapes.iter().map(entry).collect(),
            delay,
            sampled: photo
                .sequence
                .is_some()
                .then(|| Sampled::of(&picture, &labels)),
        })
    }
}

/// The share of every class among all pixels.
fn shares(mask: &Mask) -> serde_json::Map<String, serde_json::Value> {
    let counts = labels::counts(mask.labels, mask.classes.len());
    let share = |count: usize| count as f64 / mask.labels.len() as f64;
    mask.classes
        .iter()
        .zip(counts)
        .map(|(name, count)| (name.clone(), share(count).into()))
        .collect()
}
