//! The state in words.

use super::{AppState, Phase};
use crate::viewer::platform;

impl AppState {
    /// What the worker is doing, or `None` if it is idle.
    pub(crate) fn doing(&self) -> Option<String> {
        Some(match self.phase {
            Phase::Idle => return None,
            Phase::Loading => match platform::loaded() {
                Some(share) => format!("Fetching the model, {:.0} %", 100.0 * share),
                None => "Opening the model".into(),
            },
            Phase::Opening => "Opening the photo".into(),
            Phase::Preparing => {
                "Compiling kernels for this photo size; this takes longest on a new machine".into()
            }
            Phase::Sampling(since) => {
                let done = self.flow.as_ref().map_or(0, |flow| flow.states.len());
                let left = self.state_count().saturating_sub(done);
                let elapsed = since.elapsed().as_secs_f32();
                let eta = if done > 1 {
                    let seconds = elapsed / (done - 1) as f32 * left as f32;
                    format!(", {seconds:.1} s left")
                } else {
                    String::new()
                };
                format!(
                    "Step {} of {}{eta}",
                    done.saturating_sub(1),
                    self.state_count() - 1
                )
            }
        })
    }

    /// Why the open photo is not shown although nothing is under way, or `None` without a photo.
    pub(crate) fn problem(&self) -> Option<String> {
        let item = self.photos.item()?;
        if self.busy() || self.flow.is_some() {
            return None;
        }
        let name = item.name();
        let failure = self.failure.as_ref().filter(|(failed, _)| failed == item);
        Some(match (failure, &self.model) {
            (Some((_, text)), _) => text.clone(),
            (None, None) => format!("{name} is shown once a model is open"),
            (None, Some(_)) => format!("{name} is not segmented: sample it again"),
        })
    }

    /// A description of the canvas for screen readers.
    pub(crate) fn describe(&self) -> String {
        let (Some(flow), Some(model)) = (&self.flow, &self.model) else {
            let problem = self.problem();
            return problem
                .map_or_else(|| "canvas, empty".into(), |text| format!("canvas: {text}"));
        };
        let Some((step, host)) = flow.nearest(self.playhead.position) else {
            return format!("{}, no state yet", flow.name);
        };
        let largest = (0..host.shares.len())
            .max_by(|&a, &b| host.shares[a].total_cmp(&host.shares[b]))
            .map_or_else(String::new, |k| {
                let share = 100.0 * host.shares[k];
                format!(", mostly {} ({share:.0} %)", model.card.classes[k])
            });
        format!("{}, step {step}{largest}", flow.name)
    }
}
