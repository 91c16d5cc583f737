//! The panes on the screen, and the projection of the cube into them.

use crate::vector_field::Camera;
use eframe::egui::{self, Pos2, Rect};
use glam::{Vec2, Vec3};

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

/// A point of the screen in a pane's coordinates: x and y from -1 to 1.
pub(super) fn within(pane: Rect, at: Pos2) -> Vec2 {
    let from = (at - pane.center()) / (0.5 * pane.size());
    Vec2::new(from.x, -from.y)
}

/// A point of the cube projected to the screen, with its depth; `None` behind the camera.
pub(super) fn on_screen(pane: Rect, camera: &Camera, point: Vec3) -> Option<(Pos2, f32)> {
    let at = camera.project(point, aspect(pane))?;
    let from_centre = egui::vec2(at.x, -at.y) * 0.5 * pane.size();
    Some((pane.center() + from_centre, at.z))
}
