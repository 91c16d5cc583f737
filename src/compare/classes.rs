//! One table of the classes of two models.

use super::Side;
use crate::data::{ClassTable, Truth};
use crate::encoding::Centroids;
use crate::labels::{IGNORE, LabelMap};
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

    /// The colours of all classes: `first`, the first model's own, or distinct new ones if the second
    /// model adds classes.
    pub fn colours(&self, first: &[[u8; 3]]) -> Vec<[u8; 3]> {
        if self.table.len() == first.len() {
            first.to_vec()
        } else {
            Centroids::kronecker(self.table.len()).colours()
        }
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
