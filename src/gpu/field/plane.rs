//! Slices: planes through the cube.

use super::camera::{Ray, Vec3, add, cross, dot, length, normalize, scale, sub};

/// Half the edge of the cube that slices and arrows fill: a little more than the centroids' cube.
pub const HALF: f32 = 1.1;

/// A plane with axes of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Its point nearest to the cube's centre.
    pub origin: Vec3,
    /// The first axis, of unit length.
    pub u: Vec3,
    /// The second axis, of unit length.
    pub v: Vec3,
}

impl Plane {
    /// Across an axis (0 red, 1 green, 2 blue), at a coordinate.
    pub fn across(axis: usize, at: f32) -> Self {
        let unit = |a: usize| std::array::from_fn(|i| if i == a % 3 { 1.0 } else { 0.0 });
        Self {
            origin: scale(unit(axis), at),
            u: unit(axis + 1),
            v: unit(axis + 2),
        }
    }

    /// Through three points; nothing where they lie on one line.
    pub fn through(a: Vec3, b: Vec3, c: Vec3) -> Option<Self> {
        let u = sub(b, a);
        let normal = cross(u, sub(c, a));
        if length(normal) < 1e-5 {
            return None;
        }
        let (u, mut normal) = (normalize(u), normalize(normal));
        // The same three points in any order show the same side.
        let lead = (0..3).max_by(|&i, &j| normal[i].abs().total_cmp(&normal[j].abs()));
        if lead.is_some_and(|axis| normal[axis] < 0.0) {
            normal = scale(normal, -1.0);
        }
        Some(Self {
            origin: scale(normal, dot(a, normal)),
            u,
            v: cross(normal, u),
        })
    }

    /// The unit normal.
    pub fn normal(&self) -> Vec3 {
        cross(self.u, self.v)
    }

    /// The point at these coordinates along the axes.
    pub fn point(&self, at: [f32; 2]) -> Vec3 {
        add(self.origin, add(scale(self.u, at[0]), scale(self.v, at[1])))
    }

    /// Where a ray meets it, in front of the ray's origin.
    pub fn hit(&self, ray: Ray) -> Option<Vec3> {
        let slope = dot(ray.direction, self.normal());
        if slope.abs() < 1e-6 {
            return None;
        }
        let along = dot(sub(self.origin, ray.origin), self.normal()) / slope;
        (along > 0.0).then(|| add(ray.origin, scale(ray.direction, along)))
    }

    /// The convex polygon in which it cuts the cube `[-HALF, HALF]^3`, in order, of 0 or 3 to 6
    /// corners.
    pub fn outline(&self) -> Vec<Vec3> {
        let size = 4.0 * HALF;
        let mut polygon: Vec<Vec3> = [[-size, -size], [size, -size], [size, size], [-size, size]]
            .map(|at| self.point(at))
            .to_vec();
        for axis in 0..3 {
            for side in [-1.0f32, 1.0] {
                let inside = |p: &Vec3| HALF - side * p[axis];
                let mut kept = Vec::with_capacity(polygon.len() + 1);
                for (i, from) in polygon.iter().enumerate() {
                    let to = &polygon[(i + 1) % polygon.len()];
                    let (a, b) = (inside(from), inside(to));
                    if a >= 0.0 {
                        kept.push(*from);
                    }
                    if (a >= 0.0) != (b >= 0.0) {
                        kept.push(add(*from, scale(sub(*to, *from), a / (a - b))));
                    }
                }
                polygon = kept;
            }
        }
        polygon
    }
}

/// Whether a point lies in the cube `[-HALF, HALF]^3`.
pub fn in_cube(point: Vec3) -> bool {
    point.iter().all(|v| v.abs() <= HALF + 1e-5)
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
                assert!((corner[(axis + 1) % 3].abs() - HALF).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn points_on_a_line_span_no_plane() {
        assert!(Plane::through([0.0; 3], [0.5; 3], [1.0; 3]).is_none());
    }

    proptest! {
        #[test]
        fn it_passes_through_its_points_and_stays_in_the_cube(
            a in prop::array::uniform3(-1.0f32..1.0),
            b in prop::array::uniform3(-1.0f32..1.0),
            c in prop::array::uniform3(-1.0f32..1.0),
        ) {
            prop_assume!(length(cross(sub(b, a), sub(c, a))) > 0.05);
            let plane = Plane::through(a, b, c).unwrap();
            for p in [a, b, c] {
                prop_assert!(dot(sub(p, plane.origin), plane.normal()).abs() < 1e-4);
            }
            let outline = plane.outline();
            prop_assert!((3..=6).contains(&outline.len()));
            prop_assert!(outline.into_iter().all(in_cube));
        }

        #[test]
        fn a_ray_towards_a_point_hits_it(
            a in prop::array::uniform3(-1.0f32..1.0),
            at in prop::array::uniform2(-1.0f32..1.0),
        ) {
            let plane = Plane::across(2, a[2]);
            let point = plane.point(at);
            let origin = [0.3, 0.2, 5.0];
            let ray = Ray { origin, direction: normalize(sub(point, origin)) };
            let hit = plane.hit(ray).unwrap();
            prop_assert!(length(sub(hit, point)) < 1e-4);
        }
    }
}
