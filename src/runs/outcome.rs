//! What a run left behind.

use super::folder;
use crate::run_format::{AnyLine, CHECKPOINTS, METRICS, MODEL, metrics_text};
use std::path::{Path, PathBuf};

/// The finished model of a run.
pub fn finished_model(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(MODEL)).filter(|path| path.is_file())
}

/// Whether a run has a checkpoint to go on from.
pub fn can_resume(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder.join(CHECKPOINTS));
    entries.is_ok_and(|mut entries| entries.next().is_some())
}

/// The validation scores of a run before its first step and after its last, 0 to 1, if it took both
/// in the same way.
pub fn gain(folder: &Path) -> Option<[f64; 2]> {
    let text = metrics_text(&folder.join(METRICS)).ok()?;
    let lines = text.lines().filter_map(|line| {
        let line: AnyLine = serde_json::from_str(line).ok()?;
        Some((line.step?, line.miou?))
    });
    let scores: Vec<(u64, f64)> = lines.collect();
    let (first, last) = (scores.first()?, scores.last()?);
    let is_comparable = || {
        folder::plan(folder, last.0, Some(last.0))
            .comparable_after
            .is_none()
    };
    (first.0 == 0 && last.0 > 0 && is_comparable()).then_some([first.1, last.1])
}
