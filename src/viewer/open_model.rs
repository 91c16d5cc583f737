use crate::data;
use crate::encoding::Centroids;
use crate::flow::Source;
use crate::fonts;
use crate::model::Card;

/// The open model, as far as the window uses it.
pub(super) struct OpenModel {
    /// Its name in lists: a built-in model's name, or a path.
    pub name: String,
    pub card: Card,
    /// The names of its classes, followed by those added for corrections.
    pub classes: Vec<String>,
    /// The names of its classes for drawing, distinct even if the fonts lack some of their letters.
    pub names: Vec<String>,
    pub centroids: Centroids,
    /// The colours of the classes, including added ones.
    pub colours: Vec<[u8; 3]>,
}

impl OpenModel {
    pub(super) fn new(name: String, card: Card, centroids: Centroids) -> Self {
        Self {
            name,
            names: fonts::distinct(&card.classes),
            classes: card.classes.clone(),
            card,
            colours: centroids.colours(),
            centroids,
        }
    }

    /// Uses the colours that the data set was published with, if `published` and they are known, or
    /// those of the centroids.
    pub(super) fn colour(&mut self, published: bool) {
        let published = published.then(|| data::published_colours(&self.card.classes));
        self.colours = published
            .flatten()
            .unwrap_or_else(|| self.centroids.colours());
        // An added class already has the colour that it will have once the model has learnt it.
        let extended = self.card.with_classes(&self.classes);
        let centroids = extended.map(|card| card.centroids());
        let colours = centroids.map_or_else(Vec::new, |centroids| centroids.colours());
        self.colours
            .extend(colours.into_iter().skip(self.card.classes.len()));
    }

    /// Where a flow starts, for a caption, as in ", from noise"; empty for the source that the model was trained
    /// with.
    pub(super) fn origin(&self, source: Option<Source>) -> &'static str {
        match source.filter(|source| *source != self.card.source) {
            None => "",
            Some(Source::Image) => ", from the photo",
            Some(Source::Noise) => ", from noise",
        }
    }

    /// Appends classes.
    pub(super) fn add_classes(&mut self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.classes.extend_from_slice(names);
        self.names = fonts::distinct(&self.classes);
        let own = self.colours[..self.card.classes.len().min(self.colours.len())].to_vec();
        let published = own != self.centroids.colours();
        self.colour(published);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny;

    #[test]
    fn captions_name_a_source_that_is_not_the_models() {
        let mut card = tiny(&["a", "b"], [16, 24], |_| ()).card;
        card.source = Source::Noise;
        let centroids = card.centroids();
        let model = OpenModel::new("test".to_owned(), card, centroids);
        for (source, origin) in [
            (None, ""),
            (Some(Source::Noise), ""),
            (Some(Source::Image), ", from the photo"),
        ] {
            assert_eq!(model.origin(source), origin);
        }
    }
}
