//! Output shared by commands.

use crate::files::{FileError, Plan};
use crate::terminal::{self, err, out};
use crate::verify::Check;
use anyhow::{Error, bail};
use console::{Alignment, measure_text_width, pad_str};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A progress bar, drawn at once: the first photo may take a minute. Until it is done, nothing is known of the rest.
pub(super) fn bar(photos: usize) -> ProgressBar {
    let bar = terminal::bar(photos as u64);
    if let Ok(style) = ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} {elapsed}{left}")
    {
        let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(text, " ETA {:#}", HumanDuration(state.eta()));
            }
        };
        bar.set_style(style.with_key("left", left));
    }
    if !bar.is_hidden() {
        bar.tick();
        // The time goes on between two photos.
        bar.enable_steady_tick(Duration::from_secs(1));
    }
    bar
}

/// Maximum columns of a class name in a table.
const LONGEST_NAME: usize = 40;

/// The first column of a table of classes: its head, and the names, all of one width.
pub(super) fn class_column<'a>(
    names: impl IntoIterator<Item = &'a String>,
) -> (String, Vec<String>) {
    let names: Vec<_> = names.into_iter().map(|name| terminal::name(name)).collect();
    let widths = names.iter().map(|name| measure_text_width(name));
    let width = widths.max().unwrap_or(0).clamp(5, LONGEST_NAME);
    let cell = |name: &str| pad_str(name, width, Alignment::Left, Some("…")).into_owned();
    (cell("class"), names.iter().map(|name| cell(name)).collect())
}

/// A share from 0 to 1 in %; a dash for `None`.
pub(super) fn per_cent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", 100.0 * share))
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

/// [`Plan::check`] of a command whose outputs are files that the user names: if one is standard output, the command's
/// lines go to standard error.
///
/// # Errors
/// As for [`Plan::check`].
pub(super) fn check(plan: &Plan, inputs: impl FnOnce() -> Vec<PathBuf>) -> Result<(), FileError> {
    plan.check(inputs)?;
    if plan.has_standard_output() {
        terminal::leave_output();
    }
    Ok(())
}

/// Refuses an output file whose extension is not `ending`, in any letter case; `what` is in it.
///
/// # Errors
/// The file and the extension that it needs.
pub(super) fn check_ending(path: Option<&Path>, ending: &str, what: &str) -> anyhow::Result<()> {
    let other = |path: &&Path| {
        let found = path.extension();
        !found.is_some_and(|found| found.eq_ignore_ascii_case(ending))
    };
    match path.filter(other) {
        Some(path) => bail!("{}: {what} is written as .{ending}", path.display()),
        None => Ok(()),
    }
}

/// The outputs of hours of work: where one cannot be written, the others still are.
#[derive(Default)]
pub(super) struct Written {
    failure: Option<Error>,
}

impl Written {
    /// Keeps the failure of an output, and prints the one from before.
    pub(super) fn add(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result
            && let Some(earlier) = self.failure.replace(error)
        {
            err!("flowseg: {}", one_line(&earlier));
        }
    }

    /// # Errors
    /// The last failure.
    pub(super) fn end(self) -> anyhow::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_are_cells_of_one_width() {
        let long = "x".repeat(60);
        let names = ["sky".to_owned(), long];
        let (head, cells) = class_column(&names[..1]);
        assert_eq!(
            (head.as_str(), cells.as_slice()),
            ("class", &["sky  ".to_owned()][..])
        );
        let (head, cells) = class_column(&names);
        assert_eq!(measure_text_width(&head), LONGEST_NAME);
        assert!(cells[1].ends_with('…') && measure_text_width(&cells[1]) == LONGEST_NAME);
        assert_eq!(per_cent(Some(0.5)), "50.00");
        assert_eq!(per_cent(None), "-");
    }
}
