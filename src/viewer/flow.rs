//! A photo's flow as the window holds it: the states so far, and their pictures.

use crate::encoding::{Centroids, to_byte};
use crate::job::HostState;
use eframe::egui::{self, ColorImage, TextureHandle, TextureOptions};
use image::{RgbImage, imageops};
use std::sync::Arc;

/// The longest side of the photo's own picture, in pixels; larger photos are shown scaled down.
const SHOWN_SIDE: u32 = 2048;

/// What the canvas shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The photo.
    Photo,
    /// The state, its three channels read as colours.
    Raw,
    /// The nearest class of every pixel, in class colours.
    Map,
    /// The map over the photo.
    Overlay,
}

impl Layer {
    /// All of them with label and explanation, in the order of keys 1 to 4.
    pub const ALL: [(Layer, &'static str, &'static str); 4] = [
        (Layer::Photo, "Photo", "The photo as it is (1)"),
        (
            Layer::Raw,
            "Raw",
            "The state x_t, its channels read as colours (2)",
        ),
        (Layer::Map, "Map", "The nearest class of every pixel (3)"),
        (Layer::Overlay, "Overlay", "The map over the photo (4)"),
    ];
}

/// A flow in memory.
pub struct Flow {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// Height and width of the states.
    pub size: [usize; 2],
    /// The states so far.
    pub states: Vec<HostState>,
    picture: TextureHandle,
}

impl Flow {
    /// A flow without states.
    pub fn new(context: &egui::Context, photo: Arc<RgbImage>, size: [usize; 2]) -> Self {
        let side = photo.width().max(photo.height());
        let shown = if side > SHOWN_SIDE {
            let scale = |v: u32| (v * SHOWN_SIDE / side).max(1);
            let filter = imageops::FilterType::Triangle;
            imageops::resize(&*photo, scale(photo.width()), scale(photo.height()), filter)
        } else {
            (*photo).clone()
        };
        let (width, height) = (shown.width() as usize, shown.height() as usize);
        let image = ColorImage::from_rgb([width, height], shown.as_raw());
        let picture = context.load_texture("photo", image, TextureOptions::LINEAR);
        Self {
            photo,
            size,
            states: Vec::new(),
            picture,
        }
    }

    /// The photo's picture.
    pub fn picture(&self) -> &TextureHandle {
        &self.picture
    }

    /// The state at `position` between the states, linearly mixed: exact for Euler's solver.
    pub fn between(&self, position: f32) -> Vec<f32> {
        let last = self.states.len() - 1;
        let low = (position.max(0.0) as usize).min(last);
        let high = (low + 1).min(last);
        let share = (position - low as f32).clamp(0.0, 1.0);
        let (a, b) = (&self.states[low].x, &self.states[high].x);
        a.iter().zip(b).map(|(a, b)| a + (b - a) * share).collect()
    }

    /// A state as colours.
    pub fn raw(&self, x: &[f32]) -> ColorImage {
        let pixels = self.size[0] * self.size[1];
        let rgb: Vec<u8> = (0..pixels)
            .flat_map(|p| [0, 1, 2].map(|c| to_byte(x[c * pixels + p])))
            .collect();
        ColorImage::from_rgb([self.size[1], self.size[0]], &rgb)
    }

    /// A label map as colours. Where `only` names a class, the others fade.
    pub fn map(
        &self,
        labels: &[u16],
        centroids: &Centroids,
        opacity: f32,
        only: Option<usize>,
    ) -> ColorImage {
        let alpha = |share: f32| (share.clamp(0.0, 1.0) * 255.0) as u8;
        let rgba: Vec<u8> = labels
            .iter()
            .flat_map(|&label| {
                let class = usize::from(label);
                let [r, g, b] = centroids.colour(class);
                let faded = only.is_some_and(|only| only != class);
                [r, g, b, alpha(if faded { 0.15 * opacity } else { opacity })]
            })
            .collect();
        ColorImage::from_rgba_unmultiplied([self.size[1], self.size[0]], &rgba)
    }
}
