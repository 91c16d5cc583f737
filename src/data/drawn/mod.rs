//! Data sets whose labels are shapes in text files instead of pixels: COCO JSON, and Labelme and YOLO
//! folders.
//!
//! They are recognised by the contents of files, and their labels are drawn when a sample is loaded.
//! Paths must stay within the data set's folder, and sizes within the limits of images.
//!
//! Pixels without a shape have the class that the files call background or, if there is none, a class
//! `background` that is added at index 0; `unlabelled` in `dataset.toml` makes them another class or
//! ignored. In panoptic files they are ignored unless it says otherwise.

mod canvas;
mod coco;
mod coco_categories;
mod coco_file;
mod coco_listed;
mod crowds;
mod geometry;
mod json;
mod labelme;
mod places;
mod runs;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod unused;
mod yaml;
mod yolo;
mod yolo_description;
mod yolo_semantic;

use std::path::Path;

use super::contents::Contents;
use super::error::DataError;
use super::split_name::TRAINING;

pub(super) use crowds::Marked;
pub(super) use places::{split_folders, split_hinted, split_of_whole};
pub(super) use settings::Settings;
pub(super) use table::Unlabelled;

/// How many folders within one another are looked into for files of Labelme.
const DEEPEST: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Coco,
    Labelme,
    Yolo,
}

/// The form of a folder's annotations. If no other layout is there, `is_alone`, files of Labelme are looked for in deeper
/// folders.
pub(super) fn detect(dir: &Path, is_alone: bool) -> Option<Form> {
    let coco = coco::splits_in(dir);
    if coco.contains(&TRAINING) {
        return Some(Form::Coco);
    }
    // COCO data sets in YOLO's form keep COCO's validation file beside their labels.
    if yolo::is_in(dir) {
        return Some(Form::Yolo);
    }
    if !coco.is_empty() {
        Some(Form::Coco)
    } else {
        let depth = if is_alone { DEEPEST } else { 1 };
        labelme::is_in(dir, depth).then_some(Form::Labelme)
    }
}

/// What the description of a YOLO data set names for other splits than training and is not there: the split, and a
/// line about it.
pub(super) fn absent(dir: &Path) -> Vec<(&'static str, String)> {
    yolo_description::absent(dir)
}

/// Whether a description of a YOLO data set names its folders.
pub(super) fn is_described(dir: &Path) -> bool {
    yolo_description::description(dir).is_some()
}

impl Form {
    /// The classes and splits of a folder; `said` is what settings say of the labels.
    ///
    /// # Errors
    /// A file that describes the whole data set cannot be read, or a setting is for another form.
    pub(super) fn contents(
        self,
        dir: &Path,
        said: Option<&Settings>,
    ) -> Result<Contents, DataError> {
        let settings = said.cloned().unwrap_or_default();
        if settings.crowds.is_some() && self != Self::Coco {
            let reason = "crowds in its dataset.toml is for COCO's JSON files; remove it";
            return Err(DataError::description(dir, reason));
        }
        match self {
            Self::Coco => coco::contents(dir, &settings),
            Self::Labelme => labelme::contents(dir, &settings.unlabelled.unwrap_or_default()),
            Self::Yolo => yolo::contents(dir, &settings),
        }
    }
}
