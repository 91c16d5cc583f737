//! Stopping a flow or the closing of the window, and what stays then.

use super::{AppState, Phase};
use crate::inference::Sampling;
use crate::viewer::exports::Exports;
use crate::viewer::flow::Flow;
use crate::viewer::settings::steps_for;

impl AppState {
    /// Stops sampling and keeps the states computed so far. A model that is being opened still opens.
    pub(crate) fn cancel(&mut self) {
        if self.is_loading() {
            return;
        }
        if let Some(worker) = &self.worker {
            worker.cancel();
        }
        self.phase = Phase::Idle;
        self.drop_unread_states();
        self.keep_flow();
        // The flow that was to be replaced may be complete.
        self.restore_correction();
    }

    /// Changes the exports. If the window is not to be closed any more after that, the photo stays, and it can
    /// be corrected again.
    pub(crate) fn change_exports<T>(&mut self, change: impl FnOnce(&mut Exports) -> T) -> T {
        let was_closing = self.exports.is_closing();
        let changed = change(&mut self.exports);
        if was_closing && !self.exports.is_closing() {
            self.correct.fine_tuning.ask_again();
            self.restore_correction();
        }
        changed
    }

    /// Whether a question is pending. Keys do not change what it is about, and files wait for its answer.
    pub(crate) fn asks(&self) -> bool {
        self.correct.asks() || self.correct.types_folder || self.exports.asks()
    }

    /// Chooses how flows are sampled.
    pub(crate) fn choose_sampling(&mut self, sampling: Sampling) {
        self.settings.solver = sampling.solver;
        let card = self.model.as_ref().map(|model| &model.card);
        // A model that always takes one step has no other number.
        let steps = card.map_or(sampling.steps, |card| steps_for(card, Some(sampling.steps)));
        if steps != self.flow_settings.sampling.steps {
            let recommended = card.map(|card| steps_for(card, None));
            // Choosing the recommended number makes every model use its own recommendation again.
            let chosen = Some(steps).filter(|n| Some(*n) != recommended);
            self.settings.choose_steps(chosen);
        }
        self.flow_settings.sampling = Sampling { steps, ..sampling };
    }

    /// Goes back to the settings of the shown flow, if it stays although other settings were chosen.
    pub(super) fn keep_flow(&mut self) {
        let kept = self.flow.as_ref().and_then(|flow| flow.settings);
        let Some(kept) = kept.filter(|kept| *kept != self.flow_settings) else {
            return;
        };
        self.choose_sampling(kept.sampling);
        self.flow_settings = kept;
        self.queue_masks();
        self.resample_second();
    }

    /// Whether the shown flow is complete, and the settings are still those that it was sampled with: they
    /// may be changed while a model is being opened.
    pub(super) fn is_sampled(&self) -> bool {
        let now = Some(self.flow_settings);
        let suits = |flow: &Flow| flow.settled.is_some() && flow.settings == now;
        self.flow.as_ref().is_some_and(suits)
    }

    /// Drops the states whose numbers do not arrive any more, because the flow was stopped before them.
    pub(super) fn drop_unread_states(&mut self) {
        if let Some(flow) = &mut self.flow {
            flow.drop_unread();
        }
        self.playhead.position = self.playhead.position.min(self.reachable());
    }
}
