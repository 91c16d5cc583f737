//! What the worker, the opener and the exports found, and what that does to the state.

use super::{AppState, Phase, Shown};
use crate::job::Worker;
use crate::viewer::flow::Flow;
use crate::viewer::photo_list::{Item, PhotoList};
use crate::viewer::worker_events::Event;
use crate::{data, fonts, models};
use web_time::Instant;

impl AppState {
    /// Takes in what the worker and the opener found since the last frame.
    pub fn receive(&mut self) {
        while let Some(event) = self.worker.as_ref().and_then(Worker::poll) {
            self.accept(event);
        }
        if let Some(error) = self.exports.receive() {
            self.errors.tell(error);
        }
        while let Some(found) = self.opener.poll() {
            for problem in found.errors {
                self.errors.tell(problem);
            }
            if let Some(path) = found.model {
                if self.photos.item().is_none() && found.photos.is_empty() {
                    self.photos = PhotoList::samples(0);
                }
                self.choose_model(&path.to_string_lossy());
            }
            if !found.runs.is_empty() {
                for run in &found.runs {
                    self.settings.remember(run);
                }
                self.runs = found.runs;
            }
            if !found.photos.is_empty() {
                self.show(PhotoList::files(found.photos, found.shown));
            }
        }
    }

    /// Takes in one event.
    pub fn accept(&mut self, event: Event) {
        match event {
            Event::Model(card, centroids) => {
                let name = std::mem::take(&mut self.wanted);
                let built_in = models::BUILT_IN.iter().any(|(known, _)| *known == name);
                if !built_in && !name.is_empty() {
                    self.settings.remember_model(name.as_ref());
                }
                // No more than the timeline offers.
                let recommended = card.default_steps().min(100);
                self.sampling.steps = match card.prediction.is_one_step() {
                    true => 1,
                    false => self.settings.chosen_steps().unwrap_or(recommended),
                };
                let colours = centroids.colours();
                self.model = Some(Shown {
                    name,
                    names: fonts::distinct(&card.classes),
                    card: *card,
                    centroids,
                    colours,
                });
                self.colour_model();
                self.selection.hidden.clear();
                self.wanted_steps = self.sampling.steps;
                self.phase = Phase::Idle;
                self.open();
            }
            Event::Opened(opened) => {
                let name = self.photos.item().map(Item::name).unwrap_or_default();
                self.flow = Some(Flow::new(name, opened));
                self.phase = Phase::Sampling(Instant::now());
            }
            Event::Preparing => self.phase = Phase::Preparing,
            Event::Shown { t, values } => {
                if !matches!(self.phase, Phase::Sampling(_)) {
                    self.phase = Phase::Sampling(Instant::now());
                }
                if let Some(flow) = &mut self.flow {
                    flow.push(t, values);
                }
            }
            Event::Read {
                step,
                host,
                mut thumbnails,
            } => {
                if let (true, Some(model), Some(thumbnails)) = (
                    self.settings.published_colours,
                    &self.model,
                    &mut thumbnails,
                ) {
                    thumbnails.recolour(&model.colours);
                }
                if let Some(flow) = &mut self.flow {
                    flow.read(step, host, thumbnails);
                }
            }
            Event::Finished { settled } => {
                if let Some(flow) = &mut self.flow {
                    flow.settled = Some(settled);
                }
                self.phase = Phase::Idle;
            }
            Event::Failed(text) => {
                self.phase = Phase::Idle;
                self.errors.tell(text);
            }
        }
    }

    /// Changes between the colours of centroids and those that the data set was published with.
    pub fn toggle_colours(&mut self) {
        self.settings.published_colours = !self.settings.published_colours;
        self.colour_model();
        let (Some(flow), Some(model)) = (&mut self.flow, &self.model) else {
            return;
        };
        for state in &mut flow.states {
            if let Some(thumbnails) = &mut state.thumbnails {
                thumbnails.recolour(&model.colours);
            }
        }
    }

    fn colour_model(&mut self) {
        let Some(model) = &mut self.model else { return };
        let published = self
            .settings
            .published_colours
            .then(|| data::published_colours(&model.card.classes))
            .flatten();
        model.colours = published.unwrap_or_else(|| model.centroids.colours());
    }
}
