//! Standard output and standard error, for people and scripts.
//!
//! `println!` panics if a stream refuses to write; [`out!`](crate::terminal::out) and
//! [`err!`](crate::terminal::err) do not.
//! - A reader that closes its pipe has read enough: nothing more is printed, and the work
//!   continues to its end and its own exit status. (Rust's start-up code ignores SIGPIPE, which
//!   would end the program in the middle of its work; that is kept.)
//! - If a file is written to standard output, all lines go to standard error; see [`leave_output`].
//! - A terminal that disappears is treated the same way.
//! - Any other error, such as a full disk, is kept for the end; see [`failure`].
//! - Errors of standard error are dropped, since there is nowhere left to report them.
//!
//! Names of files and classes come from anywhere and must not drive the terminal: control
//! characters are printed as `\u001b`, which is valid in JSON as well.

use indicatif::{ProgressBar, ProgressDrawTarget, WeakProgressBar};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Prints a line on standard output: the arguments are those of `println!`.
macro_rules! out {
    ($($arguments:tt)*) => { $crate::terminal::print(format_args!($($arguments)*)) };
}

/// Prints a line on standard error: the arguments are those of `eprintln!`.
macro_rules! err {
    ($($arguments:tt)*) => { $crate::terminal::report(format_args!($($arguments)*)) };
}

pub(crate) use {err, out};

/// The state of standard output.
enum Output {
    Open,
    /// The reader is gone.
    Closed,
    /// Writing failed for this reason.
    Failed(io::Error),
}

static OUTPUT: Mutex<Output> = Mutex::new(Output::Open);
/// Whether standard output belongs to a file.
static IS_LEFT: AtomicBool = AtomicBool::new(false);
/// Evaluated at the start, before the terminal can disappear.
static ON_TERMINAL: LazyLock<bool> = LazyLock::new(|| io::stdout().is_terminal());
/// The visible progress bar, which other lines must not break.
static BAR: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// The last lines on standard error and of the log, for the log of a crash.
static RECENT: Mutex<Recent> = Mutex::new(Recent(VecDeque::new()));
/// How many.
const RECENT_LINES: usize = 200;
/// The most bytes of one of them that are kept.
const RECENT_BYTES: usize = 1000;

/// The last lines, the oldest first.
struct Recent(VecDeque<String>);

impl Recent {
    fn add(&mut self, text: &str) {
        for line in text.lines() {
            if self.0.len() >= RECENT_LINES {
                self.0.pop_front();
            }
            let end = line.floor_char_boundary(RECENT_BYTES);
            self.0.push_back(line[..end].to_owned());
        }
    }
}

/// The last lines on standard error, the oldest first. None where they are being changed: whoever asks
/// after a fault must not wait.
pub(crate) fn recent() -> Vec<String> {
    let lines = RECENT.try_lock();
    lines.map_or_else(|_| Vec::new(), |recent| recent.0.iter().cloned().collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    fn after(result: io::Result<()>, on_terminal: bool) -> Self {
        match result {
            Ok(()) => Self::Open,
            Err(error) if error.kind() == ErrorKind::BrokenPipe || on_terminal => Self::Closed,
            Err(error) => Self::Failed(error),
        }
    }
}

/// Prints a line on standard output; see [`out!`](crate::terminal::out).
pub(crate) fn print(line: fmt::Arguments) {
    if IS_LEFT.load(Ordering::Relaxed) {
        report(line);
        return;
    }
    let on_terminal = *ON_TERMINAL;
    let mut output = lock(&OUTPUT);
    if matches!(*output, Output::Open) {
        let text = format!("{}\n", printable(&line.to_string()));
        let result = beside_the_bar(|| {
            let mut stream = io::stdout().lock();
            stream.write_all(text.as_bytes())?;
            stream.flush()
        });
        *output = Output::after(result, on_terminal);
    }
}

/// From now on, prints no line on standard output but on standard error: a command writes one of its files there,
/// which lines would damage.
pub(crate) fn leave_output() {
    IS_LEFT.store(true, Ordering::Relaxed);
}

/// Prints a line on standard error; see [`err!`](crate::terminal::err).
pub(crate) fn report(line: fmt::Arguments) {
    let text = format!("{}\n", printable(&line.to_string()));
    lock(&RECENT).add(&text);
    let _ = beside_the_bar(|| io::stderr().write_all(text.as_bytes()));
}

/// Why writing to standard output failed, unless its reader closed it.
pub(crate) fn failure() -> Option<io::Error> {
    match std::mem::replace(&mut *lock(&OUTPUT), Output::Closed) {
        Output::Failed(error) => Some(error),
        _ => None,
    }
}

/// Hides the progress bar while `print` prints.
fn beside_the_bar<T>(print: impl FnOnce() -> T) -> T {
    let bar = lock(&BAR).as_ref().and_then(WeakProgressBar::upgrade);
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// A progress bar on standard error. It is hidden where lines cannot be redrawn: if that is not a
/// terminal, or one with `TERM=dumb` or no columns.
pub(crate) fn bar(length: u64) -> ProgressBar {
    let target = match columns() {
        Some(_) => ProgressDrawTarget::stderr(),
        None => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    *lock(&BAR) = Some(bar.downgrade());
    bar
}

/// The columns of the terminal on standard error; `None` if lines cannot be redrawn.
pub(crate) fn columns() -> Option<usize> {
    let size = console::Term::stderr().size_checked();
    let columns = size.map(|(_, columns)| usize::from(columns));
    columns.filter(|_| !is_dumb())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether messages on standard error may be coloured.
fn coloured() -> bool {
    // The question also makes a console of Windows understand colours, which it does not at first.
    !is_dumb() && console::Term::stderr().features().colors_supported()
}

/// Sends the log to standard error.
pub(crate) fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FLOWSEG_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "flowseg=warn,error".into()))
        .with_ansi(coloured())
        .with_writer(|| Log)
        .with_target(false)
        .without_time()
        .init();
}

/// Formats log records and prints them.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        lock(&RECENT).add(&console::strip_ansi_codes(&text));
        // The log escapes what it did not colour itself.
        let text = if coloured() { text } else { printable(&text) };
        let _ = beside_the_bar(|| io::stderr().write_all(text.as_bytes()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text with its control characters escaped, except line endings.
fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_unsafe(character))
}

/// The name on one line, with its control characters escaped.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

/// Control characters, and those that change the direction of the text around them.
fn is_unsafe(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

fn escaped(text: &str, escapes: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escapes) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if escapes(character) {
            // Writing into a string does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert!(matches!(name("straße 城 e\u{301}"), Cow::Borrowed(_)));
        assert_eq!(
            name("a\u{1b}]0;b\u{7}\u{9b}1m\n\t\u{202e}"),
            "a\\u001b]0;b\\u0007\\u009b1m\\u000a\\u0009\\u202e"
        );
        assert_eq!(printable("a\nb\rc"), "a\nb\\u000dc");
    }

    #[test]
    fn escaped_json_says_the_same() {
        let value = serde_json::json!({ "\u{9b}\u{7f}": "\u{1b}\u{202e}" });
        let text = value.to_string();
        let printed = printable(&text);
        assert_ne!(printed, text);
        let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let mut recent = Recent(VecDeque::new());
        for at in 0..3 * RECENT_LINES {
            recent.add(&format!("line {at}\n"));
        }
        recent.add(&"ß".repeat(RECENT_BYTES));
        let Recent(lines) = recent;
        assert_eq!(lines.len(), RECENT_LINES);
        assert_eq!(lines[0], format!("line {}", 2 * RECENT_LINES + 1));
        assert_eq!(lines[RECENT_LINES - 1], "ß".repeat(RECENT_BYTES / 2));
    }

    #[test]
    fn only_a_reader_that_left_and_a_vanished_terminal_are_silent() {
        let after = |kind: ErrorKind, terminal| Output::after(Err(kind.into()), terminal);
        assert!(matches!(
            after(ErrorKind::BrokenPipe, false),
            Output::Closed
        ));
        assert!(matches!(after(ErrorKind::Other, true), Output::Closed));
        let full = after(ErrorKind::StorageFull, false);
        assert!(matches!(full, Output::Failed(_)));
        assert!(matches!(Output::after(Ok(()), false), Output::Open));
    }
}
