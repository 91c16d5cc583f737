//! Reports of the worker, the opener and the exports, and the changes that they cause.

use super::comparing::has_changed;
use super::{AppState, Phase};
use crate::encoding::Centroids;
use crate::job::Worker;
use crate::model::Card;
use crate::models;
use crate::viewer::app_event::AppEvent;
use crate::viewer::commands::Command;
use crate::viewer::exports::Exports;
use crate::viewer::file_open::Found;
use crate::viewer::flow::Flow;
use crate::viewer::mask_store::StoredMask;
use crate::viewer::open_model::OpenModel;
use crate::viewer::photo_list::{Item, PhotoList};
use crate::viewer::settings::steps_for;
use crate::viewer::worker_events::{FlowEvent, OpenedPhoto, WorkerEvent};
use std::path::Path;
use web_time::Instant;

impl AppState {
    /// Processes all reports since the last frame.
    pub(crate) fn receive(&mut self) {
        while let Some(event) = self.worker.as_ref().and_then(Worker::poll) {
            self.accept(event);
        }
        self.receive_corrections();
        self.follow_masks();
        self.receive_second();
        for error in self.change_exports(Exports::receive) {
            self.errors.report(error);
        }
        // Files wait until a question is answered and the answer followed.
        while !self.asks()
            && !self.correct.is_leaving()
            && let Some(found) = self.opener.poll()
        {
            self.accept_files(found);
        }
    }

    /// Opens what the opener has found, or asks first what becomes of corrections.
    fn accept_files(&mut self, mut found: Found) {
        if !found.runs.is_empty() {
            for run in &found.runs {
                self.settings.remember(run);
            }
            let runs = std::mem::take(&mut found.runs);
            self.emit(AppEvent::RunsOpened(runs));
        }
        match found_command(&mut found).and_then(|command| self.correct.guard(command)) {
            Some(Command::ShowPhotosBy(model, photos)) => self.show_by(&model, photos),
            Some(Command::ChooseModel(model, _)) if self.photos.item().is_none() => {
                self.show_by(&model, PhotoList::samples(0));
            }
            Some(Command::ChooseModel(model, _)) => self.choose_model(&model),
            Some(Command::ShowPhotos(photos, _)) => self.show(photos),
            Some(_) => {}
            None => {
                if let Some(model) = found.of_run {
                    self.open_model_of_run(&model);
                }
            }
        }
        // Showing another photo folds the list of problems.
        for error in found.errors {
            self.errors.report(error);
        }
    }

    /// Opens the model of a run, whose classes are those of its samples, unless there are photos or the user
    /// chose a model.
    fn open_model_of_run(&mut self, model: &Path) {
        if self.photos.item().is_none() && !self.request.by_user {
            self.open_model(&model.to_string_lossy());
        }
    }

    fn accept(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Model(card, centroids) => self.accept_model(*card, centroids),
            WorkerEvent::Photo(opened) => self.accept_photo(opened),
            WorkerEvent::Preparing => self.phase = Phase::Preparing,
            WorkerEvent::Flow(event) => self.accept_of_flow(event),
            WorkerEvent::Mask(at, mask) => self.accept_mask(at, mask),
            WorkerEvent::Failed(text) => self.accept_failure(text),
        }
    }

    fn accept_model(&mut self, card: Card, centroids: Centroids) {
        let name = self.request.name.take();
        self.request.instead_of = None;
        if let Some(name) = name.as_ref().filter(|name| !models::is_name(name)) {
            self.settings.remember_model(name.as_ref());
        }
        let name = name.unwrap_or_default();
        let chosen = self.settings.chosen_steps();
        self.flow_settings.sampling.steps = steps_for(&card, chosen);
        // A file of the same name may have other weights now.
        let same = self
            .model
            .as_ref()
            .is_some_and(|model| model.name == name && model.card.classes == card.classes);
        self.masks.outdate(same);
        // A lesson's model is closed again.
        if !same && !self.correct.is_aside && self.returning.is_none() {
            self.correct.fine_tuning.forget_ending();
        }
        self.replace_model(OpenModel::new(name, card, centroids), same);
        self.class_photos = None;
        self.hover.class = None;
        self.renew_second();
        self.join_second();
        self.selection.forget_classes();
        self.phase = Phase::Idle;
        self.emit(AppEvent::ModelOpened);
        match self.returning.take() {
            Some(aside) => self.resume(*aside),
            None => self.open_photo(),
        }
    }

    /// Puts a model in the place of the open one. `same` says that both have one name and the same classes.
    fn replace_model(&mut self, mut model: OpenModel, same: bool) {
        let of_open = self.model.as_ref().filter(|_| same);
        let of_open = of_open.map(|model| model.classes.as_slice());
        let before = self.returning.as_ref().map(|aside| aside.classes());
        // Corrections in the list may use the classes that were added by hand.
        let added = before
            .or(of_open)
            .and_then(|classes| classes.strip_prefix(model.card.classes.as_slice()))
            .map_or_else(Vec::new, <[String]>::to_vec);
        model.file = self.request.file.take();
        model.add_classes(&added);
        model.colour(self.settings.published_colours);
        if let Some(before) = &self.model {
            self.correct.find_class(&before.classes, &model.classes);
        }
        self.model = Some(model);
    }

    fn accept_photo(&mut self, opened: OpenedPhoto) {
        let name = self.photos.item().map(Item::name).unwrap_or_default();
        let (shown, _) = self.photos.place();
        if self.masks.outdate_photo(shown, opened.digest) {
            self.queue_masks();
        }
        let mut flow = Flow::new(name, opened);
        flow.settings = Some(self.flow_settings);
        self.flow = Some(flow);
        if self.second_differs() {
            self.sample_second();
        }
        // Its states may be smaller than those of the previous flow.
        self.hover.pixel = None;
        self.phase = Phase::Sampling(Instant::now());
    }

    fn accept_of_flow(&mut self, mut event: FlowEvent) {
        match &mut event {
            FlowEvent::State { .. } if !matches!(self.phase, Phase::Sampling(_)) => {
                self.phase = Phase::Sampling(Instant::now());
            }
            FlowEvent::Numbers {
                thumbnails: Some(thumbnails),
                ..
            } if self.settings.published_colours => {
                if let Some(model) = &self.model {
                    thumbnails.recolour(&model.colours);
                }
            }
            _ => {}
        }
        let is_finished = matches!(event, FlowEvent::Finished { .. });
        if let Some(flow) = &mut self.flow {
            flow.apply(event);
        }
        if is_finished {
            self.phase = Phase::Idle;
            self.restore_correction();
            self.renew_class_photos();
        }
    }

    fn accept_mask(&mut self, at: usize, mask: Result<StoredMask, String>) {
        let is_shown = at == self.photos.place().0 && !self.awaits_flow();
        let flow = self.flow.as_ref().filter(|_| is_shown);
        let is_other = |mask: &StoredMask| flow.is_some_and(|flow| !mask.is_of(flow.digest));
        // It would be drawn over another photo.
        let mask = match mask {
            Ok(mask) if is_other(&mask) => Err(has_changed(&self.photos.name(at))),
            mask => mask,
        };
        let is_made = mask.is_ok();
        if let Err(error) = &mask {
            self.report_mask(at, error);
        }
        self.masks.add(at, mask);
        if is_made {
            self.look_up_correction(at);
        }
        // Corrections may have waited for it, or for one that there is no room for.
        if at == self.photos.place().0 || self.masks.is_full() {
            self.restore_correction();
        }
        if self.masks.is_full() && self.masks.counts()[2] > 0 {
            self.queue_masks();
        }
    }

    fn accept_failure(&mut self, text: String) {
        let loading = self.is_loading();
        self.phase = Phase::Idle;
        if !loading {
            let item = self.photos.item().cloned();
            self.failure = item.map(|item| (item, text.clone()));
        }
        self.errors.report(text);
        self.drop_unread_states();
        if loading {
            self.keep_model();
        } else {
            self.keep_flow();
        }
        // What was to be replaced may stay.
        self.restore_correction();
    }

    /// Reports that the mask of the shown photo from several passes or tiles cannot be made, where it is
    /// chosen, what is shown and listed instead, and why.
    fn report_mask(&mut self, at: usize, error: &str) {
        let card = self.model.as_ref().map(|model| &model.card);
        let differs = card.is_some_and(|card| self.settings.masks.differs(card));
        // If the photo cannot be read, its flow may have said so.
        let failure = self.failure.as_ref();
        let is_told = failure.is_some_and(|(_, told)| told == error);
        if at == self.photos.place().0 && differs && !is_told {
            let name = self.photos.name(at);
            let flow = self.flow.as_ref();
            let shown = if flow.is_some_and(|flow| flow.settled.is_some()) {
                ", and that of one pass is shown instead"
            } else {
                ""
            };
            let listed = if self.masks.is_older(at) {
                ", while the list keeps the mask made before"
            } else {
                ""
            };
            self.errors.report(format!(
                "{name}: its mask from several passes or tiles failed{shown}{listed}: {error}"
            ));
        }
    }

    /// Switches between the colours of the centroids and the published ones of the data set.
    pub(in crate::viewer) fn toggle_colours(&mut self) {
        self.settings.published_colours = !self.settings.published_colours;
        self.recolour();
    }

    /// Gives the model's classes the chosen colours.
    pub(super) fn recolour(&mut self) {
        let Some(model) = &mut self.model else { return };
        model.colour(self.settings.published_colours);
        let states = self.flow.iter_mut().flat_map(|flow| &mut flow.states);
        for thumbnails in states.filter_map(|state| state.thumbnails.as_mut()) {
            thumbnails.recolour(&model.colours);
        }
    }
}

/// The command that opens the model and the photos that were found, which it takes.
fn found_command(found: &mut Found) -> Option<Command> {
    let paths = std::mem::take(&mut found.photos);
    let photos = (!paths.is_empty()).then(|| {
        let mut photos = PhotoList::files(paths, found.shown);
        photos.wanted = found.named;
        photos
    });
    let model = found.model.take();
    let model = model.map(|path| path.to_string_lossy().into_owned());
    match (model, photos) {
        (Some(model), Some(photos)) => Some(Command::ShowPhotosBy(model, photos)),
        (Some(model), None) => Some(Command::ChooseModel(model, found.number)),
        (None, Some(photos)) => Some(Command::ShowPhotos(photos, found.number)),
        (None, None) => None,
    }
}
