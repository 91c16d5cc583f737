//! One table of the classes of two models.

use super::Side;
use crate::data::{ClassTable, Truth};
use crate::encoding::Centroids;
use crate::format::some_of;
use crate::labels::{IGNORE, LabelMap};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// The classes of two models, matched by name in any letter case, as [`ClassTable::find`] does: those of
/// the first in their order, then those that only the second has. No two classes of one model are one class here.
#[derive(Clone, Debug, PartialEq)]
pub struct JointClasses {
    table: ClassTable,
    /// The number of the first model's classes.
    first: usize,
    /// The index in the table of every class of the second model.
    second: Vec<u16>,
}

impl JointClasses {
    /// Joins the classes of two models; `None` if they are too many for a label map.
    pub fn new(a: &[String], b: &[String]) -> Option<Self> {
        let [mut names, b] = [a, b].map(|names| ClassTable::new(names.to_vec()).names);
        let first = names.len();
        let known: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
        // Of several that differ by letter case alone, the first that no other class has.
        let mut in_any_case: HashMap<String, Vec<usize>> = HashMap::new();
        for (name, at) in names.iter().zip(0..) {
            in_any_case.entry(name.to_lowercase()).or_default().push(at);
        }
        let exact = b.iter().filter_map(|name| known.get(name));
        let mut taken: HashSet<usize> = exact.copied().collect();
        let mut second = Vec::with_capacity(b.len());
        for name in b {
            let alike = in_any_case.get(&name.trim().to_lowercase());
            let mut alike = alike.into_iter().flatten();
            let found = known.get(&name);
            let found = found.or_else(|| alike.find(|at| !taken.contains(at)));
            let found = found.copied();
            taken.extend(found);
            second.push(found.unwrap_or(names.len()) as u16);
            if found.is_none() {
                names.push(name);
            }
        }
        (names.len() <= usize::from(IGNORE)).then_some(Self {
            table: ClassTable { names },
            first,
            second,
        })
    }

    pub fn names(&self) -> &[String] {
        &self.table.names
    }

    /// What to say of the classes that one model lacks, on one line; `None` if both have the same.
    pub fn unshared(&self) -> Option<String> {
        let (of_a, of_b) = self.names().split_at(self.first);
        let shared: HashSet<u16> = self.second.iter().copied().collect();
        let only_a = (0..).zip(of_a).filter(|(at, _)| !shared.contains(at));
        let only_a: Vec<&str> = only_a.map(|(_, name)| name.as_str()).collect();
        if only_a.len() == self.first {
            return Some("The models share no class, so that all pixels differ.".to_owned());
        }
        let only_b: Vec<&str> = of_b.iter().map(String::as_str).collect();
        let sides = [("A", only_a), ("B", only_b)].into_iter();
        let sides = sides.filter(|(_, names)| !names.is_empty());
        let parts = sides.map(|(side, names)| format!("Only {side} has {}.", some_of(&names)));
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// The colours of all classes: those of the first model, which its own pictures have, and for the classes that
    /// only the second has new ones that differ from these. `first` may go on with colours of other classes.
    pub fn colours(&self, first: &[[u8; 3]]) -> Vec<[u8; 3]> {
        let mut colours = first.to_vec();
        colours.resize(self.first, [0; 3]);
        let added = self.table.len() - self.first;
        if added == 0 {
            return colours;
        }
        let gap = |one: &[u8; 3], other: &[u8; 3]| -> u32 {
            let axes = one.iter().zip(other);
            axes.map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
        };
        let mut new = Centroids::kronecker(self.table.len()).colours();
        // Those farthest from the first model's come first. One that it has already is among the last.
        new.sort_by_cached_key(|colour| {
            let gaps = colours.iter().map(|known| gap(colour, known));
            Reverse(gaps.min())
        });
        colours.extend(new.into_iter().take(added));
        colours
    }

    /// The index in the table of a class of one model; [`IGNORE`] is kept.
    pub fn index(&self, side: Side, class: u16) -> u16 {
        match side {
            Side::A if usize::from(class) < self.first => class,
            Side::A => IGNORE,
            Side::B => {
                let index = self.second.get(usize::from(class));
                index.copied().unwrap_or(IGNORE)
            }
        }
    }

    /// The labels of one model as indices of the table.
    pub fn labels(&self, side: Side, mut labels: Vec<u16>) -> Vec<u16> {
        for label in &mut labels {
            *label = self.index(side, *label);
        }
        labels
    }

    /// The labels of a data set with these classes, as indices of the table.
    pub fn truth(&self, labels: LabelMap, classes: &[String]) -> Truth {
        Truth::new(labels, classes, &self.table)
    }

    /// The labels of a photo in the classes of one model, as indices of the table.
    pub fn truth_of(&self, side: Side, truth: &Truth) -> Truth {
        let mut known = vec![false; self.table.len()];
        for (class, _) in (0..).zip(&truth.known).filter(|(_, known)| **known) {
            if let Some(known) = known.get_mut(usize::from(self.index(side, class))) {
                *known = true;
            }
        }
        let mut labels = truth.labels.clone();
        labels.data = self.labels(side, labels.data);
        Truth { labels, known }
    }
}
