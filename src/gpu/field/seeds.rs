//! Where particles start.

use super::camera::{Vec3, add, normalize, scale};
use super::cloud::thin;
use super::plane::{HALF, Plane, in_cube};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How particles are seeded.
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

/// `count` points in the cube.
pub fn cube(count: usize, seed: u64) -> Vec<Vec3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| std::array::from_fn(|_| rng.random_range(-1.0..1.0)))
        .collect()
}

/// `count` points on a sphere.
pub fn sphere(count: usize, seed: u64, centre: Vec3, radius: f32) -> Vec<Vec3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            // Archimedes: the height on a sphere is uniform.
            let height: f32 = rng.random_range(-1.0..1.0);
            let turn: f32 = rng.random_range(0.0..std::f32::consts::TAU);
            let flat = (1.0 - height * height).sqrt();
            let way = normalize([flat * turn.cos(), flat * turn.sin(), height]);
            add(centre, scale(way, radius))
        })
        .collect()
}

/// `count` points of a slice, within the cube.
pub fn slice(count: usize, seed: u64, plane: &Plane) -> Vec<Vec3> {
    if plane.outline().len() < 3 {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let reach = HALF * 3f32.sqrt();
    // A slice through the cube holds a fair share of the square around it; the bound is for one
    // that only grazes a corner.
    let tries = (0..200 * count).map(|_| {
        plane.point([
            rng.random_range(-reach..reach),
            rng.random_range(-reach..reach),
        ])
    });
    tries.filter(|p| in_cube(*p)).take(count).collect()
}

/// The same things in an order in which any first part is a fair sample of all.
pub(super) fn shuffled<T>(mut things: Vec<T>) -> Vec<T> {
    things.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    things
}

/// At most `count` pixels of a photo `[3, pixels]`, evenly spread over it, in random order.
pub fn photo(source: &[f32], count: usize) -> Vec<Vec3> {
    let pixels = thin(source, count).into_iter().map(|(_, x)| x);
    shuffled(pixels.collect())
}

#[cfg(test)]
mod tests {
    use super::super::camera::{length, sub};
    use super::*;

    #[test]
    fn a_seed_gives_the_same_points_again_and_another_does_not() {
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
                .all(|p| (p[1] - 0.3).abs() < 1e-5 && in_cube(*p))
        );
    }

    #[test]
    fn a_sphere_has_its_radius_and_its_centre() {
        let centre = [0.2, -0.1, 0.4];
        let points = sphere(4000, 3, centre, 0.7);
        for p in &points {
            assert!((length(sub(*p, centre)) - 0.7).abs() < 1e-5);
        }
        let mean = points.iter().fold([0.0; 3], |sum, p| add(sum, *p));
        assert!(length(sub(scale(mean, 1.0 / 4000.0), centre)) < 0.05);
    }
}
