//! Numbers of what the panel shows.

use super::panel::FieldPanel;
use super::preset::OfCurve;
use crate::encoding::Centroids;
use crate::gpu::field::Tally;
use crate::vector_field::FieldKind;

impl FieldPanel {
    /// The fields shown and the share of the particles of each that crossed another class's neighbourhood,
    /// 0 to 1; `None` while they move or without any.
    pub(crate) fn crossing(&self) -> Option<Vec<(FieldKind, f64)>> {
        let (panes, tallies) = (self.settings.panes(), self.picture.tallies());
        if self.picture.settled() != Some(true) || tallies.len() != panes.len() {
            return None;
        }
        let share = |(kind, tally): (FieldKind, &Tally)| {
            let crossing = f64::from(tally.crossing) / f64::from(tally.particles);
            (tally.particles > 0).then_some((kind, crossing))
        };
        panes.into_iter().zip(tallies).map(share).collect()
    }

    /// Whether particles in all these fields are shown.
    pub(crate) fn shows_particles_of(&self, kinds: &[FieldKind]) -> bool {
        let panes = self.settings.panes();
        let particles = self.settings.layers.particles.shown;
        kinds.iter().all(|kind| particles && panes.contains(kind))
    }

    /// What the gradient curve says about the reshaped field. `None` without a curve.
    pub(super) fn of_curve(&mut self, model: &Centroids) -> Option<OfCurve> {
        let table = self.derived.table(&self.settings, model);
        let towards = self.towards(&table)?;
        let curve = self.derived.curve(self.field(&table), &table, towards)?;
        let near = curve.points.get((curve.points.len() - 1) / 10)?;
        let times = [curve.boundary(), *near].map(|point| point.reshaped / point.vanilla);
        let fades = curve.peak().distance == curve.boundary().distance;
        let finite = times.iter().all(|times| times.is_finite());
        finite.then_some(OfCurve { times, fades })
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
