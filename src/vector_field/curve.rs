//! The gradient curve of Figure 1 (c): the field magnitude between the target's centroid and
//! its decision boundary, vanilla and reshaped.

use super::field::{FieldKind, VectorField};

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CurvePoint {
    /// Distance to the centroid, in units of the cube's half edge.
    pub(crate) distance: f64,
    /// `|x - mu|`, the vanilla gradient (equation 6).
    pub(crate) vanilla: f64,
    /// `|x - mu + grad Phi|`, the reshaped one (equation 12).
    pub(crate) reshaped: f64,
    /// `Phi` (equation 10).
    pub(crate) phi: f64,
    /// `p` of the target class (equation 9).
    pub(crate) probability: f64,
}

/// The curve from the target towards another centroid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GradientCurve {
    pub(crate) towards: usize,
    /// At least two points, evenly spaced, from the centroid to the decision boundary inclusive.
    pub(crate) points: Vec<CurvePoint>,
}

impl GradientCurve {
    /// Samples the curve at `count >= 2` points on the line to the centroid of class `towards`, up
    /// to the first decision boundary on it. `None` if `towards` is the target, does not exist or
    /// has the same centroid.
    pub(crate) fn sample(field: VectorField<'_>, towards: usize, count: usize) -> Option<Self> {
        let points = &field.table.points;
        let mu = *points.get(field.target)?;
        let other = *points.get(towards).filter(|_| towards != field.target)?;
        let way = (other - mu).try_normalize()?;
        // The line crosses the plane halfway to k at |mu_k - mu|^2 / (2 (mu_k - mu) . way).
        let boundary = points
            .iter()
            .filter_map(|&mu_k| {
                let along = (mu_k - mu).dot(way);
                (along > 1e-12).then(|| mu_k.distance_squared(mu) / (2.0 * along))
            })
            .fold(f64::INFINITY, f64::min);
        let vanilla = field.of_kind(FieldKind::Reconstructive);
        let reshaped = field.of_kind(FieldKind::Reshaped);
        let points = (0..count.max(2))
            .map(|i| {
                let distance = boundary * i as f64 / (count.max(2) - 1) as f64;
                let x = mu + distance * way;
                let (here, gradient) = reshaped.at(x);
                CurvePoint {
                    distance,
                    vanilla: vanilla.at(x).1.length(),
                    reshaped: gradient.length(),
                    phi: here.phi,
                    probability: here.probability[field.target],
                }
            })
            .collect();
        Some(Self { towards, points })
    }

    /// The point where the reshaped gradient is longest.
    pub(crate) fn peak(&self) -> CurvePoint {
        let longest = |a: &&CurvePoint, b: &&CurvePoint| a.reshaped.total_cmp(&b.reshaped);
        let peak = self.points.iter().max_by(longest).copied();
        peak.unwrap_or(self.boundary())
    }

    /// The point on the decision boundary.
    pub(crate) fn boundary(&self) -> CurvePoint {
        self.points[self.points.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::{CentroidTable, Neighbourhood};
    use super::*;
    use crate::encoding::Centroids;
    use crate::potential::{Operator, Potential};

    fn curve(operator: Operator, temperature: f64) -> GradientCurve {
        let table = CentroidTable::new(&Centroids::kronecker(11));
        let field = VectorField {
            table: &table,
            potential: Potential {
                operator,
                temperature,
                epsilon: 1e-4,
            },
            target: 4,
            kind: FieldKind::Reshaped,
            correction: 1.0,
            neighbourhood: Neighbourhood::default(),
        };
        let towards = table.nearest_neighbour(4).unwrap();
        GradientCurve::sample(field, towards, 101).unwrap()
    }

    #[test]
    fn it_ends_on_the_boundary_to_the_nearest_neighbour() {
        let curve = curve(Operator::Log, 1.0);
        let table = CentroidTable::new(&Centroids::kronecker(11));
        let expected = f64::from(table.half_gap[4]);
        assert!((curve.boundary().distance - expected).abs() < 1e-6);
        assert!(curve.boundary().probability <= 0.5 + 1e-9);
    }

    #[test]
    fn vanilla_is_the_distance_and_the_log_operator_is_above_it() {
        let curve = curve(Operator::Log, 1.0);
        assert_eq!(curve.points.len(), 101);
        for p in &curve.points[1..] {
            assert!((p.vanilla - p.distance).abs() < 1e-12);
            assert!(p.reshaped > p.vanilla);
        }
        assert!(curve.peak().reshaped >= curve.boundary().reshaped);
    }
}
