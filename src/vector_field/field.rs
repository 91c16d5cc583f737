//! The field at a point: its parts, centroids and target class.

use crate::encoding::{COLOUR_AXES, Centroids, FIRST_AXES};
use crate::potential::{Potential, PotentialAt};
use glam::{DVec3, Vec3};
use serde::{Deserialize, Serialize};

/// A vector field over predictions `x` for one target class (equations 6, 12 and 16): minus the
/// gradient of a loss with respect to the prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// `mu - x`: the reconstructive part alone, that is, vanilla flow matching (equation 6).
    Reconstructive,
    /// `-grad Phi`: the discriminative correction alone (second term of equation 16).
    Correction,
    /// `mu - x - grad Phi`: the reshaped field (equation 12).
    #[default]
    Reshaped,
    /// The network's own velocity, known only at the pixels of an open photo.
    Network,
}

impl FieldKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [FieldKind; 4] = [
        FieldKind::Reconstructive,
        FieldKind::Correction,
        FieldKind::Reshaped,
        FieldKind::Network,
    ];

    /// Whether the network's velocity is among the fields of panes. It is known only at the photo's
    /// pixels, so that particles cannot follow it and the slice cannot show its length.
    pub(crate) fn has_network(panes: &[Self]) -> bool {
        panes.contains(&FieldKind::Network)
    }

    /// The weights of `mu - x` and of `-grad Phi`, where `correction` is 1 for the reshaped target
    /// and t for the annealed one (section 5.3: `(1 - t) v + t (v - grad Phi)`).
    pub(crate) fn weights(self, correction: f32) -> [f32; 2] {
        match self {
            FieldKind::Reconstructive => [1.0, 0.0],
            FieldKind::Correction => [0.0, correction],
            FieldKind::Reshaped => [1.0, correction],
            FieldKind::Network => [0.0, 0.0],
        }
    }
}

/// What counts as a centroid's neighbourhood.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbourhood {
    /// The whole Voronoi cell instead of a ball.
    pub cells: bool,
    /// The ball's radius as a fraction of half the distance to the nearest other centroid, 0..=1.
    /// At 1, balls of neighbouring centroids may touch but never overlap.
    pub share: f32,
}

impl Default for Neighbourhood {
    fn default() -> Self {
        Self {
            cells: false,
            share: 0.6,
        }
    }
}

/// The centroids and quantities derived from them.
#[derive(Clone, Debug, PartialEq)]
pub struct CentroidTable {
    pub centroids: Centroids,
    /// The classes' colours, `[N]`: unless they are replaced, their first three coordinates, whichever axes are
    /// drawn.
    pub colours: Vec<[u8; 3]>,
    /// The points `mu_k`, `[N]`.
    pub points: Vec<DVec3>,
    /// Half the distance from each centroid to the nearest other one, `[N]`: the radius of the
    /// largest ball in its Voronoi cell. 1, half the cube's edge, for a single class.
    pub half_gap: Vec<f32>,
}

impl CentroidTable {
    /// The centroids along their first three axes.
    pub fn new(centroids: &Centroids) -> Self {
        Self::along(centroids, FIRST_AXES)
    }

    /// The centroids along three axes, since the cube that is drawn has no others. Computes the gaps in
    /// O(N^2), some milliseconds at N = 1000.
    pub fn along(centroids: &Centroids, axes: [usize; COLOUR_AXES]) -> Self {
        let colours = centroids.colours();
        let centroids = centroids.along(axes);
        let points: Vec<DVec3> = centroids.points().iter().map(|&p| p.into()).collect();
        let half_gap = (0..points.len())
            .map(|k| {
                let nearest = (0..points.len())
                    .filter(|&j| j != k)
                    .map(|j| points[k].distance_squared(points[j]))
                    .min_by(f64::total_cmp);
                nearest.map_or(1.0, |square| (0.5 * square.sqrt()) as f32)
            })
            .collect();
        Self {
            centroids,
            colours,
            points,
            half_gap,
        }
    }

    /// The number of centroids N.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether another table differs in its colours only, if at all.
    pub(crate) fn same_points(&self, other: &Self) -> bool {
        self.centroids == other.centroids
            && self.points == other.points
            && self.half_gap == other.half_gap
    }

    /// The centroid of a class in single precision; the cube's centre if the class does not exist.
    pub(crate) fn point(&self, class: usize) -> Vec3 {
        self.points.get(class).map_or(Vec3::ZERO, |mu| mu.as_vec3())
    }

    /// The class whose centroid is nearest to that of another class; `None` with fewer than two
    /// classes.
    pub(crate) fn nearest_neighbour(&self, of: usize) -> Option<usize> {
        let mu = *self.points.get(of)?;
        let gap = |k: usize| self.points[k].distance_squared(mu);
        (0..self.len())
            .filter(|&k| k != of)
            .min_by(|&a, &b| gap(a).total_cmp(&gap(b)))
    }
}

/// A field of predictions for one target class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VectorField<'a> {
    pub(crate) table: &'a CentroidTable,
    pub(crate) potential: Potential,
    /// The target class, below N.
    pub(crate) target: usize,
    /// Which parts the field has.
    pub(crate) kind: FieldKind,
    /// Weight of `-grad Phi`, as in [`FieldKind::weights`].
    pub(crate) correction: f32,
    /// What counts as a traversal.
    pub(crate) neighbourhood: Neighbourhood,
}

impl VectorField<'_> {
    /// The same parameters for another kind of field.
    pub(crate) fn of_kind(self, kind: FieldKind) -> Self {
        Self { kind, ..self }
    }

    /// The potential at a point, and the field there.
    pub(crate) fn at(&self, x: DVec3) -> (PotentialAt, DVec3) {
        let centroids = self.table.centroids.points();
        let here = self.potential.at(x.to_array(), centroids, self.target);
        let [attraction, correction] = self.kind.weights(self.correction).map(f64::from);
        let mu = self.table.points[self.target];
        let field = attraction * (mu - x) - correction * DVec3::from(here.gradient);
        (here, field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_axes_move_the_points_and_keep_the_colours() {
        let all = Centroids::kronecker_in(11, 8);
        let first = CentroidTable::new(&all);
        let other = CentroidTable::along(&all, [7, 3, 5]);
        assert_eq!(first.colours, other.colours);
        for class in 0..11 {
            let code = all.code(class);
            assert_eq!(first.points[class].to_array(), code[..3]);
            assert_eq!(other.points[class].to_array(), [code[7], code[3], code[5]]);
        }
        assert_ne!(first.half_gap, other.half_gap);
    }

    #[test]
    fn few_classes_lie_farther_apart_than_the_cubes_edge() {
        let gaps = |classes| CentroidTable::new(&Centroids::kronecker(classes)).half_gap;
        assert_eq!(gaps(1), [1.0]);
        // Two classes lie at opposite corners.
        for gap in gaps(2) {
            assert!((gap - 3f32.sqrt()).abs() < 1e-6, "{gap}");
        }
        assert!((gaps(3)[0] - 1.2247).abs() < 1e-4);
        assert!((gaps(4)[0] - 1.0759).abs() < 1e-4);
    }
}
