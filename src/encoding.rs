//! Category encoding: classes to centroids in colour space, and back (equations 7 and 8).

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
}

impl Encoding {
    /// The centroids of `classes` classes.
    pub fn centroids(self, classes: usize) -> Centroids {
        match self {
            Encoding::Kronecker => Centroids::kronecker(classes),
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
        let mut points: Vec<[f64; 3]> = (0..classes)
            .map(|k| INCREMENTS.map(|increment| (k as f64 * increment).fract()))
            .collect();
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
