//! "Fine-tune on my corrections": `flowseg train` in a separate process.
//!
//! A process rather than a thread: it has its own device memory, a driver failure does not affect the
//! window, it can continue after the window is closed, and it is stopped and resumed like any other
//! run. Its run folder is in `runs` in the folder of corrections.

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
/// The folder for runs in the folder of corrections.
const RUNS: &str = "runs";
/// The file in the run folder with the process's output.
const LOG: &str = "train.log";
/// Numbers of runs are smaller than this.
const MOST: usize = 10_000;

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
    pub stop: Arc<AtomicBool>,
    pub reports: Receiver<Report>,
    /// Reads the numbers of the run; `None` if it has no thread to do so.
    pub watcher: Option<Watcher>,
    /// What it read last.
    pub run: Option<Run>,
}

pub(crate) struct FineTuning {
    pub open: bool,
    pub(super) running: Option<Running>,
    pub(super) ending: Option<Ending>,
    /// The numbers of labelled photos to train on and held back: the corrected ones and those of a data set.
    pub(super) photos: [usize; 2],
    /// The classes of their labels; empty if there are none.
    pub(super) classes: Vec<String>,
    /// The folder of a stopped run that can be resumed.
    pub(super) unfinished: Option<PathBuf>,
    /// The device that the window computes on, as for `--device`.
    pub device: String,
    /// Whether the window is waiting to close until the run is stopped or may continue alone.
    pub(super) closing: bool,
    /// Whether the run may continue without the window, which is about to close.
    may_run: bool,
    pub(super) wake: egui::Context,
}

impl FineTuning {
    pub(super) fn new(context: &egui::Context) -> Self {
        Self {
            open: false,
            running: None,
            ending: None,
            photos: [0, 0],
            classes: Vec::new(),
            unfinished: None,
            device: "auto".into(),
            closing: false,
            may_run: false,
            wake: context.clone(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn run_folder(&self) -> Option<&Path> {
        self.running
            .as_ref()
            .map(|running| running.folder.as_path())
    }

    /// Whether the run was asked to stop and has not ended yet.
    pub(super) fn is_stopping(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.stop.load(Ordering::Relaxed))
    }

    /// The numbers of the run, once they were read.
    pub(super) fn run(&self) -> Option<&Run> {
        self.running.as_ref()?.run.as_ref()
    }

    /// Takes what was read of the run's numbers.
    pub(super) fn read_numbers(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        while let Some(update) = running.watcher.as_ref().and_then(Watcher::poll) {
            match update {
                Update::Runs(runs) => running.run = runs.into_iter().next(),
                Update::Run(_, run) => running.run = Some(*run),
                Update::Picture(..) => {}
            }
        }
    }

    /// Forgets the result of the last run, which was about another folder or model than those chosen now.
    pub(crate) fn forget_ending(&mut self) {
        self.ending = None;
    }

    /// Pretends that a run was stopped.
    #[cfg(test)]
    pub(crate) fn end_stopped(&mut self) {
        self.ending = Some(Ending::Stopped);
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    pub(super) fn photos(&self) -> [usize; 2] {
        self.photos
    }

    /// Whether a model with these classes can go on with the labelled photos: their classes are the same,
    /// and any added ones follow.
    pub(super) fn suits(&self, classes: &[String]) -> bool {
        self.classes.is_empty() || self.classes.starts_with(classes)
    }

    pub(super) fn can_resume(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Whether the user wants to close the window during a run.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Asks what to do with a run when the window is closed. Returns whether there is one.
    pub(super) fn holds_window(&mut self) -> bool {
        let asks = self.running.is_some() && !self.may_run;
        if asks {
            (self.open, self.closing) = (true, true);
        }
        asks
    }

    /// Closes the dialog. If it asked what to do with the run, the window stays open.
    pub(super) fn close(&mut self) {
        (self.open, self.closing) = (false, false);
    }

    /// Lets the run continue without the window.
    pub(super) fn let_run(&mut self) {
        self.close();
        self.may_run = true;
    }

    /// Forgets that answer, because the window stays open after all: the question comes again.
    pub(crate) fn ask_again(&mut self) {
        self.may_run = false;
    }

    pub(super) fn stop(&self) {
        if let Some(running) = &self.running {
            running.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Starts a training process, and a thread that waits for it.
    ///
    /// # Errors
    /// One line on what failed.
    pub(super) fn start(
        &mut self,
        arguments: Vec<OsString>,
        folder: PathBuf,
    ) -> Result<(), String> {
        files::create_folder(&folder).map_err(|error| error.to_string())?;
        let log = files::append(&folder.join(LOG)).map_err(|error| error.to_string())?;
        let failed = |error| format!("cannot start the training: {error}");
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
        let (of_thread, wake, run) = (stop.clone(), self.wake.clone(), folder.clone());
        Builder::new()
            .name("flowseg-fine-tune".into())
            .spawn(move || follow(child, &run, &of_thread, &sender, &wake))
            .map_err(failed)?;
        let wake = self.wake.clone();
        let watcher = Watcher::new(vec![folder.clone()], move || wake.request_repaint());
        self.running = Some(Running {
            folder,
            stop,
            reports,
            watcher: watcher.ok(),
            run: None,
        });
        self.ending = None;
        self.may_run = false;
        Ok(())
    }
}

/// Waits for a training process, and stops it on request.
fn follow(
    mut child: Child,
    folder: &Path,
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
            return send(Report::Ended(ending(folder, exit)));
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

/// The ending of a run, as its folder shows it.
fn ending(folder: &Path, exit: Exit) -> Ending {
    match runs::finished_model(folder) {
        Some(model) if exit == Exit::Success => Ending::Finished {
            model,
            gain: runs::gain(folder),
        },
        _ if exit != Exit::Failure || runs::can_resume(folder) && last_error(folder).is_none() => {
            Ending::Stopped
        }
        _ => Ending::Failed(last_error(folder).unwrap_or_else(|| {
            let log = folder.join(LOG);
            format!("the training ended unexpectedly: see {}", log.display())
        })),
    }
}

/// The last error that the program printed.
fn last_error(folder: &Path) -> Option<String> {
    let log = std::fs::read(folder.join(LOG)).ok()?;
    let text = String::from_utf8_lossy(&log).into_owned();
    let mut lines = text.lines().rev();
    let line = lines.find_map(|line| line.strip_prefix("flowseg: "))?;
    Some(line.to_owned())
}

/// The command-line arguments of a new run.
pub(super) fn arguments(
    model: &str,
    data: &Path,
    run: &Path,
    device: &str,
    held_back: usize,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["train".into(), "--init".into(), model.into()];
    arguments.extend(["--data".into(), data.into(), "--out".into(), run.into()]);
    arguments.extend(["--device".into(), device.into()]);
    if held_back == 0 {
        arguments.extend(["--set".into(), "train.validate_every=0".into()]);
    }
    arguments
}

/// The newest run in a folder of corrections.
pub(super) fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.join(RUNS)).ok()?;
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).max()
}

/// An unused folder for a new run; `None` if there are too many.
pub(super) fn free(folder: &Path) -> Option<PathBuf> {
    let runs = folder.join(RUNS);
    let last = newest(folder).and_then(|run| {
        let name = run.file_name()?.to_str()?.to_owned();
        name.strip_prefix("run-")?.parse::<usize>().ok()
    });
    (last.unwrap_or(0) + 1..MOST)
        .map(|number| runs.join(format!("run-{number:04}")))
        .find(|path| !path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_and_the_newest_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(newest(root), None);
        assert_eq!(free(root), Some(root.join("runs/run-0001")));
        std::fs::create_dir_all(root.join("runs/run-0009")).unwrap();
        std::fs::create_dir_all(root.join("runs/run-0002")).unwrap();
        assert_eq!(newest(root), Some(root.join("runs/run-0009")));
        assert_eq!(free(root), Some(root.join("runs/run-0010")));
    }

    #[test]
    fn a_run_that_may_continue_is_asked_about_again_if_the_window_stays() {
        let mut fine_tuning = FineTuning::new(&egui::Context::default());
        assert!(!fine_tuning.holds_window());
        let (_sender, reports) = sync_channel(1);
        fine_tuning.running = Some(Running {
            folder: PathBuf::new(),
            stop: Arc::default(),
            reports,
            watcher: None,
            run: None,
        });
        assert!(!fine_tuning.is_stopping());
        assert!(fine_tuning.holds_window() && fine_tuning.is_closing());
        // No dialog about a run that may have ended since is left, and closing another one changes nothing.
        fine_tuning.let_run();
        assert!(!fine_tuning.is_closing() && !fine_tuning.holds_window());
        fine_tuning.close();
        assert!(!fine_tuning.holds_window());
        fine_tuning.ask_again();
        assert!(fine_tuning.holds_window());
        fine_tuning.close();
        assert!(!fine_tuning.is_closing() && fine_tuning.holds_window());
        fine_tuning.stop();
        assert!(fine_tuning.is_running() && fine_tuning.is_stopping());
    }

    #[test]
    fn the_way_a_run_ended_is_read_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let write = |name: &str, text: &str| std::fs::write(run.join(name), text).unwrap();
        assert!(
            matches!(ending(run, Exit::of(Some(1))), Ending::Failed(text) if text.contains(LOG))
        );
        write(LOG, "step 1\nflowseg: no space: free some\n");
        assert_eq!(
            ending(run, Exit::of(Some(1))),
            Ending::Failed("no space: free some".into())
        );
        assert_eq!(ending(run, Exit::of(Some(0))), Ending::Stopped);
        assert_eq!(ending(run, Exit::of(Some(143))), Ending::Stopped);
        write("model.safetensors", "");
        let model = run.join("model.safetensors");
        let finished = |gain| Ending::Finished {
            model: model.clone(),
            gain,
        };
        assert_eq!(ending(run, Exit::of(Some(0))), finished(None));
        write(
            "metrics.jsonl",
            "{\"step\":0,\"miou\":0.5,\"pixel_accuracy\":0.5}\n{\"step\":5,\"loss\":1.0}\n\
             {\"step\":10,\"miou\":0.75,\"pixel_accuracy\":0.5}\n",
        );
        assert_eq!(ending(run, Exit::of(Some(0))), finished(Some([0.5, 0.75])));
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
            scope.spawn(|| follow(child, folder.path(), &stop, &sender, &context));
            assert!(matches!(reports.recv().unwrap(), Report::Begun));
            stop.store(true, Ordering::Relaxed);
            let ended = reports.recv().unwrap();
            assert!(matches!(ended, Report::Ended(Ending::Stopped)));
        });
    }

    #[test]
    fn without_a_photo_held_back_there_is_no_validation() {
        let of = |held| arguments("street", Path::new("c"), Path::new("r"), "cpu", held);
        assert!(!of(1).contains(&"train.validate_every=0".into()));
        assert!(of(0).contains(&"train.validate_every=0".into()));
    }
}
