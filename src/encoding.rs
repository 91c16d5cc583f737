//! Category encoding: classes to centroids in colour space, and back (equations 7 and 8).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The increments of the Kronecker sequence: square roots of the first three primes.
const INCREMENTS: [f64; 3] = [
    std::f64::consts::SQRT_2,
    1.732_050_807_568_877_2,
    2.236_067_977_499_79,
];

/// How class indices are placed in the cube `[-1, 1]^3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// The quasi-random sequence of equations 7 and 8.
    #[default]
    Kronecker,
    /// Uniform random points, the same ones for the same number of classes.
    Random,
    /// Points chosen one after the other, each as far from all before it as can be.
    FarthestPoint,
}

impl Encoding {
    /// The centroids of `classes` classes.
    pub fn centroids(self, classes: usize) -> Centroids {
        match self {
            Encoding::Kronecker => Centroids::kronecker(classes),
            Encoding::Random => Centroids::random(classes),
            Encoding::FarthestPoint => Centroids::farthest_point(classes),
        }
    }
}

/// The N class centroids `mu_k` in `[-1, 1]^3`, in class order.
#[derive(Clone, Debug, PartialEq)]
pub struct Centroids {
    points: Vec<[f64; 3]>,
}

impl Centroids {
    /// `mu_k = 2 * Norm(frac(k * (sqrt2, sqrt3, sqrt5))) - 1`, with `Norm` the min-max
    /// normalisation of each axis over the `classes` points (equations 7 and 8).
    ///
    /// With one class, or where an axis has no extent, the coordinate is -1.
    pub fn kronecker(classes: usize) -> Self {
        let points = (0..classes)
            .map(|k| INCREMENTS.map(|increment| (k as f64 * increment).fract()))
            .collect();
        Self::normalized(points)
    }

    /// Independent uniform points, normalised like those of [`kronecker`](Self::kronecker). The
    /// stream of numbers is fixed, so that a model file needs no table of them.
    pub fn random(classes: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        // 53 random bits are a number in [0, 1); a generator's own conversion may change.
        let mut unit = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let points = (0..classes).map(|_| [unit(), unit(), unit()]).collect();
        Self::normalized(points)
    }

    /// Greedy farthest-point sampling of a grid of `GRID^3` points of the cube, from the corner
    /// (-1, -1, -1) on: each point is the one whose nearest predecessor is farthest, ties going to
    /// the first in grid order. Distinct for up to `GRID^3` classes.
    pub fn farthest_point(classes: usize) -> Self {
        const GRID: usize = 33;
        let side = |i: usize| 2.0 * i as f64 / (GRID - 1) as f64 - 1.0;
        let candidates: Vec<[f64; 3]> = (0..GRID.pow(3))
            .map(|i| [side(i / GRID / GRID), side(i / GRID % GRID), side(i % GRID)])
            .collect();
        let mut nearest = vec![f64::INFINITY; candidates.len()];
        let mut points: Vec<[f64; 3]> = Vec::with_capacity(classes);
        let mut next = 0;
        while points.len() < classes {
            let point = candidates[next];
            points.push(point);
            let mut best = f64::NEG_INFINITY;
            for (i, (d, c)) in nearest.iter_mut().zip(&candidates).enumerate() {
                let distance = (0..3).map(|a| (c[a] - point[a]).powi(2)).sum::<f64>();
                *d = d.min(distance);
                if *d > best {
                    (best, next) = (*d, i);
                }
            }
        }
        Self { points }
    }

    /// `2 * Norm(points) - 1` (equation 8).
    fn normalized(mut points: Vec<[f64; 3]>) -> Self {
        for axis in 0..3 {
            let low = points.iter().map(|p| p[axis]).fold(f64::INFINITY, f64::min);
            let high = points
                .iter()
                .map(|p| p[axis])
                .fold(f64::NEG_INFINITY, f64::max);
            let extent = high - low;
            for point in &mut points {
                let unit = if extent > 0.0 {
                    (point[axis] - low) / extent
                } else {
                    0.0
                };
                point[axis] = 2.0 * unit - 1.0;
            }
        }
        Self { points }
    }

    /// The number of classes N.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The points `[N][3]`.
    pub fn points(&self) -> &[[f64; 3]] {
        &self.points
    }

    /// The points in single precision, flattened to `[N * 3]`.
    pub fn flat_f32(&self) -> Vec<f32> {
        self.points.iter().flatten().map(|&v| v as f32).collect()
    }

    /// The points as `[N * 6]`: for each three coordinates rounded to single precision, then what
    /// the rounding lost. `(x - high) - low` keeps an offset exact to a few bits next to a centroid,
    /// where the potential's gradient magnifies the error of a rounded one.
    pub fn split_f32(&self) -> Vec<f32> {
        self.points
            .iter()
            .flat_map(|mu| {
                let high = mu.map(|v| v as f32);
                let low = std::array::from_fn(|a| (mu[a] - f64::from(high[a])) as f32);
                let low: [f32; 3] = low;
                [high, low].concat()
            })
            .collect()
    }

    /// Decodes a state: the class whose centroid is nearest. Ties go to the lower index.
    pub fn nearest(&self, point: [f32; 3]) -> usize {
        let mut best = (0, f64::INFINITY);
        for (k, mu) in self.points.iter().enumerate() {
            let distance: f64 = (0..3).map(|a| (f64::from(point[a]) - mu[a]).powi(2)).sum();
            if distance < best.1 {
                best = (k, distance);
            }
        }
        best.0
    }

    /// The class's colour: its centroid read as RGB, so that a state drawn as an image and a mask
    /// drawn in class colours are the same picture.
    pub fn colour(&self, class: usize) -> [u8; 3] {
        self.points
            .get(class)
            .map_or([0; 3], |mu| mu.map(|v| to_byte(v as f32)))
    }

    /// The colours of all classes, in class order.
    pub fn colours(&self) -> Vec<[u8; 3]> {
        (0..self.len()).map(|class| self.colour(class)).collect()
    }

    /// Encodes a label map as the centroid image `x1`: `[3, pixels]`, channel-major. Labels outside
    /// the table (such as ignored pixels) become the grey at the middle of the cube.
    pub fn encode(&self, labels: &[u16]) -> Vec<f32> {
        let pixels = labels.len();
        let mut image = vec![0.0; 3 * pixels];
        for (pixel, &label) in labels.iter().enumerate() {
            if let Some(mu) = self.points.get(usize::from(label)) {
                for axis in 0..3 {
                    image[axis * pixels + pixel] = mu[axis] as f32;
                }
            }
        }
        image
    }

    /// Decodes a state image `[3, pixels]` to the nearest class of every pixel.
    pub fn decode(&self, state: &[f32]) -> Vec<u16> {
        let pixels = state.len() / 3;
        (0..pixels)
            .map(|p| self.nearest([state[p], state[pixels + p], state[2 * pixels + p]]) as u16)
            .collect()
    }
}

/// A channel value in `[-1, 1]` as a byte; values outside are clamped.
pub fn to_byte(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_axis_spans_the_cube() {
        for n in [2, 11, 150, 1000] {
            let centroids = Centroids::kronecker(n);
            for axis in 0..3 {
                let low = centroids
                    .points()
                    .iter()
                    .map(|p| p[axis])
                    .fold(f64::INFINITY, f64::min);
                let high = centroids
                    .points()
                    .iter()
                    .map(|p| p[axis])
                    .fold(-1.0, f64::max);
                assert_eq!((low, high), (-1.0, 1.0));
            }
        }
    }

    #[test]
    fn one_class_and_none_are_harmless() {
        assert_eq!(Centroids::kronecker(1).points(), &[[-1.0; 3]]);
        assert!(Centroids::kronecker(0).is_empty());
    }

    #[test]
    fn farther_apart_means_farthest_point_above_kronecker_above_random() {
        let least = |c: Centroids| {
            let mut least = f64::INFINITY;
            for (i, a) in c.points().iter().enumerate() {
                for b in &c.points()[..i] {
                    least = least.min((0..3).map(|k| (a[k] - b[k]).powi(2)).sum());
                }
            }
            least.sqrt()
        };
        for n in [11, 59, 150, 171] {
            let of = |encoding: Encoding| least(encoding.centroids(n));
            let [k, r, f] = [
                Encoding::Kronecker,
                Encoding::Random,
                Encoding::FarthestPoint,
            ]
            .map(of);
            assert!(f > k && k > r && r > 0.0, "{n}: {f} {k} {r}");
        }
        assert_eq!(Centroids::random(5), Centroids::random(5));
        assert!(Centroids::farthest_point(0).is_empty());
        assert_eq!(
            Centroids::farthest_point(2).points(),
            &[[-1.0; 3], [1.0; 3]]
        );
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(n in 2usize..400, seed in 0u64..1000) {
            let centroids = Centroids::kronecker(n);
            let labels: Vec<u16> =
                (0..64).map(|i| ((i * 7919 + seed) % n as u64) as u16).collect();
            prop_assert_eq!(centroids.decode(&centroids.encode(&labels)), labels);
        }

        #[test]
        fn a_small_nudge_keeps_the_class(n in 2usize..200, k in 0usize..200, nudge in -1e-3f32..1e-3) {
            let k = k % n;
            let centroids = Centroids::kronecker(n);
            let point = centroids.points()[k].map(|v| v as f32 + nudge);
            prop_assert_eq!(centroids.nearest(point), k);
        }
    }
}
