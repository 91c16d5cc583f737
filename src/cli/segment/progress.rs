//! Progress of a batch.

use crate::format::minutes;
use crate::terminal::err;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// Time between two lines if no bar can be drawn.
const EVERY: Duration = Duration::from_secs(30);

/// A bar with the remaining time; occasional lines if none can be drawn.
pub(super) struct Progress {
    bar: ProgressBar,
    start: Instant,
    said: Instant,
    failed: usize,
}

impl Progress {
    pub(super) fn new(photos: usize) -> Self {
        let bar = match photos {
            // A bar is useless for a single photo.
            1 => ProgressBar::hidden(),
            _ => crate::cli::output::bar(photos),
        };
        let now = Instant::now();
        Self {
            bar,
            start: now,
            said: now,
            failed: 0,
        }
    }

    /// Counts a photo that is done or has failed.
    pub(super) fn step(&mut self, failed: bool) {
        if failed {
            self.failed += 1;
            self.bar.set_prefix(format!("{} failed ", self.failed));
        }
        self.bar.inc(1);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.bar.is_hidden() && self.said.elapsed() >= EVERY && done < all {
            self.said = Instant::now();
            let seconds = self.start.elapsed().as_secs_f64();
            let left = (seconds * (all - done) as f64 / done as f64) as u64;
            err!(
                "{done} of {all} photos, {} failed, {:.2} photos/s, ETA {}",
                self.failed,
                done as f64 / seconds,
                minutes(left)
            );
        }
    }

    /// Clears the bar.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
