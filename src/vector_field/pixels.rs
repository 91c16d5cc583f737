//! Pixels of a photo as points of the cube. A state is `[3, pixels]`, channel-major.

use super::camera::Camera;
use glam::{Vec2, Vec3};

pub(crate) fn point(state: &[f32], pixel: usize) -> Vec3 {
    let pixels = state.len() / 3;
    Vec3::from_array([0, 1, 2].map(|axis| state[axis * pixels + pixel]))
}

/// At most `most` points of a state, spread evenly over the pixels, with the pixels' indices.
pub(crate) fn thin(state: &[f32], most: usize) -> Vec<(usize, Vec3)> {
    let pixels = state.len() / 3;
    let stride = pixels.div_ceil(most.max(1)).max(1);
    let indices = (0..pixels).step_by(stride);
    indices.map(|pixel| (pixel, point(state, pixel))).collect()
}

/// For each pixel, whether its point projects into a rectangle of the view. Corners have x and y in
/// -1..1.
pub(crate) fn inside(
    state: &[f32],
    camera: &Camera,
    aspect: f32,
    low: Vec2,
    high: Vec2,
) -> Vec<bool> {
    let projected = |pixel| camera.project(point(state, pixel), aspect);
    let within = |at: Vec2| low.cmple(at).all() && at.cmple(high).all();
    (0..state.len() / 3)
        .map(|pixel| projected(pixel).is_some_and(|at| within(at.truncate())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_selects_the_points_that_project_into_it() {
        let camera = Camera::default();
        // Two pixels: one at the pivot, one far to the right of the view.
        let [right, ..] = camera.basis();
        let state: Vec<f32> = right
            .to_array()
            .into_iter()
            .flat_map(|v| [0.0, v])
            .collect();
        let picked = inside(&state, &camera, 1.0, Vec2::splat(-0.1), Vec2::splat(0.1));
        assert_eq!(picked, [true, false]);
    }
}
