//! Trains on several data sets together.
//!
//! Their class tables are joined by name, ignoring letter case, after the renaming in each
//! `dataset.toml`. The classes of the first data set keep their indices; classes that only others have
//! follow, or are ignored. Everything but training uses the first data set only.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::classes::ClassTable;
use super::dataset::{Dataset, Part};
use super::error::DataError;
use crate::labels::IGNORE;

/// Maximum weight of a data set.
pub const MAX_WEIGHT: f64 = 100.0;

/// The folders of one or more data sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct DataPaths(Vec<PathBuf>);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a folder or a list of folders")]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

impl From<OneOrMany> for DataPaths {
    fn from(paths: OneOrMany) -> Self {
        match paths {
            OneOrMany::One(path) => Self(vec![path]),
            OneOrMany::Many(paths) => Self(paths),
        }
    }
}

impl From<DataPaths> for OneOrMany {
    fn from(DataPaths(mut paths): DataPaths) -> Self {
        match paths.len() {
            1 => Self::One(paths.remove(0)),
            _ => Self::Many(paths),
        }
    }
}

impl From<PathBuf> for DataPaths {
    fn from(path: PathBuf) -> Self {
        Self(vec![path])
    }
}

impl DataPaths {
    pub fn paths(&self) -> &[PathBuf] {
        &self.0
    }
}

/// How to treat classes that the first data set lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FurtherClasses {
    /// The model learns them, with indices after those of the first data set.
    #[default]
    Add,
    /// Their pixels are ignored.
    Ignore,
}

/// Data sets to train on together.
#[derive(Debug, Clone, PartialEq)]
pub struct DataList {
    /// Their folders, or `scenes:N`; at least one.
    pub paths: DataPaths,
    /// How often each photo of a data set is seen per epoch: one number per data set, 0 to
    /// [`MAX_WEIGHT`]; empty for once each.
    pub weights: Vec<f64>,
    /// How to treat classes that the first one lacks.
    pub further: FurtherClasses,
}

impl DataList {
    /// The training splits as one data set.
    ///
    /// # Errors
    /// As for [`Dataset::open`]; a data set without any of the joint classes.
    pub fn open_training(&self) -> Result<Dataset, DataError> {
        let open = |path: &PathBuf| Dataset::open(path, "training");
        let mut opened = self
            .paths
            .paths()
            .iter()
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        if opened.len() == 1 && self.weights.is_empty() {
            return Ok(opened.remove(0));
        }
        let tables: Vec<&ClassTable> = opened.iter().map(Dataset::classes).collect();
        let (classes, indices) = join(&tables, self.further);
        for (path, indices) in self.paths.paths().iter().zip(&indices) {
            if indices.iter().all(|class| *class == IGNORE) {
                let path = path.clone();
                return Err(DataError::NoClassInCommon { path });
            }
        }
        let parts = opened.into_iter().zip(indices).enumerate();
        let parts = parts.map(|(at, (data, classes))| Part {
            data,
            classes,
            weight: self.weights.get(at).copied().unwrap_or(1.0),
        });
        Ok(Dataset::joined(parts.collect(), classes))
    }

    /// Another split of the first data set, with the classes of a training split.
    ///
    /// # Errors
    /// As for [`Dataset::open`].
    pub fn open_first(&self, split: &str, training: &Dataset) -> Result<Dataset, DataError> {
        let Some(path) = self.paths.paths().first() else {
            return Err(DataError::NoDataSet);
        };
        let data = Dataset::open(path, split)?;
        // The training split's classes begin with the same table.
        let classes = training.classes();
        data.within(classes)
            .ok_or_else(|| DataError::NoClassInCommon { path: path.clone() })
    }
}

/// Joins class tables. Returns the joint table and, per data set, the joint index of each of its
/// classes.
pub fn join(tables: &[&ClassTable], further: FurtherClasses) -> (ClassTable, Vec<Vec<u16>>) {
    let mut whole = tables
        .first()
        .map_or_else(ClassTable::default, |first| (*first).clone());
    let mut indices = Vec::with_capacity(tables.len());
    for (at, table) in tables.iter().enumerate() {
        let index = |(k, name): (usize, &String)| match further {
            // Its own names are distinct, possibly only by letter case.
            _ if at == 0 => u16::try_from(k).unwrap_or(IGNORE),
            FurtherClasses::Add => whole.find_or_add(name.clone()),
            FurtherClasses::Ignore => whole.find(name).unwrap_or(IGNORE),
        };
        indices.push(table.names.iter().enumerate().map(index).collect());
    }
    (whole, indices)
}
