//! `flowseg train` in a separate process.
//!
//! A process rather than a thread: it has its own device memory, a driver failure does not affect the
//! window, it can continue after the window is closed, and it is stopped and resumed like any other
//! run.

use super::process;
use crate::runs::{Run, Update, Watcher};
use crate::{files, runs};
use eframe::egui;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// How often the process is polled.
const PERIOD: Duration = Duration::from_millis(200);
/// The file in the run folder with the process's output.
const LOG: &str = "train.log";

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// The new model, and its mIoU on the held-back photos before and after, 0 to 1, if there are any.
    Finished {
        model: PathBuf,
        gain: Option<[f64; 2]>,
    },
    /// The run can be resumed.
    Stopped,
    /// The reason, in one line.
    Failed(String),
}

pub(super) enum Report {
    /// The run folder exists and can be followed.
    Begun,
    Ended(Ending),
}

pub(super) struct Running {
    pub folder: PathBuf,
    stop: Arc<AtomicBool>,
    reports: Receiver<Report>,
    /// Reads the numbers of the run; `None` if it has no thread to do so.
    watcher: Option<Watcher>,
    /// What it read last.
    pub run: Option<Run>,
}

impl Running {
    /// Starts a training process, and a thread that waits for it.
    ///
    /// # Errors
    /// One line on what failed.
    pub(super) fn start(
        arguments: Vec<OsString>,
        folder: PathBuf,
        context: &egui::Context,
    ) -> Result<Self, String> {
        files::create_folder(&folder).map_err(|error| error.to_string())?;
        let log = files::append(&folder.join(LOG)).map_err(|error| error.to_string())?;
        let failed = |error| format!("cannot start the training: {error}");
        // What was printed so far is of earlier attempts.
        let printed = log.metadata().map_err(failed)?.len();
        let errors = log.try_clone().map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        process::set_apart(&mut command);
        let child = command.spawn().map_err(failed)?;
        let (sender, reports) = sync_channel(4);
        let stop = Arc::new(AtomicBool::new(false));
        let (of_thread, wake, run) = (stop.clone(), context.clone(), folder.clone());
        Builder::new()
            .name("flowseg-fine-tune".into())
            .spawn(move || follow(child, (&run, printed), &of_thread, &sender, &wake))
            .map_err(failed)?;
        let wake = context.clone();
        let watcher = Watcher::new(vec![folder.clone()], move || wake.request_repaint());
        Ok(Self {
            folder,
            stop,
            reports,
            watcher: watcher.ok(),
            run: None,
        })
    }

    /// The next report of the thread, if one has arrived.
    pub(super) fn poll(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Asks the process to stop.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes what was read of the run's numbers.
    pub(super) fn read_numbers(&mut self) {
        while let Some(update) = self.watcher.as_ref().and_then(Watcher::poll) {
            match update {
                Update::Runs(runs) => self.run = runs.into_iter().next(),
                Update::Run(_, run) => self.run = Some(*run),
                Update::Picture(..) => {}
            }
        }
    }

    /// One without a process.
    #[cfg(test)]
    pub(super) fn pretended() -> Self {
        Self {
            folder: PathBuf::new(),
            stop: Arc::default(),
            reports: sync_channel(1).1,
            watcher: None,
            run: None,
        }
    }
}

/// Waits for a training process in a folder whose log had `printed` bytes before it, and stops it on request.
fn follow(
    mut child: Child,
    (folder, printed): (&Path, u64),
    stop: &AtomicBool,
    sender: &SyncSender<Report>,
    wake: &egui::Context,
) {
    let (mut begun, mut asked) = (false, false);
    // Without a receiver, the window has closed, and the process continues.
    let send = |report| {
        let _ = sender.send(report);
        wake.request_repaint();
    };
    loop {
        let status = match child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(Exit::of(status.code())),
            Err(error) => {
                let text = format!("cannot wait for the training process: {error}");
                return send(Report::Ended(Ending::Failed(text)));
            }
        };
        if !begun && runs::is_run(folder) {
            begun = true;
            send(Report::Begun);
        }
        if let Some(exit) = status {
            return send(Report::Ended(ending(folder, printed, exit)));
        }
        if stop.load(Ordering::Relaxed) && !asked {
            asked = true;
            process::interrupt(&mut child);
        }
        std::thread::sleep(PERIOD);
    }
}

/// How a training process ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exit {
    Success,
    /// Stopped by Ctrl-C, SIGTERM or a closed terminal, as the command line reports it.
    Stopped,
    Failure,
}

impl Exit {
    /// That of an exit status; `None` for a process that was killed.
    fn of(status: Option<i32>) -> Self {
        match status {
            Some(0) => Self::Success,
            Some(129 | 130 | 143) => Self::Stopped,
            _ => Self::Failure,
        }
    }
}

/// The ending of a run, as its folder shows it, whose log had `printed` bytes when the process began.
fn ending(folder: &Path, printed: u64, exit: Exit) -> Ending {
    let error = || last_error(folder, printed);
    match runs::finished_model(folder) {
        Some(model) if exit == Exit::Success => Ending::Finished {
            model,
            gain: runs::gain(folder),
        },
        _ if exit != Exit::Failure || runs::can_resume(folder) && error().is_none() => {
            Ending::Stopped
        }
        _ => Ending::Failed(error().unwrap_or_else(|| {
            let log = folder.join(LOG);
            format!("the training ended unexpectedly: see {}", log.display())
        })),
    }
}

/// The last error that the program printed after the first `printed` bytes of its log.
fn last_error(folder: &Path, printed: u64) -> Option<String> {
    let log = std::fs::read(folder.join(LOG)).ok()?;
    let log = log.get(usize::try_from(printed).ok()?..)?;
    let text = String::from_utf8_lossy(log);
    let mut lines = text.lines().rev();
    let line = lines.find_map(|line| line.strip_prefix("flowseg: "))?;
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_a_run_ended_is_read_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let write = |name: &str, text: &str| std::fs::write(run.join(name), text).unwrap();
        let ending = |exit| super::ending(run, 0, exit);
        assert!(matches!(ending(Exit::of(Some(1))), Ending::Failed(text) if text.contains(LOG)));
        write(LOG, "step 1\nflowseg: no space: free some\n");
        assert_eq!(
            ending(Exit::of(Some(1))),
            Ending::Failed("no space: free some".into())
        );
        assert_eq!(ending(Exit::of(Some(0))), Ending::Stopped);
        assert_eq!(ending(Exit::of(Some(143))), Ending::Stopped);
        write("model.safetensors", "");
        let model = run.join("model.safetensors");
        let finished = |gain| Ending::Finished {
            model: model.clone(),
            gain,
        };
        assert_eq!(ending(Exit::of(Some(0))), finished(None));
        write(
            "metrics.jsonl",
            "{\"step\":0,\"miou\":0.5,\"pixel_accuracy\":0.5}\n{\"step\":5,\"loss\":1.0}\n\
             {\"step\":10,\"miou\":0.75,\"pixel_accuracy\":0.5}\n",
        );
        assert_eq!(ending(Exit::of(Some(0))), finished(Some([0.5, 0.75])));
    }

    #[test]
    fn a_run_that_goes_on_does_not_fail_of_an_earlier_error() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        std::fs::create_dir_all(run.join("checkpoints/step-0000005")).unwrap();
        let earlier = "flowseg: no space: free some\n";
        std::fs::write(run.join(LOG), earlier).unwrap();
        let printed = earlier.len() as u64;
        // Killed, as the signal leaves no message.
        assert_eq!(ending(run, printed, Exit::Failure), Ending::Stopped);
        std::fs::write(run.join(LOG), format!("{earlier}flowseg: no memory\n")).unwrap();
        let failed = Ending::Failed("no memory".into());
        assert_eq!(ending(run, printed, Exit::Failure), failed);
    }

    #[cfg(unix)]
    #[test]
    fn a_run_is_announced_and_stops_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'exit 143' TERM; : > metrics.jsonl; while :; do sleep 0.05; done";
        let child = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let (sender, reports) = sync_channel(4);
        let (stop, context) = (AtomicBool::new(false), egui::Context::default());
        std::thread::scope(|scope| {
            scope.spawn(|| follow(child, (folder.path(), 0), &stop, &sender, &context));
            assert!(matches!(reports.recv().unwrap(), Report::Begun));
            stop.store(true, Ordering::Relaxed);
            let ended = reports.recv().unwrap();
            assert!(matches!(ended, Report::Ended(Ending::Stopped)));
        });
    }
}
