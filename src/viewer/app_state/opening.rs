//! Opening models and photos, and going on with what is open where one cannot be opened.

use super::{AppState, Phase, suitable_model};
use crate::viewer::app_event::AppEvent;
use crate::viewer::open_model::stamp;
use crate::viewer::photo_list::PhotoList;
use crate::viewer::platform;
use eframe::egui;

impl AppState {
    /// Opens a model that the user chose: it stays open whichever photo is shown.
    pub(crate) fn choose_model(&mut self, name: &str) {
        self.stop_returning();
        self.request.instead_of.get_or_insert(self.request.by_user);
        self.request.by_user = true;
        self.exports.forget();
        self.open_model(name);
    }

    /// The name or path of the model that the user chose, open or to be opened; `None` while the photos decide.
    pub(crate) fn chosen_model(&self) -> Option<String> {
        let open = || Some(self.model.as_ref()?.name.clone());
        let requested = self.request.name.clone();
        requested.or_else(open).filter(|_| self.request.by_user)
    }

    /// Goes on with the open model, if any, after another one could not be opened.
    pub(super) fn keep_model(&mut self) {
        let failed = self.request.name.take();
        if let Some(by_user) = self.request.instead_of.take() {
            self.request.by_user = by_user;
        }
        self.stop_returning();
        let Some(model) = &self.model else { return };
        // Photos may have been opened while the other model was to come.
        let suitable = suitable_model(&self.photos);
        if !self.request.by_user && model.name != suitable && failed.as_deref() != Some(suitable) {
            self.open_model(suitable);
            return;
        }
        if self.is_sampled() {
            self.queue_masks();
        } else {
            self.sample();
        }
    }

    /// Gives up what was to be put back once its model is open, except for what belongs to the list.
    pub(super) fn stop_returning(&mut self) {
        if let Some(aside) = self.returning.take() {
            self.resume_list(*aside);
        }
    }

    /// Opens a model that the user chose, and shows photos.
    pub(crate) fn show_by(&mut self, model: &str, photos: PhotoList) {
        self.choose_model(model);
        self.show(photos);
    }

    /// Opens a model by its name or path. Sampling restarts once it is open; until then, nothing is
    /// painted that would be lost.
    pub(super) fn open_model(&mut self, name: &str) {
        let Some(worker) = &self.worker else { return };
        self.correct.leave_photo();
        self.request.name = Some(name.to_owned());
        self.request.file = stamp(name);
        self.phase = Phase::Loading;
        worker.open_model(platform::load_model(name.to_owned(), self.wake.clone()));
    }

    /// Shows other photos. Unless the user chose a model, one that suits them is opened.
    pub(crate) fn show(&mut self, photos: PhotoList) {
        let suitable = suitable_model(&photos);
        self.stop_returning();
        self.photos = photos;
        self.exports.forget();
        self.masks.reset(self.photos.items().len(), false);
        self.class_photos = None;
        self.errors.follow(self.photos.item());
        let open = if self.is_loading() {
            self.request.name.as_deref()
        } else {
            self.model.as_ref().map(|model| model.name.as_str())
        };
        if self.request.by_user || open == Some(suitable) {
            self.open_photo();
        } else {
            self.flow = None;
            self.open_model(suitable);
        }
        self.emit(AppEvent::PhotosShown);
        if self.photos.wanted {
            self.segment_all(true);
            self.emit(AppEvent::PhotosListed);
        }
    }

    /// Shows a pasted picture; see [`Command::PasteImage`](crate::viewer::commands::Command::PasteImage).
    pub(crate) fn paste(&mut self, image: &egui::ColorImage, number: u64) {
        match PhotoList::pasted(image) {
            Some(photos) => {
                self.opener.outdate_photos(number);
                self.show(photos);
            }
            None => self.errors.report("the picture on the clipboard is empty"),
        }
    }

    pub(crate) fn open_photo(&mut self) {
        self.stop_returning();
        if let Some(path) = self.photos.file().map(ToOwned::to_owned) {
            self.settings.remember(&path);
        }
        self.errors.follow(self.photos.item());
        self.flow = None;
        self.selection.forget_pixels();
        self.emit(AppEvent::PhotoOpened);
        self.playhead.playing = true;
        self.sample();
        self.sample_second();
    }
}
