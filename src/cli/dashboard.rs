//! Progress of a run: a bar and a few live lines on a terminal, plain lines on standard output elsewhere.
//! If only standard output is redirected, it gets the lines and the terminal shows the bar.

use crate::format::{counted, minutes};
use crate::model::warm_start::Loaded;
use crate::run_format::{SkippedLine, StepLine, ValidationLine};
use crate::terminal::{self, out};
use crate::train::{Event, TokensKept};
use console::truncate_str;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

/// Number of losses in the small chart.
const CHART: usize = 32;
const BAR: usize = 40;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) struct Dashboard {
    bar: ProgressBar,
    title: String,
    losses: Vec<f64>,
    line: Option<StepLine>,
    last: Option<ValidationLine>,
    best: Option<(f64, u64)>,
    validating: bool,
    /// Whether standard output is a file or a pipe.
    redirected: bool,
}

impl Dashboard {
    /// `title` is shown above the bar unless empty.
    pub(super) fn new(title: &str) -> Self {
        Self {
            bar: ProgressBar::hidden(),
            title: terminal::name(title).into_owned(),
            losses: Vec::new(),
            line: None,
            last: None,
            best: None,
            validating: false,
            redirected: !io::stdout().is_terminal(),
        }
    }

    /// Prints a permanent line above the live ones.
    pub(super) fn line(&self, text: &str) {
        if self.is_plain() {
            out!("{text}");
        }
        self.bar.println(terminal::name(text));
    }

    /// Whether standard output gets plain lines.
    fn is_plain(&self) -> bool {
        self.redirected || self.bar.is_hidden()
    }

    /// Clears the live lines.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    pub(super) fn show(&mut self, event: Event) {
        match event {
            Event::Checking { split, done, of } => self.checking(split, done, of),
            Event::Started {
                step,
                steps,
                parameters,
                photos: [training, validation],
            } => {
                self.bar = terminal::bar(steps);
                if let Ok(style) = ProgressStyle::with_template("{head}{msg}") {
                    let title = self.title.clone();
                    let draw = move |state: &ProgressState, to: &mut dyn fmt::Write| {
                        let numbers = progress(state);
                        // The next redraw makes up for a failed one.
                        let _ = to.write_str(&head(&title, &numbers, state.fraction(), columns()));
                    };
                    self.bar.set_style(style.with_key("head", draw));
                }
                self.bar.set_position(step);
                self.bar.reset_eta();
                self.line(&format!(
                    "{:.1} M parameters, {training} training and {validation} validation photos",
                    parameters as f64 / 1e6
                ));
                if step > 0 {
                    self.line(&format!("resumed after step {step}"));
                }
            }
            Event::Stage {
                number,
                of,
                last,
                size: [height, width],
                batch_size,
            } => {
                if of > 1 {
                    self.line(&format!(
                        "stage {number} of {of}: {height} x {width}, {} per step, \
                         to step {last}",
                        counted(batch_size, "photo")
                    ));
                }
            }
            Event::Initialized { path, loaded } => self.initialized(&path, &loaded),
            Event::Skipped(SkippedLine { step, skipped }) => self.line(&format!(
                "step {step}: skipped {} without a finite gradient",
                counted(skipped, "step")
            )),
            Event::Unweighed { step, steps } => self.line(&format!(
                "step {step}: {} without a labelled pixel, left out of the loss",
                counted(steps, "step")
            )),
            Event::Tokens(kept) => self.tokens(&kept),
            Event::Step { step } => self.bar.set_position(step),
            Event::Logged(line) => self.logged(line),
            Event::Validating => {
                self.validating = true;
                if self.is_plain() && self.is_at_end() {
                    out!("all steps are taken, validating");
                }
                self.refresh();
            }
            Event::Validated { line, best } => self.validated(line, best),
            Event::Saved { path } => tracing::info!("saved {}", path.display()),
        }
    }

    /// Advances the bar while pairs are read; without a bar, prints a line for every tenth of them.
    fn checking(&mut self, split: &str, done: usize, of: usize) {
        const LARGE: usize = 1000;
        let prefix = format!("checking the {split} split ");
        if self.bar.length() != Some(of as u64) || self.bar.prefix() != prefix {
            self.bar = super::output::bar(of);
            self.bar.set_prefix(prefix);
        }
        let tenth = |pairs: usize| 10 * pairs / of.max(1);
        let before = self.bar.position() as usize;
        if self.is_plain() && of >= LARGE && tenth(done) > tenth(before) {
            out!("checked {done} of {of} pairs of the {split} split");
        }
        self.bar.set_position(done as u64);
        if done == of {
            self.bar.finish_and_clear();
        }
    }

    /// Prints how many of a stage's crops have been encoded.
    fn tokens(&self, kept: &TokensKept) {
        for stale in &kept.stale {
            self.line(&format!(
                "deleted {}: its tokens were of other weights, data or settings",
                stale.display()
            ));
        }
        let eta = kept.eta.map_or_else(String::new, |eta| {
            format!(", ETA {}", minutes(eta.as_secs()))
        });
        let TokensKept {
            path, views, of, ..
        } = kept;
        self.line(&format!(
            "{views} of {of} crops encoded, in {}{eta}",
            path.display()
        ));
    }

    /// Prints what a run loaded from its starting point.
    fn initialized(&self, path: &Path, loaded: &Loaded) {
        self.line(&format!(
            "started from {}: {} tensors, {:.1} % of the parameters",
            path.display(),
            loaded.tensors,
            100.0 * loaded.share
        ));
        for (what, names) in [
            ("fitted", &loaded.fitted),
            ("fresh", &loaded.fresh),
            ("not used", &loaded.unused),
        ] {
            if !names.is_empty() {
                self.line(&format!("  {what}: {}", names.join(", ")));
            }
        }
    }

    /// Whether all steps are taken.
    fn is_at_end(&self) -> bool {
        let steps = self.bar.length().filter(|steps| *steps > 0);
        steps.is_some_and(|steps| self.bar.position() >= steps)
    }

    /// Time until all steps are taken, without validations; `None` if they are.
    fn eta(&self) -> Option<Duration> {
        (!self.is_at_end()).then(|| self.bar.eta())
    }

    fn logged(&mut self, line: StepLine) {
        if self.is_plain() {
            out!("{}", plain(&line, self.eta()));
        }
        if self.losses.len() == CHART {
            self.losses.remove(0);
        }
        self.losses.push(line.loss);
        self.line = Some(line);
        self.refresh();
    }

    fn validated(&mut self, line: ValidationLine, best: Option<(f64, u64)>) {
        self.validating = false;
        self.line(&format!(
            "step {}: mIoU {:.2}, pixel accuracy {:.2}",
            line.step,
            100.0 * line.miou,
            100.0 * line.pixel_accuracy
        ));
        self.best = best;
        self.last = Some(line);
        self.refresh();
    }

    fn refresh(&self) {
        let columns = columns();
        let live = self.live();
        let lines = live.lines().map(|line| fit(line, columns));
        self.bar.set_message(lines.collect::<Vec<_>>().join("\n"));
    }

    /// The lines below the bar.
    fn live(&self) -> String {
        let mut text = String::new();
        if let Some(line) = &self.line {
            text.push_str(&format!(
                "\nloss {:.4}  {}\nlearning rate {:.2e}, gradient norm {:.2}\n{:.1} photos/s, \
                 waiting for data {:.0} % of the time",
                line.loss,
                chart(&self.losses),
                line.learning_rate,
                line.gradient_norm,
                line.photos_per_second,
                100.0 * line.waiting
            ));
        }
        if let (Some(last), Some((best, at))) = (&self.last, self.best) {
            text.push_str(&format!(
                "\nmIoU {:.2} at step {}, best {:.2} at step {at}",
                100.0 * last.miou,
                last.step,
                100.0 * best
            ));
        }
        if self.validating {
            text.push_str("\nvalidating");
        }
        text
    }
}

/// Maximum columns of a live line: a wrapped line would not be redrawn in place.
fn columns() -> usize {
    terminal::columns().unwrap_or(usize::MAX)
}

/// Truncates a line to what fits.
fn fit(line: &str, columns: usize) -> String {
    truncate_str(line, columns, "").into_owned()
}

/// The line about a step on standard output.
fn plain(line: &StepLine, eta: Option<Duration>) -> String {
    let eta = eta.map_or_else(String::new, |eta| {
        format!(", ETA {}", minutes(eta.as_secs()))
    });
    format!(
        "step {}: loss {:.4}, {:.1} photos/s, waiting {:.0} %{eta}",
        line.step,
        line.loss,
        line.photos_per_second,
        100.0 * line.waiting
    )
}

/// The numbers beside the bar.
fn progress(state: &ProgressState) -> String {
    let (at, steps) = (state.pos(), state.len().unwrap_or(0));
    let eta = if at < steps {
        format!("  ETA {:#}", HumanDuration(state.eta()))
    } else {
        String::new()
    };
    format!("{at}/{steps}  {:#}{eta}", HumanDuration(state.elapsed()))
}

/// The title, if any, then the bar, as far as it fits, and the numbers.
fn head(title: &str, numbers: &str, share: f32, columns: usize) -> String {
    let mut lines = String::new();
    if !title.is_empty() {
        lines.push_str(&fit(title, columns));
        lines.push('\n');
    }
    let room = columns.saturating_sub(numbers.len() + 1);
    lines.push_str(&bar(share, room.min(BAR)));
    lines.push_str(&fit(numbers, columns));
    lines
}

/// A bar of `columns` columns and a space; empty if too short to read.
fn bar(share: f32, columns: usize) -> String {
    if columns < 8 {
        return String::new();
    }
    let done = (share.clamp(0.0, 1.0) * columns as f32) as usize;
    format!("{}{} ", "█".repeat(done), "░".repeat(columns - done))
}

/// Values as a row of bars, scaled from their minimum to their maximum.
fn chart(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (high - low).max(f64::MIN_POSITIVE);
    values
        .iter()
        .map(|value| BARS[((value - low) / range * 7.0).round().clamp(0.0, 7.0) as usize])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(step: u64, loss: f64) -> Event {
        Event::Logged(StepLine {
            step,
            loss,
            learning_rate: 1e-3,
            gradient_norm: 0.5,
            photos_per_second: 12.0,
            waiting: 0.03,
        })
    }

    fn validated(step: u64, miou: f64, best: (f64, u64)) -> Event {
        let line = ValidationLine {
            step,
            miou,
            pixel_accuracy: 0.9,
        };
        let best = Some(best);
        Event::Validated { line, best }
    }

    #[test]
    fn live_lines_say_what_a_watcher_asks() {
        let mut dashboard = Dashboard::new("");
        for step in 0..100 {
            dashboard.show(logged(step, 1.0 / (step + 1) as f64));
        }
        dashboard.show(validated(50, 0.4, (0.4, 50)));
        dashboard.show(validated(99, 0.3, (0.4, 50)));
        let text = dashboard.live();
        for part in [
            "loss 0.0100",
            "learning rate 1.00e-3",
            "12.0 photos/s",
            "waiting for data 3 %",
            "mIoU 30.00 at step 99, best 40.00 at step 50",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(dashboard.losses.len(), CHART);
        // A stage that is validated at another size has a best score of its own.
        dashboard.show(validated(120, 0.2, (0.2, 120)));
        let text = dashboard.live();
        assert!(text.contains("mIoU 20.00 at step 120, best 20.00 at step 120"));
        dashboard.show(Event::Validating);
        assert!(dashboard.live().ends_with("validating"));
    }

    /// A validation follows the last step, which may take longer than the steps did.
    #[test]
    fn no_time_is_left_after_the_last_step() {
        let mut dashboard = Dashboard::new("");
        dashboard.show(Event::Started {
            step: 0,
            steps: 5,
            parameters: 1,
            photos: [1, 1],
        });
        dashboard.show(Event::Step { step: 4 });
        assert!(dashboard.eta().is_some());
        dashboard.show(Event::Step { step: 5 });
        assert_eq!(dashboard.eta(), None);
        let Event::Logged(line) = logged(5, 0.5) else {
            panic!("it is a line")
        };
        let text = "step 5: loss 0.5000, 12.0 photos/s, waiting 3 %";
        assert_eq!(plain(&line, None), text);
        let eta = Some(Duration::from_secs(75));
        assert_eq!(plain(&line, eta), format!("{text}, ETA 1:15"));
    }

    #[test]
    fn the_check_of_every_split_has_a_bar() {
        let mut dashboard = Dashboard::new("");
        let mut check = |split: &'static str, done| {
            dashboard.show(Event::Checking { split, done, of: 5 });
            (dashboard.bar.position(), dashboard.bar.is_finished())
        };
        assert_eq!(check("training", 2), (2, false));
        assert_eq!(check("training", 5), (5, true));
        assert_eq!(check("validation", 2), (2, false));
    }

    #[test]
    fn no_live_line_is_wider_than_the_terminal() {
        for columns in [1, 2, 7, 20, 33, 60, 200] {
            let wide = |text: &str| {
                text.lines()
                    .any(|l| console::measure_text_width(l) > columns)
            };
            assert!(!wide(&fit(
                "learning rate 1.00e-3, 城城城, gradient norm",
                columns
            )));
            for share in [0.0, 0.5, 1.0] {
                assert!(!wide(&bar(share, columns.saturating_sub(1))), "{columns}");
            }
        }
        assert_eq!(bar(0.5, 10), "█████░░░░░ ");
    }

    #[test]
    fn the_head_fits_narrow_and_wide_terminals() {
        let numbers = "500/1000  12s  ETA 12s";
        for (columns, drawn) in [(12, 0), (20, 0), (30, 0), (60, 37), (200, BAR)] {
            let text = head("a row of the table, seed 1", numbers, 0.5, columns);
            let widest = text.lines().map(console::measure_text_width).max();
            assert!(widest.unwrap() <= columns, "{columns}: {text}");
            let cells = text.chars().filter(|c| "█░".contains(*c)).count();
            assert_eq!(cells, drawn, "{columns}: {text}");
        }
        assert_eq!(head("", numbers, 0.5, 22), numbers);
    }

    #[test]
    fn charts_span_their_values() {
        assert_eq!(chart(&[0.0, 1.0, 0.5]), "▁█▅");
        assert_eq!(chart(&[2.0, 2.0]), "▁▁");
        assert_eq!(chart(&[]), "");
    }
}
