//! Finds the labels of a photo in a data set's folder, and matches their classes with those of a model.

use std::path::Path;

use super::classes::ClassTable;
use super::layout::{self, Layout};
use super::pair::load_pair;
use super::split::Split;
use crate::labels::{IGNORE, LabelMap};

/// Maximum number of folders between a photo and its data set's root.
const DEPTH: usize = 5;

/// The labels of a photo as indices of another class table than their own, such as a model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// The labels; classes that are not in the table are [`IGNORE`].
    pub labels: LabelMap,
    /// For every class of the table, whether the labels' own table has it. The others count in no mean.
    pub known: Vec<bool>,
}

impl Truth {
    /// Labels with the class table `own` as indices of `table`, where classes are matched by name in any letter
    /// case, as [`ClassTable::find`] does.
    pub fn new(mut labels: LabelMap, own: &[String], table: &ClassTable) -> Self {
        let indices: Vec<Option<u16>> = if table.names == own {
            (0..own.len()).map(|at| u16::try_from(at).ok()).collect()
        } else {
            own.iter().map(|name| table.find(name)).collect()
        };
        let mut known = vec![false; table.len()];
        for &index in indices.iter().flatten() {
            known[usize::from(index)] = true;
        }
        for label in &mut labels.data {
            let index = indices.get(usize::from(*label)).copied().flatten();
            *label = index.unwrap_or(IGNORE);
        }
        Self { labels, known }
    }

    /// These labels, and those of `other`, of the same photo and table, where these are [`IGNORE`].
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        for (label, other) in self.labels.data.iter_mut().zip(&other.labels.data) {
            if *label == IGNORE {
                *label = *other;
            }
        }
        for (known, other) in self.known.iter_mut().zip(&other.known) {
            *known |= other;
        }
        self
    }
}

/// The labels of a photo, as indices of a model's classes, if a folder above it is a data set with one of these
/// classes and label files. Only the folders of the photo and of its labels are listed.
pub fn labels_of(photo: &Path, classes: &[String]) -> Option<Truth> {
    let table = ClassTable::new(classes.to_vec());
    let known = |own: &[String]| own.iter().any(|name| table.find(name).is_some());
    let (labels, own) = labels_and_classes(photo, known)?;
    Some(Truth::new(labels, &own, &table))
}

/// The labels and class names of a photo if a folder above it is a data set in a known layout whose
/// classes are `wanted`. Of a photo behind a symbolic link, the folders above the link come first. Only the folders of
/// the photo and of its labels are listed.
pub fn labels_and_classes(
    photo: &Path,
    wanted: impl Fn(&[String]) -> bool,
) -> Option<(LabelMap, Vec<String>)> {
    let real = dunce::canonicalize(photo).ok()?;
    let named = std::path::absolute(photo).ok();
    let named = named.filter(|named| *named != real);
    let as_named = named.and_then(|named| labels_below(&named, &wanted, Some));
    as_named.or_else(|| {
        // The data set's folders may be links as well.
        labels_below(&real, &wanted, |split| {
            let images = dunce::canonicalize(&split.images).ok()?;
            let labels = dunce::canonicalize(&split.labels).ok()?;
            Some(Split {
                images,
                labels,
                ..split
            })
        })
    })
}

/// [`labels_and_classes`] for the folders above a photo's absolute path, with the folders of splits as `resolved`.
fn labels_below(
    photo: &Path,
    wanted: impl Fn(&[String]) -> bool,
    resolved: impl Fn(Split) -> Option<Split>,
) -> Option<(LabelMap, Vec<String>)> {
    let mut roots = photo.ancestors().skip(1).take(DEPTH);
    let contents = roots.find_map(|root| {
        let found = layout::detect_files(root).ok()?;
        // Outlines beside folders of masks count before them, and have other classes.
        if found == Layout::Plain && layout::detect(root).ok()? != found {
            return None;
        }
        found.describe(root).ok()
    })?;
    let classes = contents.classes.names;
    if !wanted(&classes) {
        return None;
    }
    let mut splits = contents.splits.into_iter();
    let pair = splits.find_map(|split| resolved(split)?.pair_of(photo))?;
    let sample = load_pair(&pair, &contents.mapping, classes.len()).ok()?;
    Some((sample.labels, classes))
}
