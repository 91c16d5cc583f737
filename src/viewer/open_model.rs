//! The open model: its card and its classes' points and colours; the worker has its network.

use crate::data;
use crate::encoding::Centroids;
use crate::files::Stamp;
use crate::flow::Source;
use crate::fonts;
use crate::model::{Card, Model};
use crate::models;
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// What the file of a model is now; `None` for a model that comes with the program, and for a file that cannot
/// be reached.
pub(super) fn stamp(name: &str) -> Option<Stamp> {
    if models::is_built_in(Path::new(name)) {
        return None;
    }
    Stamp::of(&models::file(name))
}

/// See [`OpenModel::check_file`].
fn check_file(name: &str, file: Option<&Stamp>) -> Result<(), String> {
    if file.is_none() || file == stamp(name).as_ref() {
        return Ok(());
    }
    Err(format!(
        "{name} has changed since it was opened: open the model again"
    ))
}

/// Reads the network of the open model again, by the model's name and [`file`](OpenModel::file).
///
/// # Errors
/// Another file has taken the place of the model's, or it cannot be read; one line.
pub(super) fn load_same(
    name: &str,
    file: Option<&Stamp>,
    device: &Device,
) -> Result<Model, String> {
    check_file(name, file)?;
    let model = models::load(name, device).map_err(|error| error.to_string())?;
    // It may have been replaced just before it was read.
    check_file(name, file)?;
    Ok(model)
}

/// The open model, as far as the window uses it.
pub(super) struct OpenModel {
    /// Its name in lists: a built-in model's name, or a path.
    pub name: String,
    /// The full path of its file, as in the list of recent models; `None` for a model that comes with the program.
    path: Option<PathBuf>,
    /// What its file was when its opening was requested; see [`stamp`].
    pub file: Option<Stamp>,
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
        let is_file = !models::is_name(&name);
        Self {
            path: is_file.then(|| dunce::canonicalize(&name).ok()).flatten(),
            name,
            file: None,
            names: fonts::distinct(&card.classes),
            classes: card.classes.clone(),
            card,
            colours: centroids.colours(),
            centroids,
        }
    }

    /// Whether it was read from the file with this full path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path.as_deref() == Some(path)
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

    /// Checks that its file still holds this model, before it is read again.
    ///
    /// # Errors
    /// Another file has taken its place, or it is gone; one line.
    pub(super) fn check_file(&self) -> Result<(), String> {
        check_file(&self.name, self.file.as_ref())
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
    use crate::viewer::settings::Settings;

    #[test]
    fn a_file_that_was_replaced_is_no_longer_the_open_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        std::fs::write(&path, "one").unwrap();
        let card = tiny(&["a", "b"], [16, 24], |_| ()).card;
        let centroids = card.centroids();
        let name = path.to_string_lossy().into_owned();
        let mut model = OpenModel::new(name.clone(), card, centroids);
        model.file = stamp(&name);
        assert_eq!(model.check_file(), Ok(()));
        std::fs::write(&path, "another").unwrap();
        assert!(model.check_file().unwrap_err().contains("open the model"));
        let refused = load_same(&name, model.file.as_ref(), &Device::flex());
        assert!(refused.err().unwrap().contains("open the model"));
        model.file = stamp(&name);
        std::fs::remove_file(&path).unwrap();
        assert!(model.check_file().is_err());
        assert_eq!(stamp(models::FOR_SAMPLES), None);
    }

    #[test]
    fn a_model_is_found_among_the_recent_ones_whatever_its_spelling() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("day")).unwrap();
        let file = folder.path().join("m.safetensors");
        std::fs::write(&file, "").unwrap();
        let mut recent = Settings::default();
        recent.remember_model(&file);
        let open = |name: &str| {
            let card = tiny(&["a", "b"], [16, 24], |_| ()).card;
            let centroids = card.centroids();
            OpenModel::new(name.to_owned(), card, centroids)
        };
        let other = folder.path().join("day/../m.safetensors");
        let model = open(&other.to_string_lossy());
        assert!(model.is_at(&recent.recent_models[0]));
        assert!(!model.is_at(&other));
        assert!(!open(models::FOR_SAMPLES).is_at(Path::new(models::FOR_SAMPLES)));
    }

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
