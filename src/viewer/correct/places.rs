//! The classes of one table in another, by name.

use crate::labels::IGNORE;

/// Where the classes of a table are in another one, by index.
pub(super) struct Places(Vec<Option<u16>>);

impl Places {
    /// The places of `names` in `classes`: the same index if it has the same name, or else the first one
    /// that does.
    pub(super) fn of(names: &[String], classes: &[String]) -> Self {
        let place = |(at, name): (usize, &String)| {
            let same = classes.get(at).filter(|class| *class == name).map(|_| at);
            let place = same.or_else(|| classes.iter().position(|class| class == name));
            place.and_then(|place| u16::try_from(place).ok())
        };
        Self(names.iter().enumerate().map(place).collect())
    }

    /// A label in the other table; `None` if that lacks its class.
    pub(super) fn label(&self, label: u16) -> Option<u16> {
        match label {
            IGNORE => Some(IGNORE),
            _ => self.0.get(usize::from(label)).copied().flatten(),
        }
    }

    /// Labels in the other table; `None` if that lacks the class of one.
    pub(super) fn labels(&self, labels: &[u16]) -> Option<Vec<u16>> {
        labels.iter().map(|label| self.label(*label)).collect()
    }
}

/// The classes of these tables that were added by hand to a model's own, and that a model with these
/// classes, of which the first `own` are its own, lacks.
pub(super) fn missing(tables: &[&[String]], classes: &[String], own: usize) -> Vec<String> {
    let own = &classes[..own.min(classes.len())];
    let mut missing = Vec::new();
    for added in tables.iter().filter_map(|table| table.strip_prefix(own)) {
        for name in added {
            if !classes.contains(name) && !missing.contains(name) {
                missing.push(name.clone());
            }
        }
    }
    missing
}
