//! How the canvas shows a flow: layers, their arrangement, and the camera.

use crate::gpu::canvas::Layer;
use eframe::egui::{Pos2, Rect, Vec2, pos2, vec2};
use egui_material_icons::{MaterialIcon, icons};
use serde::{Deserialize, Serialize};

/// How panes share the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Arrangement {
    #[default]
    Single,
    SideBySide,
    /// Two at the same place, with a divider to drag.
    Swipe,
    Grid,
}

impl Arrangement {
    /// All arrangements, with icons and names.
    pub(super) const ALL: [(Arrangement, MaterialIcon, &'static str); 4] = [
        (Arrangement::Single, icons::ICON_CROP_SQUARE, "One view"),
        (
            Arrangement::SideBySide,
            icons::ICON_SPLITSCREEN_RIGHT,
            "Two views side by side",
        ),
        (
            Arrangement::Swipe,
            icons::ICON_COMPARE,
            "Two views with a divider to drag",
        ),
        (Arrangement::Grid, icons::ICON_GRID_VIEW, "Four views"),
    ];

    pub(super) fn panes(self) -> usize {
        match self {
            Arrangement::Single => 1,
            Arrangement::SideBySide | Arrangement::Swipe => 2,
            Arrangement::Grid => 4,
        }
    }
}

/// Every layer with its name and description.
pub(super) const LAYERS: [(Layer, &str, &str); 11] = [
    (Layer::Photo, "Photo", "The photo as it is"),
    (
        Layer::Raw,
        "State",
        "The state x_t, its three channels read as red, green and blue",
    ),
    (Layer::Map, "Mask", "The nearest class of every pixel"),
    (Layer::Overlay, "Overlay", "The mask over the photo"),
    (Layer::Truth, "Truth", "Ground truth: the photo's labels"),
    (
        Layer::Error,
        "Error",
        "Where the mask differs from the ground truth",
    ),
    (
        Layer::Probability,
        "Probability",
        "The probability of each pixel's class, over the photo (p1, 0 to 1)",
    ),
    (
        Layer::Margin,
        "Margin",
        "The lead of each pixel's class over its second class, over the photo (p1 - p2, 0 to 1)",
    ),
    (
        Layer::Entropy,
        "Entropy",
        "The entropy of each pixel divided by ln N, over the photo: 0 if certain, 1 if all N classes are equally probable",
    ),
    (
        Layer::Second,
        "B",
        "The mask of B, the second result, over the photo",
    ),
    (
        Layer::Disagreement,
        "A \u{2260} B",
        "Where the mask of B, the second result, differs from that of A, the first",
    ),
];

pub(super) fn name(layer: Layer) -> &'static str {
    LAYERS
        .iter()
        .find(|(known, ..)| *known == layer)
        .map_or("", |(_, name, _)| name)
}

/// The remembered settings of the canvas.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub arrangement: Arrangement,
    /// The layer of each pane.
    pub layers: [Layer; 4],
    /// Opacity of the overlay, 0 to 1.
    pub opacity: f32,
    /// Outlines at the photo's resolution instead of the network's.
    pub fine: bool,
    /// The position of the divider of [`Arrangement::Swipe`], 0 to 1.
    pub divider: f32,
}

/// The range of [`View::divider`].
const DIVIDER: std::ops::RangeInclusive<f32> = 0.02..=0.98;

impl View {
    /// The layers of the visible panes.
    pub(super) fn shown(&self) -> &[Layer] {
        &self.layers[..self.arrangement.panes()]
    }

    /// Brings numbers of a file back into their ranges.
    pub(super) fn clamp(&mut self) {
        let default = Self::default();
        for (layer, otherwise) in self.layers.iter_mut().zip(default.layers) {
            // There is no second result when a window opens.
            if matches!(layer, Layer::Second | Layer::Disagreement) {
                *layer = otherwise;
            }
        }
        self.opacity = in_range(self.opacity, 0.0..=1.0, default.opacity);
        self.set_divider(self.divider);
    }

    /// Moves the divider.
    pub(super) fn set_divider(&mut self, divider: f32) {
        self.divider = in_range(divider, DIVIDER, 0.5);
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            arrangement: Arrangement::Single,
            layers: [Layer::Overlay, Layer::Raw, Layer::Map, Layer::Photo],
            opacity: 0.7,
            fine: true,
            divider: 0.5,
        }
    }
}

/// The visible part of the photo, which all panes share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Camera {
    /// Magnification, 1 if the whole photo fits.
    pub zoom: f32,
    /// The photo's point at the middle of the pane, 0 to 1 along each axis.
    pub centre: Vec2,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            zoom: 1.0,
            centre: vec2(0.5, 0.5),
        }
    }
}

/// Margin around the whole photo, in points.
const MARGIN: f32 = 8.0;
/// Maximum magnification, in points per photo pixel.
const CLOSEST: f32 = 64.0;
/// Minimum width and height of a picture, in points, so that a photo of one row stays visible.
const THINNEST: f32 = 2.0;

impl Camera {
    /// The magnification at which the whole photo fits, in points per photo pixel.
    pub(super) fn fit(area: Rect, photo: Vec2) -> f32 {
        let room = (area.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(1.0));
        (room.x / photo.x).min(room.y / photo.y)
    }

    /// The width and height of the picture, in points.
    fn size(&self, area: Rect, photo: Vec2) -> Vec2 {
        (photo * Self::fit(area, photo) * self.zoom).max(Vec2::splat(THINNEST))
    }

    /// The photo's rectangle in a pane.
    pub(super) fn target(&self, area: Rect, photo: Vec2) -> Rect {
        let size = self.size(area, photo);
        Rect::from_min_size(area.center() - self.centre * size, size)
    }

    /// Magnifies by `factor` around a point of the pane.
    pub(super) fn magnify(&mut self, factor: f32, around: Pos2, area: Rect, photo: Vec2) {
        let fit = Self::fit(area, photo);
        let under = (around - self.target(area, photo).min) / self.size(area, photo);
        self.zoom = (self.zoom * factor).clamp(0.25, (CLOSEST / fit).max(1.0));
        // Keep the point under the pointer in place.
        let size = self.size(area, photo);
        self.centre = (area.center() - around + under * size) / size;
        self.hold();
    }

    /// Moves the picture by `by` points.
    pub(super) fn pan(&mut self, by: Vec2, area: Rect, photo: Vec2) {
        self.centre -= by / self.size(area, photo);
        self.hold();
    }

    /// Sets the magnification in points per photo pixel.
    pub(super) fn magnify_to(&mut self, scale: f32, area: Rect, photo: Vec2) {
        self.zoom = scale / Self::fit(area, photo);
    }

    /// Keeps part of the picture inside the pane.
    fn hold(&mut self) {
        self.centre = self.centre.clamp(Vec2::ZERO, Vec2::splat(1.0));
    }
}

/// The panes of an arrangement within an area. In [`Arrangement::Swipe`] both have the whole area.
pub(super) fn panes(arrangement: Arrangement, area: Rect) -> Vec<Rect> {
    const GAP: f32 = 1.0;
    let middle = area.center();
    let (left, right) = (middle.x - GAP, middle.x + GAP);
    let (above, below) = (middle.y - GAP, middle.y + GAP);
    let (min, max) = (area.min, area.max);
    match arrangement {
        Arrangement::Single => vec![area],
        Arrangement::Swipe => vec![area; 2],
        Arrangement::SideBySide => vec![
            Rect::from_min_max(min, pos2(left, max.y)),
            Rect::from_min_max(pos2(right, min.y), max),
        ],
        Arrangement::Grid => vec![
            Rect::from_min_max(min, pos2(left, above)),
            Rect::from_min_max(pos2(right, min.y), pos2(max.x, above)),
            Rect::from_min_max(pos2(min.x, below), pos2(left, max.y)),
            Rect::from_min_max(pos2(right, below), max),
        ],
    }
}

/// Clamps a number to its range; NaN becomes `otherwise`.
pub(super) fn in_range(value: f32, range: std::ops::RangeInclusive<f32>, otherwise: f32) -> f32 {
    if value.is_nan() {
        return otherwise;
    }
    value.clamp(*range.start(), *range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect {
        min: pos2(100.0, 50.0),
        max: pos2(916.0, 466.0),
    };
    const PHOTO: Vec2 = vec2(200.0, 100.0);

    #[test]
    fn the_point_under_the_pointer_stays() {
        let mut camera = Camera::default();
        let pointer = pos2(300.0, 200.0);
        let before = (pointer - camera.target(AREA, PHOTO).min) / camera.target(AREA, PHOTO).size();
        camera.magnify(3.0, pointer, AREA, PHOTO);
        let target = camera.target(AREA, PHOTO);
        let after = (pointer - target.min) / target.size();
        assert!((before - after).length() < 1e-4);
    }

    #[test]
    fn a_photo_of_one_row_or_column_stays_visible() {
        for photo in [vec2(40_000.0, 20.0), vec2(1.0, 2800.0), vec2(1.0, 1.0)] {
            let mut camera = Camera::default();
            let target = camera.target(AREA, photo);
            assert!(target.size().min_elem() >= THINNEST, "{photo}: {target}");
            assert!(AREA.contains_rect(target), "{photo}: {target}");
            // Even then, magnifying keeps the point under the pointer in place.
            let pointer = target.center() + target.size() * 0.25;
            camera.magnify(3.0, pointer, AREA, photo);
            let after =
                (pointer - camera.target(AREA, photo).min) / camera.target(AREA, photo).size();
            assert!(
                (after - Vec2::splat(0.75)).length() < 1e-3,
                "{photo}: {after}"
            );
        }
    }

    #[test]
    fn one_to_one_is_a_point_per_pixel() {
        let mut camera = Camera::default();
        camera.magnify_to(1.0, AREA, PHOTO);
        assert!((camera.target(AREA, PHOTO).size() - PHOTO).length() < 1e-3);
    }

    #[test]
    fn panes_fill_the_area_without_overlap() {
        for (arrangement, ..) in Arrangement::ALL {
            let panes = panes(arrangement, AREA);
            assert_eq!(panes.len(), arrangement.panes());
            assert!(panes.iter().all(|pane| AREA.contains_rect(*pane)));
            if arrangement != Arrangement::Swipe {
                for (i, a) in panes.iter().enumerate() {
                    assert!(panes[..i].iter().all(|b| !a.intersects(*b)));
                }
            }
        }
    }
}
