//! Progress of many photos, or of the tiles of one.

use super::output;
use crate::format::{counted, minutes};
use crate::terminal::err;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// Time between two lines if no bar can be drawn.
const EVERY: Duration = Duration::from_secs(30);

/// A bar with the remaining time, drawn at once; occasional lines if none can be drawn.
pub(super) struct Progress {
    bar: ProgressBar,
    /// What is counted, such as "photo".
    noun: &'static str,
    start: Instant,
    said: Instant,
    failed: usize,
}

impl Progress {
    pub(super) fn new(count: usize, noun: &'static str) -> Self {
        let bar = match count {
            // A bar is useless for one piece of work that nobody divides.
            0 | 1 => ProgressBar::hidden(),
            _ => output::bar(count),
        };
        let now = Instant::now();
        Self {
            bar,
            noun,
            start: now,
            said: now,
            failed: 0,
        }
    }

    /// Counts one that is done or has failed.
    pub(super) fn step(&mut self, failed: bool) {
        if failed {
            self.failed += 1;
            self.bar.set_prefix(format!("{} failed ", self.failed));
        }
        self.bar.inc(1);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.bar.is_hidden() && self.said.elapsed() >= EVERY && done < all {
            self.said = Instant::now();
            err!(
                "{}",
                line(self.noun, [done, all], self.failed, self.start.elapsed())
            );
        }
    }

    /// Counts until so many are done.
    pub(super) fn reach(&mut self, done: usize) {
        while self.bar.position() < done as u64 {
            self.step(false);
        }
    }

    /// Clears the bar.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// What a line says of the number done and of all, at least one done, after some time.
fn line(noun: &str, [done, all]: [u64; 2], failed: usize, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let left = (seconds * (all - done) as f64 / done as f64) as u64;
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!(
        "{done} of {}{failed}, {:.2} {noun}s/s, ETA {}",
        counted(all, noun),
        done as f64 / seconds,
        minutes(left)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_long_it_takes() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            line("photo", [3, 12], 0, minute),
            "3 of 12 photos, 0.05 photos/s, ETA 3:00"
        );
        assert_eq!(
            line("tile", [30, 31], 2, minute),
            "30 of 31 tiles, 2 failed, 0.50 tiles/s, ETA 0:02"
        );
    }

    #[test]
    fn counting_goes_up_to_a_number() {
        let mut progress = Progress::new(1, "tile");
        progress.reach(3);
        progress.reach(2);
        assert_eq!(progress.bar.position(), 3);
    }
}
