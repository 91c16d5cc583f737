//! Which classes a mask shows, under which names, and how small its regions may be.

use super::regions::absorb_small;
use crate::data::ClassTable;
use crate::labels::IGNORE;
use crate::spelling;
use std::str::FromStr;

/// A class that is not in the table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model has no class {wanted:?}: {}", hint(.nearest.as_deref()))]
pub struct UnknownClass {
    /// The name as given.
    pub wanted: String,
    /// The most similar known name, if one is near.
    pub nearest: Option<String>,
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None => "give a name, or an index, that `flowseg models MODEL` lists".to_owned(),
    }
}

/// Classes to merge into one, written `a,b=c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The merged classes.
    pub from: Vec<String>,
    /// A class of the table, or a new name for the first of the merged classes.
    pub into: String,
}

impl FromStr for Merge {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write the classes that become one, and its name: car,truck=vehicle";
        let (from, into) = text.rsplit_once('=').ok_or(FORM)?;
        let names = from.split(',').map(str::trim);
        let from: Vec<String> = names.map(str::to_owned).collect();
        let into = into.trim().to_owned();
        if into.is_empty() || from.iter().any(String::is_empty) {
            Err(FORM)
        } else {
            Ok(Self { from, into })
        }
    }
}

/// The classes that masks show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The names after all merges, distinct, by the model's class index. A class that was merged into
    /// another keeps its name here and has no pixels.
    names: Vec<String>,
    /// What the pixels of every class become: a class, or [`IGNORE`].
    targets: Vec<u16>,
    /// Connected regions of fewer pixels are absorbed by their neighbours.
    least: usize,
}

impl Selection {
    /// All classes of a table, unchanged.
    pub fn all(classes: &[String]) -> Self {
        Self {
            names: ClassTable::new(classes.to_vec()).names,
            targets: (0..classes.len()).map(|class| class as u16).collect(),
            least: 0,
        }
    }

    /// Merges classes.
    ///
    /// # Errors
    /// A class that is not in the table.
    pub fn merge(mut self, merge: &Merge) -> Result<Self, UnknownClass> {
        let from = self.classes(&merge.from)?;
        let into = match self.class(&merge.into) {
            Ok(known) => known,
            Err(unknown) => {
                let Some(&first) = from.first() else {
                    return Err(unknown);
                };
                self.names[usize::from(first)].clone_from(&merge.into);
                first
            }
        };
        for target in &mut self.targets {
            if from.contains(target) {
                *target = into;
            }
        }
        Ok(self)
    }

    /// Keeps only these classes.
    ///
    /// # Errors
    /// A class that is not in the table, after the merges so far.
    pub fn keep(mut self, names: &[String]) -> Result<Self, UnknownClass> {
        let kept = self.classes(names)?;
        for target in &mut self.targets {
            if !kept.contains(target) {
                *target = IGNORE;
            }
        }
        Ok(self)
    }

    /// Lets regions of fewer than `least` pixels be absorbed by their neighbours.
    pub fn at_least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// The indices of classes, by name: the items of a list that was cut at its commas, also at those of a name.
    ///
    /// # Errors
    /// A class that is not in the table.
    pub fn classes(&self, names: &[String]) -> Result<Vec<u16>, UnknownClass> {
        let mut classes = Vec::new();
        let mut rest = names;
        while let Some(name) = rest.first() {
            let (class, items) = match self.joined(rest) {
                Some(found) => found,
                None => (self.class(name)?, 1),
            };
            classes.push(class);
            rest = rest.get(items..).unwrap_or_default();
        }
        Ok(classes)
    }

    /// The class with the longest name that has commas and is at the start of a list that was cut there, in any letter
    /// case, and of how many items it is.
    fn joined(&self, list: &[String]) -> Option<(u16, usize)> {
        let is_same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
        let found = self.names.iter().enumerate().filter_map(|(class, name)| {
            let parts = name.split(',').count();
            let mut pairs = name.split(',').zip(list);
            let is_start = parts > 1 && parts <= list.len() && pairs.all(|(a, b)| is_same(a, b));
            is_start.then_some((class, parts))
        });
        let (class, parts) = found.max_by_key(|(_, parts)| *parts)?;
        Some((self.merged(class), parts))
    }

    /// The class that the pixels of a class have: of a merged one, the class it went into.
    fn merged(&self, class: usize) -> u16 {
        match self.targets.get(class) {
            Some(&target) if target != IGNORE => target,
            _ => class as u16,
        }
    }

    /// The index of a class, by its name in any letter case or by its index in digits.
    ///
    /// # Errors
    /// A class that is not in the table.
    pub fn class(&self, wanted: &str) -> Result<u16, UnknownClass> {
        let lower = wanted.trim().to_lowercase();
        let named = |test: &dyn Fn(&str) -> bool| self.names.iter().position(|name| test(name));
        let found = named(&|name| name == wanted)
            .or_else(|| named(&|name| name.to_lowercase() == lower))
            .or_else(|| lower.parse().ok().filter(|&at| at < self.names.len()));
        if let Some(class) = found {
            return Ok(self.merged(class));
        }
        let names = self.names.iter().map(String::as_str);
        Err(UnknownClass {
            wanted: wanted.to_owned(),
            nearest: spelling::nearest(wanted, names).map(str::to_owned),
        })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The classes that pixels may have, in ascending order.
    pub fn kept(&self) -> Vec<u16> {
        let mut kept = self.targets.clone();
        kept.sort_unstable();
        kept.dedup();
        kept.retain(|&class| class != IGNORE);
        kept
    }

    /// Applies the selection to a label map `[height, width]`.
    pub fn apply(&self, labels: &mut [u16], width: usize) {
        self.choose(labels);
        if self.least > 1 {
            absorb_small(labels, width, self.least);
        }
    }

    /// Merges and chooses classes, and keeps regions of any size. Labels to which this was applied stay as they are.
    pub fn choose(&self, labels: &mut [u16]) {
        for label in labels.iter_mut() {
            *label = self
                .targets
                .get(usize::from(*label))
                .copied()
                .unwrap_or(IGNORE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn table() -> Selection {
        Selection::all(&names(&["sky", "car", "truck", "person", "person"]))
    }

    #[test]
    fn merges_come_before_the_choice_and_small_regions_last() {
        let selection = table()
            .merge(&"car, truck=vehicle".parse().unwrap())
            .unwrap();
        assert_eq!(selection.names()[1..3], names(&["vehicle", "truck"]));
        assert_eq!(selection.kept(), [0, 1, 3, 4]);
        let selection = selection.keep(&names(&["Vehicle", "3"])).unwrap();
        assert_eq!(selection.kept(), [1, 3]);
        let mut labels = vec![0, 1, 2, 2, 3, 4, 4, 4];
        selection.apply(&mut labels, 8);
        assert_eq!(labels, [IGNORE, 1, 1, 1, 3, IGNORE, IGNORE, IGNORE]);
        let mut labels = vec![1, 2, 2, 3, 4, 4];
        let selection = selection.at_least(2);
        selection.apply(&mut labels, 6);
        assert_eq!(labels, [1, 1, 1, 1, IGNORE, IGNORE]);
        let mut labels = vec![1, 3, 255, 1];
        selection.choose(&mut labels);
        assert_eq!(labels, [1, 3, IGNORE, 1]);
    }

    #[test]
    fn a_class_is_found_where_it_went() {
        let merged = table().merge(&"truck=car".parse().unwrap()).unwrap();
        assert_eq!(merged.names()[1], "car");
        assert_eq!(merged.classes(&names(&["truck", "car"])).unwrap(), [1, 1]);
        let again = merged.merge(&"car=sky".parse().unwrap()).unwrap();
        assert_eq!(again.kept(), [0, 3, 4]);
    }

    #[test]
    fn names_may_have_commas() {
        let table = || Selection::all(&names(&["Straße", "Straße, nass", "Auto", "a,b,c"]));
        let found = |list: &str| {
            let list: Vec<String> = list.split(',').map(str::to_owned).collect();
            table().classes(&list).map_err(|error| error.to_string())
        };
        assert_eq!(found("Auto,straße, Nass,0"), Ok(vec![2, 1, 0]));
        assert_eq!(found("Straße,Auto,a, b,c"), Ok(vec![0, 2, 3]));
        let error = found("Auto,fern,nass").unwrap_err();
        assert!(
            error.contains("\"fern\": give a name, or an index"),
            "{error}"
        );
        let merged = table().merge(&"Straße, nass,Auto=x".parse().unwrap());
        assert_eq!(merged.unwrap().kept(), [0, 1, 3]);
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        for (wanted, nearest) in [("Trcuk", "truck"), ("persn", "person")] {
            let error = table().keep(&names(&[wanted])).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
            assert!(error.to_string().contains(nearest), "{error}");
        }
        for wanted in ["99", "", "bicycle"] {
            let error = table().keep(&names(&[wanted])).unwrap_err();
            assert_eq!(error.nearest, None, "{error}");
        }
        let merge = "sky,cra=all".parse().unwrap();
        let error = table().merge(&merge).unwrap_err().to_string();
        assert!(
            error.contains("\"cra\"") && error.contains("\"car\""),
            "{error}"
        );
        for text in ["", "a,b", "a,=c", "a=", "=c"] {
            let form = text.parse::<Merge>().unwrap_err();
            assert!(form.contains("car,truck=vehicle"), "{text}: {form}");
        }
        let unknown = Selection::all(&[]).keep(&names(&["sky"])).unwrap_err();
        assert_eq!(unknown.wanted, "sky");
    }
}
