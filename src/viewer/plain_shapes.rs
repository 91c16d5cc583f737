//! Shapes that cost a software adapter little.
//!
//! Such an adapter runs egui's shader once for every triangle in every block of 4 x 4 pixels that the
//! triangle touches. egui fills a rounded rectangle with slivers as long as itself, and softens edges
//! that lie between pixels anyway; here, both become a few compact triangles with the same pixels.

use eframe::egui::emath::GuiRounding;
use eframe::egui::epaint::{CornerRadiusF32, Mesh, RectShape};
use eframe::egui::{Color32, Pos2, Rangef, Rect, Shape, Stroke, Vec2};
use std::f32::consts::FRAC_PI_2;

/// Replaces rectangles and lines along the axes by meshes. `scale` is in pixels per point.
pub(super) fn simplify(shape: &mut Shape, scale: f32) {
    match shape {
        Shape::Vec(shapes) => {
            for shape in shapes {
                simplify(shape, scale);
            }
        }
        Shape::Rect(rect) => {
            if let Some(mesh) = filled(rect, scale) {
                *shape = Shape::mesh(mesh);
            }
        }
        Shape::LineSegment { points, stroke } => {
            if let Some(mesh) = line(*points, *stroke, scale) {
                *shape = Shape::mesh(mesh);
            }
        }
        _ => {}
    }
}

/// A horizontal or vertical line; `None` for any other.
fn line([from, to]: [Pos2; 2], stroke: Stroke, scale: f32) -> Option<Mesh> {
    let is_horizontal = from.y == to.y;
    if stroke.is_empty() || stroke.width * scale < 0.8 || is_horizontal == (from.x == to.x) {
        return None;
    }
    let width = stroke.width.round_to_pixels(scale);
    let (low, high) = (from.min(to), from.max(to));
    let rect = if is_horizontal {
        let top = (low.y - 0.5 * width).round_to_pixels(scale);
        let ends = [low.x, high.x].map(|x| x.round_to_pixels(scale));
        Rect::from_x_y_ranges(ends[0]..=ends[1], top..=top + width)
    } else {
        let left = (low.x - 0.5 * width).round_to_pixels(scale);
        let ends = [low.y, high.y].map(|y| y.round_to_pixels(scale));
        Rect::from_x_y_ranges(left..=left + width, ends[0]..=ends[1])
    };
    let mut mesh = Mesh::default();
    mesh.add_colored_rect(rect, stroke.color);
    Some(mesh)
}

/// A rectangle that is only filled, in one colour; `None` for any other.
fn filled(shape: &RectShape, scale: f32) -> Option<Mesh> {
    let pixel = 1.0 / scale;
    let plain = shape.stroke.is_empty()
        && shape.blur_width == 0.0
        && shape.brush.is_none()
        && shape.angle == 0.0
        && shape.round_to_pixels != Some(false)
        && shape.corner_radius.is_same();
    let rect = shape.rect.round_to_pixels(scale);
    // Thin ones are softened; infinite ones are cut by egui.
    let ordinary = rect.is_finite() && rect.size().min_elem() > 2.0 * pixel;
    if !plain || !ordinary || shape.fill == Color32::TRANSPARENT {
        return None;
    }
    let mut mesh = Mesh::default();
    let radius = CornerRadiusF32::from(shape.corner_radius).nw;
    if radius == 0.0 {
        mesh.add_colored_rect(rect, shape.fill);
        return Some(mesh);
    }
    // What egui adds so that corners look as round as they are.
    let radius = (radius + 0.4).min(0.5 * rect.size().min_elem());
    let inside = rect.shrink(radius);
    for [y, x] in [
        [inside.y_range(), rect.x_range()],
        [Rangef::new(rect.top(), inside.top()), inside.x_range()],
        [
            Rangef::new(inside.bottom(), rect.bottom()),
            inside.x_range(),
        ],
    ] {
        let band = Rect::from_x_y_ranges(x, y);
        if band.is_positive() {
            mesh.add_colored_rect(band, shape.fill);
        }
    }
    let corners = [
        inside.right_bottom(),
        inside.left_bottom(),
        inside.left_top(),
        inside.right_top(),
    ];
    for (quarter, centre) in corners.into_iter().enumerate() {
        corner(&mut mesh, centre, quarter, [radius, pixel], shape.fill);
    }
    Some(mesh)
}

/// A quarter of a disc whose edge is softened over one pixel.
fn corner(mesh: &mut Mesh, centre: Pos2, quarter: usize, [radius, pixel]: [f32; 2], fill: Color32) {
    // As many as egui takes.
    let steps = match radius {
        ..=2.0 => 2,
        ..=5.0 => 4,
        _ => 8,
    };
    let first = mesh.vertices.len() as u32;
    mesh.colored_vertex(centre, fill);
    for step in 0..=steps {
        let angle = FRAC_PI_2 * (quarter as f32 + step as f32 / steps as f32);
        let out = Vec2::angled(angle);
        mesh.colored_vertex(centre + (radius - 0.5 * pixel) * out, fill);
        mesh.colored_vertex(centre + (radius + 0.5 * pixel) * out, Color32::TRANSPARENT);
    }
    for step in 0..steps {
        let [inner, outer, next, beyond] = [1, 2, 3, 4].map(|at| first + at + 2 * step);
        mesh.add_triangle(first, inner, next);
        mesh.add_triangle(inner, outer, next);
        mesh.add_triangle(outer, beyond, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::epaint::{ClippedShape, Primitive};
    use eframe::egui::{self, Context, pos2};
    use std::collections::BTreeMap;

    /// The coverage of every pixel, and how often the shader is run for a block of 4 x 4 pixels.
    #[derive(Default)]
    struct Drawn {
        pixels: BTreeMap<[i32; 2], f32>,
        blocks: usize,
    }

    fn draw(mesh: &Mesh, scale: f32) -> Drawn {
        let mut drawn = Drawn::default();
        for corners in mesh.indices.chunks(3) {
            let vertices = [0, 1, 2].map(|at| mesh.vertices[corners[at] as usize]);
            let [a, b, c] = vertices.map(|vertex| (vertex.pos.to_vec2() * scale).to_pos2());
            let area = |a: Pos2, b: Pos2, c: Pos2| (b - a).x * (c - a).y - (b - a).y * (c - a).x;
            let whole = area(a, b, c);
            if whole == 0.0 {
                continue;
            }
            let alpha = vertices.map(|vertex| f32::from(vertex.color.a()) / 255.0);
            let (low, high) = (a.min(b).min(c).floor(), a.max(b).max(c).ceil());
            let mut blocks = std::collections::BTreeSet::new();
            for y in low.y as i32..high.y as i32 {
                for x in low.x as i32..high.x as i32 {
                    // Off the middle, so that no pixel lies on an edge and counts twice.
                    let at = pos2(x as f32 + 0.5003, y as f32 + 0.5001);
                    let shares =
                        [area(at, b, c), area(a, at, c), area(a, b, at)].map(|part| part / whole);
                    if shares.iter().all(|share| *share >= 0.0) {
                        let alpha: f32 = shares
                            .iter()
                            .zip(alpha)
                            .map(|(share, alpha)| share * alpha)
                            .sum();
                        *drawn.pixels.entry([x, y]).or_default() += alpha;
                        blocks.insert([x.div_euclid(4), y.div_euclid(4)]);
                    }
                }
            }
            drawn.blocks += blocks.len();
        }
        drawn
    }

    fn as_egui_draws(shape: Shape, scale: f32) -> Mesh {
        let context = Context::default();
        context.set_pixels_per_point(scale);
        context.tessellation_options_mut(|options| options.prerasterized_discs = false);
        let _ = context.run_ui(Default::default(), |_| {});
        let clip_rect = Rect::EVERYTHING;
        let primitives = context.tessellate(vec![ClippedShape::new(clip_rect, shape)], scale);
        match primitives
            .into_iter()
            .next()
            .map(|clipped| clipped.primitive)
        {
            Some(Primitive::Mesh(mesh)) => mesh,
            _ => panic!("egui draws a mesh"),
        }
    }

    /// Whether both have the same pixels but for less than a sixth of one; returns the blocks of both.
    fn compare(shape: Shape, scale: f32) -> [usize; 2] {
        let expected = draw(&as_egui_draws(shape.clone(), scale), scale);
        let mut found = shape.clone();
        simplify(&mut found, scale);
        let Shape::Mesh(mesh) = found else {
            panic!("{shape:?} stays as it is");
        };
        let found = draw(&mesh, scale);
        for at in expected.pixels.keys().chain(found.pixels.keys()) {
            let [expected, found] =
                [&expected, &found].map(|drawn| drawn.pixels.get(at).copied().unwrap_or(0.0));
            assert!(
                (expected - found).abs() < 0.15,
                "{shape:?} at {scale}: {found} instead of {expected} at {at:?}"
            );
        }
        [found.blocks, expected.blocks]
    }

    #[test]
    fn they_have_the_pixels_that_egui_draws_in_fewer_blocks() {
        let rect = Rect::from_min_max(pos2(10.0, 6.0), pos2(212.5, 30.0));
        for scale in [1.0, 1.25] {
            for radius in [0, 2, 4, 9] {
                let shape = Shape::rect_filled(rect, radius, Color32::WHITE);
                let [found, expected] = compare(shape, scale);
                assert!(found < expected, "radius {radius}: {found} of {expected}");
            }
            let stroke = Stroke::new(1.0, Color32::WHITE);
            for to in [pos2(300.0, 20.0), pos2(8.0, 90.0)] {
                let shape = Shape::line_segment([pos2(8.0, 20.0), to], stroke);
                let [found, expected] = compare(shape, scale);
                assert!(found < expected, "line to {to}: {found} of {expected}");
            }
        }
    }

    #[test]
    fn other_shapes_stay_as_they_are() {
        let rect = Rect::from_min_max(pos2(10.0, 6.0), pos2(90.0, 30.0));
        let stroke = Stroke::new(1.0, Color32::RED);
        let filled = RectShape::filled(rect, 4, Color32::RED);
        let uneven = egui::CornerRadius {
            nw: 4,
            ..Default::default()
        };
        for shape in [
            Shape::line_segment([rect.min, rect.max], stroke),
            Shape::rect_filled(Rect::EVERYTHING, 0.0, Color32::RED),
            Shape::rect_filled(rect, uneven, Color32::RED),
            Shape::rect_stroke(rect, 4, stroke, egui::StrokeKind::Inside),
            Shape::Rect(filled.clone().with_angle(0.3)),
            Shape::Rect(filled.clone().with_blur_width(6.0)),
            Shape::Rect(filled.with_round_to_pixels(false)),
        ] {
            let mut same = shape.clone();
            simplify(&mut same, 1.0);
            assert_eq!(same, shape);
        }
    }
}
