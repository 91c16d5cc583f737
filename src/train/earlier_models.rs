//! The models of a run that it would replace after a resume: they stay under other names.

use super::folder::RunFolder;
use crate::files::{self, FileError};
use crate::model::tensors::Precision;
use crate::model::{self, Card, Model};
use crate::run_format::{BEST, MODEL, checkpoint_name};
use std::fs;
use std::path::{Path, PathBuf};

const ENDING: &str = ".safetensors";
/// Temporary name of a best model that another one makes room for. With the prefix of temporary files.
const NEXT_BEST: &str = ".flowseg-next-best.safetensors";

/// What becomes of the file of the best model when another one takes its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum EarlierBest {
    Replaced,
    /// It stays, unless the other one is of the same step and has at least its score.
    Compared,
    /// It stays, unless the other one has the same bytes: their scores cannot be compared.
    Kept,
}

impl RunFolder {
    /// Renames the finished model of a run that goes on, so that it is not taken for that of the longer run.
    /// Returns its new path; `None` without one.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub(super) fn keep_finished(&self) -> Result<Option<PathBuf>, FileError> {
        self.keep(MODEL)
    }

    /// Writes the best model. With `keeps`, the one before stays under another name, and its new path is returned, if
    /// there is one. It is only renamed once the new one is written, which a full disk may prevent.
    ///
    /// # Errors
    /// If a file cannot be written or renamed; the model before is then still the best.
    pub(super) fn write_best(
        &self,
        best: &Model,
        keeps: bool,
    ) -> Result<Option<PathBuf>, FileError> {
        let path = self.path(BEST);
        if !keeps {
            model::file::write(&path, best, Precision::Half)?;
            return Ok(None);
        }
        let next = self.path(NEXT_BEST);
        model::file::write(&next, best, Precision::Half).map_err(|error| match error {
            FileError::Write { source, .. } => FileError::write(&path)(source),
            other => other,
        })?;
        let placed = self.keep(BEST).and_then(|kept| {
            let Err(error) = files::rename(&next, &path) else {
                return Ok(kept);
            };
            if let Some(kept) = kept {
                files::rename(&kept, &path)?;
            }
            Err(error)
        });
        if placed.is_err() {
            // A later one replaces what cannot be removed.
            let _ = files::remove_file(&next);
        }
        placed
    }

    /// Puts a best model in its place for which a process that was killed had only made room, and removes one for which it
    /// had not.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub(super) fn place_next_best(&self) -> Result<(), FileError> {
        let next = self.path(NEXT_BEST);
        // It is written whole, or not at all.
        if next.is_file() && !self.has_best() {
            return files::rename(&next, &self.path(BEST));
        }
        // A later one replaces what cannot be removed.
        let _ = files::remove_file(&next);
        Ok(())
    }

    /// Whether there is a best model.
    pub(super) fn has_best(&self) -> bool {
        self.path(BEST).exists()
    }

    /// Removes a kept model that has the same bytes as the best one: a run that was killed may have taken the
    /// same steps again. If their scores can be compared, also one of the same step that is not better, since
    /// steps are repeated only up to rounding on a graphics device.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn drop_same(&self, kept: &Path, comparable: bool) -> Result<(), FileError> {
        let best = self.path(BEST);
        let bytes = |path: &Path| files::read(path).ok();
        let same = bytes(kept).is_some_and(|before| bytes(&best) == Some(before));
        if same || comparable && is_no_better(kept, &best) {
            return files::remove_file(kept);
        }
        tracing::warn!("the best model until now is kept as {}", kept.display());
        Ok(())
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

/// Whether a model is of the same step as another one and was scored in the same way, but not higher.
fn is_no_better(kept: &Path, best: &Path) -> bool {
    let (Some(kept), Some(best)) = (card(kept), card(best)) else {
        return false;
    };
    let (Some(before), Some(now)) = (kept.score, best.score) else {
        return false;
    };
    kept.steps == best.steps
        && (before.on, before.steps) == (now.on, now.steps)
        && before.miou <= now.miou
}

/// The steps of the model in a file; `None` if its card cannot be read.
fn steps(path: &Path) -> Option<u64> {
    Some(card(path)?.steps)
}

fn card(path: &Path) -> Option<Card> {
    let bytes = files::map_file(path, "model file").ok()?;
    Card::read(&bytes).ok()
}

fn stem(name: &str) -> &str {
    name.trim_end_matches(ENDING)
}
