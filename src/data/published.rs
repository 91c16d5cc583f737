//! Class tables and label values of the data sets that everybody knows.

use std::collections::BTreeMap;
use std::path::Path;

use super::IGNORE;
use super::classes::{ClassTable, read_text};
use super::error::DataError;

const CAMVID: [&str; 11] = [
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "signsymbol",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
];

/// The ids of COCO-Stuff's `labels.txt` (which counts from 1) that no pixel carries: street sign,
/// hat, shoe, eye glasses, plate, mirror, window, desk, door, blender and hair brush.
const COCO_UNUSED: [u16; 11] = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91];
const COCO_IDS: u16 = 182;

/// CamVid in the SegNet form: 11 is the void class.
pub(super) fn camvid_class(raw: u16) -> Option<u16> {
    match raw {
        0..=10 => Some(raw),
        11 | 255 => Some(IGNORE),
        _ => None,
    }
}

/// The names of CamVid's classes, which its folders do not state.
pub(super) fn camvid_classes() -> ClassTable {
    ClassTable::new(CAMVID.map(str::to_owned).to_vec())
}

/// The classes of Cityscapes in the order of their train ids, with the label ids that the files
/// hold (`cityscapesscripts/helpers/labels.py`).
const CITYSCAPES: [(u16, &str); 19] = [
    (7, "road"),
    (8, "sidewalk"),
    (11, "building"),
    (12, "wall"),
    (13, "fence"),
    (17, "pole"),
    (19, "traffic light"),
    (20, "traffic sign"),
    (21, "vegetation"),
    (22, "terrain"),
    (23, "sky"),
    (24, "person"),
    (25, "rider"),
    (26, "car"),
    (27, "truck"),
    (28, "bus"),
    (31, "train"),
    (32, "motorcycle"),
    (33, "bicycle"),
];
/// The label ids of Cityscapes are 0 to 33; -1, the licence plate, is stored as 255.
const CITYSCAPES_IDS: u16 = 34;

const VOC: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// Cityscapes: a label id to its train id; ids that are not scored are ignored.
pub(super) fn cityscapes_class(raw: u16) -> Option<u16> {
    if raw >= CITYSCAPES_IDS && raw != 255 {
        return None;
    }
    let class = CITYSCAPES.iter().position(|(id, _)| *id == raw);
    Some(class.map_or(IGNORE, |class| class as u16))
}

/// The 19 scored classes of Cityscapes.
pub(super) fn cityscapes_classes() -> ClassTable {
    ClassTable::new(CITYSCAPES.map(|(_, name)| name.to_owned()).to_vec())
}

/// Pascal VOC: the palette's index is the class; 255 marks outlines and difficult objects.
pub(super) fn voc_class(raw: u16) -> Option<u16> {
    match raw {
        0..=20 => Some(raw),
        255 => Some(IGNORE),
        _ => None,
    }
}

/// The background and the 20 classes of Pascal VOC.
pub(super) fn voc_classes() -> ClassTable {
    ClassTable::new(VOC.map(str::to_owned).to_vec())
}

/// ADE20K SceneParse150: 0 is "other objects".
pub(super) fn ade20k_class(raw: u16) -> Option<u16> {
    match raw {
        0 => Some(IGNORE),
        1..=150 => Some(raw - 1),
        _ => None,
    }
}

/// COCO-Stuff, whose label files count from 0.
pub(super) fn coco_class(raw: u16) -> Option<u16> {
    match raw {
        255 => Some(IGNORE),
        raw if raw < COCO_IDS => coco_index(raw + 1),
        _ => None,
    }
}

/// The first synonym of each of the 150 rows, whose last tab-separated field holds the names.
pub(super) fn ade20k_classes(path: &Path) -> Result<ClassTable, DataError> {
    if !path.is_file() {
        return Ok(ClassTable::numbered(150));
    }
    let text = read_text(path)?;
    let names: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.rsplit('\t').next())
        .filter_map(|names| names.split([',', ';']).next())
        .map(|name| name.trim().to_owned())
        .collect();
    if names.len() != 150 {
        let reason = format!(
            "names {} classes, 150 numbered lines are expected",
            names.len()
        );
        return Err(DataError::description(path, reason));
    }
    ClassTable::checked(path, names)
}

/// The class index of an id of `labels.txt` (from 1), or `None` for one that is never used.
fn coco_index(id: u16) -> Option<u16> {
    let unused_before = COCO_UNUSED.iter().filter(|&&unused| unused < id).count() as u16;
    (!COCO_UNUSED.contains(&id)).then(|| id - 1 - unused_before)
}

pub(super) fn coco_classes(path: &Path) -> Result<ClassTable, DataError> {
    if !path.is_file() {
        return Ok(ClassTable::numbered(
            usize::from(COCO_IDS) - COCO_UNUSED.len(),
        ));
    }
    let text = read_text(path)?;
    let named: BTreeMap<u16, &str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(id, name)| Some((id.trim().parse().ok()?, name.trim())))
        .collect();
    let used = (1..=COCO_IDS).filter(|id| coco_index(*id).is_some());
    let names = used
        .map(|id| {
            named
                .get(&id)
                .map(|name| (*name).to_owned())
                .ok_or_else(|| {
                    DataError::description(
                        path,
                        format!("id {id} is missing: write \"{id}: NAME\""),
                    )
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    ClassTable::checked(path, names)
}
