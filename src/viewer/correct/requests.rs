//! Effects of requests, keys and reports.

use super::fine_tune_requests;
use super::folder::folder;
use super::note::Note;
use super::request::{Correction, FineTuneRequest, GROWTH, Request, Tool};
use super::saving::{self, ask_folder, name_of_photo, save, take_folder};
use super::session::Session;
use super::state::Correct;
use super::storage::{Preparation, Prepared, Report};
use crate::gpu::canvas::Layer;
use crate::labels::IGNORE;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Action;
use crate::viewer::exports::FlowSnapshot;
use crate::viewer::flow::Flow;
use std::path::Path;
use std::time::Duration;
use web_time::Instant;

/// Carries out a request of a panel.
pub(crate) fn request(app: &mut AppState, request: Request) {
    let correct = &mut app.correct;
    let (paint, diameter, snap) = (correct.paint(), correct.diameter, correct.snap);
    match request {
        Request::Hover(at) => correct.hover = at,
        Request::Press(at) => {
            let fills = correct.tool == Tool::Fill;
            change(correct, |session| {
                if fills {
                    session.fill(at, paint, snap)
                } else {
                    session.press(at, diameter, paint, snap)
                }
            });
            app.show_painting();
        }
        Request::Drag(to) => {
            correct.hover = Some(to);
            change(correct, |session| session.drag(to, diameter, paint));
        }
        Request::Release => change(correct, Session::release),
        Request::Choose(class) => choose(correct, class),
        Request::Diameter(diameter) => correct.set_diameter(diameter),
        Request::AddClass(name) => add_class(app, name.trim()),
        Request::Folder(folder) => {
            correct.types_folder = false;
            take_folder(app, folder);
        }
        Request::Leave(answer) => saving::answer(app, answer),
        Request::FineTune(request) => fine_tune_requests::request(app, request),
    }
}

/// Carries out an action of a key or the menu.
pub(crate) fn act(app: &mut AppState, correction: Correction) {
    let correct = &mut app.correct;
    match correction {
        Correction::Tool(tool) => correct.tool = tool,
        Correction::Snap => correct.snap = !correct.snap,
        Correction::Pick => {
            let session = correct.session.as_ref();
            let at = session.and_then(|session| Some((session, session.pixel(correct.hover?)?)));
            if let Some((session, pixel)) = at {
                correct.class = session.edit.label(pixel);
                if correct.tool == Tool::Eraser {
                    correct.tool = Tool::Brush;
                }
            }
        }
        Correction::Smaller => correct.set_diameter(smaller(correct.diameter)),
        Correction::Larger => correct.set_diameter(larger(correct.diameter)),
        Correction::Save => save(app, false),
        Correction::ChooseFolder => {
            app.correct.saves = false;
            ask_folder(app);
        }
        Correction::FineTune => fine_tune_requests::request(app, FineTuneRequest::Open),
    }
}

fn smaller(diameter: f32) -> f32 {
    (diameter / GROWTH).round().min(diameter - 1.0)
}

fn larger(diameter: f32) -> f32 {
    (diameter * GROWTH).round().max(diameter + 1.0)
}

/// Chooses the n-th class of the model for painting, from 0: the same one for every photo, also before its
/// mask is ready.
pub(crate) fn act_on_nth(app: &mut AppState, number: usize) {
    let classes = app.model.as_ref().map_or(0, |model| model.classes.len());
    if number < classes {
        choose(&mut app.correct, number as u16);
    }
}

fn choose(correct: &mut Correct, class: u16) {
    correct.class = class;
    // Choosing a class means painting with it.
    if correct.tool == Tool::Eraser {
        correct.tool = Tool::Brush;
    }
}

/// Changes the mask, if it is ready.
fn change(correct: &mut Correct, change: impl FnOnce(&mut Session)) {
    if !correct.on {
        return;
    }
    if let Some(session) = &mut correct.session {
        change(session);
        session.changed(Instant::now());
        correct.note = None;
    }
}

fn add_class(app: &mut AppState, name: &str) {
    let (Some(model), Some(session)) = (&mut app.model, &mut app.correct.session) else {
        return;
    };
    if name.is_empty() {
        return;
    }
    let known = model.classes.iter().position(|class| class == name);
    if known.is_none() {
        model.add_classes(&[name.to_owned()]);
        session.classes.clone_from(&model.classes);
    }
    let class = known.unwrap_or(model.classes.len() - 1);
    choose(&mut app.correct, class as u16);
}

impl AppState {
    /// Starts or stops correcting the mask with the mouse.
    pub(crate) fn toggle_correct(&mut self) {
        self.correct.on = !self.correct.on;
        if let Some(session) = &mut self.correct.session {
            session.release();
        }
        if !self.correct.on {
            self.correct.close_foreign();
            return;
        }
        self.brushing = false;
        if !shows_painting(self.active_layer()) {
            self.show_overlay();
        }
        self.prepare_correction(false);
    }

    /// Shows what is painted, if no pane does.
    fn show_painting(&mut self) {
        let mut shown = self.settings.view.shown().iter();
        if self.correct.is_ready() && !shown.any(|layer| shows_painting(*layer)) {
            self.show_overlay();
        }
    }

    fn show_overlay(&mut self) {
        self.settings.view.layers[self.active_pane.min(3)] = Layer::Overlay;
    }

    /// Prepares the mask of the open flow once it is complete. With `only_kept`, only if unsaved
    /// corrections of this photo were kept.
    fn prepare_correction(&mut self, only_kept: bool) {
        if self.correct.preparing.is_none() && self.correct.session.is_none() {
            self.prepare(only_kept);
        }
    }

    /// Prepares the mask of the open flow again unless it has unsaved corrections: there are other labels to
    /// start from. It stays until then, unless it is set aside.
    pub(super) fn prepare_again(&mut self) {
        if self.correct.is_unsaved() {
            return;
        }
        self.correct.preparing = None;
        if self.correct.on || !self.correct.is_aside {
            self.prepare(!self.correct.on);
        } else {
            // It is prepared when it is shown again: what it starts from is in another folder.
            self.correct.session = None;
        }
    }

    fn prepare(&mut self, only_kept: bool) {
        let (Some(flow), Some(model)) = (&self.flow, &self.model) else {
            return;
        };
        // While something is computed, the flow is incomplete or about to be replaced.
        if self.busy() || flow.settled.is_none() || !fits(flow) || self.awaits_best_mask() {
            return;
        }
        let opacity = self.settings.view.opacity;
        let look = Default::default();
        let outlines = self.settings.masks.outlines;
        let Some(snapshot) = FlowSnapshot::of(flow, model, outlines, look, opacity, Vec::new())
        else {
            return;
        };
        let number = self.correct.preparations + 1;
        let preparation = Preparation {
            number,
            flow: flow.id,
            snapshot: snapshot.with_mask(self.best_mask()),
            classes: model.card.classes.clone(),
            folder: folder(self).map(Path::to_owned),
            name: name_of_photo(self),
            file: self.photos.file().map(Path::to_owned),
            listed: self.masks.corrected(self.photos.place().0).cloned(),
            only_kept,
        };
        self.correct.preparations = number;
        if self.correct.storage.prepare(preparation) {
            self.correct.preparing = Some(number);
        }
    }

    /// Restores kept corrections of the photo of a complete flow.
    pub(crate) fn restore_correction(&mut self) {
        if self.correct.is_aside && !self.correct.on {
            return;
        }
        self.prepare_correction(!self.correct.on);
    }

    /// Processes the reports of the threads, and writes the recovery file when it is due.
    pub(crate) fn receive_corrections(&mut self) {
        while let Some(report) = self.correct.storage.poll() {
            match report {
                Report::Prepared(prepared) => self.begin_correction(&prepared),
                Report::NothingKept(number) => {
                    if self.correct.preparing == Some(number) {
                        self.correct.preparing = None;
                        // What it starts from is in another folder than the one chosen now.
                        if !self.correct.is_unsaved() {
                            self.correct.session = None;
                        }
                        if self.correct.on {
                            self.prepare_correction(false);
                        }
                    }
                }
                Report::NotPrepared(number, text) => {
                    if self.correct.preparing == Some(number) {
                        self.correct.preparing = None;
                        self.correct.on &= self.correct.session.is_some();
                        self.errors.report(text);
                    }
                }
                Report::Kept { flow, leaves } => saving::kept(self, flow, leaves),
                Report::Saved(saved) => saving::saved(self, saved),
                Report::Occupied(flow, labels) => saving::occupied(self, flow, labels),
                Report::NotSaved(text) => saving::not_saved(self, text),
                Report::LookedUp(found) => self.take_found(found),
                Report::Folder(chosen) => take_folder(self, chosen),
                Report::NoDialog => self.correct.types_folder = true,
                Report::NotKept(flow, text) => saving::not_kept(self, flow, text),
            }
        }
        let session = self.correct.session.as_mut();
        let due = session.filter(|session| session.due.is_some_and(|due| due <= Instant::now()));
        if let Some(session) = due {
            session.kept();
            self.correct.storage.keep(session, false);
        }
        fine_tune_requests::receive(self);
    }

    /// The time until the window must be drawn without input.
    pub(crate) fn correction_due(&self) -> Option<Duration> {
        let due = self.correct.session.as_ref()?.due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn begin_correction(&mut self, prepared: &Prepared) {
        // Meanwhile, the flow may have been replaced, or its mask.
        if self.correct.preparing != Some(prepared.number) {
            return;
        }
        self.correct.preparing = None;
        let Some(flow) = self.flow.as_ref().filter(|flow| flow.id == prepared.flow) else {
            return;
        };
        let Some(model) = &mut self.model else { return };
        // What was painted while it was prepared again stays.
        if self.correct.is_unsaved() {
            return;
        }
        let missing = prepared.missing(&model.classes, model.card.classes.len());
        model.add_classes(&missing);
        let Some(start) = prepared.start(&model.classes) else {
            return;
        };
        let classes = model.classes.clone();
        let known = usize::from(self.correct.class) < classes.len();
        if !known && self.correct.class != IGNORE {
            self.correct.class = 0;
        }
        let mut session = Session::new(flow.id, start.edit, prepared.key.clone(), classes);
        session.saved = start.saved;
        session.base = start.base;
        if start.restored {
            session.saved = u64::MAX;
            self.correct.on = true;
            let note = "Restored unsaved corrections of this photo";
            self.correct.note = Some(Note::new("Restored", note));
        }
        self.correct.session = Some(session);
        let saved = prepared.saved.as_ref();
        if saved.is_some_and(|saved| saved.is_correction) {
            // The list and its exports have them, too.
            self.look_up_again(self.photos.place().0);
        }
    }

    /// Undoes the last change of the mask while it is corrected, otherwise of the selection.
    pub(crate) fn undo(&mut self) {
        if self.correct.on {
            change(&mut self.correct, Session::undo)
        } else {
            self.selection.undo()
        }
    }

    /// Redoes it.
    pub(crate) fn redo(&mut self) {
        if self.correct.on {
            change(&mut self.correct, Session::redo)
        } else {
            self.selection.redo()
        }
    }

    /// Whether there is something to undo, and to redo.
    pub(crate) fn can_undo(&self) -> [bool; 2] {
        if self.correct.on {
            self.correct.can_undo()
        } else {
            self.selection.can_undo()
        }
    }
}

/// Whether a layer shows the corrected mask.
fn shows_painting(layer: Layer) -> bool {
    matches!(layer, Layer::Map | Layer::Overlay | Layer::Error)
}

/// Whether the device holds the photo, and so its mask, at its own size.
pub(super) fn fits(flow: &Flow) -> bool {
    let (width, height) = flow.photo.dimensions();
    let texture = flow.picture.as_ref().map(|picture| picture.size());
    texture.is_none_or(|size| size == [width, height])
}

/// The action that saves labels.
pub(super) const SAVE: Action = Action::Correct(Correction::Save);
