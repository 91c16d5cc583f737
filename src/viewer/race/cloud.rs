//! The cloud of a side's predicted targets in the colour cube.

use super::cell::{backdrop, heading, space};
use super::shown::Shown;
use crate::race::Record;
use crate::texts::{Named, fill};
use crate::vector_field::Camera;
use eframe::egui::{self, Color32, Mesh, Pos2, Rect, Sense, Stroke, Ui};
use glam::{Mat4, Vec3};

/// From the centre of a dot to its corners, in points of the screen. So small a triangle looks round,
/// and costs a software adapter half of a square.
const DOT: f32 = 1.7;
/// Radius of a centroid.
const CENTROID: f32 = 3.5;
/// Radians of a turn for each point of a drag.
const TURN: f32 = 0.01;

/// The view of a cube in a rectangle.
struct View {
    rect: Rect,
    matrix: Mat4,
}

impl View {
    fn new(rect: Rect, camera: &Camera) -> Self {
        let aspect = rect.width() / rect.height().max(1.0);
        Self {
            rect,
            matrix: camera.view_projection(aspect),
        }
    }

    fn place(&self, point: Vec3) -> Option<Pos2> {
        let clip = self.matrix * point.extend(1.0);
        let [x, y] = [clip.x / clip.w, clip.y / clip.w];
        let place = self.rect.center() + 0.5 * egui::vec2(x, -y) * self.rect.size();
        (clip.w > 1e-6 && place.is_finite()).then_some(place)
    }
}

pub(super) fn show(
    ui: &mut Ui,
    shown: &Shown,
    record: &Record,
    camera: &mut Camera,
    texts: &Named,
    side: usize,
) {
    let title = fill(&texts.name, &[("name", &record.config.titles()[side])]);
    heading(ui, &title, Some(side));
    let response = space(ui, Sense::click_and_drag(), &title, &texts.help);
    if response.dragged() {
        let by = TURN * response.drag_delta();
        camera.orbit(-by.x, by.y);
    }
    let painter = ui.painter_at(response.rect);
    painter.rect_filled(response.rect, 4.0, backdrop(ui.visuals()));
    let view = View::new(response.rect, camera);
    edges(&painter, &view, ui.visuals().weak_text_color());
    let Some(snapshot) = shown.side(side) else {
        return;
    };
    painter.add(points(
        &view,
        &shown.targets(side),
        &record.held_out.truth,
        &snapshot.centroids.colours(),
    ));
    let ring = Stroke::new(1.5, ui.visuals().strong_text_color());
    for (mu, [r, g, b]) in snapshot
        .centroids
        .points()
        .iter()
        .zip(snapshot.centroids.colours())
    {
        if let Some(place) = view.place(Vec3::from_array(mu.map(|v| v as f32))) {
            painter.circle(place, CENTROID, Color32::from_rgb(r, g, b), ring);
        }
    }
}

/// The edges of the cube `[-1, 1]^3`.
fn edges(painter: &egui::Painter, view: &View, colour: Color32) {
    let stroke = Stroke::new(1.0, colour.gamma_multiply(0.5));
    for axis in 0..3 {
        for (u, v) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)] {
            let end = |along: f32| {
                let mut point = Vec3::ZERO;
                point[axis] = along;
                point[(axis + 1) % 3] = u;
                point[(axis + 2) % 3] = v;
                view.place(point)
            };
            if let (Some(from), Some(to)) = (end(-1.0), end(1.0)) {
                painter.line_segment([from, to], stroke);
            }
        }
    }
}

/// A dot for every pixel that has a class.
fn points(view: &View, targets: &[f32], truth: &[u16], colours: &[[u8; 3]]) -> Mesh {
    let pixels = targets.len() / 3;
    let mut mesh = Mesh::default();
    for (pixel, label) in truth.iter().enumerate().take(pixels) {
        let Some([r, g, b]) = colours.get(usize::from(*label)) else {
            continue;
        };
        let point = Vec3::from_array([0, 1, 2].map(|axis| targets[axis * pixels + pixel]));
        if let Some(place) = view.place(point) {
            let first = mesh.vertices.len() as u32;
            for (x, y) in [(0.0, -1.0), (0.87, 0.5), (-0.87, 0.5)] {
                let corner = place + DOT * egui::vec2(x, y);
                mesh.colored_vertex(corner, Color32::from_rgb(*r, *g, *b));
            }
            mesh.add_triangle(first, first + 1, first + 2);
        }
    }
    mesh
}
