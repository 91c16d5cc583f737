//! Category encoding: classes to centroids in the cube `[-1, 1]^d`, and back (equations 7 and 8).
//!
//! The paper's cube has three dimensions, so a state is a picture. With more dimensions, the first
//! three axes are still the paper's colours, and fewer pairs of classes have a third class between
//! them.

mod decode;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// Number of axes shown as red, green and blue: also the smallest number of dimensions.
pub const COLOUR_AXES: usize = 3;
/// The axes that are drawn unless others are chosen.
pub const FIRST_AXES: [usize; COLOUR_AXES] = [0, 1, 2];
/// The largest number of dimensions.
pub const MOST_DIMS: usize = 16;
/// Their square roots are the increments of the Kronecker sequence, one per axis.
const PRIMES: [f64; MOST_DIMS] = [
    2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0, 41.0, 43.0, 47.0, 53.0,
];

/// How class indices are placed in the cube.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// The quasi-random sequence of equations 7 and 8.
    #[default]
    Kronecker,
    /// Uniform random points, always the same for a given number of classes.
    Random,
    /// Points chosen one by one, each as far as possible from all earlier ones; three dimensions
    /// only.
    FarthestPoint,
}

impl Encoding {
    /// The centroids of `classes` classes in three dimensions.
    pub fn centroids(self, classes: usize) -> Centroids {
        self.codes(classes, COLOUR_AXES)
    }

    /// Whether there are points in that many dimensions, 3 to [`MOST_DIMS`].
    pub fn has_dims(self, dims: usize) -> bool {
        self != Encoding::FarthestPoint || dims == COLOUR_AXES
    }

    /// The centroids of `classes` classes in `dims` dimensions, 3 to [`MOST_DIMS`].
    pub fn codes(self, classes: usize, dims: usize) -> Centroids {
        match self {
            Encoding::Kronecker => Centroids::kronecker_in(classes, dims),
            Encoding::Random => Centroids::random(classes, dims),
            Encoding::FarthestPoint => Centroids::farthest_point(classes),
        }
    }

    /// The centroids of classes that were appended to a table of `base`: class k has point `order[k]`
    /// of the sequence, whose normalisation is still that over the first `base` points. In
    /// equation 8 the minimum and the maximum of an axis are those over all N points, so that one
    /// more class would move all others; here those of the first classes stay, bit for bit, and weights
    /// that were trained towards them keep their meaning.
    pub fn appended(self, base: usize, order: &[usize], dims: usize) -> Centroids {
        let count = order.iter().map(|index| index + 1).max().unwrap_or(0);
        let all = match self {
            Encoding::Kronecker => Centroids::normalized_over(base, kronecker(count, dims), dims),
            Encoding::Random => Centroids::normalized_over(base, random(count, dims), dims),
            Encoding::FarthestPoint => Centroids::farthest_point(count),
        };
        all.chosen(order)
    }

    /// The index of the point that an appended class takes: of the next 64 points of the
    /// sequence within the cube the one that is farthest from those in use; the next point at all if
    /// none of the next 4096 lies within the cube.
    pub fn next_point(self, base: usize, used: &[usize], dims: usize) -> usize {
        let next = used.iter().map(|index| index + 1).max().unwrap_or(base);
        if self == Encoding::FarthestPoint {
            return next;
        }
        let candidates: Vec<usize> = (next..next + FARTHEST_INDEX).collect();
        let taken = self.appended(base, used, dims);
        let points = self.appended(base, &candidates, dims);
        let inside = |k: &usize| points.code(*k).iter().all(|v| (-1.0..=1.0).contains(v));
        let room = |k: usize| {
            let distance = |class: usize| {
                let pairs = points.code(k).iter().zip(taken.code(class));
                pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
            };
            (0..taken.len()).map(distance).fold(f64::INFINITY, f64::min)
        };
        (0..points.len())
            .filter(inside)
            .take(CANDIDATES)
            .map(|k| (k, room(k)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map_or(next, |(k, _)| next + k)
    }
}

/// Points that an appended class can choose from.
const CANDIDATES: usize = 64;
/// How far the sequence is searched for them.
const FARTHEST_INDEX: usize = 4096;

/// `frac(k * (sqrt2, sqrt3, sqrt5, ..))` of the first `count` indices (equation 7), `[count * dims]`.
fn kronecker(count: usize, dims: usize) -> Vec<f64> {
    let increments: Vec<f64> = PRIMES[..dims].iter().map(|prime| prime.sqrt()).collect();
    (0..count)
        .flat_map(|k| increments.iter().map(move |step| (k as f64 * step).fract()))
        .collect()
}

/// Independent uniform points, `[count * dims]`. The stream of numbers is fixed, so that a model file
/// needs no table of them.
fn random(count: usize, dims: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // 53 random bits are a number in [0, 1); a generator's own conversion may change.
    let mut unit = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    (0..count * dims).map(|_| unit()).collect()
}

/// Which class gets which point of an encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Class k has point k.
    #[default]
    Index,
    /// Points are assigned to classes so that a mixture of several classes decodes to one of them.
    Assigned,
}

/// The N class centroids `mu_k` in `[-1, 1]^d`, in class order.
#[derive(Clone, Debug, PartialEq)]
pub struct Centroids {
    /// The first three axes, `[N][3]`.
    points: Vec<[f64; 3]>,
    /// All axes, `[N * d]`.
    codes: Vec<f64>,
    dims: usize,
}

impl Centroids {
    /// [`kronecker_in`](Self::kronecker_in) the paper's three dimensions.
    pub fn kronecker(classes: usize) -> Self {
        Self::kronecker_in(classes, COLOUR_AXES)
    }

    /// `mu_k = 2 * Norm(frac(k * (sqrt2, sqrt3, sqrt5, ..))) - 1`, with `Norm` the min-max
    /// normalisation of each axis over the `classes` points (equations 7 and 8), and one prime per
    /// axis.
    ///
    /// With one class, or on an axis without extent, the coordinate is -1.
    pub fn kronecker_in(classes: usize, dims: usize) -> Self {
        Self::normalized_over(classes, kronecker(classes, dims), dims)
    }

    /// Independent uniform points, normalised like those of [`kronecker`](Self::kronecker).
    pub fn random(classes: usize, dims: usize) -> Self {
        Self::normalized_over(classes, random(classes, dims), dims)
    }

    /// Greedy farthest-point sampling of a grid of `GRID^3` points in the cube, starting at the
    /// corner (-1, -1, -1): each point is the one whose nearest predecessor is farthest away; ties
    /// go to the first in grid order. The points are distinct for up to `GRID^3` classes.
    pub fn farthest_point(classes: usize) -> Self {
        // Every step of a run asks for the same points, each of which costs a pass over the grid. Fewer points are the
        // first of more.
        static FOUND: Mutex<Vec<[f64; 3]>> = Mutex::new(Vec::new());
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() < classes {
            *found = Self::find_farthest(classes);
        }
        Self::new(found[..classes].concat(), COLOUR_AXES)
    }

    /// The points of [`farthest_point`](Self::farthest_point), computed anew.
    fn find_farthest(classes: usize) -> Vec<[f64; 3]> {
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
        points
    }

    /// `2 * Norm(points) - 1` (equation 8), with the minimum and the maximum of each axis over the first
    /// `base` points.
    fn normalized_over(base: usize, mut codes: Vec<f64>, dims: usize) -> Self {
        for axis in 0..dims {
            let along = || codes.iter().skip(axis).step_by(dims).take(base).copied();
            let low = along().fold(f64::INFINITY, f64::min);
            let high = along().fold(f64::NEG_INFINITY, f64::max);
            let extent = high - low;
            for value in codes.iter_mut().skip(axis).step_by(dims) {
                let unit = if extent > 0.0 {
                    (*value - low) / extent
                } else {
                    0.0
                };
                *value = 2.0 * unit - 1.0;
            }
        }
        Self::new(codes, dims)
    }

    fn new(codes: Vec<f64>, dims: usize) -> Self {
        let colour = |code: &[f64]| std::array::from_fn(|axis| code[axis]);
        Self {
            points: codes.chunks_exact(dims).map(colour).collect(),
            codes,
            dims,
        }
    }

    /// The same points in another order: class k takes the point with index `order[k]`. An empty
    /// order changes nothing.
    ///
    /// # Panics
    /// If `order` is neither empty nor a permutation of the classes.
    pub fn ordered(self, order: &[usize]) -> Self {
        if order.is_empty() {
            return self;
        }
        assert!(
            is_permutation(order, self.len()),
            "one point for each class"
        );
        self.chosen(order)
    }

    /// Some of the points, by their indices.
    fn chosen(&self, order: &[usize]) -> Self {
        let codes = order.iter().flat_map(|&point| self.code(point)).copied();
        Self::new(codes.collect(), self.dims)
    }

    /// The number of classes N.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Dimensions d, the number of channels of a state.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The first three axes of all points, `[N][3]`; in the paper's cube these are all axes.
    pub fn points(&self) -> &[[f64; 3]] {
        &self.points
    }

    /// The centroids reduced to three of their axes, each below [`dims`](Self::dims).
    pub fn along(&self, axes: [usize; COLOUR_AXES]) -> Self {
        let codes = self.codes.chunks_exact(self.dims);
        Self::new(
            codes.flat_map(|code| axes.map(|axis| code[axis])).collect(),
            COLOUR_AXES,
        )
    }

    /// All axes of the point of `class`, `[d]`.
    pub fn code(&self, class: usize) -> &[f64] {
        &self.codes[class * self.dims..][..self.dims]
    }

    /// The points in single precision, flattened to `[N * d]`.
    pub fn flat_f32(&self) -> Vec<f32> {
        self.codes.iter().map(|&v| v as f32).collect()
    }

    /// The points as `[N * 2 d]`: for each point its coordinates rounded to single precision, then
    /// the rounding errors. `(x - high) - low` is exact to a few bits near a centroid, where the
    /// potential's gradient magnifies rounding errors.
    pub fn split_f32(&self) -> Vec<f32> {
        let mut split = Vec::with_capacity(2 * self.codes.len());
        for code in self.codes.chunks_exact(self.dims) {
            split.extend(code.iter().map(|&v| v as f32));
            split.extend(code.iter().map(|&v| (v - f64::from(v as f32)) as f32));
        }
        split
    }

    /// Decodes a state `[d]`: the class whose centroid is nearest. Ties go to the lower index.
    pub fn nearest(&self, point: &[f32]) -> usize {
        let mut best = (0, f64::INFINITY);
        for (k, mu) in self.codes.chunks_exact(self.dims).enumerate() {
            let offsets = point.iter().zip(mu);
            let distance: f64 = offsets.map(|(&x, mu)| (f64::from(x) - mu).powi(2)).sum();
            if distance < best.1 {
                best = (k, distance);
            }
        }
        best.0
    }

    /// The class's colour: its centroid read as RGB, so that a state drawn as an image matches a
    /// mask drawn in class colours.
    pub fn colour(&self, class: usize) -> [u8; 3] {
        self.points
            .get(class)
            .map_or([0; 3], |mu| mu.map(|v| to_byte(v as f32)))
    }

    /// The [colours](Self::colour) of all classes, `[N]`.
    pub fn colours(&self) -> Vec<[u8; 3]> {
        (0..self.len()).map(|class| self.colour(class)).collect()
    }

    /// Encodes a label map as the centroid image `x1`: `[d, pixels]`, channel-major. Labels without
    /// a centroid (such as ignored pixels) become the grey at the centre of the cube.
    pub fn encode(&self, labels: &[u16]) -> Vec<f32> {
        let pixels = labels.len();
        let mut image = vec![0.0; self.dims * pixels];
        for (pixel, &label) in labels.iter().enumerate() {
            if usize::from(label) < self.len() {
                for (axis, &value) in self.code(usize::from(label)).iter().enumerate() {
                    image[axis * pixels + pixel] = value as f32;
                }
            }
        }
        image
    }
}

/// Whether every index below `len` occurs exactly once.
pub fn is_permutation(order: &[usize], len: usize) -> bool {
    let mut seen = vec![false; len];
    order.len() == len
        && order
            .iter()
            .all(|&index| index < len && !std::mem::replace(&mut seen[index], true))
}

/// Maps a channel value from `[-1, 1]` to a byte; values outside are clamped.
pub fn to_byte(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use web_time::Instant;

    proptest! {
        /// Blocks of pixels, the last one shorter, decode as single pixels do.
        #[test]
        fn images_decode_as_their_pixels(
            (classes, dims, pixels) in (2usize..40, 3usize..9, 1usize..600),
            share in 0.0f32..=1.0,
            seed in 0u32..1000,
        ) {
            let centroids = Centroids::kronecker_in(classes, dims);
            let image = |k: f32| -> Vec<f32> {
                (0..dims * pixels).map(|i| (i as f32 * k + seed as f32).sin()).collect()
            };
            let (before, after) = (image(0.7), image(1.3));
            let between: Vec<f32> = before.iter().zip(&after).map(|(a, b)| a + (b - a) * share).collect();
            let decoded = centroids.decode_between(&before, &after, share);
            prop_assert_eq!(&decoded, &centroids.decode(&between));
            for (pixel, &label) in decoded.iter().enumerate() {
                let point: Vec<f32> = (0..dims).map(|axis| between[axis * pixels + pixel]).collect();
                prop_assert_eq!(usize::from(label), centroids.nearest(&point));
            }
        }
    }

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
    fn farthest_points_are_kept() {
        let begin = Instant::now();
        let points = Centroids::find_farthest(500);
        let once = begin.elapsed();
        let begin = Instant::now();
        for classes in (1..500).rev() {
            let found = Centroids::farthest_point(classes);
            assert_eq!(found.points(), &points[..classes]);
        }
        // Computed anew, they would take about 250 times as long.
        assert!(begin.elapsed() < 50 * once);
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
        assert_eq!(Centroids::random(5, 3), Centroids::random(5, 3));
        assert!(Centroids::farthest_point(0).is_empty());
        assert_eq!(
            Centroids::farthest_point(2).points(),
            &[[-1.0; 3], [1.0; 3]]
        );
    }

    #[test]
    fn more_dimensions_leave_the_first_three_axes_alone() {
        let colours = Centroids::kronecker(59);
        for dims in [4, 8, 16] {
            let codes = Centroids::kronecker_in(59, dims);
            assert_eq!(codes.points(), colours.points());
            assert_eq!(codes.code(7)[..3], colours.points()[7]);
            assert_eq!(codes.split_f32().len(), 59 * 2 * dims);
        }
    }

    #[test]
    fn an_order_moves_points_between_classes() {
        let plain = Centroids::kronecker_in(4, 5);
        let moved = plain.clone().ordered(&[2, 0, 3, 1]);
        assert_eq!(moved.code(0), plain.code(2));
        assert_eq!(moved.points()[3], plain.points()[1]);
        assert_eq!(plain.clone().ordered(&[]), plain);
        assert!(!is_permutation(&[0, 0], 2) && !is_permutation(&[0, 2], 2));
    }

    #[test]
    fn appended_classes_leave_the_points_of_the_others_alone() {
        for encoding in [
            Encoding::Kronecker,
            Encoding::Random,
            Encoding::FarthestPoint,
        ] {
            for (base, dims) in [(2, 3), (3, 3), (11, 3), (11, 8), (20, 3), (59, 3)] {
                let dims = match encoding {
                    Encoding::FarthestPoint => COLOUR_AXES,
                    _ => dims,
                };
                // Also in another order, as an assignment gives it.
                let mut order: Vec<usize> = (0..base).rev().collect();
                let before = encoding.codes(base, dims).ordered(&order);
                for added in 1..=3 {
                    order.push(encoding.next_point(base, &order, dims));
                    let after = encoding.appended(base, &order, dims);
                    assert_eq!(after.len(), base + added);
                    for class in 0..base {
                        assert_eq!(after.code(class), before.code(class));
                    }
                    // The new point is in the cube and away from all others.
                    let new = after.code(base + added - 1);
                    let inside = new.iter().all(|v| (-1.0..=1.0).contains(v));
                    // Two or three random points may span next to nothing.
                    assert!(
                        inside || encoding == Encoding::Random && base < 4,
                        "{new:?}"
                    );
                    let least = (0..base + added - 1)
                        .map(|k| {
                            let pairs = after.code(k).iter().zip(new);
                            pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
                        })
                        .fold(f64::INFINITY, f64::min);
                    assert!(least > 0.2, "{encoding:?} {base} {dims}: {least}");
                }
            }
        }
        // What equation 8 alone would do: the thirteenth class moves the others.
        let moved = Centroids::kronecker(13);
        assert_ne!(moved.code(1), Centroids::kronecker(12).code(1));
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(n in 2usize..400, dims in 3usize..=16, seed in 0u64..1000) {
            let centroids = Centroids::kronecker_in(n, dims);
            let labels: Vec<u16> =
                (0..64).map(|i| ((i * 7919 + seed) % n as u64) as u16).collect();
            prop_assert_eq!(centroids.decode(&centroids.encode(&labels)), labels);
        }

        #[test]
        fn a_small_nudge_keeps_the_class(n in 2usize..200, k in 0usize..200, nudge in -1e-3f32..1e-3) {
            let k = k % n;
            let centroids = Centroids::kronecker(n);
            let point = centroids.points()[k].map(|v| v as f32 + nudge);
            prop_assert_eq!(centroids.nearest(&point), k);
        }
    }
}
