//! Cityscapes: `leftImg8bit/{train,val,test}/CITY/NAME_leftImg8bit.png` and
//! `gtFine/{train,val,test}/CITY/NAME_gtFine_labelIds.png`; of the 34 label ids, 19 are scored, and
//! their train ids are the classes.

use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::{Contents, places, whole};
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use crate::labels::IGNORE;

/// Number of scored classes.
pub(super) const COUNT: usize = 19;
/// The label ids in the files, in the order of the train ids.
const IDS: [u16; COUNT] = [
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
];
/// The label ids are 0 to 33; -1, the licence plate, is stored as 255.
const ALL_IDS: u16 = 34;

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
    dir.join("leftImg8bit")
        .is_dir()
        .then_some(" (leftImg8bit is there: unpack gtFine_trainvaltest.zip beside it)")
}

/// Where its splits lie.
pub(in super::super) fn split_places(dir: &Path) -> Vec<Split> {
    let photos = "leftImg8bit";
    let folders = [("train", photos), ("val", photos), ("test", photos)];
    let places = places(dir, folders, |name| Path::new("gtFine").join(name));
    let splits = places.into_iter().map(|split| Split {
        image_suffix: Some("_leftImg8bit.png".to_owned()),
        label_suffix: "_gtFine_labelIds.png".to_owned(),
        // File names include the city.
        folders_in_names: false,
        ..split
    });
    splits.collect()
}

pub(in super::super) fn contents(dir: &Path) -> Contents {
    Contents {
        name: None,
        classes: ClassTable::new(CLASSES.map(|(name, _)| name.to_owned()).to_vec()),
        mapping: LabelMapping::new(class),
        splits: whole(split_places(dir)),
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
