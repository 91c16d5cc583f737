//! Panes on the screen, and points of the cube in them.

use crate::vector_field::Camera;
use eframe::egui::{self, Pos2, Rect};
use glam::{Vec2, Vec3};

/// The rectangles of the panes.
pub(super) fn panes(area: Rect, count: usize) -> Vec<Rect> {
    let width = area.width() / count.max(1) as f32;
    (0..count)
        .map(|i| {
            let left = egui::pos2(area.left() + i as f32 * width, area.top());
            Rect::from_min_size(left, egui::vec2(width, area.height()))
        })
        .collect()
}

pub(super) fn aspect(pane: Rect) -> f32 {
    pane.width() / pane.height().max(1.0)
}

/// A point of the screen in a pane's coordinates: x and y in -1..1.
pub(super) fn within(pane: Rect, at: Pos2) -> Vec2 {
    let from = (at - pane.center()) / (0.5 * pane.size());
    Vec2::new(from.x, -from.y)
}

/// Where a point of the cube is on the screen, in a pane, and its depth; `None` behind the eye.
pub(super) fn on_screen(pane: Rect, camera: &Camera, point: Vec3) -> Option<(Pos2, f32)> {
    let at = camera.project(point, aspect(pane))?;
    let from_centre = egui::vec2(at.x, -at.y) * 0.5 * pane.size();
    Some((pane.center() + from_centre, at.z))
}
