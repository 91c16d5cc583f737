//! Manual correction of the open photo's mask, saving it as labels, and fine-tuning on such labels.
//!
//! [`Correct`] is its part of the shared state. `pointer` turns the mouse's actions over the canvas
//! into [`Request`]s, `bar` draws the tools, `leave` asks before corrections are lost, `storage` saves
//! and prepares on separate threads, and `teach` runs `flowseg train` and reports the result.

mod bar;
mod leave;
mod pointer;
mod recovery;
mod requests;
mod session;
mod storage;
mod teach;
mod teach_dialog;

pub(super) use bar::bar;
pub(super) use leave::dialog as leave_dialog;
pub(super) use pointer::Pointer;
pub(super) use requests::{act, act_on_nth, request};
pub(super) use teach_dialog::dialog as teach_dialog;

use super::app_state::AppState;
use super::canvas_renderer::CanvasRenderer;
use super::commands::{Action, Command};
use crate::gpu::GpuError;
use crate::gpu::textures::Truth;
use crate::label_edit::Paint;
use eframe::egui;
use session::Session;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::Storage;
use teach::Teach;

/// The diameter of the brush in pixels of the photo.
pub(super) const DIAMETER: RangeInclusive<f32> = 1.0..=400.0;
/// The factor by which a key changes it.
const GROWTH: f32 = 1.25;

/// The effect of pressing the button on the photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tool {
    #[default]
    Brush,
    /// Restores the network's label.
    Eraser,
    /// Gives the chosen class to a connected region.
    Fill,
}

/// Actions of the keyboard and the menu while a mask is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Correction {
    Tool(Tool),
    /// Limits strokes to the network's region, and makes fills use it.
    Snap,
    Pick,
    Smaller,
    Larger,
    Save,
    ChooseFolder,
    FineTune,
}

/// Requests of the panels. Points are in pixels of the photo.
pub(super) enum Request {
    /// The point of the photo under the pointer, if there is one.
    Hover(Option<[f32; 2]>),
    Press([f32; 2]),
    /// The stroke continues to a point.
    Drag([f32; 2]),
    /// The stroke ends.
    Release,
    /// Chooses the class to paint; `u16::MAX` is none.
    Choose(u16),
    Diameter(f32),
    /// Appends a class.
    AddClass(String),
    Leave(leave::Answer),
    Teach(teach::Wish),
}

pub(super) struct Correct {
    /// Whether mouse presses on the photo correct its mask.
    pub on: bool,
    pub tool: Tool,
    pub snap: bool,
    /// The class to paint; [`IGNORE`](crate::data::IGNORE) for none.
    pub class: u16,
    /// The brush's diameter in pixels of the photo.
    pub diameter: f32,
    /// The point of the photo under the pointer.
    pub hover: Option<[f32; 2]>,
    session: Option<Session>,
    /// The flow whose mask is being prepared.
    preparing: Option<u64>,
    /// The folder for corrected photos, if chosen in this window.
    folder: Option<PathBuf>,
    /// Whether to save labels as soon as a folder is chosen.
    saves: bool,
    /// The status beside the tools.
    note: Option<String>,
    /// The command that waits for an answer about unsaved corrections.
    leaving: Option<Command>,
    /// The command to carry out now that nothing is unsaved.
    ready: Option<Command>,
    pub teach: Teach,
    storage: Storage,
}

impl Correct {
    pub(super) fn new(context: &egui::Context) -> Self {
        Self {
            on: false,
            tool: Tool::default(),
            snap: false,
            class: 0,
            diameter: 24.0,
            hover: None,
            session: None,
            preparing: None,
            folder: None,
            saves: false,
            note: None,
            leaving: None,
            ready: None,
            teach: Teach::new(context),
            storage: Storage::new(context),
        }
    }

    /// Sets the folder for unsaved corrections.
    pub(super) fn keep_in(&mut self, folder: PathBuf) {
        self.storage.keep_in(folder);
    }

    fn of_flow(&self, flow: u64) -> Option<&Session> {
        self.session.as_ref().filter(|session| session.flow == flow)
    }

    /// Whether the open photo's mask can be painted now.
    pub(super) fn is_ready(&self) -> bool {
        self.on && self.session.is_some()
    }

    /// Whether there are corrections to be lost with the photo.
    pub(super) fn is_unsaved(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_unsaved)
    }

    /// Whether there is something to undo, and to redo.
    pub(super) fn can_undo(&self) -> [bool; 2] {
        let session = self.session.as_ref();
        session.map_or([false; 2], |session| session.edit.can_undo())
    }

    /// Whether the photo's mask was changed by hand.
    pub(super) fn is_corrected(&self, flow: u64) -> bool {
        let session = self.of_flow(flow);
        session.is_some_and(|session| session.edit.is_corrected())
    }

    /// The corrected mask of a flow, at the photo's size, if it differs from the network's.
    pub(super) fn labels(&self, flow: u64) -> Option<Vec<u16>> {
        let session = self.of_flow(flow)?;
        session.edit.is_corrected().then(|| session.edit.labels())
    }

    /// The mask to draw instead of the flow's at the playhead: always while it is corrected, otherwise
    /// only at the flow's end.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub(super) fn picture(
        &self,
        renderer: &CanvasRenderer,
        flow: u64,
        at_end: bool,
    ) -> Result<Option<Arc<Truth>>, GpuError> {
        let shown = self.on || (at_end && self.is_corrected(flow));
        match self.of_flow(flow).filter(|_| shown) {
            Some(session) => session.picture(renderer.pipelines()),
            None => Ok(None),
        }
    }

    /// What strokes and fills write.
    fn paint(&self) -> Paint {
        match self.tool {
            Tool::Eraser => Paint::Erase,
            Tool::Brush | Tool::Fill => Paint::Class(self.class),
        }
    }

    fn set_diameter(&mut self, diameter: f32) {
        if diameter.is_finite() {
            self.diameter = diameter.clamp(*DIAMETER.start(), *DIAMETER.end());
        }
    }

    /// Closes the photo's corrections, and keeps unsaved ones in the recovery file.
    pub(super) fn leave_photo(&mut self) {
        if let Some(session) = self.session.take() {
            self.storage.keep(&session);
        }
        self.preparing = None;
        self.note = None;
        self.hover = None;
    }

    /// Keeps unsaved corrections in the recovery file, such as before the program ends.
    pub(super) fn keep(&mut self) {
        if let Some(session) = &mut self.session {
            session.edit.finish();
            self.storage.keep(session);
        }
    }

    /// Waits until everything is on disk.
    pub(super) fn flush(&mut self) {
        self.keep();
        self.storage.flush();
    }

    /// Holds back a command that would lose corrections, to ask first; returns any other.
    pub(super) fn guard(&mut self, command: Command) -> Option<Command> {
        let replaces = match &command {
            Command::OpenPaths(_)
            | Command::PasteImage(_)
            | Command::ShowPhotos(_)
            | Command::ShowPhoto(_)
            | Command::ChooseModel(_)
            | Command::Sample(_)
            | Command::SetScale(_) => true,
            Command::Action(action) => {
                use Action::{Next, OpenFolder, OpenModel, OpenPhotos, Previous, Quit, Rerun};
                matches!(
                    action,
                    Next | Previous | Rerun | Quit | OpenPhotos | OpenFolder | OpenModel
                )
            }
            _ => false,
        };
        if replaces && self.is_unsaved() {
            self.leaving = Some(command);
            return None;
        }
        Some(command)
    }

    /// The command that waited for the answer, once it may be carried out.
    pub(super) fn take_ready(&mut self) -> Option<Command> {
        self.ready.take()
    }

    /// Asks before the window is closed. Returns whether it must stay open.
    pub(super) fn holds_window(&mut self) -> bool {
        if self.is_unsaved() {
            self.leaving = Some(Action::Quit.into());
        }
        self.leaving.is_some() || self.teach.holds_window()
    }

    pub(super) fn busy(&self) -> bool {
        self.preparing.is_some() || self.storage.busy()
    }

    /// Closes a dialog. Returns whether there was one.
    pub(super) fn cancel(&mut self) -> bool {
        let open = self.leaving.is_some() || self.teach.open;
        self.leaving = None;
        self.teach.close();
        open
    }
}

/// The folder for corrected photos: the one chosen in this window, or else the remembered one.
fn folder(app: &AppState) -> Option<&Path> {
    let chosen = app.correct.folder.as_deref();
    chosen.or(app.settings.corrections.as_deref())
}
