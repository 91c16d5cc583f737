//! The picture of the field and all that lies over it.

use super::compose::Effort;
use super::motion::Motion;
use super::picture::{self, Frame};
use super::{FieldInput, FieldLab, compose, figure, inset, legend, mouse, overlay, readout};
use crate::gpu::field::{Camera, HALF, Renderer, Table};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Pos2, Rect, Ui, Vec2};
use eframe::egui_wgpu::RenderState;
use eframe::wgpu;
use std::sync::Arc;
use std::time::Duration;

/// Draws the picture with all that lies over it.
pub fn show(
    lab: &mut FieldLab,
    ui: &mut Ui,
    gpu: &RenderState,
    table: Arc<Table>,
    input: &FieldInput<'_>,
) {
    let (area, response) =
        ui.allocate_exact_size(ui.available_size(), egui::Sense::click_and_drag());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, "vector field around the centroids")
    });
    if area.width() < 32.0 || area.height() < 32.0 {
        return;
    }
    if let Some(text) = lab.failed.clone() {
        failure(lab, ui, area, &text);
        return;
    }
    let panes = panes(area, lab.settings.panes().len());
    if std::mem::take(&mut lab.face_slice) {
        let plane = compose::plane(&lab.settings, &table);
        lab.settings.camera.face(plane.normal());
        lab.settings.camera.fit(&plane.outline(), aspect(panes[0]));
    }
    mouse::steer(lab, ui, &response, &panes, &table, input);
    let (now, seconds) = ui.input(|i| (i.time, i.unstable_dt));
    let held = response.is_pointer_button_down_on() && lab.drag.is_some();
    lab.motion.note(now, &lab.settings, held);
    let software = gpu.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let running = |lab: &FieldLab| {
        lab.playing && lab.renderer.as_ref().is_some_and(Renderer::running) && !lab.hurry
    };
    let moving = lab.motion.moving(now) || running(lab);
    lab.quality.frame(software, moving, seconds);
    let (scale, detail) = lab.quality.choose(moving);
    let over = lab.renderer.as_ref().is_some_and(Renderer::settled);
    let moment = compose::Moment {
        // The fine slice stays right while the camera alone moves.
        effort: match (software, lab.motion.changing(now)) {
            (false, _) => Effort::Full,
            (true, false) => Effort::Once,
            (true, true) => Effort::Often,
        },
        over,
    };
    let look = compose::look(ui.visuals());
    let scene = lab.derived.scene(
        &lab.settings,
        input,
        table.clone(),
        look,
        lab.highlighted,
        moment,
    );
    let pixels = ui.ctx().pixels_per_point() * scale;
    let frame = Frame {
        size: [area.width(), area.height()].map(|v| ((v * pixels).round() as u32).max(1)),
        scale: pixels,
        exact: scale == 1.0,
        detail,
    };
    if let Err(error) = picture::draw(lab, gpu, &scene, input, software, frame) {
        lab.fail(&error);
        return;
    }
    if let Some(picture) = &lab.texture {
        ui.painter().add(picture.callback(area));
    }
    overlay::show(lab, ui, &scene, &panes, input);
    let bars = legend::show(lab, ui, &scene, area);
    inset::show(lab, ui, area, bars, input);
    mouse::rectangle(lab, ui, &response);
    reading(lab, ui, area, &table, input);
    if std::mem::take(&mut lab.wants_figure) {
        figure::take(lab, ui.ctx(), gpu, table, input);
    }

    let waiting = lab.renderer.as_ref().is_some_and(|r| !r.settled());
    lab.settled = !moving && (!waiting || !lab.playing);
    if waiting && lab.playing {
        ui.ctx().request_repaint();
    } else if moving {
        lab.hurry = false;
        ui.ctx()
            .request_repaint_after(Duration::from_secs_f64(Motion::LINGER + 0.01));
    }
}

/// The rectangles of the panes.
pub fn panes(area: Rect, count: usize) -> Vec<Rect> {
    let width = area.width() / count.max(1) as f32;
    (0..count)
        .map(|i| {
            let left = egui::pos2(area.left() + i as f32 * width, area.top());
            Rect::from_min_size(left, egui::vec2(width, area.height()))
        })
        .collect()
}

/// Width over height.
pub fn aspect(pane: Rect) -> f32 {
    pane.width() / pane.height().max(1.0)
}

/// A point of the screen in a pane's coordinates: x and y in -1..1.
pub fn within(pane: Rect, at: Pos2) -> [f32; 2] {
    let from = (at - pane.center()) / (0.5 * pane.size());
    [from.x, -from.y]
}

/// Where a point of the cube is seen in a pane, and its depth.
pub fn seen(pane: Rect, camera: &Camera, point: [f32; 3]) -> Option<(Pos2, f32)> {
    let [x, y, depth] = camera.project(point, aspect(pane))?;
    let at = pane.center() + Vec2::new(x, -y) * 0.5 * pane.size();
    Some((at, depth))
}

/// The card with the numbers at the picked point.
fn reading(
    lab: &mut FieldLab,
    ui: &mut Ui,
    area: Rect,
    table: &Arc<Table>,
    input: &FieldInput<'_>,
) {
    let Some(point) = lab
        .picked
        .filter(|p| p.iter().all(|v| v.abs() <= HALF + 0.01))
    else {
        return;
    };
    let size = egui::vec2(42.0 * GRID, 30.0 * GRID);
    let place = Rect::from_min_size(area.right_top() + egui::vec2(-size.x - GRID, GRID), size);
    let mut card = ui.new_child(egui::UiBuilder::new().max_rect(place));
    let closed = egui::Frame::popup(card.style())
        .show(&mut card, |ui| readout::show(lab, ui, table, input, point))
        .inner;
    if closed {
        lab.picked = None;
    }
}

fn failure(lab: &mut FieldLab, ui: &mut Ui, area: Rect, text: &str) {
    let place = area.shrink(4.0 * GRID);
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(place));
    child.vertical_centered(|ui| {
        ui.add_space(area.height() * 0.35);
        ui.label(text);
        if ui.button("Try again").clicked() {
            lab.failed = None;
            lab.renderer = None;
            // Its picture went with the renderer.
            lab.texture = None;
        }
    });
}
