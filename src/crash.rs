//! What a crash leaves behind: a log in `flowseg/crashes` of the user's state folder (on Linux
//! `~/.local/state`, elsewhere that of local application data), whose path is printed.
//!
//! A panic of any thread counts, and so does what closes the window. An error of a command does not,
//! nor does a closed pipe: nothing panics there. Nor does a panic of a decoder, whose error names the file,
//! nor one of a GPU whose memory is full.

use crate::files;
use crate::panics::is_expected;
use crate::terminal;
use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Logs that are kept, the newest.
const KEPT: usize = 20;
/// Reports in the log of one process: what fails again and again is said often enough by then.
const REPORTS: usize = 8;

/// The log of this process.
static LOG: Mutex<Option<File>> = Mutex::new(None);
static REPORTED: AtomicUsize = AtomicUsize::new(0);
/// Where reports are printed instead of on standard error.
static PRINT: RwLock<Option<Print>> = RwLock::new(None);
/// What computes and draws.
static ADAPTER: Mutex<String> = Mutex::new(String::new());

/// Prints a line without waiting.
pub(crate) type Print = Box<dyn Fn(String) + Send + Sync>;

/// From now on reports are printed by `print`, or again on standard error: a program that goes on after a panic may
/// not wait until somebody reads standard error.
pub(crate) fn print_with(print: Option<Print>) {
    *PRINT.write().unwrap_or_else(PoisonError::into_inner) = print;
}

/// From now on a panic of any thread is logged, after it is reported as before. On a lost device every
/// operation panics: what is not logged any more is not reported either.
pub(crate) fn log_panics() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if !is_expected(panic.payload_as_str().unwrap_or_default()) && is_told() {
            let described = described(panic);
            if !print_elsewhere(described.trim_end()) {
                before(panic);
            }
            record(&described);
        }
    }));
}

/// Prints a line where [`print_with`] says; `false` if it says nothing. It is locked for writing for a moment only, when
/// a program begins or ends.
fn print_elsewhere(line: &str) -> bool {
    let print = match PRINT.try_read() {
        Ok(print) => print,
        Err(TryLockError::Poisoned(print)) => print.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    print.as_ref().is_some_and(|print| {
        print(line.to_owned());
        true
    })
}

/// Whether one more report is made.
fn is_told() -> bool {
    REPORTED.fetch_add(1, Ordering::Relaxed) < REPORTS
}

/// Remembers what computes, and what draws, for the log.
pub(crate) fn set_adapter(name: &str) {
    name.clone_into(&mut ADAPTER.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Logs an error that ends the window.
pub(crate) fn record_error(error: &str) {
    if is_told() {
        record(&format!("error: {error}\n"));
    }
}

fn described(panic: &PanicHookInfo) -> String {
    let thread = std::thread::current();
    let place = panic.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}:{}", place.file(), place.line(), place.column()),
    );
    let message = panic.payload_as_str().unwrap_or("no message");
    let name = thread.name().unwrap_or("without a name");
    format!("panic: thread {name} at {place}: {message}\n")
}

/// Writes a report and says where. Nothing in here may panic, and no lock is waited for: the thread
/// that fails may hold it.
fn record(what: &str) {
    let mut log = match LOG.try_lock() {
        Ok(log) => log,
        Err(TryLockError::Poisoned(log)) => log.into_inner(),
        // Another thread fails at the same moment, most likely of the same.
        Err(TryLockError::WouldBlock) => return,
    };
    let report = report(what);
    let written = match log.as_mut() {
        Some(file) => file.write_all(report.as_bytes()).map(|()| None),
        None => create().and_then(|(path, mut file)| {
            file.write_all(report.as_bytes())?;
            *log = Some(file);
            Ok(Some(path))
        }),
    };
    let line = match written {
        Ok(Some(path)) => format!("a log of the crash is in {}", path.display()),
        Ok(None) => return,
        Err(error) => format!("no log of the crash could be written: {error}"),
    };
    if !print_elsewhere(&line) {
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// The text of a report.
fn report(what: &str) -> String {
    let adapter = ADAPTER.try_lock().map(|name| name.clone());
    let adapter = adapter.ok().filter(|name| !name.is_empty());
    let mut time = String::new();
    let system = sysinfo::System::long_os_version().unwrap_or_else(|| std::env::consts::OS.into());
    let kernel = sysinfo::System::kernel_version().unwrap_or_default();
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let _ = write!(
        text,
        "FlowSeg {}{}\ntime: {time}\nsystem: {system}, {kernel}, {}\nadapter: {}\n{what}",
        env!("CARGO_PKG_VERSION"),
        // Builds of a checkout may say which.
        option_env!("FLOWSEG_COMMIT").map_or_else(String::new, |commit| format!(", {commit}")),
        std::env::consts::ARCH,
        adapter.as_deref().unwrap_or("none was opened"),
    );
    text.push_str("last lines:\n");
    for line in terminal::recent() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "backtrace:\n{}", Backtrace::force_capture());
    text
}

/// The folder of the logs.
fn folder() -> Option<PathBuf> {
    let state = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(state.join("flowseg").join("crashes"))
}

/// A new log; the oldest ones make room.
fn create() -> io::Result<(PathBuf, File)> {
    let folder = folder().ok_or_else(|| io::Error::other("this user has no folder for it"))?;
    files::create_folder(&folder).map_err(io::Error::other)?;
    let mut old: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .collect();
    old.sort();
    let surplus = (old.len() + 1).saturating_sub(KEPT);
    for path in &old[..surplus.min(old.len())] {
        // One that can't be removed stays.
        let _ = files::remove_file(path);
    }
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    let name = format!("crash-{:012}-{}", since.as_secs(), std::process::id());
    let names = [format!("{name}.log"), format!("{name}-2.log")];
    files::create_first_free(&folder, names).map_err(io::Error::other)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
