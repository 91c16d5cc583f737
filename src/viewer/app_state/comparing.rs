//! Comparing the result with a second one, classes and uncertainty of the shown state, and listing photos
//! by class.

use super::{AppState, Phase, Playhead};
use crate::compare;
use crate::gpu::canvas::Layer;
use crate::inference::Sampling;
use crate::job::FlowSettings;
use crate::viewer::app_event::AppEvent;
use crate::viewer::class_photos::ClassPhotos;
use crate::viewer::doubt_maps;
use crate::viewer::open_model::{OpenModel, stamp};
use crate::viewer::photo_list::Item;
use crate::viewer::second::{Choice, Second};
use crate::viewer::shown_classes::Classes;
use crate::viewer::view::{Arrangement, View};
use crate::viewer::worker_events::WorkerEvent;
use eframe::egui;

impl AppState {
    /// The caption of the result in a comparison.
    pub(crate) fn caption(&self) -> String {
        let Some(model) = &self.model else {
            return String::new();
        };
        let Sampling {
            steps,
            solver,
            source,
            ..
        } = self.flow_settings.sampling;
        let caption = compare::caption(&compare::model_name(&model.name), steps, solver);
        caption + model.origin(source)
    }

    /// The comparison that is offered first: the same model with one step, or with ten if it already
    /// has one. `None` without a model.
    pub(crate) fn suggested_comparison(&self) -> Option<Choice> {
        let sampling = self.flow_settings.sampling;
        Some(Choice {
            model: self.model.as_ref()?.name.clone(),
            steps: Some(if sampling.steps == 1 { 10 } else { 1 }),
            solver: sampling.solver,
        })
    }

    /// Starts comparing the open photo's result with another.
    pub(crate) fn compare(&mut self, context: &egui::Context, choice: Choice) {
        let open = self.model.as_ref();
        let open = open.filter(|open| open.name == choice.model);
        let file = match open {
            Some(open) => open.file.clone(),
            None => stamp(&choice.model),
        };
        let same = self.second.as_mut().filter(|second| {
            let named = second.model.is_some() && second.choice.model == choice.model;
            // A model whose file is gone is still in memory.
            named && (file.is_none() || second.file == file)
        });
        if let Some(second) = same {
            second.choice = choice;
            self.sample_second();
            return;
        }
        if let Some(Err(error)) = open.map(OpenModel::check_file) {
            self.errors.report(error);
            return;
        }
        let view = self.settings.view.clone();
        let before = match self.second.take() {
            Some(second) => {
                let before = second.before.clone();
                second.close();
                before
            }
            None => view,
        };
        if !self.start_second(context, choice, before) {
            return;
        }
        let view = &mut self.settings.view;
        view.arrangement = Arrangement::Grid;
        view.layers = [
            Layer::Overlay,
            Layer::Second,
            Layer::Disagreement,
            Layer::Photo,
        ];
        self.active_pane = 0;
        self.emit(AppEvent::ComparisonStarted);
    }

    /// Starts computing a second result; `before` are the canvas's settings before the comparison. Returns
    /// whether that was possible; otherwise reports why not, and restores the canvas.
    fn start_second(&mut self, context: &egui::Context, choice: Choice, before: View) -> bool {
        match Second::start(context, self.device.clone(), choice, before.clone()) {
            Ok(second) => self.second = Some(second),
            Err(error) => {
                self.errors.report_no_thread(&error);
                self.arrange_as(&before);
            }
        }
        self.second.is_some()
    }

    /// Arranges the canvas as before a comparison.
    fn arrange_as(&mut self, before: &View) {
        let view = &mut self.settings.view;
        (view.arrangement, view.layers) = (before.arrangement, before.layers);
        self.active_pane = 0;
    }

    /// Opens the model of the second result again if it is the open one as well and its file was replaced
    /// before that one was opened: a model is compared with its own weights.
    pub(super) fn renew_second(&mut self) {
        let Some(open) = &self.model else { return };
        let is_former =
            |second: &Second| second.choice.model == open.name && second.file != open.file;
        let Some(second) = self.second.take_if(|second| is_former(second)) else {
            return;
        };
        let (choice, before) = (second.choice.clone(), second.before.clone());
        second.close();
        let context = self.wake.clone();
        self.start_second(&context, choice, before);
    }

    /// Ends the comparison, frees its network and restores the arrangement of the canvas.
    pub(crate) fn stop_comparing(&mut self) {
        let Some(second) = self.second.take() else {
            return;
        };
        self.arrange_as(&second.before);
        second.close();
    }

    /// Samples the second result of the open photo, if there is a comparison.
    pub(crate) fn sample_second(&mut self) {
        let settings = self.settings_of_second();
        if let (Some(second), Some(item)) = (&mut self.second, self.photos.item()) {
            second.sample(item, settings);
        }
    }

    /// The same, unless the result would be the one that is there.
    pub(crate) fn resample_second(&mut self) {
        let settings = self.settings_of_second();
        if let (Some(second), Some(item)) = (&mut self.second, self.photos.item()) {
            second.resample(item, settings);
        }
    }

    /// The settings of the second result, but for its steps and solver. Results of one model are compared
    /// from one source; another model starts at its own.
    fn settings_of_second(&self) -> FlowSettings {
        let model = self.model.as_ref().map(|model| &model.name);
        let second = self.second.as_ref().map(|second| &second.choice.model);
        let mut settings = self.flow_settings;
        settings.sampling.source = settings.sampling.source.filter(|_| model == second);
        settings
    }

    /// Lists the open photos by a class of the open model, with the settings of its flow, or closes the list.
    pub(crate) fn list_class(&mut self, context: &egui::Context, class: Option<usize>) {
        let (Some(class), Some(model)) = (class, &self.model) else {
            self.class_photos = None;
            return;
        };
        let settings = self.flow_settings;
        let same = self.class_photos.as_mut();
        if let Some(listed) = same.filter(|listed| listed.settings == settings) {
            listed.class = class;
            return;
        }
        self.class_photos = None;
        if let Err(error) = model.check_file() {
            self.errors.report(error);
            return;
        }
        let (device, photos) = (self.device.clone(), &self.photos);
        match ClassPhotos::start(context, device, model, settings, photos, class) {
            Ok(listed) => self.class_photos = Some(listed),
            Err(error) => self.errors.report_no_thread(&error),
        }
    }

    /// Lists the photos of a class anew if their numbers are of other settings than those of the flow.
    pub(super) fn renew_class_photos(&mut self) {
        if let Some(class) = self.class_photos.as_ref().map(|listed| listed.class) {
            let context = self.wake.clone();
            self.list_class(&context, Some(class));
        }
    }

    /// Receives the reports of the workers for the second result, the class list and the uncertainty, and
    /// requests what is shown.
    pub(super) fn receive_second(&mut self) {
        while let Some(event) = self.second.as_ref().and_then(Second::poll) {
            self.accept_second(event);
        }
        if let (Some(second), Some(flow), Some(model)) = (&mut self.second, &self.flow, &self.model)
            && let Some(error) = second.count(flow, model, self.settings.masks.outlines)
        {
            self.errors.report(error);
        }
        let listed = self.class_photos.as_mut().and_then(ClassPhotos::receive);
        if let Some(error) = listed {
            self.errors.report(error);
        }
        if let Some(error) = self.doubt.receive() {
            self.errors.report(error);
        }
        if let (true, Some(flow), Some(model)) = (self.shows_doubt(), &self.flow, &self.model) {
            self.doubt.want(flow, model, self.decoded_position());
        }
    }

    fn accept_second(&mut self, event: WorkerEvent) {
        let opened = matches!(event, WorkerEvent::Model(..));
        let begins = matches!(event, WorkerEvent::Photo(_));
        let name = self.photos.item().map(Item::name).unwrap_or_default();
        let error = self
            .second
            .as_mut()
            .and_then(|second| second.accept(event, &name));
        if let Some(error) = error {
            self.errors.report(error);
        }
        if opened {
            if let Err(error) = self.check_second() {
                self.errors.report(error);
                self.stop_comparing();
                return;
            }
            self.join_second();
            self.sample_second();
        }
        if begins && !self.awaits_flow() && self.second_differs() {
            let changed = has_changed(&name);
            self.errors
                .report(format!("{changed} to compare results of one photo"));
        }
    }

    /// Whether the flow of the shown photo is still to begin: it will be of the photo as it is then.
    pub(super) fn awaits_flow(&self) -> bool {
        matches!(self.phase, Phase::Loading | Phase::Opening)
    }

    /// Checks that the model of the second result, just opened, is the open one if it has its name.
    ///
    /// # Errors
    /// Another file has taken the place of the model's meanwhile, or it is gone; one line.
    fn check_second(&self) -> Result<(), String> {
        let second = self.second.as_ref().map(|second| &second.choice.model);
        let open = self.model.as_ref();
        let open = open.filter(|open| second == Some(&open.name));
        open.map_or(Ok(()), OpenModel::check_file)
    }

    /// Whether the second result is of another photo than the first, because the photo's file has changed.
    pub(super) fn second_differs(&self) -> bool {
        let second = self.second.as_ref();
        let second = second.and_then(|second| second.flow.as_ref());
        let flows = self.flow.as_ref().zip(second);
        flows.is_some_and(|(flow, second)| flow.digest != second.digest)
    }

    /// Matches the classes of both models after one of them was opened.
    pub(super) fn join_second(&mut self) {
        if let (Some(second), Some(model)) = (&mut self.second, &self.model) {
            second.join(model);
        }
    }

    /// The classes of the shown state; `None` before its numbers have been read back.
    pub(crate) fn shown_classes(&self) -> Option<Classes> {
        let (flow, model) = (self.flow.as_ref()?, self.model.as_ref()?);
        self.classes
            .of(flow, &model.centroids, self.decoded_position())
    }

    /// The position whose classes and uncertainty are shown: close to the playhead's while it moves, and
    /// exactly that otherwise.
    pub(crate) fn decoded_position(&self) -> f32 {
        decoded(self.playhead, self.settings.speed)
    }

    fn shows_doubt(&self) -> bool {
        let shown = self.settings.view.shown();
        shown
            .iter()
            .any(|layer| doubt_maps::measure(*layer).is_some())
    }

    /// Whether the wanted classes, uncertainty and second result are computed.
    pub(crate) fn is_compared(&self) -> bool {
        let Some(flow) = &self.flow else { return true };
        let doubt = !self.shows_doubt() || self.doubt.ready(flow, self.decoded_position());
        doubt
            && self.classes.ready()
            && self
                .second
                .as_ref()
                .is_none_or(|second| second.settled(flow))
    }
}

/// What is to be done about a photo whose file is not what its flow was computed of.
pub(super) fn has_changed(name: &str) -> String {
    format!("{name} has changed since it was segmented: sample it again")
}

/// The position to decode on the host. While playing at `speed`, in states per second, it changes only every
/// tenth of a second: otherwise whole states would be decoded without pause.
fn decoded(playhead: Playhead, speed: f32) -> f32 {
    let (position, interval) = (playhead.position, 0.1 * speed);
    // The playhead may wait at a stored state for the next one.
    if !playhead.playing || position.fract() == 0.0 || interval <= 0.0 {
        return position;
    }
    (position / interval).floor() * interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moving_playhead_is_decoded_ten_times_a_second() {
        for speed in [0.5, 6.0, 60.0] {
            let playhead = |frame: usize, playing| Playhead {
                position: speed * (frame as f32 + 0.37) / 60.0,
                playing,
            };
            let mut positions: Vec<f32> = (0..60)
                .map(|frame| decoded(playhead(frame, true), speed))
                .collect();
            for (frame, position) in positions.iter().enumerate() {
                let behind = playhead(frame, true).position - position;
                assert!(behind > -1e-4 * speed && behind < 0.11 * speed, "{behind}");
            }
            positions.dedup();
            assert!(positions.len() <= 11, "{positions:?}");
            let paused = playhead(7, false);
            assert_eq!(decoded(paused, speed), paused.position);
        }
        let waiting = Playhead {
            position: 3.0,
            playing: true,
        };
        assert_eq!(decoded(waiting, 7.0), 3.0);
    }
}
