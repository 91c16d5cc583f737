//! How far a batch has come, and which of its photos failed: for its end, and for a signal that ends it earlier.

use crate::cli::output::one_line;
use crate::terminal::err;
use anyhow::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of failures that are named as soon as they happen; the others are named at the end.
const AT_ONCE: usize = 3;

/// Counts of a batch, which a signal handler can share.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// The number of photos that are done or have failed.
    done: usize,
    /// What each failure says, in one line.
    failures: Vec<String>,
}

impl Standing {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a photo that is done.
    pub(super) fn succeeded(&self) {
        self.counts().done += 1;
    }

    /// Counts a photo that failed, and names it if it is among the first.
    pub(super) fn failed(&self, error: &Error) {
        let line = one_line(error);
        let at_once = {
            let mut counts = self.counts();
            counts.done += 1;
            counts.failures.push(line.clone());
            counts.failures.len() <= AT_ONCE
        };
        // Without the lock: a signal must not wait for a pipe that nobody reads.
        if at_once {
            err!("flowseg: {line}");
        }
    }

    /// The number of photos that failed.
    pub(super) fn failures(&self) -> usize {
        self.counts().failures.len()
    }

    /// Names the failures that were not named when they happened.
    pub(super) fn name_others(&self) {
        for line in self.others() {
            err!("{line}");
        }
    }

    fn others(&self) -> Vec<String> {
        let counts = self.counts();
        let others = counts.failures.iter().skip(AT_ONCE);
        others.map(|line| format!("flowseg: {line}")).collect()
    }

    /// The lines of a run of so many photos that a signal ends: the failures that were not named yet, how far it has
    /// come, and how to continue.
    pub(super) fn last_words(&self, all: usize) -> String {
        let mut lines = self.others();
        let counts = self.counts();
        let failed = match counts.failures.len() {
            0 => String::new(),
            failed => format!(", {failed} of them failed"),
        };
        lines.push(format!(
            "stopped after {} of {all} photos{failed}: to continue, run the same command with --skip-existing",
            counts.done
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_count_and_name_failures() {
        let standing = Standing::default();
        standing.succeeded();
        let end = "to continue, run the same command with --skip-existing";
        assert_eq!(
            standing.last_words(9),
            format!("stopped after 1 of 9 photos: {end}")
        );
        for name in ["a", "b", "c", "d", "e"] {
            standing.failed(&Error::msg(format!("{name} is cut")));
        }
        assert_eq!(standing.failures(), 5);
        // The first three were named when they failed.
        assert_eq!(
            standing.last_words(9),
            format!(
                "flowseg: d is cut\nflowseg: e is cut\nstopped after 6 of 9 photos, 5 of them failed: {end}"
            )
        );
    }
}
