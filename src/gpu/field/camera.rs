//! The camera: an orbit around a pivot, in perspective or orthographic.

use serde::{Deserialize, Serialize};

/// A point or direction of centroid space.
pub type Vec3 = [f32; 3];

/// Angle of view in perspective along the shorter side, in radians.
const ANGLE: f32 = 0.55;
const NEAR: f32 = 0.02;
const FAR: f32 = 60.0;

/// An orbiting camera. World axes are the colour axes (red, green, blue); blue points up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Camera {
    /// Where it looks.
    pub pivot: Vec3,
    /// Turn around the up axis, in radians; 0 looks along -red.
    pub yaw: f32,
    /// Height above the red-green plane, in radians, -pi/2..pi/2.
    pub pitch: f32,
    /// Half the shorter side of the view at the pivot, in world units.
    pub extent: f32,
    /// Perspective or orthographic.
    pub perspective: bool,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            pivot: [0.0; 3],
            yaw: 0.62,
            pitch: 0.42,
            extent: 1.75,
            perspective: true,
        }
    }
}

/// A ray of the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ray {
    /// Where it starts.
    pub origin: Vec3,
    /// Its unit direction.
    pub direction: Vec3,
}

impl Camera {
    /// [`Camera::extent`] may lie in this range.
    pub const EXTENT: std::ops::RangeInclusive<f32> = 0.02..=8.0;

    /// Brings numbers that a file put out of range back into it.
    pub fn clamp(&mut self) {
        const FURTHEST: f32 = 8.0;
        let default = Self::default();
        let finite = |value: f32, otherwise: f32| if value.is_finite() { value } else { otherwise };
        for (value, default) in self.pivot.iter_mut().zip(default.pivot) {
            *value = finite(*value, default).clamp(-FURTHEST, FURTHEST);
        }
        self.yaw = finite(self.yaw, default.yaw) % std::f32::consts::TAU;
        let steepest = std::f32::consts::FRAC_PI_2;
        self.pitch = finite(self.pitch, default.pitch).clamp(-steepest, steepest);
        let [closest, widest] = [*Self::EXTENT.start(), *Self::EXTENT.end()];
        self.extent = finite(self.extent, default.extent).clamp(closest, widest);
    }

    /// Right, up and forward: unit vectors, perpendicular to each other.
    pub fn basis(&self) -> [Vec3; 3] {
        let (sin_yaw, cos_yaw) = self.yaw.sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.sin_cos();
        let right = [-sin_yaw, cos_yaw, 0.0];
        let up = [-sin_pitch * cos_yaw, -sin_pitch * sin_yaw, cos_pitch];
        let forward = [-cos_pitch * cos_yaw, -cos_pitch * sin_yaw, -sin_pitch];
        [right, up, forward]
    }

    /// Half the width and half the height of the view at the pivot, in world units, for a view of
    /// this width over height.
    pub fn half_size(&self, aspect: f32) -> [f32; 2] {
        [self.extent * aspect.max(1.0), self.extent / aspect.min(1.0)]
    }

    /// Distance from the eye to the pivot.
    pub fn distance(&self) -> f32 {
        if self.perspective {
            self.extent / (0.5 * ANGLE).tan()
        } else {
            20.0
        }
    }

    /// Where the eye is.
    pub fn eye(&self) -> Vec3 {
        let [_, _, forward] = self.basis();
        add(self.pivot, scale(forward, -self.distance()))
    }

    /// The matrix from the world to clip space (depth 0..1), column by column, for a view of this
    /// width over height.
    pub fn view_projection(&self, aspect: f32) -> [[f32; 4]; 4] {
        let [right, up, forward] = self.basis();
        let eye = self.eye();
        let offset = [right, up, forward].map(|axis| -dot(axis, eye));
        // Rows of clip = projection * view.
        let (x, y, z, w);
        let [half_width, half_height] = self.half_size(aspect);
        if self.perspective {
            let depth = FAR / (FAR - NEAR);
            x = row(right, offset[0], self.distance() / half_width);
            y = row(up, offset[1], self.distance() / half_height);
            z = [
                depth * forward[0],
                depth * forward[1],
                depth * forward[2],
                depth * (offset[2] - NEAR),
            ];
            w = [forward[0], forward[1], forward[2], offset[2]];
        } else {
            x = row(right, offset[0], 1.0 / half_width);
            y = row(up, offset[1], 1.0 / half_height);
            z = row(forward, offset[2], 1.0 / FAR);
            w = [0.0, 0.0, 0.0, 1.0];
        }
        std::array::from_fn(|column| [x[column], y[column], z[column], w[column]])
    }

    /// Where a point falls: x and y in -1..1 (right, up), and its depth along the view in world
    /// units; nothing behind the eye.
    pub fn project(&self, point: Vec3, aspect: f32) -> Option<Vec3> {
        let m = self.view_projection(aspect);
        let clip: [f32; 4] = std::array::from_fn(|r| {
            m[0][r] * point[0] + m[1][r] * point[1] + m[2][r] * point[2] + m[3][r]
        });
        let [_, _, forward] = self.basis();
        let depth = dot(sub(point, self.eye()), forward);
        (clip[3] > 1e-6 && depth > NEAR).then(|| [clip[0] / clip[3], clip[1] / clip[3], depth])
    }

    /// The ray through a point of the view, x and y in -1..1.
    pub fn ray(&self, at: [f32; 2], aspect: f32) -> Ray {
        let [right, up, forward] = self.basis();
        let [half_width, half_height] = self.half_size(aspect);
        let sideways = add(
            scale(right, at[0] * half_width),
            scale(up, at[1] * half_height),
        );
        if self.perspective {
            let direction = add(scale(forward, self.distance()), sideways);
            Ray {
                origin: self.eye(),
                direction: normalize(direction),
            }
        } else {
            Ray {
                origin: add(self.eye(), sideways),
                direction: forward,
            }
        }
    }

    /// Turns around the pivot by angles in radians; stops at the poles.
    pub fn orbit(&mut self, yaw: f32, pitch: f32) {
        let limit = std::f32::consts::FRAC_PI_2;
        self.yaw = (self.yaw + yaw).rem_euclid(std::f32::consts::TAU);
        self.pitch = (self.pitch + pitch).clamp(-limit, limit);
    }

    /// Moves the pivot so that what is under the pointer follows it: a movement in shorter sides of
    /// the view.
    pub fn pan(&mut self, right_by: f32, up_by: f32) {
        let [right, up, _] = self.basis();
        let size = 2.0 * self.extent;
        let moved = add(scale(right, -right_by * size), scale(up, -up_by * size));
        self.pivot = add(self.pivot, moved).map(|v| v.clamp(-2.0, 2.0));
    }

    /// Zooms by a factor (above 1: closer).
    pub fn zoom(&mut self, factor: f32) {
        self.extent =
            (self.extent / factor.max(1e-3)).clamp(*Self::EXTENT.start(), *Self::EXTENT.end());
    }

    /// Looks along an axis (0 red, 1 green, 2 blue) from its positive end.
    pub fn snap(&mut self, axis: usize) {
        (self.yaw, self.pitch) = match axis {
            0 => (0.0, 0.0),
            1 => (std::f32::consts::FRAC_PI_2, 0.0),
            _ => (-std::f32::consts::FRAC_PI_2, std::f32::consts::FRAC_PI_2),
        };
    }

    /// Moves and zooms so that these points fill a view of this width over height.
    pub fn fit(&mut self, points: &[Vec3], aspect: f32) {
        let [right, up, _] = self.basis();
        let [mut low, mut high] = [[f32::MAX; 2], [f32::MIN; 2]];
        for point in points {
            for (a, axis) in [right, up].into_iter().enumerate() {
                let at = dot(sub(*point, self.pivot), axis);
                low[a] = low[a].min(at);
                high[a] = high[a].max(at);
            }
        }
        if points.is_empty() {
            return;
        }
        let middle = [0, 1].map(|a| 0.5 * (low[a] + high[a]));
        let half = [0, 1].map(|a| 0.5 * (high[a] - low[a]));
        let moved = add(scale(right, middle[0]), scale(up, middle[1]));
        self.pivot = add(self.pivot, moved);
        let [width, height] = Camera {
            extent: 1.0,
            ..*self
        }
        .half_size(aspect);
        // A margin, so that nothing touches the rim.
        let extent = 1.06 * (half[0] / width).max(half[1] / height);
        self.extent = extent.clamp(*Self::EXTENT.start(), *Self::EXTENT.end());
    }

    /// Faces a plane with this unit normal, from its front.
    pub fn face(&mut self, normal: Vec3) {
        self.pitch = normal[2].clamp(-1.0, 1.0).asin();
        if normal[0].abs() + normal[1].abs() > 1e-4 {
            self.yaw = normal[1].atan2(normal[0]);
        }
    }
}

fn row(axis: Vec3, offset: f32, by: f32) -> [f32; 4] {
    [axis[0] * by, axis[1] * by, axis[2] * by, offset * by]
}

/// `a + b`.
pub fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// `a - b`.
pub fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// `a * by`.
pub fn scale(a: Vec3, by: f32) -> Vec3 {
    a.map(|v| v * by)
}

/// The inner product.
pub fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The cross product.
pub fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// The length.
pub fn length(a: Vec3) -> f32 {
    dot(a, a).sqrt()
}

/// `a` at unit length; a zero vector stays zero.
pub fn normalize(a: Vec3) -> Vec3 {
    scale(a, 1.0 / length(a).max(1e-12))
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
                pivot,
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
            if let Some([x, y, depth]) = camera.project(point, aspect) {
                prop_assume!(depth > 0.2);
                let ray = camera.ray([x, y], aspect);
                let to = sub(point, ray.origin);
                let off = length(sub(to, scale(ray.direction, dot(to, ray.direction))));
                prop_assert!(off < 2e-4 * (1.0 + depth), "{off}");
            }
        }

        #[test]
        fn the_basis_is_orthonormal_and_right_handed(camera in camera()) {
            let [right, up, forward] = camera.basis();
            for axis in [right, up, forward] {
                prop_assert!((length(axis) - 1.0).abs() < 1e-5);
            }
            let back = cross(right, up);
            prop_assert!(length(add(back, forward)) < 1e-5);
        }

        #[test]
        fn panning_carries_the_pivot_with_the_pointer(camera in camera(), by in -0.2f32..0.2) {
            let mut moved = camera;
            moved.pan(by, 0.0);
            let shown = moved.project(camera.pivot, 1.0).unwrap();
            // A view is two units high, so a movement by a share of its height is twice that.
            prop_assert!((shown[0] - 2.0 * by).abs() < 1e-3);
            prop_assert!(shown[1].abs() < 1e-3);
        }
    }

    #[test]
    fn the_pivot_is_in_the_middle_and_the_extent_at_the_top() {
        for perspective in [false, true] {
            let camera = Camera {
                perspective,
                ..Camera::default()
            };
            let [x, y, _] = camera.project(camera.pivot, 1.5).unwrap();
            assert!(x.abs() < 1e-5 && y.abs() < 1e-5);
            let [_, up, _] = camera.basis();
            let top = add(camera.pivot, scale(up, camera.extent));
            let [_, y, _] = camera.project(top, 1.5).unwrap();
            assert!((y - 1.0).abs() < 1e-4);
            // A narrow view shows as much sideways.
            let [right, ..] = camera.basis();
            let side = add(camera.pivot, scale(right, camera.extent));
            let [x, _, _] = camera.project(side, 0.5).unwrap();
            assert!((x - 1.0).abs() < 1e-4);
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
        let points = [[-0.9, 0.4, 0.1], [0.8, -0.2, 0.9], [0.1, 0.7, -0.6]];
        for aspect in [0.5, 1.0, 2.0] {
            camera.fit(&points, aspect);
            let seen = points.map(|p| camera.project(p, aspect).unwrap());
            let most = seen
                .iter()
                .flat_map(|p| [p[0].abs(), p[1].abs()])
                .fold(0.0, f32::max);
            assert!((most - 1.0 / 1.06).abs() < 1e-3, "{most}");
        }
    }

    #[test]
    fn facing_a_plane_looks_against_its_normal() {
        let normal = normalize([0.3, -0.7, 0.5]);
        let mut camera = Camera::default();
        camera.face(normal);
        assert!(length(add(camera.basis()[2], normal)) < 1e-5);
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
