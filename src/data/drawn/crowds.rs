//! Annotations of crowds in COCO files. They are ignored, as their outlines hold other things as well.
//!
//! Some programs mark every annotation with run lengths so, whatever it shows. Those of CVAT are known by their
//! attributes; for others, a setting says what is meant.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::classes::ClassTable;
use super::super::split::Files;
use super::unused::Unused;

/// Largest usual share of crowds: one in so many annotations. COCO's own files have one in eighty.
const USUAL: usize = 20;
/// What to do about crowds that may be none, to follow a line about them.
const REMEDY: &str = "some programs mark every annotation with run lengths so: write crowds = \"class\" into \
    dataset.toml to give them their classes, or crowds = \"ignore\" if they are crowds";

/// What a setting says of annotations that are marked as crowds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Marked {
    /// They have the class of their category.
    Class,
    /// They are crowds, which are ignored.
    Ignore,
}

impl Marked {
    /// Whether an annotation that is marked as a crowd, by CVAT or by another program, is one; `said` is the setting.
    pub(super) fn is_crowd(said: Option<Self>, is_by_cvat: bool) -> bool {
        match said {
            Some(said) => said == Self::Ignore,
            None => !is_by_cvat,
        }
    }
}

/// The crowds of a file.
#[derive(Default)]
pub(super) struct Crowds {
    ignored: Unused,
    annotations: usize,
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
        self.annotations += 1;
        if let Some(class) = class {
            *self.only.entry(*class).or_insert(true) &= is_crowd;
        }
        if is_crowd {
            self.ignored.add(name);
        }
    }

    /// Adds a line about the crowds of the file at `path`, and one about each class of `table`, if given, of which it has
    /// only crowds. They are faults where the annotations may be no crowds and the setting, `said`, does not say that
    /// they are.
    pub(super) fn tell(
        &self,
        path: &Path,
        table: Option<&ClassTable>,
        said: Option<Marked>,
        files: &mut Files,
    ) {
        let words = [
            "annotation is a crowd and ignored",
            "annotations are crowds and ignored",
        ];
        let Some(line) = self.ignored.fault(path, words) else {
            return;
        };
        let only = table.map_or_else(Vec::new, |table| self.classes(path, table));
        let count = self.ignored.count;
        // A single crowd is no sign of how a program marks its annotations.
        let are_many = count > 1 && count * USUAL > self.annotations;
        if said.is_none() && (are_many || !only.is_empty()) {
            files.faults.push(format!("{line}: {REMEDY}"));
            files.faults.extend(only);
        } else {
            files.notes.push(line);
            files.notes.extend(only);
        }
    }

    /// One line per class of which the file has only crowds.
    fn classes(&self, path: &Path, table: &ClassTable) -> Vec<String> {
        let only = self.only.iter().filter(|(_, only)| **only);
        only.map(|(class, _)| {
            let (path, name) = (path.display(), table.name(usize::from(*class)));
            format!("{path}: every annotation of the class {name} is a crowd and ignored")
        })
        .collect()
    }
}
