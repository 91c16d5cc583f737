//! The same advection as in shaders/field/particles.wgsl, in double precision: the reference for
//! its tests, and the source of single paths for drawing and readouts.

use super::field::VectorField;
use glam::DVec3;
use serde::{Deserialize, Serialize};

/// How particles advance: explicit Euler steps of the same length for every field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// The longest step in s.
    pub step: f32,
    pub steps: u32,
    /// A step covers at most this fraction of the distance to the nearest centroid (or of the
    /// arrival radius, if that is larger); a step shortened by this advances the particle's clock
    /// by less.
    pub reach: f32,
}

impl Default for Integration {
    fn default() -> Self {
        Self {
            step: 0.02,
            steps: 600,
            reach: 0.5,
        }
    }
}

/// A particle has arrived when it is this close to the target, as a fraction of
/// [`CentroidTable::half_gap`](super::CentroidTable::half_gap).
pub(crate) const ARRIVAL: f32 = 0.1;

/// The path of one particle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParticlePath {
    /// Whether it came within the arrival radius of the target.
    pub(crate) arrived: bool,
    /// How often it entered the neighbourhood of a centroid other than the target. The one in which
    /// it starts does not count; leaving it and coming back does.
    pub(crate) traversals: u32,
    /// The value of s at the end: for an arrived particle, its arrival time.
    pub(crate) clock: f64,
    pub(crate) points: Vec<DVec3>,
}

impl VectorField<'_> {
    /// Follows the field from `start`.
    pub(crate) fn integrate(&self, start: DVec3, rule: Integration) -> ParticlePath {
        let arrival = f64::from(ARRIVAL * self.table.half_gap[self.target]);
        let mut x = start;
        let mut region = None;
        let mut path = ParticlePath {
            arrived: false,
            traversals: 0,
            clock: 0.0,
            points: Vec::new(),
        };
        for step in 0..rule.steps {
            path.points.push(x);
            let (nearest, distance) = self.nearest(x);
            let radius = f64::from(self.neighbourhood.share * self.table.half_gap[nearest]);
            let inside = (self.neighbourhood.cells || distance < radius).then_some(nearest);
            let foreign = inside.is_some_and(|k| k != self.target);
            if step > 0 && foreign && inside != region {
                path.traversals += 1;
            }
            region = inside;
            if nearest == self.target && distance <= arrival {
                path.arrived = true;
                break;
            }
            let (_, v) = self.at(x);
            let reach = f64::from(rule.reach) * distance.max(arrival);
            let h = f64::from(rule.step).min(reach / v.length().max(1e-12));
            x += h * v;
            path.clock += h;
        }
        path
    }

    fn nearest(&self, x: DVec3) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for (k, mu) in self.table.points.iter().enumerate() {
            let square = x.distance_squared(*mu);
            if square < best.1 {
                best = (k, square);
            }
        }
        (best.0, best.1.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::{CentroidTable, FieldKind, Neighbourhood};
    use super::*;
    use crate::encoding::Centroids;
    use crate::potential::{Operator, Potential};

    fn field(table: &CentroidTable, kind: FieldKind) -> VectorField<'_> {
        VectorField {
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
        let table = CentroidTable::new(&Centroids::kronecker(11));
        let start = DVec3::new(-0.9, 0.8, -0.7);
        let rule = Integration {
            step: 1e-3,
            steps: 9000,
            reach: 0.5,
        };
        let path = field(&table, FieldKind::Reconstructive).integrate(start, rule);
        assert!(path.arrived);
        let mu = table.points[3];
        let arrival = f64::from(ARRIVAL * table.half_gap[3]);
        let expected = (start.distance(mu) / arrival).ln();
        assert!(
            (path.clock - expected).abs() < 0.01,
            "{} {expected}",
            path.clock
        );
        let end = *path.points.last().unwrap();
        let share = (end - start) / (mu - start);
        assert!((share - 1.0).abs().max_element() < 0.05);
    }

    #[test]
    fn a_foreign_centroid_on_the_way_is_traversed_once_and_its_own_start_never() {
        let table = CentroidTable::new(&Centroids::kronecker(11));
        let field = field(&table, FieldKind::Reconstructive);
        let (mu, other) = (table.points[3], table.points[7]);
        // Beyond the other centroid, on the straight line to the target.
        let start = other + 0.6 * (other - mu);
        let rule = Integration::default();
        assert!(field.integrate(start, rule).traversals >= 1);
        let through = field.integrate(other, rule);
        let first_steps = &through.points[..2];
        assert_eq!(first_steps[0], other);
        assert!(through.traversals < field.integrate(start, rule).traversals);
    }
}
