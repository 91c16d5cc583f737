//! The norm of the training gradient by the distance of the prediction to the nearest centroid:
//! Figure 1 (c), measured instead of drawn.

use crate::encoding::Centroids;
use serde::Serialize;

/// Number of ranges of distance, and their width in units of the colour cube `[-1, 1]^3`.
pub const BINS: usize = 16;
pub const WIDTH: f32 = 0.075;
/// Ranges with fewer pixels than this have no mean: it would be noise.
const LEAST: u64 = 8;

/// Mean gradient norms over ranges of distance; the last range has no upper end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GradientByDistance {
    /// The mean norm in each range; `None` for a range with hardly any pixels.
    pub mean: Vec<Option<f32>>,
    /// Pixels in each range.
    pub pixels: Vec<u64>,
}

impl GradientByDistance {
    /// The centre of a range, in units of the cube.
    pub fn centre(bin: usize) -> f32 {
        (bin as f32 + 0.5) * WIDTH
    }

    /// The ranges that have a mean: the centre of each, and the mean.
    pub fn points(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let known = |(bin, mean): (usize, &Option<f32>)| Some((bin, (*mean)?));
        let means = self.mean.iter().enumerate().filter_map(known);
        means.map(|(bin, mean)| [f64::from(Self::centre(bin)), f64::from(mean)])
    }

    /// From the predictions and gradients of some scenes, `[scenes, 3, pixels]` each. `labels`,
    /// `[scenes, pixels]`, says which pixels have a class.
    pub(super) fn measure(
        predictions: &[f32],
        gradients: &[f32],
        labels: &[u16],
        pixels: usize,
        centroids: &Centroids,
    ) -> Self {
        let mut sums = [0.0f64; BINS];
        let mut counts = [0u64; BINS];
        for (i, _) in labels
            .iter()
            .enumerate()
            .filter(|(_, label)| usize::from(**label) < centroids.len())
        {
            let (scene, pixel) = (i / pixels, i % pixels);
            let at =
                |values: &[f32]| [0, 1, 2].map(|axis| values[(3 * scene + axis) * pixels + pixel]);
            let (point, gradient) = (at(predictions), at(gradients));
            let nearest = centroids.points()[centroids.nearest(&point)];
            let offsets = point.iter().zip(nearest).map(|(x, mu)| f64::from(*x) - mu);
            let distance = offsets.map(|offset| offset * offset).sum::<f64>().sqrt();
            let norm = gradient
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            if norm.is_finite() {
                let bin = ((distance / f64::from(WIDTH)) as usize).min(BINS - 1);
                sums[bin] += norm;
                counts[bin] += 1;
            }
        }
        let mean =
            |(sum, count): (&f64, &u64)| (*count >= LEAST).then(|| (sum / *count as f64) as f32);
        Self {
            mean: sums.iter().zip(&counts).map(mean).collect(),
            pixels: counts.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_averaged_in_the_range_of_their_distance() {
        let centroids = Centroids::kronecker(4);
        let [x, y, z] = centroids.points()[2].map(|v| v as f32);
        // Sixteen pixels 0.1 beside a centroid, eight far outside the cube, one without a class.
        let (near, far) = (16, 8);
        let pixels = near + far + 1;
        let mut predictions = vec![0.0; 3 * pixels];
        let mut gradients = vec![0.0; 3 * pixels];
        for pixel in 0..pixels {
            let aside = if pixel < near { 0.1 } else { 50.0 };
            for (axis, value) in [x, y, z + aside].into_iter().enumerate() {
                predictions[axis * pixels + pixel] = value;
            }
            gradients[pixel] = if pixel < near { 3.0 } else { 5.0 };
            gradients[pixels + pixel] = if pixel < near / 2 { 4.0 } else { 0.0 };
        }
        let mut labels = vec![0; pixels];
        labels[pixels - 1] = u16::MAX;
        let found =
            GradientByDistance::measure(&predictions, &gradients, &labels, pixels, &centroids);
        assert_eq!(found.pixels.iter().sum::<u64>(), 24);
        assert_eq!((found.pixels[1], found.pixels[BINS - 1]), (16, 8));
        // Half of the near ones have norm 5, half 3.
        assert!((found.mean[1].unwrap() - 4.0).abs() < 1e-6);
        assert_eq!(found.mean[BINS - 1], Some(5.0));
        assert_eq!(found.mean[0], None);
        let points: Vec<[f64; 2]> = found.points().collect();
        assert_eq!(points.len(), 2);
        assert!((points[0][0] - 0.1125).abs() < 1e-6);
    }

    #[test]
    fn a_few_pixels_have_no_mean() {
        let centroids = Centroids::kronecker(2);
        let found = GradientByDistance::measure(&[0.0; 9], &[1.0; 9], &[0; 3], 3, &centroids);
        assert_eq!(found.pixels.iter().sum::<u64>(), 3);
        assert!(found.mean.iter().all(Option::is_none));
    }
}
