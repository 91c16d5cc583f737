//! The names of the classes of a data set.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DataError;
use crate::labels::IGNORE;
use crate::text_file;

/// Class names by class index. Names are distinct, because scores are reported by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassTable {
    pub names: Vec<String>,
}

impl ClassTable {
    /// A table of these names. A repeated name becomes `name (2)`, `name (3)`, ...
    pub fn new(names: Vec<String>) -> Self {
        let mut seen = HashSet::new();
        let mut distinct = Vec::with_capacity(names.len());
        for name in names {
            let mut candidate = name.clone();
            let mut count = 1;
            while !seen.insert(candidate.clone()) {
                count += 1;
                candidate = format!("{name} ({count})");
            }
            distinct.push(candidate);
        }
        Self { names: distinct }
    }

    /// Reads one name per line; the line number, from 0, is the class index. Blank lines are allowed at
    /// the end only, since one in between would shift every class after it.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8, holds no name, has a blank line between two names, or
    /// seems to hold numbers, comments or columns besides the names.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        Self::parse(path, &text_file::read(path)?)
    }

    /// [`from_file`](Self::from_file) for the text of the file at `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, DataError> {
        let lines: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
        if let Some(reason) = more_than_names(&lines) {
            let reason = format!(
                "{reason}: write only the names, one per line, in the order of the labels from 0"
            );
            return Err(DataError::description(path, reason));
        }
        if let Some(blank) = lines.iter().position(|line| line.is_empty())
            && lines.len() > 1
        {
            let reason = format!("line {} is blank: write one class name per line", blank + 1);
            return Err(DataError::description(path, reason));
        }
        Self::checked(path, lines.into_iter().map(str::to_owned).collect())
    }

    /// `n` classes named `class 0`, `class 1`, ...
    pub fn numbered(n: usize) -> Self {
        Self {
            names: (0..n).map(|i| format!("class {i}")).collect(),
        }
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of class `i`, `"ignored"` for [`IGNORE`] and `"?"` for any other index.
    pub fn name(&self, i: usize) -> &str {
        match self.names.get(i) {
            Some(name) => name,
            None if i == usize::from(IGNORE) => "ignored",
            None => "?",
        }
    }

    /// The index of a class, by its name in any letter case.
    pub fn find(&self, name: &str) -> Option<u16> {
        let lower = name.trim().to_lowercase();
        let exact = self.names.iter().position(|own| own == name);
        let found = exact.or_else(|| {
            self.names
                .iter()
                .position(|own| own.to_lowercase() == lower)
        });
        u16::try_from(found?).ok()
    }

    /// The index of a class, which is added if missing; [`IGNORE`] if the table is full.
    pub(super) fn find_or_add(&mut self, name: String) -> u16 {
        match self.find(&name) {
            Some(found) => found,
            None => self.add(name),
        }
    }

    /// Like [`find_or_add`](Self::find_or_add), but a name in another letter case is another class.
    pub(super) fn find_exactly_or_add(&mut self, name: &str) -> u16 {
        match self.names.iter().position(|own| own == name) {
            Some(found) => u16::try_from(found).unwrap_or(IGNORE),
            None => self.add(name.to_owned()),
        }
    }

    fn add(&mut self, name: String) -> u16 {
        let index = u16::try_from(self.len()).unwrap_or(IGNORE);
        self.names.push(name);
        index
    }

    /// [`ClassTable::new`] with an error for an empty name, and for a count that label files cannot
    /// express.
    pub(super) fn checked(path: &Path, names: Vec<String>) -> Result<Self, DataError> {
        if let Some(at) = names.iter().position(|name| name.trim().is_empty()) {
            let reason = format!(
                "class {at}, counted from 0, has an empty name: give it one, and leave it out with ignore in a \
                 dataset.toml if it is not wanted"
            );
            return Err(DataError::description(path, reason));
        }
        if names.is_empty() {
            return Err(DataError::description(
                path,
                "names no class: write one name per line",
            ));
        }
        // Class indices and the ignore value share 16 bits, and one value is reserved for "unknown".
        if names.len() >= usize::from(IGNORE) - 1 {
            let reason = format!(
                "names {} classes, but at most 65533 are possible",
                names.len()
            );
            return Err(DataError::description(path, reason));
        }
        Ok(Self::new(names))
    }
}

/// Describes what lines hold besides names, in files written for other programs.
fn more_than_names(lines: &[&str]) -> Option<String> {
    let numeric = |field: &str| !field.is_empty() && field.chars().all(|c| c.is_ascii_digit());
    if let Some(at) = lines.iter().position(|line| line.starts_with('#')) {
        return Some(format!("line {} is a comment", at + 1));
    }
    let columns = |line: &&str| line.split(',').skip(1).any(|field| numeric(field.trim()));
    if let Some(at) = lines.iter().position(columns) {
        return Some(format!("line {} holds several columns", at + 1));
    }
    // A single name may begin with a number.
    let numbered = |first: usize| {
        lines.len() > 1
            && (first..).zip(lines).all(|(number, line)| {
                let end = line.find([':', '.', ',', ';', '=', ')', ' ', '\t']);
                end.is_some_and(|end| line[..end] == number.to_string())
            })
    };
    (numbered(0) || numbered(1)).then(|| "the lines begin with numbers".to_owned())
}
