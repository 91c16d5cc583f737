//! Pascal VOC: `JPEGImages`, `SegmentationClass` and the lists of names in `ImageSets/Segmentation`, in
//! the folder itself or in `VOC2012` or `VOCdevkit/VOC2012` below it; palette indices 0..=20 are the
//! classes, and 255 marks outlines and difficult objects.

use std::path::{Path, PathBuf};

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::mapping::LabelMapping;
use super::super::split::Split;
use crate::labels::IGNORE;

pub(super) const COUNT: usize = 21;
const CLASSES: [&str; COUNT] = [
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
/// The folder of the splits' lists.
const LISTS: &str = "ImageSets/Segmentation";

/// The folder that holds `JPEGImages`, given the year's folder or the archive's.
pub(in super::super) fn root(dir: &Path) -> Option<PathBuf> {
    ["", "VOC2012", "VOCdevkit/VOC2012"]
        .map(|below| dir.join(below))
        .into_iter()
        .find(|root| {
            ["JPEGImages", "SegmentationClass", LISTS]
                .iter()
                .all(|folder| root.join(folder).is_dir())
        })
}

/// All splits share their folders; lists of names distinguish them.
pub(in super::super) fn contents(root: &Path) -> Contents {
    let split = |(name, list): (&str, &str)| Split {
        name: name.to_owned(),
        images: root.join("JPEGImages"),
        labels: root.join("SegmentationClass"),
        list: Some(root.join(LISTS).join(format!("{list}.txt"))),
        ..Split::default()
    };
    let lists = [
        ("training", "train"),
        ("validation", "val"),
        ("test", "test"),
    ];
    let listed = |split: &Split| split.list.as_ref().is_some_and(|list| list.is_file());
    Contents {
        name: None,
        classes: ClassTable::new(CLASSES.map(str::to_owned).to_vec()),
        mapping: LabelMapping::new(class),
        splits: lists.into_iter().map(split).filter(listed).collect(),
    }
}

fn class(raw: u16) -> Option<u16> {
    match raw {
        0..=20 => Some(raw),
        255 => Some(IGNORE),
        _ => None,
    }
}

/// The colour of a class, whose name may contain blanks: the bits of its index, three at a time, fill
/// the channels from the highest bit down.
pub(super) fn colour(class: &str) -> Option<[u8; 3]> {
    let class = class.replace(' ', "");
    let index = CLASSES.iter().position(|name| *name == class)?;
    let mut colour = [0u8; 3];
    for place in 0..8 {
        for (channel, value) in colour.iter_mut().enumerate() {
            let bit = index >> (3 * place + channel) & 1;
            *value |= (bit as u8) << (7 - place);
        }
    }
    Some(colour)
}

#[cfg(test)]
mod tests {
    use super::super::published_colours;
    use super::*;

    #[test]
    fn the_rule_gives_the_published_palette() {
        let names = CLASSES.map(str::to_owned);
        let colours = published_colours(&names).unwrap();
        // Background, aeroplane, bicycle, person and monitor.
        let known = [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
        ];
        for (class, colour) in known {
            assert_eq!(colours[class], colour);
        }
    }
}
