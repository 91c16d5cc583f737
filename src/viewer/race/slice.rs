//! The velocities that a side has learnt, on a slice of the colour cube.

use super::cell::{backdrop, heading, space};
use super::shown::Shown;
use crate::race::{CELLS, HALF_THICKNESS, REACH, Record, Slice};
use crate::texts::{Named, RaceTexts, fill};
use eframe::egui::{self, Align2, Color32, FontId, Mesh, Pos2, Rect, Sense, Stroke, Ui};
use glam::{Vec2, Vec3};

/// The speed whose arrow is half as long as it can be.
const HALF_SPEED: f32 = 0.6;
/// Width of an arrow's shaft and length of its head, in points.
const SHAFT: f32 = 1.2;
const HEAD: f32 = 5.0;

pub(super) fn show(
    ui: &mut Ui,
    shown: &mut Shown,
    record: &Record,
    slice: Slice,
    texts: &RaceTexts,
    side: usize,
) {
    let controls = &texts.controls;
    let axes = [&controls.red, &controls.green, &controls.blue].map(|axis| axis.name.as_str());
    let Named { name, help } = &texts.figure.slice;
    let title = fill(name, &[("name", &record.config.titles()[side])]);
    heading(ui, &title, Some(side));
    let at = format!("{:.2}", slice.at);
    let help = fill(help, &[("axis", axes[slice.axis % 3]), ("at", &at)]);
    let response = space(ui, Sense::hover(), &title, &help);
    let painter = ui.painter_at(response.rect);
    painter.rect_filled(response.rect, 4.0, backdrop(ui.visuals()));
    let side_length = response.rect.width().min(response.rect.height());
    let square = Rect::from_center_size(response.rect.center(), egui::Vec2::splat(side_length));
    let place = |at: Vec2| -> Pos2 {
        let from = 0.5 * side_length / REACH * at;
        square.center() + egui::vec2(from.x, -from.y)
    };
    let arrows = shown.arrows(side, slice, &record.held_out.times);
    let cell = side_length / CELLS as f32;
    let ink = ui.visuals().text_color();
    let mut mesh = Mesh::default();
    for arrow in arrows.iter() {
        let speed = arrow.velocity.length();
        let length = 1.25 * cell * speed / (speed + HALF_SPEED);
        let along = length * arrow.velocity.normalize_or_zero();
        let along = egui::vec2(along.x, -along.y);
        // Cells that few pixels went through are paler.
        let weight = (arrow.count as f32 / 12.0).clamp(0.35, 1.0);
        let from = place(arrow.at) - 0.5 * along;
        add_arrow(&mut mesh, from, along, ink.gamma_multiply(weight));
    }
    painter.add(mesh);
    centroids(ui, &painter, shown, slice, side, &place);
    let [u, v] = slice.axes().map(|axis| axes[axis]);
    let (font, weak) = (FontId::proportional(10.5), ui.visuals().weak_text_color());
    let inner = response.rect.shrink(4.0);
    painter.text(
        inner.right_bottom(),
        Align2::RIGHT_BOTTOM,
        format!("{u} →"),
        font.clone(),
        weak,
    );
    painter.text(
        inner.left_top(),
        Align2::LEFT_TOP,
        format!("↑ {v}"),
        font,
        weak,
    );
}

/// Adds an arrow: a thin shaft, and a head of at most half of its length.
fn add_arrow(mesh: &mut Mesh, from: Pos2, along: egui::Vec2, colour: Color32) {
    let across = along.normalized().rot90();
    let head = along.length().min(2.0 * HEAD) / 2.0;
    let neck = from + along - head * along.normalized();
    let corners = [
        from + 0.5 * SHAFT * across,
        from - 0.5 * SHAFT * across,
        neck + 0.5 * SHAFT * across,
        neck - 0.5 * SHAFT * across,
        neck + 0.45 * head * across,
        neck - 0.45 * head * across,
        from + along,
    ];
    let first = mesh.vertices.len() as u32;
    for corner in corners {
        mesh.colored_vertex(corner, colour);
    }
    for [a, b, c] in [[0, 1, 2], [1, 2, 3], [4, 5, 6]] {
        mesh.add_triangle(first + a, first + b, first + c);
    }
}

fn centroids(
    ui: &Ui,
    painter: &egui::Painter,
    shown: &Shown,
    slice: Slice,
    side: usize,
    place: &dyn Fn(Vec2) -> Pos2,
) {
    let Some(snapshot) = shown.side(side) else {
        return;
    };
    let strong = ui.visuals().strong_text_color();
    let [u, v] = slice.axes();
    for (mu, [r, g, b]) in snapshot
        .centroids
        .points()
        .iter()
        .zip(snapshot.centroids.colours())
    {
        let mu = Vec3::from_array(mu.map(|v| v as f32));
        let at = place(Vec2::new(mu[u], mu[v]));
        let colour = Color32::from_rgb(r, g, b);
        if (mu[slice.axis] - slice.at).abs() <= HALF_THICKNESS {
            painter.circle(at, 4.5, colour, Stroke::new(1.5, strong));
        } else {
            painter.circle_stroke(at, 2.5, Stroke::new(1.0, strong.gamma_multiply(0.5)));
        }
    }
}
