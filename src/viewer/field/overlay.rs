//! What egui draws over the picture: names, axes, the panes' headings and counts.

use super::counts::{self, HISTOGRAM};
use super::interface::{FieldInput, drawn_name, kind_name, projected};
use super::panel::FieldPanel;
use super::projection::on_screen;
use super::settings::AxisName;
use super::spheres;
use super::style::{backdrop, pin_colour};
use crate::gpu::field::{AXES, ArrowPlace, FieldScene};
use crate::vector_field::FieldKind;
use crate::viewer::theme::GRID;
use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Ui, Vec2};

/// The most names in a pane.
const NAMES: usize = 48;
/// Length of the axis gizmo's arms, in points.
const ARM: f32 = 26.0;

/// Draws everything. Returns the height of the panes' tallest heading with the space above it, in points.
pub(super) fn show(
    panel: &mut FieldPanel,
    ui: &mut Ui,
    scene: &FieldScene,
    panes: &[Rect],
    input: &FieldInput<'_>,
) -> f32 {
    let mut below: f32 = 0.0;
    for (i, pane) in panes.iter().enumerate() {
        if i > 0 {
            let line = egui::Stroke::new(1.0, ui.visuals().weak_text_color().gamma_multiply(0.5));
            ui.painter().vline(pane.left(), pane.y_range(), line);
        }
        let heading = heading(panel, ui, scene, i, *pane, input);
        below = below.max(heading.bottom() - pane.top());
        if panel.settings.labels {
            names(panel, ui, scene, *pane, heading, input);
        }
        picked(panel, ui, *pane);
    }
    if let Some(pane) = panes.first() {
        gizmo(panel, ui, *pane);
    }
    below
}

/// Draws the pane's heading: its field and the counts of its particles; returns its rectangle.
fn heading(
    panel: &FieldPanel,
    ui: &Ui,
    scene: &FieldScene,
    index: usize,
    pane: Rect,
    input: &FieldInput<'_>,
) -> Rect {
    let Some(&kind) = scene.view.panes.get(index) else {
        return Rect::NOTHING;
    };
    let layers = &scene.layers;
    let field = layers.arrows.is_some() || layers.slice.is_some() || layers.particles.is_some();
    let name = if field {
        kind_name(&panel.settings, kind)
    } else {
        "the photo's pixels at x_t".to_owned()
    };
    let mut lines = vec![(name, 14.0)];
    lines.extend(missing(scene, kind, input).map(|line| (line.to_owned(), 12.0)));
    lines.extend(projected(&panel.settings, input).map(|line| (line, 12.0)));
    let tallies = panel.picture.tallies();
    if let Some(tally) = tallies.get(index) {
        lines.extend(counts::lines(tally).into_iter().map(|line| (line, 12.0)));
    }
    let bins = counts::bins(tallies);
    let arrivals = tallies.get(index).filter(|_| bins > 0);
    let text = ui.visuals().strong_text_color();
    let weak = ui.visuals().text_color();
    let painter = ui.painter().with_clip_rect(pane);
    let galleys: Vec<_> = lines
        .into_iter()
        .enumerate()
        .map(|(i, (line, size))| {
            let colour = if i == 0 { text } else { weak };
            let room = pane.width() - 3.0 * GRID;
            painter.layout(line, FontId::proportional(size), colour, room)
        })
        .collect();
    let mut width = galleys.iter().map(|g| g.size().x).fold(0.0, f32::max);
    let mut height: f32 = galleys.iter().map(|g| g.size().y + 2.0).sum();
    if arrivals.is_some() {
        width = width.max(HISTOGRAM.x);
        height += HISTOGRAM.y + GRID / 2.0;
    }
    let corner = pane.min + Vec2::splat(1.5 * GRID);
    let rect = Rect::from_min_size(corner, egui::vec2(width, height)).expand(0.75 * GRID);
    painter.rect_filled(rect, 4.0, backdrop(ui.visuals()));
    let mut y = corner.y;
    for galley in galleys {
        let down = galley.size().y + 2.0;
        painter.galley(egui::pos2(corner.x, y), galley, text);
        y += down;
    }
    if let Some(tally) = arrivals {
        let at = egui::pos2(corner.x, y + GRID / 2.0);
        counts::histogram(&painter, at, tally, bins, weak);
    }
    if index < tallies.len() {
        let id = ui.scope_id().with(("counts", index));
        let counted = ui.interact(rect.intersect(pane), id, egui::Sense::hover());
        counted.on_hover_text(counts::HELP);
    }
    rect
}

/// Why no arrow is drawn although arrows are shown.
fn missing(scene: &FieldScene, kind: FieldKind, input: &FieldInput<'_>) -> Option<&'static str> {
    let arrows = scene.layers.arrows?;
    let photo = input.cloud.is_some();
    let known = input.cloud.is_some_and(|cloud| cloud.velocity.is_some());
    match arrows.place {
        _ if kind == FieldKind::Network => (!known).then_some("known only if a photo is open"),
        // Beside the network's, arrows of other fields are at the photo's pixels.
        _ if FieldKind::has_network(&scene.view.panes) => None,
        ArrowPlace::Cube => None,
        ArrowPlace::Slice => {
            let slice = scene.view.plane.is_some();
            (!slice).then_some("arrows lie on the slice, which is not shown")
        }
        ArrowPlace::Cloud => (!photo).then_some("arrows are at pixels: open a photo"),
    }
}

struct Name {
    /// Names with a lower number are drawn first.
    priority: f32,
    at: Pos2,
    text: String,
    colour: Color32,
    size: f32,
    /// Distance from the point to the text, in points.
    away: f32,
    /// Whether it is drawn in any case: the target's.
    always: bool,
}

/// Draws the names of centroids and pins, nearest first, unless they overlap. The target's is always there,
/// below the pane's heading if that covers its place.
fn names(
    panel: &mut FieldPanel,
    ui: &Ui,
    scene: &FieldScene,
    pane: Rect,
    heading: Rect,
    input: &FieldInput<'_>,
) {
    let painter = ui.painter().with_clip_rect(pane);
    let pointer = ui.input(|i| i.pointer.hover_pos());
    let (mut candidates, hovered) = centroid_names(panel, ui, scene, pane, input);
    if scene.layers.cloud.is_some() {
        candidates.extend(pin_names(ui, scene, pane, input));
    }
    if pane.contains(pointer.unwrap_or(Pos2::ZERO)) {
        panel.highlighted = hovered;
    }
    candidates.sort_by(|a, b| a.priority.total_cmp(&b.priority));
    let mut used = vec![heading];
    let shadow = ui.visuals().extreme_bg_color.gamma_multiply(0.66);
    for name in candidates.into_iter().take(4 * NAMES) {
        if used.len() > NAMES {
            break;
        }
        let Name { at, away, .. } = name;
        let font = FontId::proportional(name.size);
        let galley = painter.layout_no_wrap(name.text, font, name.colour);
        let mut place = Align2::LEFT_CENTER.anchor_size(at + egui::vec2(away, 0.0), galley.size());
        if place.right() > pane.right() - 4.0 {
            place = Align2::RIGHT_CENTER.anchor_size(at - egui::vec2(away, 0.0), galley.size());
        }
        if name.always {
            place = below(heading, place);
        }
        let margin = place.expand2(MARGIN);
        if !name.always && used.iter().any(|other| other.intersects(margin)) {
            continue;
        }
        let behind = place.expand2(egui::vec2(3.0, 0.0));
        painter.rect_filled(behind, 3.0, shadow);
        painter.galley(place.min, galley, name.colour);
        used.push(place);
    }
}

/// The space around a name in which no other one is drawn, in points.
const MARGIN: Vec2 = Vec2::new(3.0, 1.0);

/// A place for a name, moved down where it lies behind the heading.
fn below(heading: Rect, place: Rect) -> Rect {
    if heading.intersects(place.expand2(MARGIN)) {
        place.translate(egui::vec2(0.0, heading.bottom() + 2.0 - place.top()))
    } else {
        place
    }
}

/// Names of the visible centroids, and the class under the pointer.
fn centroid_names(
    panel: &FieldPanel,
    ui: &Ui,
    scene: &FieldScene,
    pane: Rect,
    input: &FieldInput<'_>,
) -> (Vec<Name>, Option<usize>) {
    let pointer = ui.input(|i| i.pointer.hover_pos());
    let spheres = spheres::in_pane(&panel.settings, &scene.view.table, pane);
    let hovered = pointer.and_then(|at| spheres::under(&spheres, at));
    let mut candidates = Vec::new();
    for sphere in spheres {
        let class = sphere.class;
        let (target, near) = (class == scene.view.target, hovered == Some(class));
        if !pane.shrink(GRID).contains(sphere.at) || sphere.hidden && !target {
            continue;
        }
        candidates.push(Name {
            priority: match (target, near) {
                (true, _) => -1.5e3,
                (false, true) => -1e3,
                (false, false) => sphere.depth,
            },
            at: sphere.at,
            text: drawn_name(&panel.settings, input, class),
            colour: if target || near {
                ui.visuals().strong_text_color()
            } else {
                ui.visuals().text_color()
            },
            size: if target { 14.0 } else { 12.0 },
            away: sphere.radius.max(2.5) + 6.0,
            always: target,
        });
    }
    (candidates, hovered)
}

/// Names of the pins, beside the ends of their trajectories.
fn pin_names(ui: &Ui, scene: &FieldScene, pane: Rect, input: &FieldInput<'_>) -> Vec<Name> {
    let pins = input.pins.iter().enumerate().filter_map(|(i, pin)| {
        let end = *pin.trajectory.last()?;
        let (at, _) = on_screen(pane, &scene.view.camera, end.into())?;
        let [r, g, b] = pin_colour(i);
        Some(Name {
            priority: -2e3,
            at,
            text: pin.label.clone(),
            // The pin's own colour is legible only on a dark background.
            colour: if ui.visuals().dark_mode {
                Color32::from_rgb(r, g, b)
            } else {
                ui.visuals().strong_text_color()
            },
            size: 12.0,
            away: 18.0,
            always: false,
        })
    });
    pins.collect()
}

fn picked(panel: &FieldPanel, ui: &Ui, pane: Rect) {
    let camera = &panel.settings.camera;
    let Some((at, _)) = panel.picked.and_then(|p| on_screen(pane, camera, p)) else {
        return;
    };
    let painter = ui.painter().with_clip_rect(pane);
    let ink = ui.visuals().strong_text_color();
    painter.circle_stroke(at, 5.0, (3.0, ui.visuals().extreme_bg_color));
    painter.circle_stroke(at, 5.0, (1.5, ink));
}

/// Draws the axes at the lower left; a click on the end of an arm turns the camera along that axis.
fn gizmo(panel: &mut FieldPanel, ui: &mut Ui, pane: Rect) {
    let [right, up, forward] = panel.settings.camera.basis();
    let centre = pane.left_bottom() + egui::vec2(ARM + 2.5 * GRID, -ARM - 2.5 * GRID);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| forward[b].total_cmp(&forward[a]));
    for axis in order {
        let to = centre + egui::vec2(right[axis], -up[axis]) * ARM;
        let [r, g, b] = AXES[axis];
        let near = (1.0 - forward[axis]) * 0.5;
        let colour = Color32::from_rgb(r, g, b).gamma_multiply(0.55 + 0.45 * near);
        let AxisName { letter, phrase, .. } = panel.settings.axis_name(axis);
        let hit = Rect::from_center_size(to, Vec2::splat(20.0));
        let id = ui.scope_id().with(("axis", axis));
        let response = ui.interact(hit, id, egui::Sense::click());
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Button, true, format!("look along {phrase}"))
        });
        ui.painter()
            .line_segment([centre, to], egui::Stroke::new(2.0, colour));
        let size = if response.hovered() { 9.5 } else { 8.0 };
        ui.painter().circle_filled(to, size, colour);
        let font = FontId::proportional(11.0);
        ui.painter()
            .text(to, Align2::CENTER_CENTER, letter, font, Color32::WHITE);
        if response
            .on_hover_text(format!("Look along {phrase}"))
            .clicked()
        {
            panel.settings.camera.snap(axis);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::derived::{Derived, Effort, SceneOptions};
    use super::super::settings::FieldSettings;
    use super::super::style::style;
    use super::*;
    use crate::encoding::Centroids;
    use crate::flow::Source;
    use std::sync::Arc;

    #[test]
    fn a_name_behind_the_heading_moves_below_it() {
        let rect =
            |x: f32, y: f32, size: [f32; 2]| Rect::from_min_size(Pos2::new(x, y), size.into());
        let heading = rect(4.0, 4.0, [200.0, 60.0]);
        let covered = rect(180.0, 50.0, [40.0, 18.0]);
        let moved = below(heading, covered);
        assert_eq!(moved, rect(180.0, 66.0, [40.0, 18.0]));
        for free in [moved, rect(220.0, 50.0, [40.0, 18.0])] {
            assert_eq!(below(heading, free), free);
        }
    }

    #[test]
    fn arrows_without_a_place_say_what_is_missing() {
        let centroids = Centroids::kronecker(11);
        let input = FieldInput {
            centroids: &centroids,
            classes: &[],
            colours: &[],
            cloud: None,
            source: Source::Image,
            brushed: &Arc::default(),
            pins: &[],
        };
        let hint = |place: ArrowPlace, slice: bool| {
            let mut settings = FieldSettings::default();
            settings.layers.arrows.settings.place = place;
            settings.layers.slice.shown = slice;
            let mut derived = Derived::default();
            let table = derived.table(&settings, &centroids);
            let options = SceneOptions {
                style: style(&egui::Visuals::dark()),
                highlighted: None,
                effort: Effort::Often,
                over: false,
            };
            let scene = derived.scene(&settings, &input, &table, options);
            missing(&scene, FieldKind::Reshaped, &input)
        };
        assert_eq!(hint(ArrowPlace::Cube, false), None);
        assert_eq!(hint(ArrowPlace::Slice, true), None);
        assert!(hint(ArrowPlace::Slice, false).is_some_and(|text| text.contains("slice")));
        assert!(hint(ArrowPlace::Cloud, false).is_some_and(|text| text.contains("photo")));
    }
}
