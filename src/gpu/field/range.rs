//! The ranges that colour ramps span, from samples of the field in the cube.

use super::integrate::Flow;
use super::scene::{FieldKind, Scene};
use crate::encoding::Centroids;

/// What the ramps span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranges {
    /// `log10` of the field's length, low and high: one range for all panes.
    pub magnitude: [f32; 2],
    /// `Phi`, from 0.
    pub phi: f32,
}

/// Points that are sampled.
const SAMPLES: usize = 128;

impl Ranges {
    /// Measures them: the middle 90 % of the lengths of the panes' fields and of those that are
    /// compared most, vanilla and reshaped, widened to half decades; and what 95 % of the
    /// potentials stay below. `velocities` are those of [`FieldKind::Network`].
    pub fn measure(scene: &Scene, velocities: impl Iterator<Item = f32>) -> Self {
        let mut lengths: Vec<f32> = velocities.collect();
        let mut potentials = Vec::with_capacity(SAMPLES);
        // The same colours mean the same lengths whichever of the two is shown.
        let mut kinds = vec![FieldKind::Reconstructive, FieldKind::Reshaped];
        kinds.extend(
            scene
                .panes
                .iter()
                .filter(|&&kind| kind == FieldKind::Correction),
        );
        if scene.target < scene.table.centroids.len() {
            // The encoding's own sequence fills the cube evenly.
            for point in Centroids::kronecker(SAMPLES).points() {
                for &kind in &kinds {
                    let flow = Flow {
                        table: &scene.table,
                        potential: scene.potential,
                        target: scene.target,
                        kind,
                        correction: scene.correction,
                        neighbourhood: scene.neighbourhood,
                    };
                    let (here, field) = flow.at(*point);
                    lengths.push(field.iter().map(|v| v * v).sum::<f64>().sqrt() as f32);
                    potentials.push(here.phi as f32);
                }
            }
        }
        lengths.retain(|v| *v > 1e-9 && v.is_finite());
        let low = quantile(&mut lengths, 0.05).unwrap_or(0.1).log10();
        let high = quantile(&mut lengths, 0.95).unwrap_or(1.0).log10();
        let low = (low * 2.0 + 0.01).floor() / 2.0;
        let high = (high * 2.0 - 0.01).ceil() / 2.0;
        Self {
            magnitude: [low, high.max(low + 0.5)],
            phi: quantile(&mut potentials, 0.95).unwrap_or(1.0).max(1e-3),
        }
    }
}

fn quantile(values: &mut [f32], share: f32) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    let at = (share * values.len().saturating_sub(1) as f32).round() as usize;
    values.get(at).copied()
}

/// A round step that divides `range` into about `parts` parts: 1, 2 or 5 times a power of ten.
pub fn round_step(range: f32, parts: f32) -> f32 {
    let rough = (range / parts).max(1e-6);
    let decade = 10f32.powf(rough.log10().floor());
    let lead = rough / decade;
    let lead = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|&l| lead <= l)
        .unwrap_or(10.0);
    lead * decade
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!(round_step(10.0, 10.0), 1.0);
        assert!((round_step(7.0, 12.0) - 1.0).abs() < 1e-6);
        assert!((round_step(0.9, 5.0) - 0.2).abs() < 1e-6);
    }

    #[test]
    fn a_quantile_of_nothing_is_nothing() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    }
}
