//! The gradient curve of Figure 1 (c): the length of the field from the target's centroid to its
//! decision boundary, vanilla against reshaped.

use super::integrate::Flow;
use super::scene::FieldKind;
use crate::csv;

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Distance to the centroid, in units of the cube's half edge.
    pub distance: f64,
    /// `|x - mu|`, the vanilla gradient (equation 6).
    pub vanilla: f64,
    /// `|x - mu + grad Phi|`, the reshaped one (equation 12).
    pub reshaped: f64,
    /// `Phi`.
    pub phi: f64,
    /// `p` of the target class.
    pub probability: f64,
}

/// The curve from the target towards another centroid.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The other class.
    pub towards: usize,
    /// From the centroid to the decision boundary, evenly spaced, both ends included.
    pub points: Vec<CurvePoint>,
}

impl Curve {
    /// Samples the curve at `count >= 2` points. `towards` gives the direction; the boundary is the
    /// first that lies that way. Nothing where there is no other class.
    pub fn sample(flow: Flow<'_>, towards: usize, count: usize) -> Option<Self> {
        let points = flow.table.centroids.points();
        let mu = *points.get(flow.target)?;
        let other = *points.get(towards).filter(|_| towards != flow.target)?;
        let way: [f64; 3] = std::array::from_fn(|a| other[a] - mu[a]);
        let gap = norm(way);
        if gap == 0.0 {
            return None;
        }
        let way = way.map(|w| w / gap);
        // The plane halfway to k is met at |mu_k - mu|^2 / (2 (mu_k - mu) . way).
        let boundary = points
            .iter()
            .filter_map(|mu_k| {
                let to: [f64; 3] = std::array::from_fn(|a| mu_k[a] - mu[a]);
                let along = (0..3).map(|a| to[a] * way[a]).sum::<f64>();
                (along > 1e-12).then(|| norm(to).powi(2) / (2.0 * along))
            })
            .fold(f64::INFINITY, f64::min);
        let vanilla = Flow {
            kind: FieldKind::Reconstructive,
            ..flow
        };
        let reshaped = Flow {
            kind: FieldKind::Reshaped,
            ..flow
        };
        let points = (0..count.max(2))
            .map(|i| {
                let distance = boundary * i as f64 / (count.max(2) - 1) as f64;
                let x = std::array::from_fn(|a| mu[a] + distance * way[a]);
                let (here, field) = reshaped.at(x);
                CurvePoint {
                    distance,
                    vanilla: norm(vanilla.at(x).1),
                    reshaped: norm(field),
                    phi: here.phi,
                    probability: here.probability[flow.target],
                }
            })
            .collect();
        Some(Self { towards, points })
    }

    /// The point where the reshaped gradient is longest.
    pub fn peak(&self) -> CurvePoint {
        let longest = |a: &&CurvePoint, b: &&CurvePoint| a.reshaped.total_cmp(&b.reshaped);
        self.points
            .iter()
            .max_by(longest)
            .copied()
            .unwrap_or(self.boundary())
    }

    /// The point on the decision boundary.
    pub fn boundary(&self) -> CurvePoint {
        self.points[self.points.len() - 1]
    }

    /// The curve as a table: a header line, then a line a point.
    pub fn csv(&self) -> String {
        let mut text = csv::line(["distance", "vanilla", "reshaped", "phi", "probability"]);
        for p in &self.points {
            let numbers = [p.distance, p.vanilla, p.reshaped, p.phi, p.probability];
            text += &csv::line(numbers.map(|number| number.to_string()));
        }
        text
    }
}

/// The centroid nearest to another one; nothing for fewer than two.
pub fn nearest_neighbour(points: &[[f64; 3]], of: usize) -> Option<usize> {
    let mu = points.get(of)?;
    let gap = |k: &usize| norm(std::array::from_fn(|a| points[*k][a] - mu[a]));
    (0..points.len())
        .filter(|&k| k != of)
        .min_by(|a, b| gap(a).total_cmp(&gap(b)))
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Neighbourhood, Table};
    use super::*;
    use crate::encoding::Centroids;
    use crate::potential::{Operator, Potential};

    fn curve(operator: Operator, temperature: f64) -> Curve {
        let table = Table::new(Centroids::kronecker(11));
        let flow = Flow {
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
        let towards = nearest_neighbour(table.centroids.points(), 4).unwrap();
        Curve::sample(flow, towards, 101).unwrap()
    }

    #[test]
    fn it_ends_on_the_boundary_to_the_nearest_neighbour() {
        let curve = curve(Operator::Log, 1.0);
        let table = Table::new(Centroids::kronecker(11));
        let expected = f64::from(table.half_gap[4]);
        assert!((curve.boundary().distance - expected).abs() < 1e-6);
        assert!(curve.boundary().probability <= 0.5 + 1e-9);
    }

    #[test]
    fn vanilla_is_the_distance_and_the_log_operator_is_above_it() {
        let curve = curve(Operator::Log, 1.0);
        for p in &curve.points[1..] {
            assert!((p.vanilla - p.distance).abs() < 1e-12);
            assert!(p.reshaped > p.vanilla);
        }
        assert!(curve.peak().reshaped >= curve.boundary().reshaped);
        assert_eq!(curve.csv().lines().count(), 102);
    }
}
