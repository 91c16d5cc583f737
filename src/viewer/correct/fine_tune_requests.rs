//! Effects of the buttons of the fine-tuning's dialog, and of its thread's reports.

use super::fine_tune::{arguments, free, newest};
use super::folder::folder;
use super::request::FineTuneRequest;
use super::training_process::{Ending, Report};
use crate::viewer::app_event::AppEvent;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{Action, Command};
use crate::{data, runs};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Carries out a button of the dialog.
pub(super) fn request(app: &mut AppState, request: FineTuneRequest) {
    match request {
        FineTuneRequest::Open => open(app),
        FineTuneRequest::Close => {
            app.correct.fine_tuning.close();
            // The window stays open, and the photo with it.
            app.restore_correction();
        }
        FineTuneRequest::Start => start(app),
        FineTuneRequest::Resume => resume(app),
        FineTuneRequest::Stop => app.correct.fine_tuning.stop(),
        FineTuneRequest::Take => take(app),
        FineTuneRequest::LetRun => {
            app.correct.fine_tuning.let_run();
            app.correct.ready = Some(Action::Quit.into());
        }
    }
}

/// Opens or refreshes the dialog.
fn open(app: &mut AppState) {
    let found = folder(app).map(|folder| {
        let classes = data::trained_classes(folder).unwrap_or_default();
        (data::corrected_photos(folder), classes, newest(folder))
    });
    let (photos, classes, newest) = found.unwrap_or_default();
    let fine_tuning = &mut app.correct.fine_tuning;
    fine_tuning.open();
    (fine_tuning.photos, fine_tuning.classes) = (photos, classes);
    let is_open = |run: &PathBuf| runs::can_resume(run) && runs::finished_model(run).is_none();
    let (trained, idle) = match newest {
        Some(run) if runs::is_locked(&run) => (Some(run), None),
        newest => (None, newest),
    };
    (fine_tuning.trained, fine_tuning.unfinished) = (trained, idle.filter(is_open));
}

fn start(app: &mut AppState) {
    let (Some(data), Some(model)) = (folder(app).map(Path::to_owned), &app.model) else {
        return;
    };
    let Some(run) = free(&data) else {
        let text = format!("{} holds too many runs: remove some", data.display());
        return app.errors.report(text);
    };
    if let Err(error) = model.check_file() {
        return app.errors.report(error);
    }
    let name = model.name.clone();
    let fine_tuning = &mut app.correct.fine_tuning;
    let held_back = fine_tuning.photos[1];
    let arguments = arguments(&name, &data, &run, &fine_tuning.device, held_back);
    if let Err(error) = fine_tuning.start(arguments, run) {
        app.errors.report(error);
    }
}

fn resume(app: &mut AppState) {
    let fine_tuning = &mut app.correct.fine_tuning;
    let Some(run) = fine_tuning.unfinished.clone() else {
        return;
    };
    let mut arguments: Vec<OsString> = ["train", "--resume", "--device"].map(Into::into).to_vec();
    arguments.extend([OsString::from(&fine_tuning.device), "--out".into()]);
    arguments.push(run.clone().into());
    if let Err(error) = fine_tuning.start(arguments, run) {
        app.errors.report(error);
    }
}

fn take(app: &mut AppState) {
    if let Some(Ending::Finished { model, .. }) = app.correct.fine_tuning.ending() {
        let name = model.to_string_lossy().into_owned();
        app.correct.ready = Some(Command::ChooseModel(name, app.opener.number()));
        app.correct.fine_tuning.close();
    }
}

/// Processes the reports of the thread.
pub(super) fn receive(app: &mut AppState) {
    app.correct.fine_tuning.read_numbers();
    let next = |app: &AppState| {
        let running = app.correct.fine_tuning.running()?;
        Some((running.poll()?, running.folder.clone()))
    };
    while let Some((report, folder)) = next(app) {
        match report {
            Report::Begun => {
                app.settings.remember(&folder);
                app.emit(AppEvent::RunBegun(folder));
            }
            Report::Ended(ending) => {
                if app.correct.fine_tuning.end(ending) {
                    app.correct.ready = Some(Action::Quit.into());
                }
                open(app);
            }
        }
    }
}
