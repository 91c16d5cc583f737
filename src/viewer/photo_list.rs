//! The list of photos: those of a folder, a pasted picture, or the built-in samples.

use crate::data::SceneConfig;
use crate::job::Photo;
use eframe::egui::{Color32, ColorImage};
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The built-in scenes, which are rendered rather than stored: name and number.
pub(super) const SAMPLES: [(&str, u64); 4] = [
    ("Shapes", 7),
    ("Crowd", 21),
    ("Islands", 40),
    ("Mosaic", 58),
];

pub(super) const SCENE: SceneConfig = SceneConfig {
    classes: 20,
    size: [384, 512],
    seed: 2026,
    texture: 0.7,
    ignore: 0.0,
};

#[derive(Clone, PartialEq)]
pub(super) enum Item {
    File(PathBuf),
    /// A built-in sample, by its place in [`SAMPLES`].
    Sample(usize),
    /// A picture from the clipboard.
    Pasted(Arc<RgbImage>),
}

impl Item {
    pub(super) fn name(&self) -> String {
        match self {
            Item::File(path) => path.file_name().map_or_else(
                || path.display().to_string(),
                |n| n.to_string_lossy().into(),
            ),
            Item::Sample(i) => SAMPLES
                .get(*i)
                .map_or_else(String::new, |(name, _)| format!("{name} (sample)")),
            Item::Pasted(_) => "Pasted picture".into(),
        }
    }

    /// The stem of the names of its output files.
    pub(super) fn stem(&self) -> String {
        match self {
            Item::File(path) => path
                .file_stem()
                .map_or_else(|| "photo".into(), |n| n.to_string_lossy().into()),
            Item::Sample(i) => SAMPLES
                .get(*i)
                .map_or_else(|| "sample".into(), |(name, _)| name.to_lowercase()),
            Item::Pasted(_) => "pasted".into(),
        }
    }

    /// The photo as the worker takes it.
    pub(super) fn photo(&self) -> Photo {
        match self {
            Item::File(path) => Photo::File(path.clone()),
            Item::Sample(i) => Photo::Scene(SCENE, SAMPLES.get(*i).map_or(0, |(_, n)| *n)),
            Item::Pasted(picture) => Photo::Picture(picture.clone()),
        }
    }
}

/// Photos, one of which is shown.
#[derive(Clone, PartialEq)]
pub(super) struct PhotoList {
    items: Vec<Item>,
    shown: usize,
    /// Whether the user named them all, by their folder or one by one: their masks are wanted.
    pub wanted: bool,
}

impl PhotoList {
    /// The built-in samples, starting with one of them.
    pub(super) fn samples(shown: usize) -> Self {
        Self {
            items: (0..SAMPLES.len()).map(Item::Sample).collect(),
            shown,
            wanted: false,
        }
    }

    /// Files, starting with one of them.
    pub(super) fn files(files: Vec<PathBuf>, shown: usize) -> Self {
        Self {
            shown: shown.min(files.len().saturating_sub(1)),
            items: files.into_iter().map(Item::File).collect(),
            wanted: false,
        }
    }

    /// A picture from the clipboard on white, or `None` if it is empty.
    pub(super) fn pasted(image: &ColorImage) -> Option<Self> {
        // The colours are multiplied by their opacity already.
        let on_white = |p: &Color32| [p.r(), p.g(), p.b()].map(|c| c.saturating_add(255 - p.a()));
        let rgb = image.pixels.iter().flat_map(on_white).collect();
        let [width, height] = image.size.map(|side| side as u32);
        let picture = RgbImage::from_raw(width, height, rgb).filter(|_| width * height > 0)?;
        Some(Self {
            items: vec![Item::Pasted(Arc::new(picture))],
            shown: 0,
            wanted: false,
        })
    }

    pub(super) fn item(&self) -> Option<&Item> {
        self.items.get(self.shown)
    }

    /// The path of the photo that is shown, if it is a file.
    pub(super) fn file(&self) -> Option<&Path> {
        match self.item() {
            Some(Item::File(path)) => Some(path),
            _ => None,
        }
    }

    /// The index of the shown photo, and the number of photos.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.shown, self.items.len())
    }

    /// The name of the photo at a place.
    pub(super) fn name(&self, at: usize) -> String {
        self.items.get(at).map(Item::name).unwrap_or_default()
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether there is a photo at a place that is not shown already.
    pub(super) fn goes_to(&self, at: usize) -> bool {
        at != self.shown && at < self.items.len()
    }

    /// Whether there is another photo than the shown one.
    pub(super) fn turns(&self) -> bool {
        self.items.len() > 1
    }

    /// Shows the photo at a place. Returns whether it changed.
    pub(super) fn go_to(&mut self, at: usize) -> bool {
        let changes = self.goes_to(at);
        if changes {
            self.shown = at;
        }
        changes
    }

    /// Moves on by `by` photos, wrapping around at the ends. Returns whether another photo is shown.
    pub(super) fn turn(&mut self, by: isize) -> bool {
        if !self.turns() {
            return false;
        }
        let count = self.items.len() as isize;
        self.shown = (self.shown as isize + by).rem_euclid(count) as usize;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_goes_around() {
        let mut photos = PhotoList::samples(0);
        assert!(photos.turn(-1));
        assert_eq!(photos.place(), (SAMPLES.len() - 1, SAMPLES.len()));
        assert!(photos.turn(1));
        assert_eq!(photos.place().0, 0);
        let picture = ColorImage::filled([1, 1], eframe::egui::Color32::RED);
        assert!(!PhotoList::pasted(&picture).unwrap().turn(1));
        assert!(PhotoList::pasted(&ColorImage::default()).is_none());
    }

    #[test]
    fn pasted_transparency_is_on_white() {
        let colours = [
            Color32::TRANSPARENT,
            Color32::from_rgb(10, 20, 30),
            Color32::from_rgba_premultiplied(0, 50, 100, 100),
        ];
        let picture = ColorImage::new([3, 1], colours.to_vec());
        let photos = PhotoList::pasted(&picture).unwrap();
        let Some(Item::Pasted(photo)) = photos.item() else {
            panic!("a pasted picture")
        };
        let white = [255, 255, 255];
        let expected = [white, [10, 20, 30], [155, 205, 255]].concat();
        assert_eq!(*photo.as_raw(), expected);
    }
}
