//! The centroids' spheres on the screen, and which of them is under the pointer.

use super::derived;
use super::projection::{aspect, on_screen, within};
use super::settings::FieldSettings;
use crate::gpu::field::EMPHASIS;
use crate::vector_field::{CentroidTable, Plane, in_cube};
use eframe::egui::{Pos2, Rect};

/// How far beside a sphere the pointer still means it, in points.
const MARGIN: f32 = 4.0;
/// A slice that is more opaque hides what is behind it.
const OPAQUE: f32 = 0.8;

/// A sphere in a pane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sphere {
    pub(super) class: usize,
    pub(super) at: Pos2,
    /// Distance from the camera, in world units.
    pub(super) depth: f32,
    /// Radius in points.
    pub(super) radius: f32,
    /// Whether an opaque slice hides it.
    pub(super) hidden: bool,
}

/// The spheres in front of the camera.
pub(super) fn in_pane(settings: &FieldSettings, table: &CentroidTable, pane: Rect) -> Vec<Sphere> {
    let camera = &settings.camera;
    let slice = settings.layers.slice.shown();
    let slice = slice.filter(|slice| slice.opacity > OPAQUE);
    let slice = slice.map(|_| derived::plane(settings, table));
    let world = derived::sphere_radius(table.len());
    let half_height = camera.half_size(aspect(pane)).y;
    let spheres = (0..table.len()).filter_map(|class| {
        let (at, depth) = on_screen(pane, camera, table.point(class))?;
        let emphasis = if class == settings.target {
            EMPHASIS
        } else {
            1.0
        };
        let foreshortening = if camera.perspective {
            camera.distance() / depth
        } else {
            1.0
        };
        Some(Sphere {
            class,
            at,
            depth,
            radius: 0.5 * pane.height() * world * emphasis * foreshortening / half_height,
            // A centroid on the slice is cut in half, not hidden.
            hidden: slice
                .and_then(|plane| depth_of(settings, plane, pane, at))
                .is_some_and(|before| before < depth - 0.5 * world),
        })
    });
    spheres.collect()
}

/// The depth of the slice at a point of the screen; `None` beside it.
fn depth_of(settings: &FieldSettings, plane: Plane, pane: Rect, at: Pos2) -> Option<f32> {
    let camera = &settings.camera;
    let hit = plane.hit(camera.ray(within(pane, at), aspect(pane)))?;
    let hit = Some(hit).filter(|point| in_cube(*point))?;
    Some(on_screen(pane, camera, hit)?.1)
}

/// The class whose sphere is under a point of the screen: of several, the one whose edge is nearest, then
/// the one in front. Hidden ones are not.
pub(super) fn under(spheres: &[Sphere], pointer: Pos2) -> Option<usize> {
    let near = spheres.iter().filter(|sphere| !sphere.hidden);
    let near = near.filter_map(|sphere| {
        let beside = (sphere.at.distance(pointer) - sphere.radius).max(0.0);
        (beside <= MARGIN).then_some((beside, sphere.depth, sphere.class))
    });
    let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    nearest.map(|(.., class)| class)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Cut;
    use super::*;
    use crate::encoding::Centroids;
    use eframe::egui::{pos2, vec2};

    const PANE: Rect = Rect {
        min: Pos2::ZERO,
        max: pos2(600.0, 400.0),
    };

    /// Two classes at opposite corners, seen along the axis that the slice is perpendicular to.
    fn two_classes() -> (FieldSettings, CentroidTable) {
        let mut settings = FieldSettings {
            target: 0,
            cut: Cut::Axis(2),
            ..FieldSettings::default()
        };
        settings.camera.perspective = false;
        settings.camera.snap(2);
        (settings, CentroidTable::new(&Centroids::kronecker(2)))
    }

    #[test]
    fn a_centroid_behind_an_opaque_slice_is_not_under_the_pointer() {
        let (mut settings, table) = two_classes();
        let found = |settings: &FieldSettings| -> Vec<usize> {
            let spheres = in_pane(settings, &table, PANE);
            let centres = spheres.iter();
            centres
                .filter_map(|sphere| under(&spheres, sphere.at))
                .collect()
        };
        assert_eq!(found(&settings), [0, 1]);
        settings.layers.slice.shown = true;
        // The camera is at the positive end of the axis.
        assert_eq!(found(&settings), [1]);
        settings.layers.slice.settings.opacity = 0.5;
        assert_eq!(found(&settings), [0, 1]);
    }

    #[test]
    fn only_the_sphere_itself_and_a_few_points_around_it_are_meant() {
        let (settings, _) = two_classes();
        for classes in [2, 1000] {
            let table = CentroidTable::new(&Centroids::kronecker(classes));
            let spheres = in_pane(&settings, &table, PANE);
            let alone = &spheres[1..2];
            let at = |beside: f32| alone[0].at + vec2(alone[0].radius + beside, 0.0);
            assert_eq!(under(alone, alone[0].at), Some(1));
            assert_eq!(under(alone, at(3.0)), Some(1));
            assert_eq!(under(alone, at(5.0)), None);
        }
    }

    #[test]
    fn of_several_the_one_in_front_is_meant() {
        let behind = Sphere {
            class: 3,
            at: pos2(50.0, 50.0),
            depth: 2.0,
            radius: 10.0,
            hidden: false,
        };
        let front = Sphere {
            class: 2,
            depth: 1.0,
            ..behind
        };
        let beside = Sphere {
            class: 5,
            at: pos2(70.0, 50.0),
            depth: 0.5,
            ..behind
        };
        let spheres = [front, behind, beside];
        assert_eq!(under(&spheres, pos2(52.0, 50.0)), Some(2));
        assert_eq!(under(&spheres, pos2(68.0, 50.0)), Some(5));
        assert_eq!(under(&spheres, pos2(90.0, 90.0)), None);
    }
}
