//! The discriminative potential over centroid space and its gradient (equations 9 to 11).
//!
//! With `d_k = |x - mu_k|^2`, an operator `T` and a temperature `tau`:
//!
//! ```text
//! p_k  = softmax_k(T(d_k) / tau)                                   (9)
//! Phi  = -ln p_gt                                                  (10)
//! grad = -(2 / tau) * sum_k (y_k - p_k) T'(d_k) (x - mu_k)         (11, for any T)
//! ```
//!
//! [`Potential::at`] is the definition, point by point in double precision; training evaluates
//! the gradient for whole images through [`crate::kernels::potential_gradient`].

use serde::{Deserialize, Serialize};

/// The transformation `T` of a squared distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// `T(d) = -ln(d + eps)`, the paper's choice.
    #[default]
    Log,
    /// `T(d) = -sqrt(d + eps)`.
    Sqrt,
    /// `T(d) = -(d + eps)`.
    Linear,
    /// The logarithm's potential with its gradient scaled to unit length.
    NormalizedGradient,
}

impl Operator {
    /// All operators, in the order of the documentation.
    pub const ALL: [Operator; 4] = [
        Operator::Log,
        Operator::Sqrt,
        Operator::Linear,
        Operator::NormalizedGradient,
    ];

    /// `T(d)`.
    pub fn value(self, d: f64, epsilon: f64) -> f64 {
        match self {
            Operator::Log | Operator::NormalizedGradient => -(d + epsilon).ln(),
            Operator::Sqrt => -(d + epsilon).sqrt(),
            Operator::Linear => -(d + epsilon),
        }
    }

    /// `T'(d)`.
    pub fn derivative(self, d: f64, epsilon: f64) -> f64 {
        match self {
            Operator::Log | Operator::NormalizedGradient => -1.0 / (d + epsilon),
            Operator::Sqrt => -0.5 / (d + epsilon).sqrt(),
            Operator::Linear => -1.0,
        }
    }
}

/// The settings of equations 9 to 11.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Potential {
    /// The operator `T`.
    pub operator: Operator,
    /// `tau > 0`: smaller is sharper.
    pub temperature: f64,
    /// `eps > 0`, added to every squared distance.
    pub epsilon: f64,
}

/// The potential and its gradient at one point.
#[derive(Clone, Debug)]
pub struct PotentialAt {
    /// `p_k`, equation 9.
    pub probability: Vec<f64>,
    /// `Phi`, equation 10.
    pub phi: f64,
    /// `grad Phi` with respect to the point, equation 11.
    pub gradient: [f64; 3],
}

impl Potential {
    /// Evaluates the potential at `point` for the class with index `target` in `centroids`, which
    /// holds N >= 1 points.
    pub fn at(&self, point: [f64; 3], centroids: &[[f64; 3]], target: usize) -> PotentialAt {
        let offsets: Vec<[f64; 3]> = centroids
            .iter()
            .map(|mu| std::array::from_fn(|a| point[a] - mu[a]))
            .collect();
        let distances: Vec<f64> = offsets
            .iter()
            .map(|o| o.iter().map(|v| v * v).sum::<f64>())
            .collect();
        let logits: Vec<f64> = distances
            .iter()
            .map(|&d| self.operator.value(d, self.epsilon) / self.temperature)
            .collect();
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
        let total: f64 = weights.iter().sum();
        let others: f64 = total_without(&weights, target);

        let mut gradient = [0.0; 3];
        for (k, offset) in offsets.iter().enumerate() {
            // 1 - p_gt as the sum of the other p_k: near a centroid the subtraction would cancel to
            // 0.
            let y_minus_p = if k == target {
                others / total
            } else {
                -weights[k] / total
            };
            let factor = -2.0 / self.temperature
                * y_minus_p
                * self.operator.derivative(distances[k], self.epsilon);
            for axis in 0..3 {
                gradient[axis] += factor * offset[axis];
            }
        }
        if self.operator == Operator::NormalizedGradient {
            let norm = gradient
                .iter()
                .map(|g| g * g)
                .sum::<f64>()
                .sqrt()
                .max(GRADIENT_FLOOR);
            gradient = gradient.map(|g| g / norm);
        }
        let phi = if others < weights[target] {
            (others / weights[target]).ln_1p()
        } else {
            total.ln() - (logits[target] - top)
        };
        PotentialAt {
            probability: weights.iter().map(|w| w / total).collect(),
            phi,
            gradient,
        }
    }
}

/// [`Operator::NormalizedGradient`] does not scale gradients shorter than this up to unit length,
/// so that the field stays zero where it is zero.
pub const GRADIENT_FLOOR: f64 = 1e-6;

fn total_without(weights: &[f64], index: usize) -> f64 {
    weights
        .iter()
        .enumerate()
        .filter(|&(k, _)| k != index)
        .map(|(_, w)| w)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_gradient_is_the_derivative_of_phi(
            x in prop::array::uniform3(-1.2f64..1.2),
            n in 2usize..60,
            target in 0usize..60,
            temperature in 0.25f64..4.0,
            operator in 0usize..3,
        ) {
            let centroids = Centroids::kronecker(n);
            let potential =
                Potential { operator: Operator::ALL[operator], temperature, epsilon: 1e-2 };
            let target = target % n;
            let here = potential.at(x, centroids.points(), target);
            prop_assert!((here.probability.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(here.phi >= 0.0);
            for axis in 0..3 {
                let h = 1e-6;
                let (mut up, mut down) = (x, x);
                up[axis] += h;
                down[axis] -= h;
                let numeric = (potential.at(up, centroids.points(), target).phi
                    - potential.at(down, centroids.points(), target).phi)
                    / (2.0 * h);
                let scale = here.gradient[axis].abs().max(1.0);
                prop_assert!((numeric - here.gradient[axis]).abs() / scale < 1e-5);
            }
        }
    }

    #[test]
    fn a_normalised_gradient_has_unit_length() {
        let centroids = Centroids::kronecker(11);
        let potential = Potential {
            operator: Operator::NormalizedGradient,
            temperature: 1.0,
            epsilon: 1e-4,
        };
        let g = potential
            .at([0.3, -0.2, 0.5], centroids.points(), 4)
            .gradient;
        assert!((g.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
