//! Each test runs another one in a process of its own, because a hook and a log are of the process.

use super::*;
use std::process::Command;

/// Runs a test of this module that is ignored otherwise in a process of its own, with a state
/// folder of its own; what it printed on standard error, and the logs.
fn child(test: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("crash::tests::{test}"))
        .env("XDG_STATE_HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let logs = std::fs::read_dir(folder.path().join("flowseg/crashes"));
    let logs = logs.into_iter().flatten().flatten().map(|entry| {
        let path = entry.path();
        assert!(said.contains(&*path.to_string_lossy()), "{said}");
        std::fs::read_to_string(path).unwrap()
    });
    (said.clone(), logs.collect())
}

#[test]
fn a_panic_of_any_thread_is_logged_with_what_came_before() {
    let (said, logs) = child("two_threads_panic");
    let [log] = &logs[..] else {
        panic!("{} logs: {said}", logs.len());
    };
    for part in [
        concat!("FlowSeg ", env!("CARGO_PKG_VERSION")),
        "time: 20",
        "system: ",
        "adapter: a test's adapter",
        "panic: thread first at src/crash/tests.rs:",
        ": the first fault",
        "panic: thread second at",
        "  a line before the fault",
        "  WARN a warning before",
        "backtrace:",
        "two_threads_panic",
    ] {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    // Said once, after the usual report of the panic.
    assert_eq!(said.matches("a log of the crash is in ").count(), 1);
    assert!(said.contains("the second fault"), "{said}");
}

#[test]
#[ignore = "panics in a process of its own"]
fn two_threads_panic() {
    crate::terminal::start_log();
    log_panics();
    set_adapter("a test's adapter");
    crate::terminal::err!("a line before the fault");
    tracing::warn!("a warning before");
    for (name, fault) in [("first", "the first fault"), ("second", "the second fault")] {
        let thread = std::thread::Builder::new().name(name.into());
        let thread = thread.spawn(move || panic!("{fault}")).unwrap();
        assert!(thread.join().is_err());
    }
}

#[test]
fn a_program_that_must_not_wait_prints_reports_itself() {
    let (said, logs) = child("a_server_panics");
    assert_eq!(logs.len(), 1, "{said}");
    assert!(logs[0].contains("a fault of a photo"), "{}", logs[0]);
    for line in [
        "printed: panic: thread worker at src/crash/tests.rs:",
        "printed: a log of the crash is in ",
        "at the end",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    assert_eq!(said.matches("a fault of a photo").count(), 1, "{said}");
}

#[test]
#[ignore = "panics in a process of its own"]
fn a_server_panics() {
    log_panics();
    let panics = |message: &'static str| {
        let thread = std::thread::Builder::new().name("worker".into());
        assert!(
            thread
                .spawn(move || panic!("{message}"))
                .unwrap()
                .join()
                .is_err()
        );
    };
    print_with(Some(Box::new(|line| eprintln!("printed: {line}"))));
    panics("a fault of a photo");
    print_with(None);
    panics("at the end");
}

#[test]
fn a_fault_that_repeats_is_not_logged_for_ever_and_old_logs_go() {
    let (_, logs) = child("one_fault_repeats");
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].matches("\nerror: again").count(), REPORTS);
}

#[test]
#[ignore = "writes logs in a process of its own"]
fn one_fault_repeats() {
    let folder = folder().unwrap();
    files::create_folder(&folder).unwrap();
    for at in 0..KEPT + 5 {
        files::write_atomic(&folder.join(format!("crash-{at:012}-1.log")), b"").unwrap();
    }
    for _ in 0..3 * REPORTS {
        record_error("again");
    }
    let kept = std::fs::read_dir(&folder).unwrap().flatten();
    let kept: Vec<PathBuf> = kept.map(|entry| entry.path()).collect();
    assert_eq!(kept.len(), KEPT);
    assert!(!folder.join("crash-000000000005-1.log").exists());
    // The other test's helper wants to see one log alone.
    for path in kept {
        if std::fs::metadata(&path).unwrap().len() == 0 {
            files::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn panics_of_decoders_are_not_logged_and_use_up_no_report() {
    let (said, logs) = child("decoders_panic");
    assert_eq!(logs.len(), 1, "{said}");
    assert!(logs[0].contains("a real fault"), "{}", logs[0]);
    assert!(!said.contains("a damaged file"), "{said}");
}

#[test]
#[ignore = "panics in a process of its own"]
fn decoders_panic() {
    use crate::panics::{caught, caught_quietly};
    log_panics();
    for _ in 0..2 * REPORTS {
        let damaged = || -> Result<(), String> { panic!("a damaged file") };
        let message = caught_quietly(damaged, |message| message);
        assert_eq!(message, Err("a damaged file".to_owned()));
    }
    let real = || -> Result<(), String> { panic!("a real fault") };
    assert!(caught(real, |message| message).is_err());
}

#[test]
fn only_the_panics_that_work_expects_are_not_logged() {
    let (said, logs) = child("work_panics");
    assert_eq!(logs.len(), 1, "{said}");
    assert!(logs[0].contains("a fault in between"), "{}", logs[0]);
    assert!(!said.contains("a full memory"), "{said}");
}

#[test]
#[ignore = "panics in a process of its own"]
fn work_panics() {
    use crate::panics::{caught, expecting};
    log_panics();
    for message in ["a full memory", "a fault in between"] {
        let work = || -> Result<(), String> { panic!("{message}") };
        let found = expecting(
            |message| message.contains("memory"),
            || caught(work, |message| message),
        );
        assert_eq!(found, Err(message.to_owned()));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("crash::tests::two_threads_panic")
        .env("XDG_STATE_HOME", file.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no log of the crash could be written"),
        "{said}"
    );
}
