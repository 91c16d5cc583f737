//! Masks of black and white: labels of two classes whose only values are 0 and 255. The 255 is meant as the second
//! class but means "ignored", so that every labelled pixel has the first class and every score is 100 %.
//!
//! A `dataset.toml` that describes a whole data set says itself which values are ignored; its labels are none.

use rayon::prelude::*;

use super::classes::ClassTable;
use super::mapping::LabelMapping;
use super::pair::raw_labels;
use super::split::Pair;
use crate::labels::IGNORE;

/// What is wrong with the labels of a split, and what to do, in one line; `None` if they are no such masks. `pixels`
/// are its pixels of each class.
///
/// Label files are only read if the second of two classes has no pixel.
pub(super) fn fault(
    split: &str,
    pairs: &[Pair],
    mapping: &LabelMapping,
    classes: &ClassTable,
    pixels: &[u64],
) -> Option<String> {
    let (&[black, 0], [_, second]) = (pixels, classes.names.as_slice()) else {
        return None;
    };
    let is_ignored = |raw| mapping.class(raw, 8) == Some(IGNORE);
    if black == 0 || mapping.class(0, 8) != Some(0) || (0..255).any(is_ignored) {
        return None;
    }
    let white = pairs
        .par_iter()
        .find_map_any(|pair| ignored_value(pair, mapping))?;
    Some(format!(
        "the labels of the {split} split hold only 0 and {white}, and {white} means \"ignored\", so that no pixel \
         has the class {second}: write 1 instead of {white} into them, or map = {{ {white} = {second:?} }} into \
         dataset.toml"
    ))
}

/// A value in a label file that means "ignored".
fn ignored_value(pair: &Pair, mapping: &LabelMapping) -> Option<u16> {
    if pair.drawing.is_some() {
        return None;
    }
    let raw = raw_labels(pair).ok()?;
    let is_ignored = |value: &u16| mapping.class(*value, raw.bits) == Some(IGNORE);
    raw.data.iter().copied().find(is_ignored)
}
