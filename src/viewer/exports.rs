//! Exports: a thread asks for a path and writes the file.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

use super::flow::Flow;
use super::open_model::OpenModel;
use super::photo_list::Item;
use crate::data::Origin;
use crate::encoding::Centroids;
use crate::export::{self, Artifact, ExportError, GivenMask, Look, Scene, Trajectory};
use crate::gpu::field::PictureReadback;
use crate::pictures;
use crate::votes::Outlines;
use eframe::egui;
use image::RgbImage;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

/// A copy of a flow for another thread.
pub(super) struct FlowSnapshot {
    photo: Arc<RgbImage>,
    size: [usize; 2],
    times: Vec<f32>,
    states: Vec<Arc<Vec<f32>>>,
    labels: Vec<Arc<Vec<u16>>>,
    centroids: Centroids,
    colours: Vec<[u8; 3]>,
    classes: Vec<String>,
    /// A mask instead of the last state's.
    given: Option<GivenMask>,
    /// See [`Scene::radius`].
    radius: usize,
    look: Look,
    opacity: f32,
    /// Files that no export may overwrite.
    inputs: Vec<PathBuf>,
}

impl FlowSnapshot {
    /// The states read back so far, or `None` before the first.
    pub(super) fn of(
        flow: &Flow,
        model: &OpenModel,
        outlines: Outlines,
        look: Look,
        opacity: f32,
        inputs: Vec<PathBuf>,
    ) -> Option<Self> {
        let states = flow.states.iter();
        let hosts: Vec<_> = states
            .map_while(|state| Some((state.t, state.host.as_ref()?)))
            .collect();
        if hosts.is_empty() {
            return None;
        }
        Some(Self {
            photo: flow.photo.clone(),
            size: flow.size,
            times: hosts.iter().map(|(t, _)| *t).collect(),
            states: hosts.iter().map(|(_, host)| host.x.clone()).collect(),
            labels: hosts.iter().map(|(_, host)| host.labels.clone()).collect(),
            centroids: model.centroids.clone(),
            colours: model.colours.clone(),
            classes: model.card.classes.clone(),
            given: None,
            radius: outlines.radius(model.card.filter_radius()),
            look,
            opacity,
            inputs,
        })
    }

    /// The same with a mask of several passes or tiles, if there is one.
    pub(super) fn with_mask(self, labels: Option<Vec<u16>>) -> Self {
        Self {
            given: labels.map(|labels| GivenMask {
                labels,
                origin: Origin::Unstated,
            }),
            ..self
        }
    }

    /// The same with a mask that was corrected by hand, and the classes that it may have.
    pub(super) fn corrected(self, labels: Vec<u16>, classes: &[String]) -> Self {
        Self {
            classes: classes.to_vec(),
            given: Some(GivenMask {
                labels,
                origin: Origin::ByHand,
            }),
            ..self
        }
    }

    pub(super) fn is_corrected(&self) -> bool {
        let given = self.given.as_ref();
        given.is_some_and(|given| given.origin == Origin::ByHand)
    }

    pub(super) fn photo(&self) -> &RgbImage {
        &self.photo
    }

    /// `[height, width]` of the photo, and its mask of that size.
    ///
    /// # Errors
    /// Votes that do not fit into memory.
    pub(super) fn labels(&self) -> Result<([usize; 2], Vec<u16>), ExportError> {
        let size = [self.photo.height(), self.photo.width()];
        let labels = self.scene().labels_of_photo()?;
        Ok((size.map(|side| side as usize), labels))
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            photo: &self.photo,
            trajectory: Trajectory {
                size: self.size,
                times: &self.times,
                states: self.states.iter().map(|x| x.as_slice()).collect(),
                labels: self.labels.iter().map(|labels| labels.as_slice()).collect(),
            },
            centroids: &self.centroids,
            colours: &self.colours,
            classes: &self.classes,
            given: self.given.as_ref(),
            radius: self.radius,
            look: self.look,
            opacity: self.opacity,
        }
    }
}

/// Makes the bytes of a file on another thread. It may report the share done, 0 to 1, and be told not to go on; what
/// it returns is dropped then.
pub(super) type Make = Box<dyn FnOnce(&dyn Fn(f32) -> bool) -> Result<Vec<u8>, String> + Send>;

/// A file to be saved where the user chooses.
pub(super) struct NewFile {
    /// The suggested file name.
    pub name: String,
    pub contents: Contents,
}

impl NewFile {
    pub(super) fn text(name: &str, text: String) -> Self {
        Self {
            name: name.to_owned(),
            contents: Contents::Text(text),
        }
    }

    /// A file whose bytes are made once its path is chosen.
    pub(super) fn made(
        name: &str,
        make: impl FnOnce(&dyn Fn(f32) -> bool) -> Result<Vec<u8>, String> + Send + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            contents: Contents::Made(Box::new(make)),
        }
    }
}

/// The two ways to write the pictures of an animation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureKind {
    Gif,
    /// A folder of PNGs.
    Frames,
}

pub(super) enum Contents {
    Text(String),
    /// Bytes that are slow to make; an error is one line.
    Made(Make),
    /// A picture that is still being copied from the device, for a PNG.
    Picture(PictureReadback),
}

/// The progress of an export, shared with the window.
#[derive(Default)]
struct Progress {
    /// The share done, 0 to 1, as the bits of an f32.
    share: AtomicU32,
    /// Whether it is known where to write: not while a dialog asks.
    begun: AtomicBool,
    cancelled: AtomicBool,
    /// What is written into a folder, as in "3 masks"; unset for a file of its own.
    contents: OnceLock<String>,
    /// The file or the folder, once it is written.
    written: OnceLock<PathBuf>,
}

impl Progress {
    /// Records the share done, 0 to 1. Returns whether to continue.
    fn report(&self, share: f32) -> bool {
        self.share.store(share.to_bits(), Ordering::Relaxed);
        !self.is_cancelled()
    }

    fn share(&self) -> f32 {
        f32::from_bits(self.share.load(Ordering::Relaxed))
    }

    /// Records that it is known where to write. Returns whether to continue.
    fn begin(&self) -> bool {
        self.begun.store(true, Ordering::Relaxed);
        !self.is_cancelled()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn is_writing(&self) -> bool {
        self.begun.load(Ordering::Relaxed) && !self.is_cancelled()
    }
}

/// An export, for a panel that tells only of its own.
pub(super) struct Followed(Arc<Progress>);

impl Followed {
    /// The file or the folder, once it is written.
    pub(super) fn written(&self) -> Option<&Path> {
        self.0.written.get().map(PathBuf::as_path)
    }
}

/// The path of the written file, or a one-line error; `None` if the export was cancelled.
type Outcome = Option<Result<PathBuf, String>>;

/// An answer to the question about exports that are not complete when the window is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Closes the window once everything is written.
    Wait,
    /// Stops them, and closes the window.
    Stop,
    /// Keeps the window open.
    Stay,
}

/// What a window waits for that is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// The answer, or the end of the exports.
    Answer,
    /// The end of the exports.
    End,
}

pub(super) struct Exports {
    sender: SyncSender<(Arc<Progress>, Outcome)>,
    outcomes: Receiver<(Arc<Progress>, Outcome)>,
    wake: egui::Context,
    /// The latest last.
    running: Vec<Arc<Progress>>,
    /// Set while the window is to be closed.
    closing: Option<Closing>,
    /// Whether one has failed since the question came up.
    failed: bool,
    /// The file written last, or the folder.
    pub written: Option<PathBuf>,
    /// What was written into that folder.
    contents: Option<String>,
    /// The files of [`AllMasks`](super::exports_all::AllMasks) that were written, and their photos.
    pub own: Arc<Mutex<HashMap<PathBuf, Item>>>,
}

impl Exports {
    pub(super) fn new(context: &egui::Context) -> Self {
        let (sender, outcomes) = sync_channel(16);
        Self {
            sender,
            outcomes,
            wake: context.clone(),
            running: Vec::new(),
            closing: None,
            failed: false,
            written: None,
            contents: None,
            own: Arc::default(),
        }
    }

    /// The share done of the latest running export, 0 to 1.
    pub(super) fn progress(&self) -> Option<f32> {
        self.running.last().map(|progress| progress.share())
    }

    /// The export begun last, for the panel that began it.
    pub(super) fn follow_latest(&self) -> Option<Followed> {
        self.running.last().cloned().map(Followed)
    }

    /// The share done of one export while it is running, 0 to 1.
    pub(super) fn progress_of(&self, Followed(of): &Followed) -> Option<f32> {
        let mut running = self.running.iter();
        let running = running.find(|progress| Arc::ptr_eq(progress, of))?;
        Some(running.share())
    }

    /// What was written last, and where, in one line.
    pub(super) fn said(&self) -> Option<String> {
        let path = self.written.as_ref()?.display();
        Some(match &self.contents {
            Some(contents) => format!("Written: {contents} into {path}"),
            None => format!("Written: {path}"),
        })
    }

    /// Says no longer what was written last.
    pub(super) fn forget(&mut self) {
        (self.written, self.contents) = (None, None);
    }

    /// Cancels all running exports. A window that waits for their end stays open.
    pub(super) fn cancel(&mut self) {
        self.closing = None;
        for progress in &self.running {
            progress.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Receives the results of all exports that have ended. Returns their errors, each in one line.
    pub(super) fn receive(&mut self) -> Vec<String> {
        let mut errors = Vec::new();
        while let Ok((ended, outcome)) = self.outcomes.try_recv() {
            self.running
                .retain(|progress| !Arc::ptr_eq(progress, &ended));
            match outcome {
                Some(Ok(path)) => {
                    ended.written.get_or_init(|| path.clone());
                    self.written = Some(path);
                    self.contents = ended.contents.get().cloned();
                }
                Some(Err(error)) => {
                    self.failed |= !ended.is_cancelled();
                    errors.push(error);
                }
                None => {}
            }
        }
        // The errors are to be read. While something is written, the question about it stays.
        if self.failed && (self.waits() || !self.is_writing()) {
            self.closing = None;
        }
        errors
    }

    /// Whether one of them is still being written.
    fn is_writing(&self) -> bool {
        self.running.iter().any(|progress| progress.is_writing())
    }

    /// Asks before the window is closed. Returns whether it must stay open.
    pub(super) fn holds_window(&mut self) -> bool {
        let holds = self.is_writing();
        if holds {
            self.failed &= self.asks();
            self.closing = Some(Closing::Answer);
        }
        holds
    }

    /// Keeps the window open at the end of the exports.
    pub(super) fn stay(&mut self) {
        self.closing = None;
    }

    /// Whether the window is to be closed, now or after the answer or the end of the exports.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether the window closes at the end of the exports.
    pub(super) fn waits(&self) -> bool {
        self.closing == Some(Closing::End)
    }

    /// Whether the question is pending.
    pub(super) fn asks(&self) -> bool {
        self.closing == Some(Closing::Answer)
    }

    pub(super) fn answer(&mut self, leave: Leave) {
        if leave == Leave::Stop {
            self.cancel();
        }
        self.closing = (leave != Leave::Stay).then_some(Closing::End);
        // Earlier errors were there to be read beside the question.
        self.failed = false;
    }

    /// Whether the window is to be closed and nothing is written any more. It is told once.
    pub(super) fn closes_now(&mut self) -> bool {
        let closes = self.closing.is_some() && !self.is_writing();
        if closes {
            self.closing = None;
        }
        closes
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The name of an artifact's file, of a photo's name without its extension.
fn file_name(artifact: Artifact, flow: &FlowSnapshot, name: &str) -> String {
    let corrected = flow.is_corrected() && artifact.is_of_mask();
    let mark = if corrected { ".corrected" } else { "" };
    artifact.file_name(&format!("{name}{mark}"))
}

/// A picture `[width, height]` of RGBA pixels as PNG, without its alpha.
fn encode(rgba: &[u8], [width, height]: [u32; 2]) -> Result<Vec<u8>, String> {
    let rgb = rgba.chunks_exact(4).flat_map(|p| &p[..3]).copied();
    let picture = RgbImage::from_raw(width, height, rgb.collect());
    let picture = picture.ok_or("the picture is incomplete")?;
    pictures::png(&picture).map_err(|error| format!("cannot encode the picture: {error}"))
}

fn outcome(written: Result<(), export::ExportError>, path: PathBuf) -> Outcome {
    match written {
        Ok(()) => Some(Ok(path)),
        Err(export::ExportError::Cancelled) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_closed_once_exports_are_written_or_stopped() {
        let mut exports = Exports::new(&egui::Context::default());
        assert!(!exports.holds_window() && !exports.closes_now());
        let begin = |exports: &mut Exports| {
            let progress = Arc::new(Progress::default());
            assert!(progress.begin());
            exports.running.push(progress.clone());
            assert!(exports.holds_window() && exports.asks() && !exports.closes_now());
            progress
        };
        let progress = begin(&mut exports);
        exports.answer(Leave::Stay);
        assert!(!exports.asks() && exports.holds_window());
        exports.answer(Leave::Wait);
        assert!(!exports.asks() && !exports.closes_now());
        let outcome = Some(Ok(PathBuf::from("a.gif")));
        exports.sender.send((progress, outcome)).unwrap();
        assert!(exports.receive().is_empty());
        assert!(exports.closes_now() && !exports.closes_now());
        // The error is to be read.
        let progress = begin(&mut exports);
        let outcome = Some(Err("no space".to_owned()));
        exports.sender.send((progress, outcome)).unwrap();
        assert_eq!(exports.receive(), ["no space"]);
        assert!(!exports.asks() && !exports.closes_now());
        begin(&mut exports);
        exports.answer(Leave::Stop);
        assert!(exports.closes_now() && !exports.holds_window());
    }

    #[test]
    fn an_error_keeps_the_window_open_unless_the_export_was_stopped() {
        let mut exports = Exports::new(&egui::Context::default());
        let begin = |exports: &mut Exports| {
            let progress = Arc::new(Progress::default());
            assert!(progress.begin());
            exports.running.push(progress.clone());
            progress
        };
        let fail = |exports: &mut Exports, progress| {
            let outcome = Some(Err("no space".to_owned()));
            exports.sender.send((progress, outcome)).unwrap();
            assert_eq!(exports.receive(), ["no space"]);
        };
        // The question is about the other one now.
        let (first, second) = (begin(&mut exports), begin(&mut exports));
        assert!(exports.holds_window());
        fail(&mut exports, first);
        assert!(exports.asks());
        let outcome = Some(Ok(PathBuf::from("a.gif")));
        exports.sender.send((second, outcome)).unwrap();
        assert!(exports.receive().is_empty());
        assert!(!exports.is_closing() && !exports.closes_now());
        // A failure of an export that was stopped is of no interest.
        let (first, _second) = (begin(&mut exports), begin(&mut exports));
        assert!(exports.holds_window());
        exports.answer(Leave::Stop);
        fail(&mut exports, first);
        assert!(exports.closes_now());
        // One that fails while the window waits for the end.
        let (first, _second) = (begin(&mut exports), begin(&mut exports));
        assert!(exports.holds_window());
        exports.answer(Leave::Wait);
        assert!(exports.waits());
        fail(&mut exports, first);
        assert!(!exports.is_closing());
        // Nothing is awaited any more once it is cancelled.
        assert!(exports.holds_window());
        exports.answer(Leave::Wait);
        exports.cancel();
        assert!(!exports.is_closing() && !exports.closes_now());
    }

    #[test]
    fn the_window_does_not_wait_for_a_dialog() {
        let mut exports = Exports::new(&egui::Context::default());
        let progress = Arc::new(Progress::default());
        exports.running.push(progress.clone());
        assert!(!exports.holds_window());
        assert!(progress.begin() && exports.holds_window());
        exports.answer(Leave::Stop);
        assert!(!progress.begin() && !exports.holds_window());
    }

    #[test]
    fn an_export_that_is_followed_tells_of_no_other() {
        let mut exports = Exports::new(&egui::Context::default());
        assert!(exports.follow_latest().is_none());
        let [own, other] = [(); 2].map(|()| Arc::new(Progress::default()));
        exports.running.push(own.clone());
        let followed = exports.follow_latest().unwrap();
        exports.running.push(other.clone());
        assert!(other.report(0.75));
        assert_eq!(exports.progress_of(&followed), Some(0.0));
        for (ended, name) in [(other, "other.gif"), (own, "own.gif")] {
            assert_eq!(followed.written(), None);
            let outcome = Some(Ok(PathBuf::from(name)));
            exports.sender.send((ended, outcome)).unwrap();
            assert!(exports.receive().is_empty());
        }
        assert_eq!(exports.progress_of(&followed), None);
        assert_eq!(followed.written(), Some(Path::new("own.gif")));
    }

    #[test]
    fn what_was_written_is_said_until_it_is_forgotten() {
        let mut exports = Exports::new(&egui::Context::default());
        assert_eq!(exports.said(), None);
        for (contents, said) in [
            (Some("3 masks"), "Written: 3 masks into out"),
            (None, "Written: out"),
        ] {
            let progress = Arc::new(Progress::default());
            if let Some(contents) = contents {
                progress.contents.set(contents.to_owned()).unwrap();
            }
            let outcome = Some(Ok(PathBuf::from("out")));
            exports.sender.send((progress, outcome)).unwrap();
            assert!(exports.receive().is_empty());
            assert_eq!(exports.said().as_deref(), Some(said));
        }
        exports.forget();
        assert_eq!(exports.said(), None);
    }

    #[test]
    fn exports_that_end_at_the_same_time_are_all_received() {
        let mut exports = Exports::new(&egui::Context::default());
        for error in ["one", "two"] {
            let progress = Arc::new(Progress::default());
            exports.running.push(progress.clone());
            let outcome = Some(Err(error.to_owned()));
            exports.sender.send((progress, outcome)).unwrap();
        }
        assert_eq!(exports.progress(), Some(0.0));
        assert_eq!(exports.receive(), ["one", "two"]);
        assert_eq!(exports.progress(), None);
    }
}
