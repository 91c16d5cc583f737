//! The models of a run that it would replace after a resume: they stay under other names.

use super::folder::RunFolder;
use crate::files::{self, FileError};
use crate::model::Card;
use crate::run_format::{BEST, MODEL, checkpoint_name};
use std::fs;
use std::path::{Path, PathBuf};

const ENDING: &str = ".safetensors";

impl RunFolder {
    /// Renames the finished model of a run that goes on, so that it is not taken for that of the longer run.
    /// Returns its new path; `None` without one.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub(super) fn keep_finished(&self) -> Result<Option<PathBuf>, FileError> {
        self.keep(MODEL)
    }

    /// Renames the best model. Returns its new path; `None` without one.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub(super) fn keep_best(&self) -> Result<Option<PathBuf>, FileError> {
        self.keep(BEST)
    }

    /// Removes a kept model that has the same bytes as the best one: a run that was killed may have taken the
    /// same steps again.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn drop_same(&self, kept: &Path) -> Result<(), FileError> {
        let bytes = |path: &Path| files::read(path).ok();
        match (bytes(kept), bytes(&self.path(BEST))) {
            (Some(before), Some(now)) if before == now => files::remove_file(kept),
            _ => {
                tracing::warn!("the best model until now is kept as {}", kept.display());
                Ok(())
            }
        }
    }

    /// Whether a run has ended here at some time.
    pub(super) fn has_finished(&self) -> bool {
        let first = format!("{}-step-", stem(MODEL));
        let is_earlier = |name: &str| name.starts_with(&first) && name.ends_with(ENDING);
        let mut entries = fs::read_dir(self.path("")).into_iter().flatten().flatten();
        self.path(MODEL).exists()
            || entries.any(|entry| entry.file_name().to_str().is_some_and(is_earlier))
    }

    /// Whether the best model is of a later step than `step`.
    pub(super) fn is_best_after(&self, step: u64) -> bool {
        steps(&self.path(BEST)).is_some_and(|steps| steps > step)
    }

    fn keep(&self, name: &str) -> Result<Option<PathBuf>, FileError> {
        let path = self.path(name);
        if !path.exists() {
            return Ok(None);
        }
        let step = checkpoint_name(steps(&path).unwrap_or(0));
        let first = format!("{}-{step}", stem(name));
        let further = (2u64..).map(|number| format!("{first}-{number}{ENDING}"));
        let mut names = std::iter::once(format!("{first}{ENDING}")).chain(further);
        let free = names.find_map(|name| Some(self.path(&name)).filter(|path| !path.exists()));
        let Some(free) = free else { return Ok(None) };
        files::rename(&path, &free)?;
        Ok(Some(free))
    }
}

/// The steps of the model in a file; `None` if its card cannot be read.
fn steps(path: &Path) -> Option<u64> {
    let bytes = files::map_file(path, "model file").ok()?;
    Some(Card::read(&bytes).ok()?.steps)
}

fn stem(name: &str) -> &str {
    name.trim_end_matches(ENDING)
}
