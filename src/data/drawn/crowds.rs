//! Annotations of crowds in COCO files. They are ignored, as their outlines hold other things as well.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::classes::ClassTable;
use super::unused::Unused;

/// The crowds of a file.
#[derive(Default)]
pub(super) struct Crowds {
    ignored: Unused,
    /// Whether all annotations of a class are crowds.
    only: BTreeMap<u16, bool>,
}

impl Crowds {
    /// Counts an annotation with this class; `name` is its name in the line about crowds.
    pub(super) fn count(
        &mut self,
        class: Option<&u16>,
        is_crowd: bool,
        name: impl FnOnce() -> String,
    ) {
        if let Some(class) = class {
            *self.only.entry(*class).or_insert(true) &= is_crowd;
        }
        if is_crowd {
            self.ignored.add(name);
        }
    }

    /// The line about the crowds of the file at `path`; `None` if there are none.
    pub(super) fn note(&self, path: &Path) -> Option<String> {
        let words = [
            "annotation is a crowd and ignored",
            "annotations are crowds and ignored",
        ];
        self.ignored.fault(path, words)
    }

    /// One line per class of which the file has only crowds, as one that is meant to be ignored may.
    pub(super) fn classes(&self, path: &Path, classes: &ClassTable) -> Vec<String> {
        let only = self.only.iter().filter(|(_, only)| **only);
        only.map(|(class, _)| {
            let (path, name) = (path.display(), classes.name(usize::from(*class)));
            format!(
                "{path}: every annotation of the class {name} is a crowd and ignored: if it is meant as a class, set \
                 iscrowd to 0"
            )
        })
        .collect()
    }
}
