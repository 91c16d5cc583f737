//! "Fine-tune on my corrections": a training process, and the dialog about it. Its run folder is in `runs` in the
//! folder of corrections.

use super::training_process::{Ending, Running};
use crate::runs::Run;
use eframe::egui;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder for runs in the folder of corrections.
const RUNS: &str = "runs";
/// Numbers of runs are smaller than this.
const MOST: usize = 10_000;

/// The last training on the corrections.
enum Training {
    /// There was none, or its result was about another folder or model than those chosen now.
    None,
    Running(Box<Running>),
    Ended(Ending),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialog {
    Closed,
    Open,
    /// It asks what to do with the run: the window is waiting to close until the run is stopped or may continue
    /// alone.
    ClosingWindow,
}

pub(crate) struct FineTuning {
    dialog: Dialog,
    training: Training,
    /// The numbers of labelled photos to train on and held back: the corrected ones and those of a data set.
    pub(super) photos: [usize; 2],
    /// The classes of their labels; empty if there are none.
    pub(super) classes: Vec<String>,
    /// The folder of a stopped run that can be resumed.
    pub(super) unfinished: Option<PathBuf>,
    /// The folder of the newest run, if a process was training there when the dialog was opened or refreshed.
    pub(super) trained: Option<PathBuf>,
    /// The device that the window computes on, as for `--device`.
    pub device: String,
    /// Whether the run may continue without the window, which is about to close.
    may_run: bool,
    wake: egui::Context,
}

impl FineTuning {
    pub(super) fn new(context: &egui::Context) -> Self {
        Self {
            dialog: Dialog::Closed,
            training: Training::None,
            photos: [0, 0],
            classes: Vec::new(),
            unfinished: None,
            trained: None,
            device: "auto".into(),
            may_run: false,
            wake: context.clone(),
        }
    }

    pub(super) fn running(&self) -> Option<&Running> {
        match &self.training {
            Training::Running(running) => Some(running),
            Training::None | Training::Ended(_) => None,
        }
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        match &self.training {
            Training::Ended(ending) => Some(ending),
            Training::None | Training::Running(_) => None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running().is_some()
    }

    pub(super) fn run_folder(&self) -> Option<&Path> {
        self.running().map(|running| running.folder.as_path())
    }

    /// Whether the run was asked to stop and has not ended yet.
    pub(super) fn is_stopping(&self) -> bool {
        self.running().is_some_and(Running::is_stopping)
    }

    /// The numbers of the run, once they were read.
    pub(super) fn run(&self) -> Option<&Run> {
        self.running()?.run.as_ref()
    }

    /// Takes what was read of the run's numbers.
    pub(super) fn read_numbers(&mut self) {
        if let Training::Running(running) = &mut self.training {
            running.read_numbers();
        }
    }

    /// Forgets the result of the last run, which was about another folder or model than those chosen now.
    pub(crate) fn forget_ending(&mut self) {
        if self.ending().is_some() {
            self.training = Training::None;
        }
    }

    /// Pretends that a run was stopped.
    #[cfg(test)]
    pub(crate) fn end_stopped(&mut self) {
        self.training = Training::Ended(Ending::Stopped);
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

    /// The folder of the newest run, if another process trains there.
    pub(super) fn trained_elsewhere(&self) -> Option<&Path> {
        self.trained.as_deref().filter(|_| !self.is_running())
    }

    /// Whether the dialog is open.
    pub(super) fn is_open(&self) -> bool {
        self.dialog != Dialog::Closed
    }

    /// Whether the user wants to close the window during a run.
    pub(crate) fn is_closing(&self) -> bool {
        self.dialog == Dialog::ClosingWindow
    }

    /// Opens the dialog, unless it is open.
    pub(crate) fn open(&mut self) {
        if !self.is_open() {
            self.dialog = Dialog::Open;
        }
    }

    /// Asks what to do with a run when the window is closed. Returns whether there is one.
    pub(super) fn holds_window(&mut self) -> bool {
        let asks = self.is_running() && !self.may_run;
        if asks {
            self.dialog = Dialog::ClosingWindow;
        }
        asks
    }

    /// Closes the dialog. If it asked what to do with the run, the window stays open.
    pub(super) fn close(&mut self) {
        self.dialog = Dialog::Closed;
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
        if let Some(running) = self.running() {
            running.stop();
        }
    }

    /// Starts a training process; see [`Running::start`].
    ///
    /// # Errors
    /// One line on what failed.
    pub(super) fn start(
        &mut self,
        arguments: Vec<OsString>,
        folder: PathBuf,
    ) -> Result<(), String> {
        let running = Running::start(arguments, folder, &self.wake)?;
        self.training = Training::Running(Box::new(running));
        self.may_run = false;
        Ok(())
    }

    /// Takes the ending of the run. Returns whether the window was waiting for it to close.
    pub(super) fn end(&mut self, ending: Ending) -> bool {
        self.training = Training::Ended(ending);
        let was_closing = self.is_closing();
        self.dialog = Dialog::Open;
        was_closing
    }
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
        fine_tuning.training = Training::Running(Box::new(Running::pretended()));
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
    fn the_window_closes_after_a_run_that_was_stopped_for_it() {
        let mut fine_tuning = FineTuning::new(&egui::Context::default());
        for closes in [false, true] {
            fine_tuning.training = Training::Running(Box::new(Running::pretended()));
            fine_tuning.open();
            // Nor does a refreshed dialog forget the question.
            assert!(!closes || fine_tuning.holds_window());
            fine_tuning.open();
            assert_eq!(fine_tuning.is_closing(), closes);
            assert_eq!(fine_tuning.end(Ending::Stopped), closes);
            assert!(fine_tuning.is_open() && !fine_tuning.is_closing());
            assert_eq!(fine_tuning.ending(), Some(&Ending::Stopped));
            fine_tuning.forget_ending();
            assert_eq!(fine_tuning.ending(), None);
        }
    }

    #[test]
    fn without_a_photo_held_back_there_is_no_validation() {
        let of = |held| arguments("street", Path::new("c"), Path::new("r"), "cpu", held);
        assert!(!of(1).contains(&"train.validate_every=0".into()));
        assert!(of(0).contains(&"train.validate_every=0".into()));
    }
}
