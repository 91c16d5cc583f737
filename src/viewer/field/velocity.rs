//! The network's velocity along a flow.

use crate::viewer::flow::Flow;
use std::sync::Arc;

/// Caches the velocity that was requested last.
#[derive(Default)]
pub(super) struct StepVelocity {
    /// The flow's generation, the index of the state, and its velocity.
    last: Option<(u64, usize, Arc<Vec<f32>>)>,
}

impl StepVelocity {
    /// The velocity over the step at a state: the difference quotient of two stored states.
    pub(super) fn at(&mut self, flow: &Flow, step: usize) -> Option<Arc<Vec<f32>>> {
        let known = self.last.as_ref();
        if let Some((generation, at, velocity)) = known
            && (*generation, *at) == (flow.generation, step)
        {
            return Some(velocity.clone());
        }
        let low = step.min(flow.states.len().saturating_sub(2));
        let (a, b) = (flow.states.get(low)?, flow.states.get(low + 1)?);
        let h = (b.t - a.t).max(f32::EPSILON);
        let (a, b) = (a.host.as_ref()?, b.host.as_ref()?);
        let velocity = a
            .colours()
            .iter()
            .zip(b.colours())
            .map(|(a, b)| (b - a) / h);
        let velocity: Arc<Vec<f32>> = Arc::new(velocity.collect());
        self.last = Some((flow.generation, step, velocity.clone()));
        Some(velocity)
    }
}
