//! The camera: orbits a pivot, in perspective or orthographic projection.

use glam::camera::rh::{proj::directx as projection, view};
use glam::{Mat4, Vec2, Vec3};
use serde::{Deserialize, Serialize};

/// Field of view in perspective along the shorter side, in radians.
const ANGLE: f32 = 0.55;
const NEAR: f32 = 0.02;
const FAR: f32 = 60.0;

/// An orbiting camera. World axes are the colour axes (red, green, blue); blue points up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Camera {
    /// The point that it looks at and orbits.
    pub pivot: Vec3,
    /// Rotation around the up axis, in radians; 0 looks along -red.
    pub yaw: f32,
    /// Height above the red-green plane, in radians, -pi/2..pi/2.
    pub pitch: f32,
    /// Half the shorter side of the view at the pivot, in world units.
    pub extent: f32,
    pub perspective: bool,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            pivot: Vec3::ZERO,
            yaw: 0.62,
            pitch: 0.42,
            extent: 1.75,
            perspective: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ray {
    /// Where the ray starts.
    pub origin: Vec3,
    pub direction: Vec3,
}

impl Camera {
    /// The range of [`Camera::extent`].
    pub const EXTENT: std::ops::RangeInclusive<f32> = 0.02..=8.0;

    /// Clamps values read from a file to their ranges.
    pub(crate) fn clamp(&mut self) {
        const FURTHEST: f32 = 8.0;
        let default = Self::default();
        let finite = |value: f32, otherwise: f32| if value.is_finite() { value } else { otherwise };
        let pivot = Vec3::select(self.pivot.is_finite_mask(), self.pivot, default.pivot);
        self.pivot = pivot.clamp(Vec3::splat(-FURTHEST), Vec3::splat(FURTHEST));
        self.yaw = finite(self.yaw, default.yaw) % std::f32::consts::TAU;
        let steepest = std::f32::consts::FRAC_PI_2;
        self.pitch = finite(self.pitch, default.pitch).clamp(-steepest, steepest);
        self.set_extent(finite(self.extent, default.extent));
    }

    /// Right, up and forward: unit vectors, perpendicular to each other.
    pub fn basis(&self) -> [Vec3; 3] {
        let (sin_yaw, cos_yaw) = self.yaw.sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.sin_cos();
        let right = Vec3::new(-sin_yaw, cos_yaw, 0.0);
        let up = Vec3::new(-sin_pitch * cos_yaw, -sin_pitch * sin_yaw, cos_pitch);
        let forward = Vec3::new(-cos_pitch * cos_yaw, -cos_pitch * sin_yaw, -sin_pitch);
        [right, up, forward]
    }

    /// Half the width and half the height of the view at the pivot, in world units. `aspect` is
    /// width over height.
    pub fn half_size(&self, aspect: f32) -> Vec2 {
        self.extent * Vec2::new(aspect.max(1.0), 1.0 / aspect.min(1.0))
    }

    /// Distance from the eye to the pivot.
    pub fn distance(&self) -> f32 {
        if self.perspective {
            self.extent / (0.5 * ANGLE).tan()
        } else {
            20.0
        }
    }

    /// The position of the eye, [`distance`](Self::distance) before the pivot.
    pub fn eye(&self) -> Vec3 {
        let [_, _, forward] = self.basis();
        self.pivot - self.distance() * forward
    }

    /// The matrix from world to clip space (depth 0..1).
    pub fn view_projection(&self, aspect: f32) -> Mat4 {
        let [_, up, forward] = self.basis();
        let half = self.half_size(aspect);
        let projection = if self.perspective {
            let angle = 2.0 * (half.y / self.distance()).atan();
            projection::perspective(angle, half.x / half.y, NEAR, FAR)
        } else {
            projection::orthographic(-half.x, half.x, -half.y, half.y, 0.0, FAR)
        };
        projection * view::look_to_mat4(self.eye(), forward, up)
    }

    /// The projection of a point: x and y in -1..1 (right, up), and its depth along the view in
    /// world units. `None` for a point behind the eye.
    pub fn project(&self, point: Vec3, aspect: f32) -> Option<Vec3> {
        let clip = self.view_projection(aspect) * point.extend(1.0);
        let [_, _, forward] = self.basis();
        let depth = (point - self.eye()).dot(forward);
        let at = clip.truncate() / clip.w;
        (clip.w > 1e-6 && depth > NEAR).then_some(at.with_z(depth))
    }

    /// The ray through a point of the view, x and y in -1..1.
    pub fn ray(&self, at: Vec2, aspect: f32) -> Ray {
        let [right, up, forward] = self.basis();
        let across = at * self.half_size(aspect);
        let sideways = across.x * right + across.y * up;
        if self.perspective {
            Ray {
                origin: self.eye(),
                direction: (self.distance() * forward + sideways).normalize(),
            }
        } else {
            Ray {
                origin: self.eye() + sideways,
                direction: forward,
            }
        }
    }

    /// Rotates around the pivot by angles in radians, up to the poles.
    pub fn orbit(&mut self, yaw: f32, pitch: f32) {
        let limit = std::f32::consts::FRAC_PI_2;
        self.yaw = (self.yaw + yaw).rem_euclid(std::f32::consts::TAU);
        self.pitch = (self.pitch + pitch).clamp(-limit, limit);
    }

    /// Moves the pivot so that what is under the pointer follows it. `by` is in units of the
    /// shorter side of the view, x to the right and y up.
    pub fn pan(&mut self, by: Vec2) {
        let [right, up, _] = self.basis();
        let by = 2.0 * self.extent * by;
        let pivot = self.pivot - by.x * right - by.y * up;
        self.pivot = pivot.clamp(Vec3::splat(-2.0), Vec3::splat(2.0));
    }

    /// Zooms by a factor; above 1 moves closer.
    pub fn zoom(&mut self, factor: f32) {
        self.set_extent(self.extent / factor.max(1e-3));
    }

    fn set_extent(&mut self, extent: f32) {
        self.extent = extent.clamp(*Self::EXTENT.start(), *Self::EXTENT.end());
    }

    /// Looks along an axis (0 red, 1 green, 2 blue) from its positive end.
    pub fn snap(&mut self, axis: usize) {
        (self.yaw, self.pitch) = match axis {
            0 => (0.0, 0.0),
            1 => (std::f32::consts::FRAC_PI_2, 0.0),
            _ => (-std::f32::consts::FRAC_PI_2, std::f32::consts::FRAC_PI_2),
        };
    }

    /// Moves and zooms so that these points fill the view.
    pub fn fit(&mut self, points: &[Vec3], aspect: f32) {
        if points.is_empty() {
            return;
        }
        let [right, up, _] = self.basis();
        let (mut low, mut high) = (Vec2::MAX, Vec2::MIN);
        for point in points {
            let from = *point - self.pivot;
            let at = Vec2::new(from.dot(right), from.dot(up));
            (low, high) = (low.min(at), high.max(at));
        }
        let middle = 0.5 * (low + high);
        self.pivot += middle.x * right + middle.y * up;
        let per_extent = self.half_size(aspect) / self.extent;
        // A margin, so that nothing touches the edge of the view.
        self.set_extent(1.06 * (0.5 * (high - low) / per_extent).max_element());
    }

    /// Looks at a plane with this unit normal from its front.
    pub fn face(&mut self, normal: Vec3) {
        self.pitch = normal.z.clamp(-1.0, 1.0).asin();
        if normal.x.abs() + normal.y.abs() > 1e-4 {
            self.yaw = normal.y.atan2(normal.x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera() -> impl Strategy<Value = Camera> {
        (
            prop::array::uniform3(-0.5f32..0.5),
            0.0f32..std::f32::consts::TAU,
            -1.57f32..1.57,
            0.3f32..3.0,
            any::<bool>(),
        )
            .prop_map(|(pivot, yaw, pitch, extent, perspective)| Camera {
                pivot: pivot.into(),
                yaw,
                pitch,
                extent,
                perspective,
            })
    }

    proptest! {
        #[test]
        fn a_ray_passes_through_what_projects_there(
            camera in camera(),
            point in prop::array::uniform3(-1.0f32..1.0),
            aspect in 0.4f32..2.5,
        ) {
            let point = Vec3::from_array(point);
            if let Some(at) = camera.project(point, aspect) {
                prop_assume!(at.z > 0.2);
                let ray = camera.ray(at.truncate(), aspect);
                let off = (point - ray.origin).reject_from_normalized(ray.direction).length();
                prop_assert!(off < 2e-4 * (1.0 + at.z), "{off}");
            }
        }

        #[test]
        fn the_basis_is_orthonormal_and_right_handed(camera in camera()) {
            let [right, up, forward] = camera.basis();
            for axis in [right, up, forward] {
                prop_assert!((axis.length() - 1.0).abs() < 1e-5);
            }
            prop_assert!((right.cross(up) + forward).length() < 1e-5);
        }

        #[test]
        fn panning_carries_the_pivot_with_the_pointer(camera in camera(), by in -0.2f32..0.2) {
            let mut moved = camera;
            moved.pan(Vec2::new(by, 0.0));
            let shown = moved.project(camera.pivot, 1.0).unwrap();
            // A view is two units high, so moving by a fraction of its height moves points by twice
            // that.
            prop_assert!((shown.x - 2.0 * by).abs() < 1e-3);
            prop_assert!(shown.y.abs() < 1e-3);
        }
    }

    #[test]
    fn the_pivot_is_in_the_middle_and_the_extent_at_the_top() {
        for perspective in [false, true] {
            let camera = Camera {
                perspective,
                ..Camera::default()
            };
            let middle = camera.project(camera.pivot, 1.5).unwrap();
            assert!(middle.truncate().abs().max_element() < 1e-5);
            let [right, up, _] = camera.basis();
            let top = camera.pivot + camera.extent * up;
            assert!((camera.project(top, 1.5).unwrap().y - 1.0).abs() < 1e-4);
            // A narrow view has the same extent sideways.
            let side = camera.pivot + camera.extent * right;
            assert!((camera.project(side, 0.5).unwrap().x - 1.0).abs() < 1e-4);
        }
    }

    /// Depth in clip space runs from 0 at the near plane to 1 at the far plane.
    #[test]
    fn clip_depth_spans_the_near_and_far_planes() {
        for (perspective, near) in [(true, NEAR), (false, 0.0)] {
            let camera = Camera {
                perspective,
                ..Camera::default()
            };
            let [_, _, forward] = camera.basis();
            for (depth, expected) in [(near, 0.0), (FAR, 1.0)] {
                let point = camera.eye() + depth * forward;
                let clip = camera.view_projection(1.3) * point.extend(1.0);
                assert!((clip.z / clip.w - expected).abs() < 1e-3, "{clip}");
            }
        }
    }

    #[test]
    fn snapping_looks_along_the_axis() {
        for axis in 0..3 {
            let mut camera = Camera::default();
            camera.snap(axis);
            let [_, _, forward] = camera.basis();
            assert!((forward[axis] + 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn what_is_fitted_fills_the_view() {
        let mut camera = Camera {
            perspective: false,
            ..Camera::default()
        };
        let points = [[-0.9, 0.4, 0.1], [0.8, -0.2, 0.9], [0.1, 0.7, -0.6]].map(Vec3::from_array);
        for aspect in [0.5, 1.0, 2.0] {
            camera.fit(&points, aspect);
            let projected = points.map(|p| camera.project(p, aspect).unwrap());
            let most = projected
                .iter()
                .map(|p| p.truncate().abs().max_element())
                .fold(0.0, f32::max);
            assert!((most - 1.0 / 1.06).abs() < 1e-3, "{most}");
        }
    }

    #[test]
    fn facing_a_plane_looks_against_its_normal() {
        let normal = Vec3::new(0.3, -0.7, 0.5).normalize();
        let mut camera = Camera::default();
        camera.face(normal);
        assert!((camera.basis()[2] + normal).length() < 1e-5);
    }

    #[test]
    fn zoom_stays_within_its_range() {
        let mut camera = Camera::default();
        camera.zoom(0.0);
        assert_eq!(camera.extent, *Camera::EXTENT.end());
        camera.zoom(1e9);
        assert_eq!(camera.extent, *Camera::EXTENT.start());
    }
}
