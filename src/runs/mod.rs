//! Training runs as read from their folders, during and after training.
//!
//! A [`Watcher`] follows run folders on its own thread and reports plain data, which the window draws.
//! The run may be on another machine or from another version: `metrics.jsonl` needs only `step` with
//! `loss` or `miou`, and `config.toml` may be missing.

mod folder;
mod follow;
mod outcome;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watcher;

pub use folder::{discover, is_locked, is_run};
#[cfg(fuzzing)]
pub use follow::read_metrics;
pub use outcome::{can_resume, finished_model, gain};
pub use watcher::{Update, Watcher};

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Points of a curve, `[step, value]`, with increasing steps.
pub type Curve = Vec<[f64; 2]>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Mean loss since the previous point.
    pub loss: Curve,
    /// Mean IoU of validations, 0 to 1.
    pub miou: Curve,
    /// Pixel accuracy of validations, 0 to 1.
    pub pixel_accuracy: Curve,
    pub learning_rate: Curve,
    pub photos_per_second: Curve,
    /// Share of the time spent waiting for data, 0 to 1.
    pub waiting: Curve,
    /// Lines that are not metrics.
    pub damaged_lines: usize,
}

impl Curves {
    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.loss.is_empty() && self.miou.is_empty()
    }

    /// The last step of any line; 0 without lines.
    pub fn last_step(&self) -> u64 {
        let end = |curve: &Curve| curve.last().map_or(0.0, |point| point[0]);
        end(&self.loss).max(end(&self.miou)) as u64
    }

    /// The best mIoU, 0 to 1, of all validations or of those after a step, and the first step that
    /// reached it.
    fn best_miou(&self, after: Option<u64>) -> Option<(f64, u64)> {
        let best = self
            .miou
            .iter()
            .filter(|point| after.is_none_or(|after| point[0] > after as f64))
            .rev()
            .max_by(|a, b| a[1].total_cmp(&b[1]))?;
        Some((best[1], best[0] as u64))
    }
}

/// An image of a sample prediction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The step of the validation.
    pub step: u64,
    /// The name of the photo.
    pub name: String,
    pub path: PathBuf,
    /// The time of writing: a run that starts over rewrites the file.
    pub written: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The folder has no line of metrics yet.
    Waiting,
    /// Lines arrive.
    Running,
    /// All steps have been taken, and the model is written, or was: a checkpoint of the last step is there.
    Finished,
    /// No line has arrived for unusually long: the run was stopped or hangs.
    Stale,
    /// The process that was seen training here has ended, before the model was written.
    Stopped,
    /// The folder cannot be followed; one line with the reason and the remedy.
    Failed(String),
}

/// The length of a run according to its `config.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// The last step of all stages.
    pub steps: Option<u64>,
    /// Photos per step in the current stage.
    pub batch_size: Option<u64>,
    /// Steps between lines of loss in that stage.
    pub log_every: Option<u64>,
    /// Steps between validations in that stage, or in the one before until the validation at its end is there; 0 for
    /// none.
    pub validate_every: Option<u64>,
    /// The step after which validations can be compared with the last one; `None` if all can.
    pub comparable_after: Option<u64>,
}

/// The last known state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub folder: PathBuf,
    pub name: String,
    pub plan: Plan,
    pub curves: Curves,
    /// Sample predictions by step.
    pub samples: Vec<Sample>,
    pub status: Status,
    /// Time since the last line was written, in whole minutes.
    pub silence: Duration,
}

impl Status {
    pub fn label(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stale => "stalled",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        }
    }
}

impl Run {
    /// A run that has not been read yet.
    pub fn new(folder: &Path) -> Self {
        let own = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = own.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Self {
            folder: folder.to_owned(),
            name,
            plan: Plan::default(),
            curves: Curves::default(),
            samples: Vec::new(),
            status: Status::Waiting,
            silence: Duration::ZERO,
        }
    }

    /// The best mIoU, 0 to 1, among the validations that can be compared with the last one, and the
    /// first step that reached it.
    pub fn best_miou(&self) -> Option<(f64, u64)> {
        self.curves.best_miou(self.plan.comparable_after)
    }

    /// The share of steps taken, 0 to 1, if the length is known.
    pub fn progress(&self) -> Option<f32> {
        let steps = self.plan.steps.filter(|steps| *steps > 0)?;
        Some((self.curves.last_step() as f32 / steps as f32).min(1.0))
    }

    /// The time per step at the current throughput (the median of the last lines), without
    /// validations.
    pub fn step_time(&self) -> Option<Duration> {
        const LINES: usize = 21;
        let speeds = &self.curves.photos_per_second;
        let recent = &speeds[speeds.len().saturating_sub(LINES)..];
        let mut recent: Vec<f64> = recent.iter().map(|p| p[1]).filter(|v| *v > 0.0).collect();
        recent.sort_by(f64::total_cmp);
        let speed = *recent.get(recent.len() / 2)?;
        Duration::try_from_secs_f64(self.plan.batch_size? as f64 / speed).ok()
    }

    /// The step of the first validation at or after the last step that is not there yet, if the plan has one there.
    fn next_validation(&self) -> Option<u64> {
        let every = self.plan.validate_every.filter(|every| *every > 0)?;
        let due = self.curves.last_step().checked_next_multiple_of(every)?;
        // The last step is validated, too.
        let planned = |due: u64| self.plan.steps.map_or(due, |steps| due.min(steps));
        let done = self.curves.miou.last();
        let is_due = |due: &u64| done.is_none_or(|point| point[0] < *due as f64);
        let mut next = [due, due.saturating_add(every)].into_iter().map(planned);
        next.find(is_due)
    }

    /// The step of the validation that comes before the next line of loss, if one does.
    fn awaited_validation(&self) -> Option<u64> {
        let every = self.plan.log_every.unwrap_or(1).max(1);
        let last = self.curves.last_step();
        let next_line = (last - last % every).saturating_add(every);
        // The last step has a line, too, whatever its number.
        let end = self.plan.steps.filter(|steps| *steps > last);
        let next_line = end.map_or(next_line, |steps| next_line.min(steps));
        self.next_validation().filter(|due| *due < next_line)
    }

    /// Whether it is running and its last step is being validated.
    pub fn is_validating(&self) -> bool {
        let due = self.next_validation();
        self.status == Status::Running && due == Some(self.curves.last_step())
    }

    /// Whether it is running and has taken its last step: the last validation and the model are to come.
    pub fn is_ending(&self) -> bool {
        let last = self.curves.last_step();
        let steps = self.plan.steps.filter(|steps| *steps > 0);
        self.status == Status::Running && steps.is_some_and(|steps| last >= steps)
    }

    /// The remaining time if the run is running, without validations; `None` after the last step.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.plan.steps?.checked_sub(self.curves.last_step())?;
        if left == 0 {
            return None;
        }
        let left = self.step_time()?.as_secs_f64() * left as f64;
        let left = Duration::try_from_secs_f64(left).ok();
        left.filter(|_| self.status == Status::Running)
    }
}
