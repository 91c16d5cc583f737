//! What is derived from the newest frame of a race for drawing.

use crate::labels;
use crate::race::{Arrow, Frame, Record, Slice, Snapshot};
use eframe::egui::{self, TextureHandle, TextureOptions};
use image::RgbImage;
use std::sync::Arc;

/// Seconds in which a cloud moves from the targets of the last frame to the new ones.
const MOVE: f64 = 0.4;

/// Pictures and arrows of the newest frame.
#[derive(Default)]
pub(super) struct Shown {
    /// Photo, truth and both masks.
    pub tiles: Vec<TextureHandle>,
    pub frame: Option<Frame>,
    /// The frame before it.
    before: Option<Frame>,
    /// When the newest frame came, in the window's seconds; `None` before it is first drawn.
    came: Option<f64>,
    /// How far the clouds have moved, 0 to 1.
    share: f32,
    arrows: [Option<(Slice, Arc<[Arrow]>)>; 2],
}

impl Shown {
    /// Prepares the newest frame of a race.
    pub(super) fn update(&mut self, record: &Record, context: &egui::Context) {
        let Some(frame) = record.last() else { return };
        self.before = self.frame.replace(frame.clone());
        (self.came, self.share, self.arrows) = (None, 0.0, [None, None]);
        let held_out = &record.held_out;
        let width = held_out.size[1];
        let [a, b] = frame;
        let mut pictures = vec![a.picture(width), b.picture(width)];
        if self.tiles.is_empty() {
            let truth = labels::mask(&held_out.truth, width, &a.centroids);
            pictures.splice(0..0, [held_out.photo.clone(), truth]);
        }
        self.tiles.truncate(2);
        for picture in &pictures {
            let name = format!("race {}", self.tiles.len());
            let texture = context.load_texture(name, image(picture), TextureOptions::NEAREST);
            self.tiles.push(texture);
        }
    }

    /// Advances the movement of the clouds to the window's time `now`; whether it goes on.
    pub(super) fn advance(&mut self, now: f64) -> bool {
        if self.frame.is_none() {
            return false;
        }
        let came = *self.came.get_or_insert(now);
        self.share = ((now - came) / MOVE).clamp(0.0, 1.0) as f32;
        self.share < 1.0
    }

    /// Whether the clouds are still moving.
    pub(super) fn moving(&self) -> bool {
        self.frame.is_some() && self.share < 1.0
    }

    /// The newest snapshot of a side.
    pub(super) fn side(&self, side: usize) -> Option<&Arc<Snapshot>> {
        Some(&self.frame.as_ref()?[side])
    }

    /// The targets of a side, `[3, pixels]`, on the way from those of the last frame.
    pub(super) fn targets(&self, side: usize) -> Vec<f32> {
        let Some(now) = self.side(side) else {
            return Vec::new();
        };
        // Fast at first, then slower.
        let share = 1.0 - (1.0 - self.share).powi(3);
        match &self.before {
            Some(before) if share < 1.0 && before[side].targets.len() == now.targets.len() => {
                let pairs = before[side].targets.iter().zip(&now.targets);
                pairs.map(|(from, to)| from + (to - from) * share).collect()
            }
            _ => now.targets.clone(),
        }
    }

    /// The arrows of a side on a slice.
    pub(super) fn arrows(&mut self, side: usize, slice: Slice, times: &[f32]) -> Arc<[Arrow]> {
        if let Some((of, arrows)) = &self.arrows[side]
            && *of == slice
        {
            return arrows.clone();
        }
        let states = self
            .side(side)
            .map_or(&[][..], |side| side.states.as_slice());
        // A twin has two states whatever the number of solver steps.
        let times = match states.len() {
            2 => &[0.0, 1.0],
            _ => times,
        };
        let arrows: Arc<[Arrow]> = slice.arrows(states, times).into();
        self.arrows[side] = Some((slice, arrows.clone()));
        arrows
    }
}

fn image(picture: &RgbImage) -> egui::ColorImage {
    let size = [picture.width(), picture.height()].map(|side| side as usize);
    egui::ColorImage::from_rgb(size, picture.as_raw())
}
