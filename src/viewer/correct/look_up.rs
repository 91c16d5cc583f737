//! Reads the corrections of a photo of the list that were saved earlier.

use super::places::{self, Places};
use crate::data;
use crate::viewer::mask_store::StoredMask;
use crate::viewer::photo_list::Item;
use std::path::PathBuf;
use std::sync::Arc;

/// A photo whose saved corrections are wanted.
pub(super) struct LookUp {
    pub place: usize,
    pub item: Item,
    pub folder: PathBuf,
    /// The model's classes, of which the first `own` are its own.
    pub classes: Vec<String>,
    pub own: usize,
}

/// The saved corrections of a photo.
pub(super) struct Found {
    pub place: usize,
    pub item: Item,
    /// The folder that they are in.
    pub folder: PathBuf,
    /// The classes that the labels index: the model's, and those added when they were saved.
    pub classes: Vec<String>,
    pub own: usize,
    pub mask: Arc<StoredMask>,
}

impl LookUp {
    /// Reads the saved corrections; `None` if there are none.
    pub(super) fn read(self) -> Option<Found> {
        let name = self.item.stem();
        // Reading a photo takes longer than listing a folder, and most labels of a data set are no corrections.
        if !data::may_hold_correction(&self.folder, &name) {
            return None;
        }
        let known = data::corrected_classes(&self.folder).ok()?;
        let file = match &self.item {
            Item::File(path) => Some(path.as_path()),
            _ => None,
        };
        let photo = self.item.photo().picture().ok()?;
        let saved = data::saved_labels(&self.folder, &name, file, &photo);
        let saved = saved.filter(|saved| saved.is_correction)?;
        let mut classes = self.classes;
        let missing = places::missing(&[&known], &classes, self.own);
        classes.extend(missing);
        let labels = Places::of(&known, &classes).labels(&saved.labels)?;
        let mask = StoredMask::new(&labels, &photo).ok()?;
        Some(Found {
            place: self.place,
            item: self.item,
            folder: self.folder,
            classes,
            own: self.own,
            mask: Arc::new(mask),
        })
    }
}
