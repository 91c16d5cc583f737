//! COCO-Stuff: `{train,val}2017` and `stuffthingmaps/{train,val}2017`; of the values 0..=181, eleven
//! are never used, which leaves 171 classes, and 255 is ignored. `labels.txt` names the classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::{Contents, places, whole};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use crate::labels::IGNORE;
use crate::text_file;

/// The ids in `labels.txt` (which counts from 1) that no pixel has: street sign, hat, shoe, eye
/// glasses, plate, mirror, window, desk, door, blender and hair brush.
const UNUSED: [u16; 11] = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91];
const IDS: u16 = 182;

/// Whether a folder has at least one split.
pub(in super::super) fn is_in(dir: &Path) -> bool {
    ["train2017", "val2017"]
        .iter()
        .any(|split| dir.join(split).is_dir() && dir.join("stuffthingmaps").join(split).is_dir())
}

/// Where its splits lie.
pub(in super::super) fn split_places(dir: &Path) -> Vec<Split> {
    let folders = [("train2017", ""), ("val2017", ""), ("test2017", "")];
    places(dir, folders, |name| Path::new("stuffthingmaps").join(name))
}

/// # Errors
/// `labels.txt` cannot be read or lacks a class.
pub(in super::super) fn contents(dir: &Path) -> Result<Contents, DataError> {
    Ok(Contents {
        name: None,
        classes: classes(&dir.join("labels.txt"))?,
        mapping: LabelMapping::new(class),
        splits: whole(split_places(dir)),
    })
}

/// The class of a label; label files count from 0.
fn class(raw: u16) -> Option<u16> {
    match raw {
        255 => Some(IGNORE),
        raw if raw < IDS => index(raw + 1),
        _ => None,
    }
}

/// The class index of an id, or `None` for one that is never used.
fn index(id: u16) -> Option<u16> {
    let unused_before = UNUSED.iter().filter(|&&unused| unused < id).count() as u16;
    (!UNUSED.contains(&id)).then(|| id - 1 - unused_before)
}

fn classes(path: &Path) -> Result<ClassTable, DataError> {
    if !path.is_file() {
        return Ok(ClassTable::numbered(usize::from(IDS) - UNUSED.len()));
    }
    let text = text_file::read(path)?;
    let named: BTreeMap<u16, &str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(id, name)| Some((id.trim().parse().ok()?, name.trim())))
        .collect();
    let missing = |id: u16| {
        let reason = format!("id {id} is missing: write \"{id}: NAME\"");
        DataError::description(path, reason)
    };
    let used = (1..=IDS).filter(|id| index(*id).is_some());
    let names = used
        .map(|id| {
            let name = named.get(&id).map(|name| (*name).to_owned());
            name.ok_or_else(|| missing(id))
        })
        .collect::<Result<Vec<_>, _>>()?;
    ClassTable::checked(path, names)
}
