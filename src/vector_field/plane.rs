//! Planes through the cube, and lattices in them and in the cube.

use super::camera::Ray;
use glam::{Vec2, Vec3};

/// Half the edge of the cube that slices and arrows fill: slightly larger than the centroids' cube.
pub(crate) const HALF_EDGE: f32 = 1.1;

/// A plane with its own axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// The point of the plane that is nearest to the cube's centre.
    pub origin: Vec3,
    /// The first axis, a unit vector.
    pub u: Vec3,
    /// The second axis, a unit vector perpendicular to the first.
    pub v: Vec3,
}

impl Plane {
    /// Perpendicular to an axis (0 red, 1 green, 2 blue), at a coordinate.
    pub fn across(axis: usize, at: f32) -> Self {
        let unit = |a: usize| Vec3::AXES[a % 3];
        Self {
            origin: at * unit(axis),
            u: unit(axis + 1),
            v: unit(axis + 2),
        }
    }

    /// Through three points; `None` if they lie on one line.
    pub fn through(a: Vec3, b: Vec3, c: Vec3) -> Option<Self> {
        let normal = (b - a).cross(c - a);
        if normal.length() < 1e-5 {
            return None;
        }
        let (u, mut normal) = ((b - a).normalize(), normal.normalize());
        // Three points give the same normal in any order.
        if normal[normal.abs().max_position()] < 0.0 {
            normal = -normal;
        }
        Some(Self {
            origin: a.dot(normal) * normal,
            u,
            v: normal.cross(u),
        })
    }

    /// The unit normal, `u x v`.
    pub fn normal(&self) -> Vec3 {
        self.u.cross(self.v)
    }

    /// The point with these coordinates along the axes.
    pub fn point(&self, at: Vec2) -> Vec3 {
        self.origin + (at.x * self.u + at.y * self.v)
    }

    /// Where a ray hits the plane; `None` behind the ray's origin.
    pub fn hit(&self, ray: Ray) -> Option<Vec3> {
        let slope = ray.direction.dot(self.normal());
        if slope.abs() < 1e-6 {
            return None;
        }
        let along = (self.origin - ray.origin).dot(self.normal()) / slope;
        (along > 0.0).then(|| ray.origin + along * ray.direction)
    }

    /// The convex polygon in which the plane cuts the cube `[-HALF_EDGE, HALF_EDGE]^3`: no corners,
    /// or 3 to 6 in order.
    pub fn outline(&self) -> Vec<Vec3> {
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        let mut polygon: Vec<Vec3> = corners
            .map(|(u, v)| self.point(4.0 * HALF_EDGE * Vec2::new(u, v)))
            .to_vec();
        for axis in 0..3 {
            for side in [-1.0, 1.0] {
                let inside = |p: Vec3| HALF_EDGE - side * p[axis];
                let mut kept = Vec::with_capacity(polygon.len() + 1);
                for (i, &from) in polygon.iter().enumerate() {
                    let to = polygon[(i + 1) % polygon.len()];
                    let (a, b) = (inside(from), inside(to));
                    if a >= 0.0 {
                        kept.push(from);
                    }
                    if (a >= 0.0) != (b >= 0.0) {
                        kept.push(from + a / (a - b) * (to - from));
                    }
                }
                polygon = kept;
            }
        }
        polygon
    }

    /// Centre and half size of the bounding rectangle of points in the plane, in its coordinates.
    pub(crate) fn bounds(&self, points: &[Vec3]) -> [Vec2; 2] {
        let (mut low, mut high) = (Vec2::MAX, Vec2::MIN);
        for point in points {
            let from = *point - self.origin;
            let at = Vec2::new(from.dot(self.u), from.dot(self.v));
            (low, high) = (low.min(at), high.max(at));
        }
        [0.5 * (low + high), 0.5 * (high - low)]
    }

    /// Points of a square lattice in the part of the plane that lies in the cube, `per_edge` along
    /// an edge of the cube. `staggered` shifts every other row, so that rows and columns do not
    /// stand out.
    pub(crate) fn lattice(&self, per_edge: u32, staggered: bool) -> Vec<Vec3> {
        let cell = 2.0 * HALF_EDGE / per_edge.max(1) as f32;
        // A slice through corners is up to sqrt(3) times as wide as the cube's face.
        let reach = (per_edge as f32 * 0.9).ceil() as i32;
        let rows =
            (-reach..=reach).flat_map(|row| (-reach..=reach).map(move |column| (column, row)));
        rows.map(|(column, row)| {
            let shift = match row.rem_euclid(2) {
                1 if staggered => 0.5,
                _ => 0.0,
            };
            self.point(cell * Vec2::new(column as f32 + shift, row as f32))
        })
        .filter(|point| in_cube(*point))
        .collect()
    }
}

/// Points of a cubic lattice that fills the cube, `per_edge` along an edge.
pub(crate) fn cubic_lattice(per_edge: u32) -> Vec<Vec3> {
    let n = per_edge.max(2);
    let at = |i: u32| HALF_EDGE * 0.96 * (2.0 * i as f32 / (n - 1) as f32 - 1.0);
    (0..n * n * n)
        .map(|i| Vec3::new(at(i % n), at(i / n % n), at(i / (n * n))))
        .collect()
}

/// Whether a point lies in the cube `[-HALF_EDGE, HALF_EDGE]^3`.
pub(crate) fn in_cube(point: Vec3) -> bool {
    point.abs().max_element() <= HALF_EDGE + 1e-5
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_axis_slice_is_a_square() {
        for axis in 0..3 {
            let plane = Plane::across(axis, 0.25);
            let outline = plane.outline();
            assert_eq!(outline.len(), 4);
            for corner in outline {
                assert!((corner[axis] - 0.25).abs() < 1e-6);
                assert!((corner[(axis + 1) % 3].abs() - HALF_EDGE).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn points_on_a_line_span_no_plane() {
        let [a, b, c] = [0.0, 0.5, 1.0].map(Vec3::splat);
        assert!(Plane::through(a, b, c).is_none());
    }

    fn in_unit_cube() -> impl Strategy<Value = Vec3> {
        prop::array::uniform3(-1.0f32..1.0).prop_map(Vec3::from_array)
    }

    proptest! {
        #[test]
        fn it_passes_through_its_points_and_stays_in_the_cube(
            a in in_unit_cube(),
            b in in_unit_cube(),
            c in in_unit_cube(),
        ) {
            prop_assume!((b - a).cross(c - a).length() > 0.05);
            let plane = Plane::through(a, b, c).unwrap();
            for p in [a, b, c] {
                prop_assert!((p - plane.origin).dot(plane.normal()).abs() < 1e-4);
            }
            let outline = plane.outline();
            prop_assert!((3..=6).contains(&outline.len()));
            prop_assert!(outline.into_iter().all(in_cube));
        }

        #[test]
        fn a_ray_towards_a_point_hits_it(
            a in in_unit_cube(),
            at in prop::array::uniform2(-1.0f32..1.0),
        ) {
            let plane = Plane::across(2, a.z);
            let point = plane.point(at.into());
            let origin = Vec3::new(0.3, 0.2, 5.0);
            let ray = Ray { origin, direction: (point - origin).normalize() };
            let hit = plane.hit(ray).unwrap();
            prop_assert!(hit.distance(point) < 1e-4);
        }
    }
}
