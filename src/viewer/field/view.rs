//! The picture of the field, and what the mouse does in it.

use super::{FieldInput, FieldLab, compose, legend, overlay, quality, readout};
use crate::gpu::field::{
    ArrowPlace, Camera, Detail, FieldKind, HALF, Renderer, Scene, Show, Shown, Table, in_cube,
    inside,
};
use crate::viewer::theme::{ACCENT, GRID};
use eframe::egui::{self, Pos2, Rect, Ui, Vec2};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};
use eframe::wgpu;
use std::sync::Arc;

/// How long after a movement the picture stays quick, in seconds.
const LINGER: f64 = 0.25;
/// A click this near to a centroid chooses it, in points.
const NEAR: f32 = 14.0;
/// Potential evaluations (steps x particles x N x panes) that a software adapter takes on in one
/// frame of a run, and that a graphics card does.
const WORK: [f64; 2] = [1.2e7, 1e9];

/// The picture in the window, with the size and the samples that its texture has.
pub struct Picture {
    show: Show,
    shown: Shown,
    size: [u32; 2],
    fine: bool,
}

/// Paints the picture within egui's own pass.
struct Paint(Shown);

impl CallbackTrait for Paint {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &CallbackResources,
    ) {
        self.0.paint(pass);
    }
}

/// What a drag does.
#[derive(Clone, Copy, PartialEq)]
pub enum Drag {
    /// Turns the camera.
    Orbit,
    /// Moves the pivot.
    Pan,
    /// Spans a rectangle in this pane, from this point.
    Brush(usize, Pos2),
}

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
    steer(lab, ui, &response, &panes, &table, input);
    let now = ui.input(|i| i.time);
    let held = response.is_pointer_button_down_on() && lab.drag.is_some();
    if lab.seen_from.replace(lab.settings.camera) != Some(lab.settings.camera) || held {
        lab.moving_until = now + LINGER;
    }
    let software = gpu.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let running = lab.playing && lab.renderer.as_ref().is_some_and(Renderer::running);
    let moving = now < lab.moving_until || (running && !lab.hurry);
    let seconds = ui.input(|i| i.unstable_dt);
    let chooser = lab
        .quality
        .get_or_insert_with(|| quality::Quality::new(software));
    chooser.frame(moving, seconds);
    let (scale, detail) = chooser.choose(moving);

    // Changing a value in the panel recomputes the slice with every frame: coarser, then finely.
    let pressed = ui.input(|i| i.pointer.any_down());
    let look = compose::look(ui.visuals());
    let quick = software && (moving || pressed);
    let over = lab.renderer.as_ref().is_some_and(Renderer::settled);
    let moment = compose::Moment { quick, over };
    let mut scene = lab.derived.scene(
        &lab.settings,
        input,
        table.clone(),
        look,
        lab.highlighted,
        moment,
    );
    if quick && scene.slice.is_some() && lab.drag.is_some() {
        // The camera alone moves: the fine slice is still right.
        if let Some(slice) = &mut scene.slice {
            slice.resolution = 512;
        }
    }
    if !software && let Some(style) = &mut scene.cloud {
        style.most = 1 << 22;
    }
    let pixels = ui.ctx().pixels_per_point() * scale;
    let size = [area.width(), area.height()].map(|v| ((v * pixels).round() as u32).max(1));
    let frame = Frame {
        size,
        scale: pixels,
        detail,
        software,
    };
    if let Err(error) = draw(lab, gpu, &scene, input, &frame) {
        lab.fail(&error);
        return;
    }
    if let Some(picture) = &lab.texture {
        let paint = Paint(picture.shown.clone());
        ui.painter().add(Callback::new_paint_callback(area, paint));
    }
    overlay::show(lab, ui, &scene, &panes, input);
    legend::show(lab, ui, &scene, area);
    if let Some(Drag::Brush(_, from)) = lab.drag
        && let Some(to) = response.interact_pointer_pos()
    {
        let rect = Rect::from_two_pos(from, to);
        let fill = ACCENT.gamma_multiply(0.15);
        ui.painter().rect(
            rect,
            2.0,
            fill,
            egui::Stroke::new(1.0, ACCENT),
            egui::StrokeKind::Middle,
        );
    }
    reading(lab, ui, area, &table, input);

    let waiting = lab.renderer.as_ref().is_some_and(|r| !r.settled());
    let running = lab.playing && lab.renderer.as_ref().is_some_and(Renderer::running);
    lab.settled = !moving && !pressed && (!waiting || !lab.playing);
    if running || (waiting && lab.playing) {
        ui.ctx().request_repaint();
    } else if moving || (quick && !pressed) {
        lab.hurry = false;
        let wait = std::time::Duration::from_secs_f64(LINGER + 0.01);
        ui.ctx().request_repaint_after(wait);
    }
}

/// The rectangles of the panes.
fn panes(area: Rect, count: usize) -> Vec<Rect> {
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

/// How one frame is drawn.
struct Frame {
    /// Width and height in pixels.
    size: [u32; 2],
    /// Pixels a point of the screen.
    scale: f32,
    detail: Detail,
    software: bool,
}

fn draw(
    lab: &mut FieldLab,
    gpu: &RenderState,
    scene: &Scene,
    input: &FieldInput<'_>,
    frame: &Frame,
) -> Result<(), crate::gpu::GpuError> {
    let Frame { size, detail, .. } = *frame;
    let renderer = match &mut lab.renderer {
        Some(renderer) => renderer,
        none => none.insert(Renderer::new(&gpu.device, &gpu.queue)?),
    };
    if std::mem::take(&mut lab.restart) {
        renderer.restart(scene)?;
    }
    let brushed = if scene.cloud.is_some() {
        input.brushed
    } else {
        &[]
    };
    let shown = scene.cloud.is_some()
        || scene.panes.contains(&FieldKind::Network)
        || scene.arrows.is_some_and(|a| a.place == ArrowPlace::Cloud);
    let cloud = input.cloud.as_ref().filter(|_| shown);
    let mut changed = renderer.update(scene, cloud, brushed)?;
    if lab.playing && renderer.running() {
        let particles = scene.particles.as_ref().map_or(0, |p| p.seeds.len());
        let evaluations = particles * scene.table.centroids.len() * scene.panes.len();
        let most = WORK[usize::from(!frame.software)] / evaluations.max(1) as f64;
        let wanted = if lab.hurry { 200 } else { lab.settings.speed };
        changed |= renderer.advance(wanted.min(most as u32).max(1))?;
    }
    lab.tallies = renderer.tallies();
    let same = lab
        .texture
        .as_ref()
        .is_some_and(|t| t.size == size && t.fine == detail.fine);
    if same && !changed && lab.shown_detail == Some(detail) {
        return Ok(());
    }
    let view = renderer.draw(size, frame.scale, detail)?;
    lab.shown_detail = Some(detail);
    if !same {
        let show = match lab.texture.take() {
            Some(picture) => picture.show,
            None => Show::new(&gpu.device, gpu.target_format)?,
        };
        let shown = show.picture(&gpu.device, view)?;
        lab.texture = Some(Picture {
            show,
            shown,
            size,
            fine: detail.fine,
        });
    }
    Ok(())
}

fn steer(
    lab: &mut FieldLab,
    ui: &Ui,
    response: &egui::Response,
    panes: &[Rect],
    table: &Table,
    input: &FieldInput<'_>,
) {
    let pointer = response.interact_pointer_pos().or(response.hover_pos());
    let pane = pointer.and_then(|at| panes.iter().position(|pane| pane.contains(at)));
    let modifiers = ui.input(|i| i.modifiers);
    let camera = &mut lab.settings.camera;
    let side = pane
        .map_or(response.rect.height(), |i| panes[i].size().min_elem())
        .max(1.0);
    if response.drag_started() {
        let primary = response.dragged_by(egui::PointerButton::Primary);
        lab.drag = match (ui.input(|i| i.pointer.press_origin()), pane) {
            (Some(from), Some(pane)) if primary && modifiers.shift && lab.settings.cloud => {
                Some(Drag::Brush(pane, from))
            }
            _ if primary && !modifiers.command => Some(Drag::Orbit),
            _ => Some(Drag::Pan),
        };
    }
    let delta = response.drag_delta();
    match lab.drag {
        Some(Drag::Orbit) => camera.orbit(-delta.x * 0.008, delta.y * 0.008),
        Some(Drag::Pan) => camera.pan(delta.x / side, -delta.y / side),
        _ => {}
    }
    if response.drag_stopped() {
        if let (Some(Drag::Brush(pane, from)), Some(to)) = (lab.drag, pointer) {
            brush(lab, panes[pane.min(panes.len() - 1)], from, to, input);
        }
        lab.drag = None;
    }
    let camera = &mut lab.settings.camera;
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
        pick(lab, panes[pane], at, table);
    }
}

/// A click chooses the centroid under it as the target, or reads off a point of the slice.
fn pick(lab: &mut FieldLab, pane: Rect, at: Pos2, table: &Table) {
    let camera = &lab.settings.camera;
    let nearest = (0..table.centroids.len())
        .filter_map(|k| {
            let (seen, depth) = seen(pane, camera, table.point(k))?;
            let away = seen.distance(at);
            (away < NEAR).then_some((away + depth, k))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, k)) = nearest {
        lab.settings.target = k;
        return;
    }
    let ray = camera.ray(within(pane, at), aspect(pane));
    lab.picked = lab
        .settings
        .slice
        .then(|| compose::plane(&lab.settings, table).hit(ray))
        .flatten()
        .filter(|point| in_cube(*point));
}

fn brush(lab: &mut FieldLab, pane: Rect, from: Pos2, to: Pos2, input: &FieldInput<'_>) {
    let (Some(cloud), Some(renderer)) = (&input.cloud, &lab.renderer) else {
        return;
    };
    let (a, b) = (within(pane, from), within(pane, to));
    let low = [a[0].min(b[0]), a[1].min(b[1])];
    let high = [a[0].max(b[0]), a[1].max(b[1])];
    if !cloud.is_whole() {
        return;
    }
    match renderer.read(cloud) {
        Ok(state) => {
            let camera = &lab.settings.camera;
            lab.pending.brushed = Some(inside(&state, camera, aspect(pane), low, high));
        }
        Err(error) => lab.pending.error = Some(error.to_string()),
    }
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
        }
    });
}
