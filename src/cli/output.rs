//! Output shared by commands.

use crate::terminal::{self, out};
use crate::verify::Check;
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar.
pub(super) fn bar(photos: usize) -> ProgressBar {
    let bar = terminal::bar(photos as u64);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} {elapsed} ETA {eta}")
    {
        bar.set_style(style);
    }
    bar
}

/// An error with its causes on one line, without causes that the text already contains.
pub(super) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause = terminal::name(&cause.replace('\n', " ")).into_owned();
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

/// Prints one line per check and fails if any check did.
pub(super) fn report(checks: &[Check]) -> anyhow::Result<()> {
    for check in checks {
        out!("{check}");
    }
    match checks.iter().filter(|check| !check.passed()).count() {
        0 => Ok(()),
        n => bail!("{n} of {} checks failed", checks.len()),
    }
}
