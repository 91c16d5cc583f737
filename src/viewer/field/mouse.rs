//! Mouse input over the picture: orbiting, panning, zooming, picking and brushing.

use super::interface::FieldInput;
use super::panel::{Drag, FieldPanel};
use super::projection::{aspect, within};
use super::{derived, spheres};
use crate::vector_field::{Camera, CentroidTable, in_cube, pixels};
use crate::viewer::brush::Brush;
use crate::viewer::theme::ACCENT;
use eframe::egui::{self, Pos2, Rect, Ui};
use glam::Vec2;

pub(super) fn steer(
    panel: &mut FieldPanel,
    ui: &Ui,
    response: &egui::Response,
    panes: &[Rect],
    table: &CentroidTable,
    input: &FieldInput<'_>,
) {
    let pointer = response.interact_pointer_pos().or(response.hover_pos());
    let pane = pointer.and_then(|at| panes.iter().position(|pane| pane.contains(at)));
    let modifiers = ui.input(|i| i.modifiers);
    let camera = &mut panel.settings.camera;
    let side = pane
        .map_or(response.rect.height(), |i| panes[i].size().min_elem())
        .max(1.0);
    if response.drag_started() {
        let primary = response.dragged_by(egui::PointerButton::Primary);
        panel.drag = match (ui.input(|i| i.pointer.press_origin()), pane) {
            (Some(from), Some(pane))
                if primary && modifiers.shift && panel.settings.layers.cloud.shown =>
            {
                Some(Drag::Brush(pane, from))
            }
            _ if primary && !modifiers.command => Some(Drag::Orbit),
            _ => Some(Drag::Pan),
        };
    }
    let delta = response.drag_delta();
    match panel.drag {
        Some(Drag::Orbit) => camera.orbit(-delta.x * 0.008, delta.y * 0.008),
        Some(Drag::Pan) => camera.pan(Vec2::new(delta.x, -delta.y) / side),
        _ => {}
    }
    if response.drag_stopped() {
        if let (Some(Drag::Brush(pane, from)), Some(to)) = (panel.drag, pointer) {
            brush(panel, panes[pane.min(panes.len() - 1)], from, to, input);
        }
        panel.drag = None;
    }
    let camera = &mut panel.settings.camera;
    if response.hovered() {
        let scroll = ui.input(|i| i.smooth_scroll_delta().y);
        let pinch = ui.input(egui::InputState::zoom_delta);
        if scroll != 0.0 || pinch != 1.0 {
            camera.zoom((scroll * 0.004).exp() * pinch);
        }
    }
    if response.double_clicked() {
        *camera = Camera {
            perspective: camera.perspective,
            ..Camera::default()
        };
        return;
    }
    if response.clicked()
        && let (Some(at), Some(pane)) = (pointer, pane)
    {
        pick(panel, panes[pane], at, table);
    }
}

/// Handles a click: makes the centroid under it the target, or picks a point of the slice.
fn pick(panel: &mut FieldPanel, pane: Rect, at: Pos2, table: &CentroidTable) {
    let spheres = spheres::in_pane(&panel.settings, table, pane);
    if let Some(class) = spheres::under(&spheres, at) {
        panel.settings.target = class;
        return;
    }
    let camera = &panel.settings.camera;
    let ray = camera.ray(within(pane, at), aspect(pane));
    let plane = derived::plane(&panel.settings, table);
    let shown = panel.settings.layers.slice.shown;
    let hit = plane.hit(ray).filter(|point| shown && in_cube(*point));
    panel.picked = hit;
}

fn brush(panel: &mut FieldPanel, pane: Rect, from: Pos2, to: Pos2, input: &FieldInput<'_>) {
    let cloud = input.cloud.as_ref().filter(|cloud| cloud.is_whole());
    let (Some(cloud), Some(renderer)) = (cloud, panel.picture.renderer()) else {
        return;
    };
    let (a, b) = (within(pane, from), within(pane, to));
    match renderer.read(cloud) {
        Ok(state) => {
            let camera = &panel.settings.camera;
            let pixels = pixels::inside(&state, camera, aspect(pane), a.min(b), a.max(b));
            let begins = true;
            panel.pending.brushed = Some(Brush { pixels, begins });
        }
        Err(error) => panel.pending.error = Some(error.to_string()),
    }
}

pub(super) fn rectangle(panel: &FieldPanel, ui: &Ui, response: &egui::Response) {
    if let (Some(Drag::Brush(_, from)), Some(to)) = (panel.drag, response.interact_pointer_pos()) {
        ui.painter().rect(
            Rect::from_two_pos(from, to),
            2.0,
            ACCENT.gamma_multiply(0.15),
            egui::Stroke::new(1.0, ACCENT),
            egui::StrokeKind::Middle,
        );
    }
}
