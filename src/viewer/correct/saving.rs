//! Saving corrections as labels: the folder that they go to, what is there already, and what comes of it.

use super::fine_tune_requests;
use super::folder::folder;
use super::note::Note;
use super::request::{Answer, FineTuneRequest};
use super::session::Base;
use super::storage::{Labels, Saved};
use crate::viewer::app_state::AppState;
use crate::viewer::photo_list::Item;
use std::path::{Path, PathBuf};

pub(super) fn ask_folder(app: &mut AppState) {
    if let Err(error) = app.correct.storage.ask_folder() {
        let text = format!("cannot show the dialog: {error}");
        app.errors.report(text);
    }
}

/// Takes the folder for corrected photos that was chosen, if any, and saves labels if they wait for it;
/// a mask without unsaved corrections starts over with the labels there.
pub(super) fn take_folder(app: &mut AppState, chosen: Option<PathBuf>) {
    let saves = std::mem::take(&mut app.correct.saves);
    let Some(chosen) = chosen else { return };
    let changes = folder(app) != Some(chosen.as_path());
    // The settings are text; a path that is not valid Unicode applies to this window only.
    let text = chosen.to_str().is_some();
    app.settings.corrections = Some(chosen.clone()).filter(|_| text);
    app.correct.folder = Some(chosen);
    if changes {
        // Why nothing was saved into the folder before.
        app.correct.failed = None;
        app.correct.fine_tuning.forget_ending();
        app.look_up_corrections();
    }
    if saves {
        save(app, false);
    } else if changes {
        app.prepare_again();
    }
    if app.correct.fine_tuning.is_open() {
        fine_tune_requests::request(app, FineTuneRequest::Open);
    }
}

/// The name under which the open photo is saved.
pub(super) fn name_of_photo(app: &AppState) -> String {
    let name = app.photos.item().map(Item::stem);
    name.unwrap_or_else(|| "photo".into())
}

/// Saves the mask as labels, after asking for a folder if there is none yet; without `replaces`, not over
/// labels that it neither starts from nor was saved as.
pub(super) fn save(app: &mut AppState, replaces: bool) {
    let Some(folder) = folder(app).map(Path::to_owned) else {
        if app.correct.session.is_some() {
            app.correct.saves = true;
            ask_folder(app);
        }
        return;
    };
    let name = name_of_photo(app);
    let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
        return;
    };
    let Some(session) = &mut app.correct.session else {
        return;
    };
    session.release();
    let labels = Labels {
        flow: flow.id,
        state: session.edit.state(),
        key: session.key.clone(),
        place: app.photos.place().0,
        folder,
        name,
        file: app.photos.file().map(Path::to_owned),
        photo: flow.photo.clone(),
        labels: session.edit.labels(),
        classes: model.classes.clone(),
        own: model.card.classes.clone(),
        base: session.base.map(|base| base.digest),
        replaces,
    };
    if app.correct.storage.save(labels) {
        app.correct.note = Some(Note::new("Saving", "Saving the labels"));
    } else {
        let text = "the labels cannot be saved now: close other programs and try again";
        app.errors.report(text);
    }
}

/// Records that labels were saved.
pub(super) fn saved(app: &mut AppState, saved: Saved) {
    // Meanwhile, another list may have been opened.
    let flow = app.flow.as_mut().filter(|open| open.id == saved.flow);
    if let Some(flow) = flow {
        if let Some(mask) = saved.mask {
            app.masks.correct(saved.place, mask);
        }
        if let Some(truth) = saved.truth {
            flow.set_truth(truth);
        }
    }
    let correct = &mut app.correct;
    let session = correct.session.as_mut();
    if let Some(session) = session.filter(|session| session.flow == saved.flow) {
        session.saved = saved.state;
        session.base = saved.digest.map(|digest| Base {
            digest,
            is_correction: true,
        });
        // Strokes painted in the meantime still want a recovery file.
        if !session.is_unsaved() {
            session.kept();
            // It may have been written again while they were saved.
            correct.storage.discard(&session.key);
        }
    }
    (correct.failed, correct.not_kept) = (None, None);
    for problem in correct.problems.drain(..) {
        app.errors.withdraw(&problem);
    }
    let name = saved.pair.image.file_name().unwrap_or_default();
    let use_of = if saved.pair.held_back {
        ", held back from training"
    } else {
        ""
    };
    let note = format!("Saved {}{use_of}", name.to_string_lossy());
    // Strokes painted in the meantime are not saved.
    correct.note = (!correct.is_unsaved()).then(|| Note::new("Saved", note));
    if correct.fine_tuning.is_open() {
        fine_tune_requests::request(app, FineTuneRequest::Open);
    }
    if !app.correct.is_unsaved() {
        app.correct.proceed();
    }
}

/// Asks about labels that saving would replace.
pub(super) fn occupied(app: &mut AppState, flow: u64, labels: PathBuf) {
    app.correct.note = None;
    if app.correct.of_flow(flow).is_some() {
        app.correct.replacing = Some(labels);
    }
}

/// Reports that labels could not be saved.
pub(super) fn not_saved(app: &mut AppState, text: String) {
    let correct = &mut app.correct;
    // It does not save any longer.
    correct.note = None;
    correct.failed = Some(text.clone());
    correct.problems.push(text.clone());
    app.errors.report(text);
}

/// Records that the unsaved corrections of a flow are in the recovery file, and leaves the photo if that waits
/// for it.
pub(super) fn kept(app: &mut AppState, flow: u64, leaves: bool) {
    let correct = &mut app.correct;
    let session = correct.session.as_mut();
    let Some(session) = session.filter(|session| session.flow == flow) else {
        return;
    };
    session.was_kept();
    // The answer may have been withdrawn.
    if leaves && correct.leaving.is_some() {
        correct.close();
        correct.proceed();
    }
}

/// Reports that the unsaved corrections of a flow are not in the recovery file: once while its mask is
/// painted, until they are, and whenever the question about leaving the photo is pending.
pub(super) fn not_kept(app: &mut AppState, flow: u64, text: String) {
    let correct = &mut app.correct;
    let session = correct.session.as_mut();
    let session = session.filter(|session| session.flow == flow);
    let is_known = session.is_some_and(|session| session.says_not_kept());
    let asks = correct.leaving.is_some();
    if asks {
        correct.not_kept = Some(text.clone());
    }
    if asks || !is_known {
        app.errors.report(text);
    }
}

/// Follows an answer to a question about saving.
pub(super) fn answer(app: &mut AppState, answer: Answer) {
    let correct = &mut app.correct;
    let replaces = correct.replacing.take().is_some();
    (correct.failed, correct.not_kept) = (None, None);
    match answer {
        // Behind the question about labels, that about leaving the photo may still be pending.
        Answer::Cancel if replaces => {}
        Answer::Cancel => correct.leaving = None,
        Answer::Save => save(app, false),
        Answer::Replace => save(app, true),
        Answer::OtherFolder => {
            correct.saves = true;
            ask_folder(app);
        }
        Answer::Later => {
            let Some(session) = &mut correct.session else {
                correct.proceed();
                return;
            };
            session.release();
            // The photo is left once they are on disk.
            if !correct.storage.keep(session, true) {
                let text = "the corrections cannot be kept now: save them as labels, or try again";
                app.errors.report(text);
            }
        }
        Answer::Discard => {
            if let Some(session) = &correct.session {
                correct.storage.discard(&session.key);
            }
            correct.close();
            correct.proceed();
        }
    }
}
