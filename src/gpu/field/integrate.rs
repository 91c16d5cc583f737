//! The same advection as field_particles.wgsl, in double precision on the CPU: the reference for
//! its tests, and for single paths that are drawn or read off.

use super::scene::{ARRIVAL, FieldKind, Integration, Neighbourhood, Table};
use crate::potential::{Potential, PotentialAt};

/// A field of predictions for one target class.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// The centroids.
    pub table: &'a Table,
    /// The potential.
    pub potential: Potential,
    /// The target class, below N.
    pub target: usize,
    /// Which field.
    pub kind: FieldKind,
    /// Weight of `-grad Phi`, as in [`FieldKind::weights`].
    pub correction: f32,
    /// What a neighbourhood is.
    pub neighbourhood: Neighbourhood,
}

/// What became of a particle.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether it came within the arrival radius of the target.
    pub arrived: bool,
    /// How often it entered the neighbourhood of a centroid other than the target. The one it
    /// starts in is not entered; leaving it and coming back is an entry.
    pub traversals: u32,
    /// The parameter s that it reached: on arrival, how long that took.
    pub clock: f64,
    /// Every point it visited.
    pub path: Vec<[f64; 3]>,
}

impl Flow<'_> {
    /// The potential at a point, and the field there.
    pub fn at(&self, x: [f64; 3]) -> (PotentialAt, [f64; 3]) {
        let points = self.table.centroids.points();
        let here = self.potential.at(x, points, self.target);
        let [attraction, correction] = self.kind.weights(self.correction).map(f64::from);
        let mu = points[self.target];
        let field =
            std::array::from_fn(|a| attraction * (mu[a] - x[a]) - correction * here.gradient[a]);
        (here, field)
    }

    /// Follows the field from a point.
    pub fn integrate(&self, start: [f64; 3], rule: Integration) -> Outcome {
        let arrival = f64::from(ARRIVAL * self.table.half_gap[self.target]);
        let mut x = start;
        let mut region = None;
        let mut outcome = Outcome {
            arrived: false,
            traversals: 0,
            clock: 0.0,
            path: Vec::new(),
        };
        for step in 0..rule.steps {
            outcome.path.push(x);
            let (nearest, distance) = self.nearest(x);
            let radius = f64::from(self.neighbourhood.share * self.table.half_gap[nearest]);
            let inside = (self.neighbourhood.cells || distance < radius).then_some(nearest);
            let foreign = inside.is_some_and(|k| k != self.target);
            if step > 0 && foreign && inside != region {
                outcome.traversals += 1;
            }
            region = inside;
            if nearest == self.target && distance <= arrival {
                outcome.arrived = true;
                break;
            }
            let (_, v) = self.at(x);
            let speed = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            let reach = f64::from(rule.reach) * distance.max(arrival);
            let h = f64::from(rule.step).min(reach / speed.max(1e-12));
            x = std::array::from_fn(|a| x[a] + h * v[a]);
            outcome.clock += h;
        }
        outcome
    }

    fn nearest(&self, x: [f64; 3]) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for (k, mu) in self.table.centroids.points().iter().enumerate() {
            let square = (0..3).map(|a| (x[a] - mu[a]).powi(2)).sum();
            if square < best.1 {
                best = (k, square);
            }
        }
        (best.0, best.1.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;
    use crate::potential::Operator;

    fn flow(table: &Table, kind: FieldKind) -> Flow<'_> {
        Flow {
            table,
            potential: Potential {
                operator: Operator::Log,
                temperature: 1.0,
                epsilon: 0.01,
            },
            target: 3,
            kind,
            correction: 1.0,
            neighbourhood: Neighbourhood::default(),
        }
    }

    #[test]
    fn vanilla_runs_straight_and_takes_the_logarithm_of_the_distance() {
        let table = Table::new(Centroids::kronecker(11));
        let start = [-0.9, 0.8, -0.7];
        let rule = Integration {
            step: 1e-3,
            steps: 9000,
            reach: 0.5,
        };
        let out = flow(&table, FieldKind::Reconstructive).integrate(start, rule);
        assert!(out.arrived);
        let mu = table.centroids.points()[3];
        let from = (0..3)
            .map(|a| (start[a] - mu[a]).powi(2))
            .sum::<f64>()
            .sqrt();
        let expected = (from / f64::from(ARRIVAL * table.half_gap[3])).ln();
        assert!(
            (out.clock - expected).abs() < 0.01,
            "{} {expected}",
            out.clock
        );
        let end = out.path.last().unwrap();
        for a in 0..3 {
            let share = (end[a] - start[a]) / (mu[a] - start[a]);
            assert!((share - 1.0).abs() < 0.05);
        }
    }

    #[test]
    fn a_foreign_centroid_on_the_way_is_traversed_once_and_its_own_start_never() {
        let table = Table::new(Centroids::kronecker(11));
        let flow = flow(&table, FieldKind::Reconstructive);
        let (mu, other) = (table.centroids.points()[3], table.centroids.points()[7]);
        // Beyond the other centroid, on the straight line to the target.
        let start: [f64; 3] = std::array::from_fn(|a| other[a] + 0.6 * (other[a] - mu[a]));
        let rule = Integration::default();
        assert!(flow.integrate(start, rule).traversals >= 1);
        let through = flow.integrate(other, rule);
        let first_steps = &through.path[..2];
        assert_eq!(first_steps[0], other);
        assert!(through.traversals < flow.integrate(start, rule).traversals);
    }
}
