//! Cityscapes: `leftImg8bit/{train,val,test}/CITY/NAME_leftImg8bit.png` and
//! `gtFine/{train,val,test}/CITY/NAME_gtFine_labelIds.png`; of the 34 label ids, 19 are scored, and
//! their train ids are the classes. Where no file has such a name, `NAME_gtFine_labelTrainIds.png` holds the train ids.

use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::{Contents, places, whole};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use super::super::walk::visible_files;
use crate::labels::IGNORE;

/// The folders of the splits.
const FOLDERS: [&str; 3] = ["train", "val", "test"];
/// Number of scored classes.
pub(super) const COUNT: usize = 19;
/// The label ids in the files, in the order of the train ids.
const IDS: [u16; COUNT] = [
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
];
/// The label ids are 0 to 33; -1, the licence plate, is stored as 255.
const ALL_IDS: u16 = 34;
/// What follows a photo's name in the names of its files.
const LABEL_IDS: &str = "_gtFine_labelIds.png";
const TRAIN_IDS: &str = "_gtFine_labelTrainIds.png";
const POLYGONS: &str = "_gtFine_polygons.json";
/// How many files of the label folders are looked at to tell what they hold: an archive has several per photo.
const LOOKED_AT: usize = 64;

/// The classes by train id, with the names and colours of the data set's `labels.py`.
const CLASSES: [(&str, [u8; 3]); COUNT] = [
    ("road", [128, 64, 128]),
    ("sidewalk", [244, 35, 232]),
    ("building", [70, 70, 70]),
    ("wall", [102, 102, 156]),
    ("fence", [190, 153, 153]),
    ("pole", [153, 153, 153]),
    ("traffic light", [250, 170, 30]),
    ("traffic sign", [220, 220, 0]),
    ("vegetation", [107, 142, 35]),
    ("terrain", [152, 251, 152]),
    ("sky", [70, 130, 180]),
    ("person", [220, 20, 60]),
    ("rider", [255, 0, 0]),
    ("car", [0, 0, 142]),
    ("truck", [0, 0, 70]),
    ("bus", [0, 60, 100]),
    ("train", [0, 80, 100]),
    ("motorcycle", [0, 0, 230]),
    ("bicycle", [119, 11, 32]),
];

/// The colour of a class.
pub(super) fn colour(class: &str) -> Option<[u8; 3]> {
    let found = CLASSES.iter().find(|(name, _)| *name == class);
    found.map(|(_, colour)| *colour)
}

/// Whether a folder has photos and labels.
pub(in super::super) fn is_in(dir: &Path) -> bool {
    dir.join("leftImg8bit").is_dir() && dir.join("gtFine").is_dir()
}

/// A hint for a folder with only a part of the data set.
pub(in super::super) fn hint(dir: &Path) -> Option<&'static str> {
    if dir.join("imgsFine").is_dir() {
        return Some(
            " (imgsFine is CVAT's own form of Cityscapes, which is not read: export as COCO or as a segmentation mask)",
        );
    }
    dir.join("leftImg8bit")
        .is_dir()
        .then_some(" (leftImg8bit is there: unpack gtFine_trainvaltest.zip beside it)")
}

/// Whether one of the first files of the splits' label folders has a name with this end.
fn holds(dir: &Path, end: &str) -> bool {
    is_among(LOOKED_AT, dir, end)
}

/// Whether any file there has such a name: some cities may have files that others lack.
fn has_any(dir: &Path, end: &str) -> bool {
    is_among(usize::MAX, dir, end)
}

/// Whether one of so many files of each split's label folder has a name with this end.
fn is_among(count: usize, dir: &Path, end: &str) -> bool {
    let labels = dir.join("gtFine");
    let has_end = |path: &Path| {
        path.as_os_str()
            .as_encoded_bytes()
            .ends_with(end.as_bytes())
    };
    FOLDERS.into_iter().any(|split| {
        let mut files = visible_files(&labels.join(split)).take(count);
        files.any(|path| has_end(&path))
    })
}

/// The end of the names of label files.
fn label_suffix(dir: &Path) -> &'static str {
    if !holds(dir, LABEL_IDS) && holds(dir, TRAIN_IDS) {
        TRAIN_IDS
    } else {
        LABEL_IDS
    }
}

/// Where its splits lie.
pub(in super::super) fn split_places(dir: &Path) -> Vec<Split> {
    let photos = "leftImg8bit";
    let folders = FOLDERS.map(|split| (split, photos));
    let suffix = label_suffix(dir);
    let places = places(dir, folders, |name| Path::new("gtFine").join(name));
    let splits = places.into_iter().map(|split| Split {
        image_suffix: Some("_leftImg8bit.png".to_owned()),
        label_suffix: Some(suffix.to_owned()),
        // File names include the city.
        folders_in_names: false,
        ..split
    });
    splits.collect()
}

/// # Errors
/// Outlines without label files.
pub(in super::super) fn contents(dir: &Path) -> Result<Contents, DataError> {
    let suffix = label_suffix(dir);
    if !holds(dir, suffix) && holds(dir, POLYGONS) && !has_any(dir, suffix) {
        let reason = "has outlines, but no label files: make them with `csCreateTrainIdLabelImgs` of the Python package \
                      cityscapesscripts, with CITYSCAPES_DATASET set to this folder";
        return Err(DataError::description(dir, reason));
    }
    let class: fn(u16) -> Option<u16> = if suffix == TRAIN_IDS { train_id } else { class };
    Ok(Contents {
        name: None,
        classes: ClassTable::new(CLASSES.map(|(name, _)| name.to_owned()).to_vec()),
        mapping: LabelMapping::new(class),
        splits: whole(split_places(dir)),
    })
}

/// The class of a stored train id; ids that are not scored are 255.
fn train_id(raw: u16) -> Option<u16> {
    match raw {
        0..=18 => Some(raw),
        255 => Some(IGNORE),
        _ => None,
    }
}

/// The train id of a label id; ids that are not scored are ignored.
fn class(raw: u16) -> Option<u16> {
    if raw >= ALL_IDS && raw != 255 {
        return None;
    }
    let class = IDS.iter().position(|id| *id == raw);
    Some(class.map_or(IGNORE, |class| class as u16))
}
