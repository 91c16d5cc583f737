//! A run folder: its contents and the status of its run.

use super::follow::Follower;
use super::{Plan, Run, Sample, Status};
use crate::run_format::{self, CHECKPOINTS, CONFIG, LOCK, METRICS, MODEL, SAMPLES};
use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use toml::{Table, Value};

/// A run is stale after this time without a line, or after a multiple of the usual time between two
/// lines, whichever is longer.
const STALE: Duration = Duration::from_secs(180);
const STALE_LINES: f64 = 5.0;
/// While a validation is due, the time without a line that is not unusual: one of a whole split may take hours.
const STALE_VALIDATION: Duration = Duration::from_secs(6 * 3600);
/// Files whose times differ by no more than this may have been written in either order.
const SAME_TIME: Duration = Duration::from_secs(2);

/// Whether a folder holds a run. Before its first line of metrics, its configuration alone does not tell: other
/// programs have files of that name.
pub fn is_run(folder: &Path) -> bool {
    let at = |name| folder.join(name);
    let began = || at(CONFIG).is_file() && (at(LOCK).is_file() || at(CHECKPOINTS).is_dir());
    at(METRICS).is_file() || began()
}

/// The given folders, with each one that is not a run folder replaced by the run folders directly
/// inside it, in order of name. A folder without runs is kept, since one may start there later.
pub fn discover(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        let mut inside: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) if !is_run(folder) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| is_run(path))
                .collect(),
            _ => Vec::new(),
        };
        inside.sort();
        if inside.is_empty() {
            inside.push(folder.clone());
        }
        found.extend(inside);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|folder| seen.insert(folder.clone()));
    found
}

/// A run folder that is being followed.
pub(super) struct Followed {
    pub run: Run,
    metrics: Follower,
    /// Whether a process was seen training here: only then does a free lock tell that it has ended, as locks may not
    /// reach this machine, and a copied folder has none.
    was_locked: bool,
}

impl Followed {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            run: Run::new(folder),
            metrics: Follower::default(),
            was_locked: false,
        }
    }

    /// Reads the folder again. Returns whether anything changed.
    pub(super) fn look(&mut self, now: SystemTime, stop: &dyn Fn() -> bool) -> bool {
        // Before the files: what an ended process wrote is then all there.
        let locked = is_locked(&self.run.folder);
        let has_ended = self.was_locked && !locked;
        self.was_locked |= locked;
        let lines = self.lines(now, stop);
        let run = &mut self.run;
        let (mut changed, mut minutes) = (false, 0);
        let status = match lines {
            Ok((new, silence)) => {
                changed |= new;
                minutes = silence.as_secs() / 60;
                let step = run.curves.last_step();
                let validated = run.curves.miou.last().map(|point| point[0] as u64);
                changed |= set(&mut run.plan, plan(&run.folder, step, validated));
                changed |= set(&mut run.samples, samples(&run.folder));
                match status(run, silence, now) {
                    Status::Finished => Status::Finished,
                    _ if has_ended => Status::Stopped,
                    other => other,
                }
            }
            Err(text) => Status::Failed(text),
        };
        changed |= set(&mut run.silence, Duration::from_secs(60 * minutes));
        changed | set(&mut run.status, status)
    }

    /// Reads new lines. Returns whether there were any, and the time since the last one.
    fn lines(
        &mut self,
        now: SystemTime,
        stop: &dyn Fn() -> bool,
    ) -> Result<(bool, Duration), String> {
        let folder = &self.run.folder;
        if !folder.is_dir() {
            return Err(format!(
                "{} is not a folder: choose a run folder, which contains {METRICS}",
                folder.display()
            ));
        }
        let path = folder.join(METRICS);
        let curves = &mut self.run.curves;
        let read = self.metrics.read(&path, curves, stop);
        match read.and_then(|new| Ok((new, fs::metadata(&path)?.modified()?))) {
            Ok((new, written)) => Ok((new, now.duration_since(written).unwrap_or_default())),
            // A run without a line yet. If its file has disappeared, the read fails below and the
            // curves are kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound && curves.is_empty() => {
                Ok((false, Duration::ZERO))
            }
            Err(error) => Err(format!(
                "cannot read {} ({error}): check the file and its permissions",
                path.display()
            )),
        }
    }
}

/// Whether a process trains in a folder. The lock that tells it is shared, so that several windows may look, and is
/// given back at once.
pub fn is_locked(folder: &Path) -> bool {
    let file = File::open(folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Sets a value. Returns whether it changed.
fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

/// The status of a run whose last line was written `silence` before `now`.
fn status(run: &Run, silence: Duration, now: SystemTime) -> Status {
    if run.curves.is_empty() {
        return Status::Waiting;
    }
    let last = run.curves.last_step();
    // A validation follows the last step, and the model is written after it; one of an earlier part of the run may
    // be there before.
    let written = fs::metadata(run.folder.join(MODEL)).and_then(|model| model.modified());
    let age = written.map(|written| now.duration_since(written).unwrap_or_default());
    let is_new = age.as_ref().is_ok_and(|age| *age <= silence + SAME_TIME);
    let whole = run.plan.steps.is_none_or(|steps| last >= steps);
    // The finished model may have been moved away.
    let checkpoint = run_format::checkpoint_name(last);
    let is_saved = is_new || run.folder.join(CHECKPOINTS).join(checkpoint).is_dir();
    let steps = run.plan.log_every.unwrap_or(1) as f64;
    let line = run.step_time().unwrap_or_default().as_secs_f64() * steps;
    // A run that is stopped during a validation is saved at that step, and one that goes on is saved after it.
    let awaited = run.awaited_validation();
    let is_validating = awaited.is_some_and(|due| !is_saved_since(&run.folder, due, silence, now));
    let usual = if is_validating {
        STALE_VALIDATION
    } else {
        STALE
    };
    let is_silent = silence.as_secs_f64() > usual.as_secs_f64().max(line * STALE_LINES);
    match (whole, is_silent) {
        (true, false) if is_new => Status::Finished,
        (true, true) if is_saved => Status::Finished,
        (_, true) => Status::Stale,
        (_, false) => Status::Running,
    }
}

/// Whether a run has a checkpoint of a step or of a later one that is newer than its lines, which were written
/// `silence` before `now`. A run that resumes from a checkpoint first writes its lines anew.
fn is_saved_since(folder: &Path, step: u64, silence: Duration, now: SystemTime) -> bool {
    let entries = fs::read_dir(folder.join(CHECKPOINTS));
    let mut entries = entries.into_iter().flatten().flatten();
    entries.any(|entry| {
        let name = entry.file_name();
        let saved = name.to_str().and_then(run_format::checkpoint_step);
        let written = || entry.metadata()?.modified();
        let is_newer = |written| now.duration_since(written).unwrap_or_default() < silence;
        saved.is_some_and(|saved| saved >= step) && written().is_ok_and(is_newer)
    })
}

/// The plan in `config.toml` of a run that has taken `step` steps and was last validated at step `validated`: the
/// total length of all stages, and the other settings of the current stage. Missing settings are `None`.
pub(super) fn plan(folder: &Path, step: u64, validated: Option<u64>) -> Plan {
    let text = fs::read_to_string(folder.join(CONFIG)).unwrap_or_default();
    let table: Table = text.parse().unwrap_or_default();
    let whole = |key| number(&table, key);
    let stages = table.get("stages").and_then(Value::as_array);
    let stages: Vec<&Table> = stages
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .collect();
    // A stage's own value, or else that of the whole run.
    let of = |stage: &Table, key| number(stage, key).or_else(|| whole(key));
    let ends: Option<Vec<u64>> = stages
        .iter()
        .scan(Some(0u64), |end, stage| {
            *end = end.and_then(|end| end.checked_add(of(stage, "steps")?));
            Some(*end)
        })
        .collect();
    let (Some(ends), Some(last)) = (ends, stages.last()) else {
        return Plan {
            steps: whole("steps").filter(|_| stages.is_empty()),
            batch_size: whole("batch_size"),
            log_every: whole("log_every"),
            validate_every: whole("validate_every"),
            comparable_after: None,
        };
    };
    let now = ends.iter().position(|end| step < *end);
    let now = now.map_or(*last, |index| stages[index]);
    // At the end of a stage, its own validation comes first, if there is one.
    let is_validated = |index: &usize| {
        let every = of(stages[*index], "validate_every").unwrap_or(0);
        let is_due = step.is_multiple_of(every) || Some(&step) == ends.last();
        every > 0 && is_due && validated.is_none_or(|at| at < step)
    };
    let awaited = stage_at(&ends, step).filter(|index| step < ends[*index] || is_validated(index));
    let awaited = awaited.map_or(now, |index| stages[index]);
    Plan {
        steps: ends.last().copied(),
        batch_size: of(now, "batch_size"),
        log_every: of(now, "log_every"),
        validate_every: of(awaited, "validate_every"),
        comparable_after: comparable_after(&table, &stages, &ends, step),
    }
}

/// The index of the stage whose validation that at `step` is: at the end of a stage, it is that one's. `None` after
/// the end of the last.
fn stage_at(ends: &[u64], step: u64) -> Option<usize> {
    ends.iter().position(|end| step <= *end)
}

/// The end of the last stage that is validated otherwise than the one at `step`, whose scores can be
/// compared with later ones only. `ends` are the last steps of the stages.
fn comparable_after(whole: &Table, stages: &[&Table], ends: &[u64], step: u64) -> Option<u64> {
    const VALIDATION: [(&str, &str); 4] = [
        ("data", "size"),
        ("data", "crop"),
        ("train", "validate_steps"),
        ("train", "validate_samples"),
    ];
    let of = |stage: &Table, (section, key): (&str, &str)| {
        let of = |table: &Table| table.get(section)?.get(key).cloned();
        of(stage).or_else(|| of(whole))
    };
    let validation = |stage: &&Table| {
        let is_validated = of(stage, ("train", "validate_every")) != Some(0.into());
        is_validated.then(|| VALIDATION.map(|setting| of(stage, setting)))
    };
    let at = stage_at(ends, step).or(stages.len().checked_sub(1))?;
    let stages: Vec<_> = stages[..=at].iter().map(validation).collect();
    run_format::last_validated_otherwise(&stages).map(|index| ends[index])
}

/// A number in the `[train]` section.
fn number(table: &Table, key: &str) -> Option<u64> {
    let value = table.get("train")?.get(key)?.as_integer()?;
    u64::try_from(value).ok()
}

/// The images in `samples/` by step, then name.
fn samples(folder: &Path) -> Vec<Sample> {
    let Ok(entries) = fs::read_dir(folder.join(SAMPLES)) else {
        return Vec::new();
    };
    let mut samples: Vec<Sample> = entries.filter_map(|entry| sample(&entry.ok()?)).collect();
    samples.sort();
    samples
}

fn sample(entry: &DirEntry) -> Option<Sample> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let (step, photo) = run_format::parse_sample_name(&name)?;
    Some(Sample {
        step,
        name: photo.to_owned(),
        path: entry.path(),
        written: entry.metadata().and_then(|m| m.modified()).ok(),
    })
}
