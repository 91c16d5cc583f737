//! The state of correcting, a part of the shared state.

use super::fine_tune::FineTuning;
use super::note::Note;
use super::places::Places;
use super::request::{DIAMETER, Tool};
use super::session::Session;
use super::storage::Storage;
use crate::gpu::GpuError;
use crate::gpu::textures::LabelTexture;
use crate::label_edit::Paint;
use crate::viewer::canvas_renderer::CanvasRenderer;
use crate::viewer::commands::{Action, Command};
use crate::viewer::lessons::Request;
use eframe::egui;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) struct Correct {
    /// Whether mouse presses on the photo correct its mask.
    pub on: bool,
    /// Whether what the window showed is set aside: corrections are not shown until it is back.
    pub is_aside: bool,
    pub tool: Tool,
    pub snap: bool,
    /// The class to paint; [`IGNORE`](crate::labels::IGNORE) for none.
    pub class: u16,
    /// The brush's diameter in pixels of the photo.
    pub diameter: f32,
    /// The point of the photo under the pointer.
    pub hover: Option<[f32; 2]>,
    pub(super) session: Option<Session>,
    /// The number of the preparation under way, the latest.
    pub(super) preparing: Option<u64>,
    /// The number of preparations so far.
    pub(super) preparations: u64,
    /// The folder for corrected photos, if chosen in this window.
    pub(super) folder: Option<PathBuf>,
    /// Whether the folder's path is to be typed, because the system offers no dialog.
    pub types_folder: bool,
    /// Whether to save labels as soon as a folder is chosen.
    pub(super) saves: bool,
    /// The status beside the tools.
    pub(super) note: Option<Note>,
    /// The labels that saving would replace, of which the mask knows nothing; the question about them is
    /// pending.
    pub(super) replacing: Option<PathBuf>,
    /// Why the labels were not saved the last time, while that is so.
    pub(super) failed: Option<String>,
    /// Why the corrections could not be kept for later, while the question about them is pending.
    pub(super) not_kept: Option<String>,
    /// What the list of problems says about saving since it succeeded last.
    pub(super) problems: Vec<String>,
    /// The places of photos whose saved corrections are still to be looked up.
    pub(super) unseen: VecDeque<usize>,
    /// Whether those of a photo are being looked up.
    pub(super) looks_up: bool,
    /// The command that waits for an answer about unsaved corrections.
    pub(super) leaving: Option<Command>,
    /// The command to carry out now that nothing is unsaved.
    pub(super) ready: Option<Command>,
    pub fine_tuning: FineTuning,
    pub(super) storage: Storage,
}

impl Correct {
    pub(crate) fn new(context: &egui::Context) -> Self {
        Self {
            on: false,
            is_aside: false,
            tool: Tool::default(),
            snap: false,
            class: 0,
            diameter: 24.0,
            hover: None,
            session: None,
            preparing: None,
            preparations: 0,
            folder: None,
            types_folder: false,
            saves: false,
            note: None,
            replacing: None,
            failed: None,
            not_kept: None,
            problems: Vec::new(),
            unseen: VecDeque::new(),
            looks_up: false,
            leaving: None,
            ready: None,
            fine_tuning: FineTuning::new(context),
            storage: Storage::new(context),
        }
    }

    /// Sets the folder for unsaved corrections.
    pub(crate) fn keep_in(&mut self, folder: PathBuf) {
        self.storage.keep_in(folder);
    }

    pub(super) fn of_flow(&self, flow: u64) -> Option<&Session> {
        self.session.as_ref().filter(|session| session.flow == flow)
    }

    /// The corrections of a flow's mask, unless they are set aside.
    fn shown(&self, flow: u64) -> Option<&Session> {
        self.of_flow(flow).filter(|_| self.on || !self.is_aside)
    }

    /// Whether the open photo's mask can be painted now.
    pub(crate) fn is_ready(&self) -> bool {
        self.on && self.session.is_some()
    }

    /// Whether there are corrections to be lost with the photo.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_unsaved)
    }

    /// Whether there is something to undo, and to redo.
    pub(crate) fn can_undo(&self) -> [bool; 2] {
        let session = self.session.as_ref();
        session.map_or([false; 2], Session::can_undo)
    }

    /// Whether the photo's mask was changed by hand, and that is shown.
    pub(crate) fn is_corrected(&self, flow: u64) -> bool {
        let session = self.shown(flow);
        session.is_some_and(|session| session.edit.is_corrected())
    }

    /// Whether a flow's mask has been prepared for corrections, those that were saved among them.
    pub(crate) fn holds(&self, flow: u64) -> bool {
        self.of_flow(flow).is_some()
    }

    /// Whether there are unsaved corrections while the toolbar, which says so, is hidden.
    pub(crate) fn is_unsaved_unseen(&self) -> bool {
        !self.on && self.is_unsaved()
    }

    /// What the status line says while the toolbar is hidden, short and in full.
    pub(crate) fn status(&self) -> Option<(&str, &str)> {
        if self.on || self.is_aside {
            return None;
        }
        match &self.note {
            Some(note) => Some((note.short, &note.whole)),
            None if self.is_unsaved() => Some((
                "Corrections not saved",
                "The mask of this photo was corrected and not saved as labels",
            )),
            None => None,
        }
    }

    /// The corrections that the canvas draws of a flow: always while its mask is corrected, otherwise where the
    /// window shows corrections.
    fn drawn(&self, flow: u64, is_shown: bool) -> Option<&Session> {
        let shown = self.on || (is_shown && self.is_corrected(flow));
        self.of_flow(flow).filter(|_| shown)
    }

    /// What the canvas says about the mask that it draws of a flow: whether it is not the network's.
    pub(crate) fn mark(&self, flow: u64, is_shown: bool) -> Option<&'static str> {
        let session = self.drawn(flow, is_shown)?;
        let has_labels = session.base.is_some() && session.edit.is_corrected();
        match (has_labels, session.is_unsaved()) {
            (true, false) => Some("Saved labels"),
            (true, true) => Some("Saved labels, corrected"),
            // The toolbar shows that it is being corrected.
            (false, _) => (!self.on && session.edit.is_corrected()).then_some("Corrected"),
        }
    }

    /// The label of a pixel, `[x, y]` of the photo, in the corrected mask that the canvas draws of a flow,
    /// if the network gave it another one.
    pub(crate) fn corrected_label(
        &self,
        flow: u64,
        is_shown: bool,
        pixel: [usize; 2],
    ) -> Option<u16> {
        let session = self.drawn(flow, is_shown)?;
        let label = session.edit.label(pixel);
        (label != session.edit.network_label(pixel)).then_some(label)
    }

    /// The share of every class, 0 to 1, in the corrected mask that the canvas draws of a flow.
    pub(crate) fn shares(&self, flow: u64, is_shown: bool) -> Option<Vec<f32>> {
        let session = self.drawn(flow, is_shown)?;
        session.edit.is_corrected().then(|| session.shares())
    }

    /// Closes a mask that starts from labels that a data set came with: they are shown in the
    /// place of the network's mask only while it is corrected.
    pub(super) fn close_foreign(&mut self) {
        let is_foreign = |session: &Session| session.base.is_some_and(|base| !base.is_correction);
        if !self.is_unsaved() && self.session.as_ref().is_some_and(is_foreign) {
            self.close();
        }
    }

    /// The corrected mask of a flow, at the photo's size, if it differs from the network's.
    pub(crate) fn labels(&self, flow: u64) -> Option<Vec<u16>> {
        let session = self.shown(flow)?;
        session.edit.is_corrected().then(|| session.edit.labels())
    }

    /// The mask of a flow as it is now, at the photo's size, once it has been prepared for corrections.
    pub(crate) fn mask(&self, flow: u64) -> Option<Vec<u16>> {
        Some(self.of_flow(flow)?.edit.labels())
    }

    /// Whether the canvas draws the mask of a flow as it was corrected, at least at the flow's end.
    pub(crate) fn draws(&self, flow: u64) -> bool {
        self.on && self.holds(flow) || self.is_corrected(flow)
    }

    /// The mask to draw instead of the flow's at the playhead: always while it is corrected, otherwise
    /// only at the flow's end.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub(crate) fn picture(
        &self,
        renderer: &CanvasRenderer,
        flow: u64,
        is_shown: bool,
    ) -> Result<Option<Arc<LabelTexture>>, GpuError> {
        match self.drawn(flow, is_shown) {
            Some(session) => session.picture(renderer.pipelines()),
            None => Ok(None),
        }
    }

    /// Finds the class to paint in the classes of another model by its name, or else takes the first.
    pub(crate) fn find_class(&mut self, before: &[String], classes: &[String]) {
        let class = Places::of(before, classes).label(self.class);
        self.class = class.unwrap_or(0);
    }

    /// What strokes and fills write.
    pub(super) fn paint(&self) -> Paint {
        match self.tool {
            Tool::Eraser => Paint::Erase,
            Tool::Brush | Tool::Fill => Paint::Class(self.class),
        }
    }

    pub(super) fn set_diameter(&mut self, diameter: f32) {
        if diameter.is_finite() {
            self.diameter = diameter.clamp(*DIAMETER.start(), *DIAMETER.end());
        }
    }

    /// Sets aside what is shown: corrections do not come back before it does.
    pub(crate) fn set_aside(&mut self) {
        self.is_aside = true;
        self.preparing = None;
    }

    /// Lets the command that waits for an answer about unsaved corrections be carried out, if there is one.
    pub(super) fn proceed(&mut self) {
        if let Some(command) = self.leaving.take() {
            self.ready = Some(command);
        }
    }

    /// Closes the photo's corrections, and keeps unsaved ones in the recovery file.
    pub(crate) fn leave_photo(&mut self) {
        if let Some(session) = &self.session {
            self.storage.keep(session, false);
        }
        self.close();
    }

    /// Closes the photo's corrections.
    pub(super) fn close(&mut self) {
        self.session = None;
        self.preparing = None;
        self.saves = false;
        self.note = None;
        self.replacing = None;
        (self.failed, self.not_kept) = (None, None);
        self.hover = None;
    }

    /// Closes a mask that was prepared but not corrected, because another one takes its place.
    pub(crate) fn close_unchanged(&mut self) {
        let changed = |session: &Session| session.is_unsaved() || session.edit.is_corrected();
        if !self.session.as_ref().is_some_and(changed) {
            self.close();
        }
    }

    /// Whether it is asking what to do with unsaved corrections, or with labels in their place.
    pub(crate) fn asks(&self) -> bool {
        self.leaving.is_some() || self.replacing.is_some()
    }

    /// Whether a command waits for the answer, or is about to be carried out after it.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some() || self.ready.is_some()
    }

    /// Keeps unsaved corrections in the recovery file, such as before the program ends.
    pub(crate) fn keep(&mut self) {
        if let Some(session) = &mut self.session {
            session.edit.finish();
            self.storage.keep(session, false);
        }
    }

    /// Waits until everything is on disk.
    pub(crate) fn flush(&mut self) {
        self.keep();
        self.storage.flush();
    }

    /// Holds back a command that would lose corrections, to ask first; returns any other. Files are asked
    /// about once they have been read: until then the photo may stay.
    pub(crate) fn guard(&mut self, command: Command) -> Option<Command> {
        let replaces = match &command {
            Command::PasteImage(..)
            | Command::ShowPhotos(..)
            | Command::ShowPhotosBy(..)
            | Command::ShowPhoto(_)
            | Command::ChooseModel(..)
            | Command::Sample(_)
            | Command::SetScale(_)
            | Command::Lesson(Request::Open(_)) => true,
            Command::Action(action) => {
                use Action::{Lessons, Next, NextLesson, Previous, PreviousLesson, Quit, Rerun};
                matches!(
                    action,
                    Next | Previous | Rerun | Quit | Lessons | NextLesson | PreviousLesson
                )
            }
            _ => false,
        };
        if replaces && self.is_unsaved() {
            // The answer to a question is about what it was asked for.
            self.leaving.get_or_insert(command);
            return None;
        }
        Some(command)
    }

    /// The command that waited for the answer, once it may be carried out.
    pub(crate) fn take_ready(&mut self) -> Option<Command> {
        self.ready.take()
    }

    /// Asks before the window is closed. Returns whether it must stay open.
    pub(crate) fn holds_window(&mut self) -> bool {
        if self.is_unsaved() {
            self.leaving = Some(Action::Quit.into());
            // The answer may be to stay.
            self.fine_tuning.ask_again();
        }
        self.leaving.is_some() || self.fine_tuning.holds_window()
    }

    pub(crate) fn busy(&self) -> bool {
        self.preparing.is_some() || self.storage.busy()
    }

    /// Closes a dialog. Returns whether there was one.
    pub(crate) fn cancel(&mut self) -> bool {
        let open = self.asks() || self.fine_tuning.is_open();
        (self.leaving, self.replacing) = (None, None);
        self.fine_tuning.close();
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label_edit::LabelEdit;

    #[test]
    fn a_question_stays_about_the_first_command() {
        let mut correct = Correct::new(&egui::Context::default());
        assert!(correct.guard(Command::ShowPhoto(1)).is_some());
        let edit = LabelEdit::new([1, 1], Arc::new(vec![0])).unwrap();
        let mut session = Session::new(0, edit, String::new(), Vec::new());
        session.saved = u64::MAX;
        correct.session = Some(session);
        for place in [1, 2] {
            assert!(correct.guard(Command::ShowPhoto(place)).is_none());
        }
        assert!(matches!(correct.leaving, Some(Command::ShowPhoto(1))));
        assert!(correct.guard(Command::SetOpacity(0.5)).is_some());
    }

    #[test]
    fn a_command_that_is_to_be_carried_out_is_not_forgotten() {
        let mut correct = Correct::new(&egui::Context::default());
        correct.ready = Some(Action::Quit.into());
        correct.proceed();
        let ready = correct.take_ready();
        assert!(matches!(ready, Some(Command::Action(Action::Quit))));
        correct.leaving = Some(Command::ShowPhoto(1));
        correct.proceed();
        assert!(matches!(correct.ready, Some(Command::ShowPhoto(1))));
        assert!(correct.leaving.is_none());
    }

    #[test]
    fn the_first_stroke_can_be_undone_before_it_ends() {
        let mut correct = Correct::new(&egui::Context::default());
        let edit = LabelEdit::new([1, 1], Arc::new(vec![0])).unwrap();
        correct.session = Some(Session::new(0, edit, String::new(), Vec::new()));
        assert_eq!(correct.can_undo(), [false; 2]);
        let session = correct.session.as_mut().unwrap();
        session.press([0.5, 0.5], 4.0, Paint::Class(1), false);
        assert_eq!(session.edit.labels(), [1]);
        assert!(correct.can_undo()[0]);
        let session = correct.session.as_mut().unwrap();
        session.undo();
        assert_eq!(session.edit.labels(), [0]);
        assert_eq!(correct.can_undo(), [false, true]);
    }

    #[test]
    fn corrections_are_learnt_by_a_model_with_their_classes_alone() {
        let mut fine_tuning = Correct::new(&egui::Context::default()).fine_tuning;
        let names = |text: &str| -> Vec<String> { text.chars().map(String::from).collect() };
        assert!(fine_tuning.suits(&names("ab")));
        fine_tuning.classes = names("abc");
        for (classes, suits) in [("ab", true), ("abc", true), ("abcd", false), ("xyz", false)] {
            assert_eq!(fine_tuning.suits(&names(classes)), suits, "{classes}");
        }
    }
}
