//! The network's velocity along a flow: its mean over each step.

use crate::encoding::COLOUR_AXES;
use crate::viewer::flow::Flow;
use std::sync::Arc;

/// The flow's generation, the index of the state, and the axes.
type VelocityKey = (u64, usize, [usize; COLOUR_AXES]);

/// Caches the velocity that was requested last.
#[derive(Default)]
pub(super) struct StepVelocity {
    last: Option<(VelocityKey, Arc<Vec<f32>>)>,
}

impl StepVelocity {
    /// The velocity along three axes over the step at a state: the difference quotient of two stored
    /// states.
    pub(super) fn at(
        &mut self,
        flow: &Flow,
        step: usize,
        axes: [usize; COLOUR_AXES],
    ) -> Option<Arc<Vec<f32>>> {
        let key = (flow.generation, step, axes);
        if let Some((_, velocity)) = self.last.as_ref().filter(|(last, _)| *last == key) {
            return Some(velocity.clone());
        }
        let low = step.min(flow.states.len().saturating_sub(2));
        let (a, b) = (flow.states.get(low)?, flow.states.get(low + 1)?);
        let h = (b.t - a.t).max(f32::EPSILON);
        let (a, b) = (a.host.as_ref()?, b.host.as_ref()?);
        let (a, b) = (a.along(axes), b.along(axes));
        let velocity = a.iter().zip(b.iter()).map(|(a, b)| (b - a) / h);
        let velocity: Arc<Vec<f32>> = Arc::new(velocity.collect());
        self.last = Some((key, velocity.clone()));
        Some(velocity)
    }
}
