//! Effects of the buttons of the fine-tuning's dialog, and of its thread's reports.

use super::folder::folder;
use super::request::Wish;
use super::teach::{Ending, Report, arguments, free, newest};
use crate::viewer::app_event::AppEvent;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{Action, Command};
use crate::{data, runs};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Carries out a button of the dialog.
pub(super) fn wish(app: &mut AppState, wish: Wish) {
    match wish {
        Wish::Open => open(app),
        Wish::Close => {
            app.correct.teach.close();
            // The window stays open, and the photo with it.
            app.restore_correction();
        }
        Wish::Start => start(app),
        Wish::Resume => resume(app),
        Wish::Stop => app.correct.teach.stop(),
        Wish::Take => take(app),
        Wish::LetRun => {
            app.correct.teach.let_run = true;
            app.correct.ready = Some(Action::Quit.into());
        }
    }
}

/// Opens or refreshes the dialog.
fn open(app: &mut AppState) {
    let found = folder(app).map(|folder| {
        let classes = data::corrected_classes(folder).unwrap_or_default();
        (data::corrected_photos(folder), classes, newest(folder))
    });
    let (photos, classes, newest) = found.unwrap_or_default();
    let teach = &mut app.correct.teach;
    (teach.open, teach.photos, teach.classes) = (true, photos, classes);
    let stopped = |run: &PathBuf| runs::can_resume(run) && runs::finished_model(run).is_none();
    teach.unfinished = newest.filter(stopped);
}

fn start(app: &mut AppState) {
    let (Some(data), Some(model)) = (folder(app).map(Path::to_owned), &app.model) else {
        return;
    };
    let Some(run) = free(&data) else {
        let text = format!("{} holds too many runs: remove some", data.display());
        return app.errors.report(text);
    };
    let name = model.name.clone();
    let teach = &mut app.correct.teach;
    let held_back = teach.photos[1];
    let arguments = arguments(&name, &data, &run, &teach.device, held_back);
    if let Err(error) = teach.start(arguments, run) {
        app.errors.report(error);
    }
}

fn resume(app: &mut AppState) {
    let teach = &mut app.correct.teach;
    let Some(run) = teach.unfinished.clone() else {
        return;
    };
    let mut arguments: Vec<OsString> = ["train", "--resume", "--device"].map(Into::into).to_vec();
    arguments.extend([OsString::from(&teach.device), "--out".into()]);
    arguments.push(run.clone().into());
    if let Err(error) = teach.start(arguments, run) {
        app.errors.report(error);
    }
}

fn take(app: &mut AppState) {
    let teach = &mut app.correct.teach;
    if let Some(Ending::Finished { model, .. }) = &teach.ending {
        let name = model.to_string_lossy().into_owned();
        app.correct.ready = Some(Command::ChooseModel(name));
        app.correct.teach.open = false;
    }
}

/// Processes the reports of the thread.
pub(super) fn receive(app: &mut AppState) {
    let next = |app: &AppState| {
        let running = app.correct.teach.running.as_ref()?;
        Some((running.reports.try_recv().ok()?, running.folder.clone()))
    };
    while let Some((report, folder)) = next(app) {
        match report {
            Report::Begun => {
                app.settings.remember(&folder);
                app.emit(AppEvent::RunsOpened(vec![folder]));
            }
            Report::Ended(ending) => {
                let teach = &mut app.correct.teach;
                teach.running = None;
                if teach.closing {
                    app.correct.ready = Some(Action::Quit.into());
                }
                app.correct.teach.ending = Some(ending);
                open(app);
            }
        }
    }
}
