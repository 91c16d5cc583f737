//! Where particles start.

use super::pixels::thin;
use super::plane::{HALF_EDGE, Plane, in_cube};
use glam::{Vec2, Vec3};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How the starting points of particles are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seeding {
    /// Uniformly in the cube `[-1, 1]^3`.
    #[default]
    Cube,
    /// Uniformly on a sphere around the target.
    Sphere,
    /// At the pixels of the open photo.
    Photo,
    /// Uniformly on the slice.
    Slice,
}

/// `count` points in the cube `[-1, 1]^3`.
pub fn cube(count: usize, seed: u64) -> Vec<Vec3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| Vec3::from_array(std::array::from_fn(|_| rng.random_range(-1.0..1.0))))
        .collect()
}

/// `count` points on a sphere.
pub fn sphere(count: usize, seed: u64, centre: Vec3, radius: f32) -> Vec<Vec3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            // Archimedes: the height on a sphere is uniform.
            let height: f32 = rng.random_range(-1.0..1.0);
            let angle: f32 = rng.random_range(0.0..std::f32::consts::TAU);
            let flat = (1.0 - height * height).sqrt();
            let way = Vec3::new(flat * angle.cos(), flat * angle.sin(), height);
            centre + radius * way.normalize_or_zero()
        })
        .collect()
}

/// `count` points of a plane, within the cube; fewer if the plane only grazes the cube.
pub fn slice(count: usize, seed: u64, plane: &Plane) -> Vec<Vec3> {
    if plane.outline().len() < 3 {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let reach = HALF_EDGE * 3f32.sqrt();
    // Usually a good part of the square around a slice lies in the cube; the limit is for a slice
    // that only cuts off a corner.
    let tries = (0..200 * count).map(|_| {
        plane.point(Vec2::new(
            rng.random_range(-reach..reach),
            rng.random_range(-reach..reach),
        ))
    });
    tries.filter(|p| in_cube(*p)).take(count).collect()
}

/// At most `count` pixels of a photo `[3, pixels]`, evenly spread over it, in random order.
pub fn photo(source: &[f32], count: usize) -> Vec<Vec3> {
    let pixels = thin(source, count).into_iter().map(|(_, x)| x);
    shuffled(pixels.collect())
}

/// The same items in random order, so that any first few are a fair sample.
pub(crate) fn shuffled<T>(mut items: Vec<T>) -> Vec<T> {
    items.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_points_and_another_seed_others() {
        assert_eq!(cube(50, 1), cube(50, 1));
        assert_ne!(cube(50, 1), cube(50, 2));
    }

    #[test]
    fn seeds_of_a_slice_lie_on_it() {
        let points = slice(500, 5, &Plane::across(1, 0.3));
        assert_eq!(points.len(), 500);
        assert!(
            points
                .iter()
                .all(|p| (p.y - 0.3).abs() < 1e-5 && in_cube(*p))
        );
    }

    #[test]
    fn a_sphere_has_its_radius_and_its_centre() {
        let centre = Vec3::new(0.2, -0.1, 0.4);
        let points = sphere(4000, 3, centre, 0.7);
        for p in &points {
            assert!((p.distance(centre) - 0.7).abs() < 1e-5);
        }
        let mean = points.iter().sum::<Vec3>() / 4000.0;
        assert!(mean.distance(centre) < 0.05);
    }
}
