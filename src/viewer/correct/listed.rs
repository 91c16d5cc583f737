//! Corrections of the photos of a list that were saved earlier: each is looked up when the network's mask
//! of its photo is made, so that lists and exports have it although the photo was not opened.

use super::folder::folder;
use super::look_up::{Found, LookUp};
use crate::viewer::app_state::AppState;
use std::path::Path;

impl AppState {
    /// Looks up saved corrections of a photo of the list, unless it has some.
    pub(crate) fn look_up_correction(&mut self, place: usize) {
        if self.masks.corrected(place).is_none() {
            self.correct.unseen.push_back(place);
        }
        self.look_up_next();
    }

    /// Looks up saved corrections of a photo of the list before all others, also if it has some: those on disk
    /// may be newer.
    pub(super) fn look_up_again(&mut self, place: usize) {
        self.correct.unseen.retain(|other| *other != place);
        self.correct.unseen.push_front(place);
        self.look_up_next();
    }

    /// Looks up saved corrections of all photos that have a mask, and of no others. What is found replaces what
    /// a photo has, which may come from another folder.
    pub(crate) fn look_up_corrections(&mut self) {
        self.correct.unseen = self.masks.done().map(|(place, _)| place).collect();
        self.look_up_next();
    }

    /// Begins with the next photo, if no other is being looked up.
    fn look_up_next(&mut self) {
        let (Some(folder), Some(model)) = (folder(self).map(Path::to_owned), &self.model) else {
            self.correct.unseen.clear();
            return;
        };
        while !self.correct.looks_up
            && let Some(place) = self.correct.unseen.pop_front()
        {
            let Some(item) = self.photos.items().get(place) else {
                continue;
            };
            let wanted = LookUp {
                place,
                item: item.clone(),
                folder: folder.clone(),
                classes: model.classes.clone(),
                own: model.card.classes.len(),
            };
            self.correct.looks_up = self.correct.storage.look_up(wanted);
        }
    }

    /// Lists what was found, and goes on with the next photo.
    pub(super) fn take_found(&mut self, found: Option<Found>) {
        self.correct.looks_up = false;
        if let Some(found) = found {
            self.list_found(found);
        }
        self.look_up_next();
    }

    fn list_found(&mut self, found: Found) {
        let same_folder = folder(self) == Some(found.folder.as_path());
        let Some(model) = &mut self.model else { return };
        // Meanwhile, another list or model may have been opened, or another folder chosen.
        let same_photo = self.photos.items().get(found.place) == Some(&found.item);
        let same_model = found.classes.get(..found.own) == Some(model.card.classes.as_slice());
        if !same_folder || !same_photo || !same_model {
            return;
        }
        let lacks = |class: &&String| !model.classes.contains(*class);
        let missing: Vec<String> = found.classes.iter().filter(lacks).cloned().collect();
        model.add_classes(&missing);
        if let Some(session) = &mut self.correct.session {
            session.classes.clone_from(&model.classes);
        }
        if model.classes.starts_with(&found.classes) {
            self.masks.correct(found.place, found.mask);
        } else {
            // Other classes were added meanwhile.
            self.correct.unseen.push_back(found.place);
        }
    }
}
