//! What a view of the field shows, as plain data. The renderer compares it with the scene before
//! and does the work that the difference asks for.

use super::camera::{Camera, Vec3};
use super::plane::Plane;
use crate::encoding::Centroids;
use crate::potential::Potential;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A vector field over predictions `x` for one target class (equations 6, 12 and 16): minus the
/// gradient of a loss with respect to the prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// `mu - x`: the reconstructive part alone, that is vanilla flow matching (equation 6).
    Reconstructive,
    /// `-grad Phi`: the discriminative correction alone (second term of equation 16).
    Correction,
    /// `mu - x - grad Phi`: the reshaped field (equation 12).
    #[default]
    Reshaped,
    /// The network's own velocity, known only at the points of the pixel cloud.
    Network,
}

impl FieldKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [FieldKind; 4] = [
        FieldKind::Reconstructive,
        FieldKind::Correction,
        FieldKind::Reshaped,
        FieldKind::Network,
    ];

    /// The weights of `mu - x` and of `-grad Phi`, where `correction` is 1 for the static target
    /// and t for the annealed one (section 5.3: `(1 - t) v + t (v - grad Phi)`).
    pub fn weights(self, correction: f32) -> [f32; 2] {
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
    /// The whole Voronoi cell, instead of a ball.
    pub cells: bool,
    /// The ball's radius as a share of half the distance to the nearest other centroid, 0..=1; at
    /// 1 balls of neighbours may touch, never overlap.
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

/// The centroids with what is derived from them alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The centroids.
    pub centroids: Centroids,
    /// Half the distance from each centroid to the nearest other one, `[N]`: the radius of the
    /// largest ball in its Voronoi cell.
    pub half_gap: Vec<f32>,
}

impl Table {
    /// Measures the gaps; O(N^2), some milliseconds at N = 1000.
    pub fn new(centroids: Centroids) -> Self {
        let points = centroids.points();
        let half_gap = (0..points.len())
            .map(|k| {
                let nearest = (0..points.len())
                    .filter(|&j| j != k)
                    .map(|j| (0..3).map(|a| (points[k][a] - points[j][a]).powi(2)).sum())
                    .fold(4.0, f64::min);
                (0.5 * nearest.sqrt()) as f32
            })
            .collect();
        Self {
            centroids,
            half_gap,
        }
    }

    /// The centroid of a class in single precision; the cube's centre for a class that is not
    /// there.
    pub fn point(&self, class: usize) -> Vec3 {
        let point = self.centroids.points().get(class);
        point.map_or([0.0; 3], |mu| mu.map(|v| v as f32))
    }
}

/// Where arrows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrowPlace {
    /// On a lattice that fills the cube.
    #[default]
    Cube,
    /// On a lattice in the slice.
    Slice,
    /// At points of the pixel cloud.
    Cloud,
}

/// The arrows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrows {
    /// Where they stand.
    pub place: ArrowPlace,
    /// How many along an edge of the cube, 2..=32.
    pub per_axis: u32,
}

/// What the slice's heat map shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// `Phi` (equation 10).
    #[default]
    Potential,
    /// `p` of the target class (equation 9).
    Probability,
    /// The nearest centroid's colour.
    Cells,
    /// The length of the pane's field.
    Magnitude,
}

/// The slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// Where it lies.
    pub plane: Plane,
    /// Its heat map.
    pub quantity: Quantity,
    /// Boundaries of Voronoi cells, the target's dashed.
    pub boundaries: bool,
    /// Lines of equal value.
    pub iso_lines: bool,
    /// Shade the target's neighbourhood.
    pub neighbourhood: bool,
    /// Streamlines along an edge of the cube; 0 draws none.
    pub streamlines: u32,
    /// 0..=1.
    pub opacity: f32,
    /// Texels along an edge of the heat map.
    pub resolution: u32,
}

/// How particles advance: explicit Euler steps of the same length for every field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// The longest step in s.
    pub step: f32,
    /// Number of steps.
    pub steps: u32,
    /// A step covers at most this share of the distance to the nearest centroid (or of the arrival
    /// radius, if that is more); where that shortens it, the particle's clock advances less.
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

/// A particle has arrived when it is this close to the target, as a share of
/// [`Table::half_gap`].
pub const ARRIVAL: f32 = 0.1;

/// How particles are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParticleColours {
    /// By the nearest centroid's class: in the end, where they end.
    #[default]
    Class,
    /// By whether they have traversed a foreign neighbourhood.
    Traversal,
}

/// The particles.
#[derive(Clone, Debug, PartialEq)]
pub struct Particles {
    /// Where they start; both panes start from the same points.
    pub seeds: Arc<Vec<Vec3>>,
    /// How they advance.
    pub integration: Integration,
    /// The first so many leave a trail.
    pub trails: u32,
    /// Their colours.
    pub colours: ParticleColours,
    /// Draw them where they started, in the colour of where they end.
    pub at_start: bool,
    /// Radius in world units.
    pub radius: f32,
    /// Draw the discs, not the trails alone.
    pub discs: bool,
}

/// What colours the pixel cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudColours {
    /// The state itself, read as a colour.
    #[default]
    State,
    /// The class that the state decodes to.
    Class,
    /// The photo's pixel.
    Photo,
}

/// How the pixel cloud is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CloudStyle {
    /// Radius of a point in points of the screen.
    pub radius: f32,
    /// Its colour.
    pub colours: CloudColours,
    /// At most so many points.
    pub most: u32,
}

/// Colours of the view, gamma-encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Behind everything.
    pub background: [u8; 3],
    /// Lines and rings.
    pub ink: [u8; 3],
    /// The ramp of magnitudes and potentials, low to high.
    pub ramp: [[u8; 3]; 8],
}

/// A polyline, such as a pixel's trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct Polyline {
    /// Its corners.
    pub points: Vec<Vec3>,
    /// Its colour with alpha.
    pub colour: [u8; 4],
}

/// Everything that is seen, except for the pixel cloud's data ([`super::Cloud`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The centroids.
    pub table: Arc<Table>,
    /// The potential.
    pub potential: Potential,
    /// The target class.
    pub target: usize,
    /// Weight of `-grad Phi`: 1 for the static target, t for the annealed one.
    pub correction: f32,
    /// What a neighbourhood is.
    pub neighbourhood: Neighbourhood,
    /// The fields, side by side from left to right: one or two.
    pub panes: Vec<FieldKind>,
    /// The camera of all panes.
    pub camera: Camera,
    /// Colours.
    pub look: Look,
    /// A class that is drawn large.
    pub highlighted: Option<usize>,
    /// Centroids' radius in world units.
    pub radius: f32,
    /// Arrows, if any.
    pub arrows: Option<Arrows>,
    /// The slice, if any.
    pub slice: Option<Slice>,
    /// Particles, if any.
    pub particles: Option<Particles>,
    /// The pixel cloud, if it is shown.
    pub cloud: Option<CloudStyle>,
    /// Further lines.
    pub lines: Vec<Polyline>,
}
