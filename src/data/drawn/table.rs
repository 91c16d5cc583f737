//! The classes of data sets whose labels are drawn, and the class of unannotated pixels.

use std::path::Path;

use super::super::classes::ClassTable;
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::canvas::UNANNOTATED;
use crate::labels::IGNORE;

/// Labelme's name for ignored pixels.
const IGNORED: &str = "__ignore__";
/// Names for the background, in lower case.
const BACKGROUND: [&str; 3] = ["background", "_background_", "__background__"];

/// The class of pixels without a shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) enum Unlabelled {
    /// The class that the files call background, or a new class of that name at index 0.
    #[default]
    Background,
    Ignored,
    /// The class with this name, or a new one at index 0.
    Class(String),
}

/// The classes of a file or folder.
#[derive(Debug)]
pub(super) struct Table {
    pub classes: ClassTable,
    pub mapping: LabelMapping,
    /// The class of each given name, in order; [`IGNORE`] for Labelme's `__ignore__`.
    pub indices: Vec<u16>,
}

impl Table {
    /// The table of the names that shapes have. Names that differ only in letter case and spaces are one class; an
    /// empty name becomes `class N`. With `covered`, every pixel is annotated and no background is
    /// added.
    ///
    /// # Errors
    /// No name, or too many.
    pub(super) fn new(
        path: &Path,
        names: &[String],
        unlabelled: &Unlabelled,
        covered: bool,
    ) -> Result<Self, DataError> {
        let key = |name: &str| name.to_lowercase();
        Self::keyed(path, &tidied(names), key, unlabelled, covered)
    }

    /// The table of the names of classes that shapes have by number. Each is a class of its own, as in a
    /// [`ClassTable`]; an empty name becomes `class N`.
    ///
    /// # Errors
    /// No name, or too many.
    pub(super) fn numbered(
        path: &Path,
        names: &[String],
        unlabelled: &Unlabelled,
    ) -> Result<Self, DataError> {
        let names = ClassTable::new(tidied(names)).names;
        Self::keyed(path, &names, str::to_owned, unlabelled, false)
    }

    /// The table of tidied names, of which those with the same key are one class.
    fn keyed(
        path: &Path,
        tidied: &[String],
        key: impl Fn(&str) -> String,
        unlabelled: &Unlabelled,
        covered: bool,
    ) -> Result<Self, DataError> {
        let mut list: Vec<String> = Vec::new();
        let mut known = std::collections::HashMap::new();
        let mut add = |name: &str, list: &mut Vec<String>| {
            *known.entry(key(name)).or_insert_with(|| {
                list.push(name.to_owned());
                list.len() - 1
            })
        };
        let named = |accepted: &dyn Fn(&str) -> bool| {
            tidied.iter().find(|name| accepted(&name.to_lowercase()))
        };
        let (found, new) = match unlabelled {
            Unlabelled::Background => (named(&|name| BACKGROUND.contains(&name)), BACKGROUND[0]),
            Unlabelled::Class(wanted) => {
                let lower = wanted.to_lowercase();
                (named(&|name| name == lower), wanted.as_str())
            }
            Unlabelled::Ignored => (None, ""),
        };
        let adds = found.is_none() && *unlabelled != Unlabelled::Ignored && !covered;
        if adds {
            add(new, &mut list);
        }
        let places: Vec<Option<usize>> = tidied
            .iter()
            .map(|name| (name.to_lowercase() != IGNORED).then(|| add(name, &mut list)))
            .collect();
        let unannotated = match found {
            Some(name) => Some(add(name, &mut list)),
            None => adds.then_some(0),
        };
        let classes = ClassTable::checked(path, list)?;
        // The table is checked to fit 16 bits.
        let index = |place: Option<usize>| place.map_or(IGNORE, |place| place as u16);
        let (count, unannotated) = (classes.len(), index(unannotated));
        let mapping = LabelMapping::new(|raw| match raw {
            UNANNOTATED => Some(unannotated),
            IGNORE => Some(IGNORE),
            raw => (usize::from(raw) < count).then_some(raw),
        });
        Ok(Self {
            classes,
            mapping,
            indices: places.into_iter().map(index).collect(),
        })
    }
}

/// The names with single spaces, and `class N` for an empty one.
fn tidied(names: &[String]) -> Vec<String> {
    let tidy = |(at, name): (usize, &String)| {
        let words: Vec<&str> = name.split_whitespace().collect();
        if words.is_empty() {
            format!("class {at}")
        } else {
            words.join(" ")
        }
    };
    names.iter().enumerate().map(tidy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str], unlabelled: Unlabelled, covered: bool) -> (String, Vec<u16>, u16) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let table = Table::new(Path::new("x"), &names, &unlabelled, covered).unwrap();
        let unannotated = table.mapping.class(UNANNOTATED, 16).unwrap();
        (table.classes.names.join(","), table.indices, unannotated)
    }

    #[test]
    fn unannotated_pixels_are_background_unless_said_otherwise() {
        let of = |text: &str, indices: &[u16], unannotated| {
            (text.to_owned(), indices.to_vec(), unannotated)
        };
        let plain = Unlabelled::Background;
        assert_eq!(
            table(&["cat", "dog", "Cat "], plain.clone(), false),
            of("background,cat,dog", &[1, 2, 1], 0)
        );
        assert_eq!(
            table(&["__ignore__", "cat", "_Background_"], plain.clone(), false),
            of("cat,_Background_", &[IGNORE, 0, 1], 1)
        );
        assert_eq!(
            table(&["cat"], Unlabelled::Ignored, false),
            of("cat", &[0], IGNORE)
        );
        assert_eq!(
            table(&["sky", ""], plain, true),
            of("sky,class 1", &[0, 1], IGNORE)
        );
        let road = Unlabelled::Class("Road".to_owned());
        assert_eq!(
            table(&["a", "road"], road.clone(), false),
            of("a,road", &[0, 1], 1)
        );
        assert_eq!(table(&["a"], road, false), of("Road,a", &[1], 0));
    }

    #[test]
    fn numbered_classes_stay_apart_under_the_same_name() {
        let names = ["cat", "Cat", "dog", "cat "].map(str::to_owned);
        let table = Table::numbered(Path::new("x"), &names, &Unlabelled::Background).unwrap();
        let expected = ["background", "cat", "Cat", "dog", "cat (2)"];
        assert_eq!(table.classes.names, expected);
        assert_eq!(table.indices, [1, 2, 3, 4]);
        // The background is one of them, by its name in any letter case.
        let names = ["Background", "cat", "cat"].map(str::to_owned);
        let table = Table::numbered(Path::new("x"), &names, &Unlabelled::Background).unwrap();
        assert_eq!(table.classes.names, ["Background", "cat", "cat (2)"]);
        assert_eq!(table.mapping.class(UNANNOTATED, 16), Some(0));
    }
}
