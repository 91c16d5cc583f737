//! One frame of the picture with everything drawn over it.

use super::derived::{self, Effort, SceneOptions};
use super::interface::FieldInput;
use super::motion::Motion;
use super::panel::FieldPanel;
use super::picture::{Frame, Picture};
use super::projection::{aspect, panes};
use super::settings::FieldSettings;
use super::style::style;
use super::{counts, figure, legend, mouse, overlay, readout};
use crate::vector_field::{Camera, CentroidTable, HALF_EDGE};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Rect, Ui};
use eframe::egui_wgpu::RenderState;
use eframe::wgpu;
use glam::Vec3;
use std::sync::Arc;
use std::time::Duration;

/// Limit on the work of particles per frame, in evaluations of the potential (steps x particles x N x
/// panes), on a software adapter and on a graphics card.
const WORK: [f64; 2] = [4e6, 1e9];

/// Steps per frame of particles that run at full speed.
const HURRY: u32 = 200;

/// Draws the frame into the whole of `ui`.
pub(super) fn show(
    panel: &mut FieldPanel,
    ui: &mut Ui,
    gpu: &RenderState,
    table: &Arc<CentroidTable>,
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
    if let Some(text) = panel.failed.clone() {
        failure(panel, ui, area, &text);
        return;
    }
    let panes = panes(area, panel.settings.panes().len());
    let plane = derived::plane(&panel.settings, table);
    panel.follow_slice(plane);
    if std::mem::take(&mut panel.face_slice) {
        panel.settings.camera.face(plane.normal());
        let mut outline = plane.outline();
        // Two fields leave no room beside the colour bars.
        let bars = match panes.len() {
            1 => 0.0,
            _ => (legend::height(&panel.settings) / area.height()).min(0.25),
        };
        let heading = panel.heading.max(usual_heading(&panel.settings, panes[0]));
        let heading = (heading / area.height()).min(0.4);
        for (share, side) in [(heading / (1.0 - bars), 1.0), (bars, -1.0)] {
            outline.extend(beyond(&panel.settings.camera, &outline, share, side));
        }
        panel.settings.camera.fit(&outline, aspect(panes[0]));
    }
    mouse::steer(panel, ui, &response, &panes, table, input);
    let (now, seconds) = ui.input(|i| (i.time, i.unstable_dt));
    let held = response.is_pointer_button_down_on() && panel.drag.is_some();
    panel.motion.note(now, &panel.settings, held);
    let software = gpu.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let running = !panel.paused && panel.picture.running();
    let moving = panel.motion.moving(now) || running && !panel.hurry;
    panel.quality.frame(software, moving, seconds);
    let (scale, detail) = panel.quality.choose(moving);
    let options = SceneOptions {
        style: style(ui.visuals()),
        highlighted: panel.highlighted,
        // While only the camera moves, the fine slice is kept.
        effort: match (software, panel.motion.changing(now)) {
            (false, _) => Effort::Full,
            (true, false) => Effort::Once,
            (true, true) => Effort::Often,
        },
        over: panel.picture.settled().unwrap_or(false),
    };
    let scene = panel.derived.scene(&panel.settings, input, table, options);
    let pixels = ui.ctx().pixels_per_point() * scale;
    let frame = Frame {
        size: [area.width(), area.height()].map(|v| ((v * pixels).round() as u32).max(1)),
        scale: pixels,
        exact: scale == 1.0,
        detail,
    };
    let evaluations = scene.view.seeds.len() * table.len() * panes.len();
    let most = WORK[usize::from(!software)] / evaluations.max(1) as f64;
    let wanted = if panel.hurry {
        HURRY
    } else {
        panel.settings.speed
    };
    let steps = if panel.paused {
        0
    } else {
        wanted.min(most as u32).max(1)
    };
    if let Err(error) = panel.picture.draw(gpu, &scene, input, frame, steps) {
        panel.fail(&error);
        return;
    }
    if let Some(picture) = panel.picture.callback(area) {
        ui.painter().add(picture);
    }
    panel.heading = overlay::show(panel, ui, &scene, &panes, input);
    let bars = legend::show(panel, ui, &scene, area);
    if panel.settings.layers.cloud.shown && panel.settings.inset {
        let brush = panel.inset.show(ui, area, bars, input);
        panel.pending.brushed = brush.or(panel.pending.brushed.take());
    }
    mouse::rectangle(panel, ui, &response);
    reading(panel, ui, area, table, input);
    if std::mem::take(&mut panel.wants_figure) {
        figure::export(panel, ui.ctx(), gpu, table, input);
    }

    let waiting = panel.picture.settled() == Some(false);
    panel.settled = !moving && (!waiting || panel.paused);
    if waiting && !panel.paused {
        ui.ctx().request_repaint();
    } else if moving {
        panel.hurry = false;
        ui.ctx()
            .request_repaint_after(Duration::from_secs_f64(Motion::LINGER + 0.01));
    }
}

/// Room for the heading of a pane with its counts, in points, before it is drawn: counts of particles come
/// only after the first frame. In narrow panes, their lines are broken.
fn usual_heading(settings: &FieldSettings, pane: Rect) -> f32 {
    if !settings.layers.particles.shown {
        return 6.0 * GRID;
    }
    let histogram = if settings.count >= counts::FEW {
        counts::HISTOGRAM.y
    } else {
        0.0
    };
    let broken = match pane.width() {
        ..240.0 => 2.0,
        ..360.0 => 1.0,
        _ => 0.0,
    };
    (12.0 + 2.0 * broken) * GRID + histogram
}

/// A point above others, as the camera sees them, or below them if `side` is -1 instead of 1: what shows it
/// as well is empty in that `share` of its height, below 1. `None` without points.
fn beyond(camera: &Camera, points: &[Vec3], share: f32, side: f32) -> Option<Vec3> {
    let [_, up, _] = camera.basis();
    let up = side * up;
    let height = |point: &Vec3| point.dot(up);
    let by_height = |a: &&Vec3, b: &&Vec3| height(a).total_cmp(&height(b));
    let (low, high) = (
        points.iter().min_by(by_height)?,
        points.iter().max_by(by_height)?,
    );
    let rise = (height(high) - height(low)) * share / (1.0 - share);
    Some(*high + rise * up)
}

/// Draws the card with the numbers at the picked point.
fn reading(
    panel: &mut FieldPanel,
    ui: &mut Ui,
    area: Rect,
    table: &Arc<CentroidTable>,
    input: &FieldInput<'_>,
) {
    let near = |p: &glam::Vec3| p.abs().max_element() <= HALF_EDGE + 0.01;
    let Some(point) = panel.picked.filter(near) else {
        return;
    };
    let size = egui::vec2(42.0 * GRID, 30.0 * GRID);
    let place = Rect::from_min_size(area.right_top() + egui::vec2(-size.x - GRID, GRID), size);
    let mut card = ui.new_child(egui::UiBuilder::new().max_rect(place));
    let closed = egui::Frame::popup(card.style())
        .show(&mut card, |ui| {
            readout::show(panel, ui, table, input, point)
        })
        .inner;
    if closed {
        panel.picked = None;
    }
}

fn failure(panel: &mut FieldPanel, ui: &mut Ui, area: Rect, text: &str) {
    let place = area.shrink(4.0 * GRID);
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(place));
    child.vertical_centered(|ui| {
        ui.add_space(area.height() * 0.35);
        ui.label(text);
        if ui.button("Try again").clicked() {
            panel.failed = None;
            panel.picture = Picture::default();
        }
    });
}
