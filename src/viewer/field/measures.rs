//! Numbers of what the panel shows.

use super::panel::FieldPanel;
use crate::encoding::Centroids;

impl FieldPanel {
    /// The share of the particles of each pane that crossed another class's neighbourhood, 0 to 1, from left
    /// to right; `None` while they move or without any.
    pub(crate) fn crossing(&self) -> Option<Vec<f64>> {
        let tallies = self.picture.tallies();
        if self.picture.settled() != Some(true) || tallies.len() != self.settings.panes().len() {
            return None;
        }
        let share = |tally: &crate::gpu::field::Tally| {
            (tally.particles > 0).then(|| f64::from(tally.crossing) / f64::from(tally.particles))
        };
        tallies.iter().map(share).collect()
    }

    /// What is left of the vanilla and of the reshaped gradient halfway from the decision boundary to
    /// the target's centroid, as shares of their lengths at the boundary. `None` without a curve.
    pub(crate) fn left_halfway(&mut self, model: &Centroids) -> Option<[f64; 2]> {
        let table = self.derived.table(&self.settings, model);
        let towards = self.towards(&table)?;
        let curve = self.derived.curve(self.field(&table), &table, towards)?;
        let boundary = curve.boundary();
        let half = curve.points.get(curve.points.len() / 2)?;
        let shares = [
            half.vanilla / boundary.vanilla,
            half.reshaped / boundary.reshaped,
        ];
        shares
            .iter()
            .all(|share| share.is_finite())
            .then_some(shares)
    }
}
