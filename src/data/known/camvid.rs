//! CamVid in the form of the SegNet tutorial: `train`, `trainannot`, `val`, `valannot`, `test` and
//! `testannot`; 0..=10 are the classes and 11 is the void class.
//!
//! CVAT and Datumaro write other classes in this form, as coloured labels, with the names and colours in
//! `label_colors.txt`. Data without splits is in `default` and `defaultannot` there. The CamVid of the tutorial may
//! have a file of this name as well, but no coloured labels.

use std::path::Path;

use super::super::classes::ClassTable;
use super::super::contents::{Contents, first_there, in_any_case, whole};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use super::labelmap::{self, Lines};
use crate::labels::IGNORE;

pub(super) const COUNT: usize = 11;
/// The file of other classes and their colours.
const COLOURS: &str = "label_colors.txt";
/// The split of data without splits.
const DEFAULT: &str = "default";
/// The splits, each with the names of its folder, of which the first is that of the tutorial.
const SPLITS: [(&str, &[&str]); 3] = [
    ("training", &["train", "training", DEFAULT]),
    ("validation", &["val", "valid", "validation"]),
    ("test", &["test"]),
];
/// The classes by label, with the tutorial's colours.
const CLASSES: [(&str, [u8; 3]); COUNT] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [60, 40, 222]),
    ("tree", [128, 128, 0]),
    ("signsymbol", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
];

/// The colour of a class. Some copies of the data set shorten "signsymbol".
pub(super) fn colour(class: &str) -> Option<[u8; 3]> {
    let class = if class == "sign" { "signsymbol" } else { class };
    let found = CLASSES.iter().find(|(name, _)| *name == class);
    found.map(|(_, colour)| *colour)
}

/// Whether a folder has at least one split.
pub(in super::super) fn is_in(dir: &Path) -> bool {
    !whole(split_places(dir)).is_empty()
}

/// Where its splits lie.
pub(in super::super) fn split_places(dir: &Path) -> Vec<Split> {
    let has_colours = dir.join(COLOURS).is_file();
    let place = |(name, folders): &(&str, &[&str])| {
        let names = folders
            .iter()
            .filter(|folder| **folder != DEFAULT || has_colours);
        let folders = names.flat_map(|folder| in_any_case(folder)).map(|folder| {
            let labels = format!("{folder}annot");
            [folder, labels].map(|folder| dir.join(folder))
        });
        first_there(name, folders.collect())
    };
    SPLITS.iter().map(place).collect()
}

/// The tutorial's classes, or those of [`COLOURS`] for coloured labels.
///
/// # Errors
/// Classes that cannot be read or are invalid.
pub(in super::super) fn contents(dir: &Path) -> Result<Contents, DataError> {
    let splits = whole(split_places(dir));
    let colours = dir.join(COLOURS);
    if colours.is_file() && splits.iter().any(labelmap::is_coloured) {
        return labelmap::contents(&colours, Lines::CamVid, splits);
    }
    Ok(Contents {
        name: None,
        classes: ClassTable::new(CLASSES.map(|(name, _)| name.to_owned()).to_vec()),
        mapping: LabelMapping::new(class),
        splits,
    })
}

fn class(raw: u16) -> Option<u16> {
    match raw {
        0..=10 => Some(raw),
        11 | 255 => Some(IGNORE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::published_colours;

    #[test]
    fn published_colours_are_found_under_either_name_of_a_class() {
        // In the order of the tutorial's label files, with the names of the project's copy.
        let published =
            "sky building pole road pavement tree signsymbol fence car pedestrian bicyclist";
        for names in [
            published.to_owned(),
            published.replace("signsymbol", "sign"),
        ] {
            let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
            let colours = published_colours(&names).unwrap();
            assert_eq!(colours[4], [60, 40, 222]);
            assert_eq!(colours[6], [192, 128, 128]);
            let mut reversed = names.clone();
            reversed.reverse();
            assert_eq!(published_colours(&reversed).unwrap()[10], [128, 128, 128]);
            assert!(published_colours(&names[1..]).is_none());
        }
    }
}
