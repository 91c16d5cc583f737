//! The ranges of the colour ramps, measured on samples of the field in the cube.

use super::field::{FieldKind, VectorField};
use crate::encoding::Centroids;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranges {
    /// `log10` of the field magnitude, low and high: one range for all panes.
    pub(crate) magnitude: [f32; 2],
    /// The largest `Phi`; its ramp starts at 0.
    pub(crate) phi: f32,
}

const SAMPLES: usize = 128;

impl Ranges {
    /// Uses the middle 90 % of the lengths, widened to half decades, and the 95th percentile of the
    /// potentials. Lengths are those of the vanilla and the reshaped field, so that a colour means
    /// the same length in both, of the correction if `shown` has it, and `velocities`, the lengths
    /// of the network's velocity.
    pub(crate) fn measure(
        field: VectorField<'_>,
        shown: &[FieldKind],
        velocities: impl Iterator<Item = f32>,
    ) -> Self {
        let mut lengths: Vec<f32> = velocities.collect();
        let mut potentials = Vec::with_capacity(SAMPLES);
        let mut kinds = vec![FieldKind::Reconstructive, FieldKind::Reshaped];
        kinds.extend(shown.iter().filter(|&&kind| kind == FieldKind::Correction));
        if field.target < field.table.len() {
            // The Kronecker sequence fills the cube evenly.
            for &point in Centroids::kronecker(SAMPLES).points() {
                for &kind in &kinds {
                    let (here, vector) = field.of_kind(kind).at(point.into());
                    lengths.push(vector.length() as f32);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    }
}
