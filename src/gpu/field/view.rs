//! The field and the view of it that all layers share, as plain data.

use crate::potential::Potential;
use crate::vector_field::{Camera, CentroidTable, FieldKind, Neighbourhood, Plane, VectorField};
use glam::Vec3;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldStyle {
    /// The background colour, into which distant items fade.
    pub background: [u8; 3],
    /// The colour of lines and rings.
    pub ink: [u8; 3],
    /// The colour ramp of magnitudes and potentials, low to high.
    pub ramp: [[u8; 3]; 8],
}

/// The field, its panes, and how they are viewed.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldView {
    pub table: Arc<CentroidTable>,
    pub potential: Potential,
    pub target: usize,
    /// Weight of `-grad Phi`: 1 for the reshaped target, t for the annealed one.
    pub correction: f32,
    /// Entering it counts as a traversal; the slice shades that of the target.
    pub neighbourhood: Neighbourhood,
    /// The fields shown side by side, from left to right: one or two.
    pub panes: Vec<FieldKind>,
    /// The plane of the slice, its streamlines and its arrows; they are drawn only if there is one.
    pub plane: Option<Plane>,
    /// Texels along an edge of the slice's heat map.
    pub resolution: u32,
    /// Where particles start; the same points in all panes.
    pub seeds: Arc<Vec<Vec3>>,
    pub camera: Camera,
    pub style: FieldStyle,
}

impl FieldView {
    /// The field of a pane.
    pub(crate) fn field(&self, kind: FieldKind) -> VectorField<'_> {
        VectorField {
            table: &self.table,
            potential: self.potential,
            target: self.target,
            kind,
            correction: self.correction,
            neighbourhood: self.neighbourhood,
        }
    }

    /// Whether every pane has the same field as in another view.
    pub(super) fn same_fields(&self, other: &Self) -> bool {
        self.table.same_points(&other.table)
            && self.potential == other.potential
            && self.target == other.target
            && self.correction == other.correction
            && self.neighbourhood == other.neighbourhood
            && self.panes == other.panes
    }
}
