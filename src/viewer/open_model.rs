//! The open model.

use crate::data;
use crate::encoding::Centroids;
use crate::fonts;
use crate::model::Card;

/// The open model, as far as the window needs it.
pub(super) struct OpenModel {
    /// Its name in lists: that of a built-in model, or a path.
    pub name: String,
    pub card: Card,
    /// The names of its classes as they are drawn, distinct even if fonts lack some of their letters.
    pub names: Vec<String>,
    pub centroids: Centroids,
    /// The colours of its classes.
    pub colours: Vec<[u8; 3]>,
}

impl OpenModel {
    pub(super) fn new(name: String, card: Card, centroids: Centroids) -> Self {
        Self {
            name,
            names: fonts::distinct(&card.classes),
            card,
            colours: centroids.colours(),
            centroids,
        }
    }

    /// Takes the colours that the data set was published with, if they are known and wanted, or those
    /// of the centroids.
    pub(super) fn colour(&mut self, published: bool) {
        let published = published.then(|| data::published_colours(&self.card.classes));
        self.colours = published
            .flatten()
            .unwrap_or_else(|| self.centroids.colours());
    }
}
