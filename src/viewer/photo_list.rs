//! What there is to look at: photos of a folder, pasted pictures, and the built-in samples.

use crate::data::SceneConfig;
use crate::job::Photo;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The scenes that come with the program: name and number. They are rendered, not stored.
pub const SAMPLES: [(&str, u64); 4] = [
    ("Shapes", 7),
    ("Crowd", 21),
    ("Islands", 40),
    ("Mosaic", 58),
];

/// How the samples are rendered.
pub const SCENE: SceneConfig = SceneConfig {
    classes: 20,
    size: [384, 512],
    seed: 2026,
    texture: 0.7,
    ignore: 0.0,
};

/// Something to look at.
#[derive(Clone)]
pub enum Item {
    /// A file.
    File(PathBuf),
    /// A sample, by its place in [`SAMPLES`].
    Sample(usize),
    /// A picture from the clipboard.
    Pasted(Arc<RgbImage>),
}

impl Item {
    /// What it is called.
    pub fn name(&self) -> String {
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

    /// A name for files made from it.
    pub fn stem(&self) -> String {
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

    /// What the worker opens.
    pub fn photo(&self) -> Photo {
        match self {
            Item::File(path) => Photo::File(path.clone()),
            Item::Sample(i) => Photo::Scene(SCENE, SAMPLES.get(*i).map_or(0, |(_, n)| *n)),
            Item::Pasted(picture) => Photo::Picture(picture.clone()),
        }
    }
}

/// A row of items, one of which is shown.
pub struct PhotoList {
    items: Vec<Item>,
    shown: usize,
}

impl PhotoList {
    /// The built-in samples, starting with one of them.
    pub fn samples(shown: usize) -> Self {
        Self {
            items: (0..SAMPLES.len()).map(Item::Sample).collect(),
            shown,
        }
    }

    /// Files, starting with one of them.
    pub fn files(files: Vec<PathBuf>, shown: usize) -> Self {
        Self {
            shown: shown.min(files.len().saturating_sub(1)),
            items: files.into_iter().map(Item::File).collect(),
        }
    }

    /// A picture from the clipboard.
    pub fn pasted(picture: RgbImage) -> Self {
        Self {
            items: vec![Item::Pasted(Arc::new(picture))],
            shown: 0,
        }
    }

    /// What is shown.
    pub fn item(&self) -> Option<&Item> {
        self.items.get(self.shown)
    }

    /// The file that is shown, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self.item() {
            Some(Item::File(path)) => Some(path),
            _ => None,
        }
    }

    /// Its place and the number of items.
    pub fn place(&self) -> (usize, usize) {
        (self.shown, self.items.len())
    }

    /// Moves on or back, around the ends. Returns whether something else is shown now.
    pub fn turn(&mut self, by: isize) -> bool {
        let count = self.items.len() as isize;
        if count < 2 {
            return false;
        }
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
        assert!(!PhotoList::pasted(RgbImage::new(1, 1)).turn(1));
    }
}
