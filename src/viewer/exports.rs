//! Exports: a thread asks for a path and writes the file.

use super::exports_all::AllMasks;
use super::flow::Flow;
use super::open_model::OpenModel;
use crate::encoding::Centroids;
use crate::export::{self, Artifact, Look, Pictures, Scene, Trajectory};
use crate::files::{self, Plan};
use crate::gpu::field::PictureReadback;
use crate::pictures;
use eframe::egui;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

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
    corrected: Option<Vec<u16>>,
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
            corrected: None,
            look,
            opacity,
            inputs,
        })
    }

    /// The same with a manually corrected mask, and the classes that it may have.
    pub(super) fn corrected(self, labels: Option<Vec<u16>>, classes: &[String]) -> Self {
        Self {
            classes: match labels {
                Some(_) => classes.to_vec(),
                None => self.classes,
            },
            corrected: labels,
            ..self
        }
    }

    pub(super) fn is_corrected(&self) -> bool {
        self.corrected.is_some()
    }

    pub(super) fn photo(&self) -> &RgbImage {
        &self.photo
    }

    /// `[height, width]` of the photo, and its mask of that size.
    pub(super) fn labels(&self) -> ([usize; 2], Vec<u16>) {
        let size = [self.photo.height(), self.photo.width()];
        (
            size.map(|side| side as usize),
            self.scene().labels_of_photo(),
        )
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
            corrected: self.corrected.as_deref(),
            look: self.look,
            opacity: self.opacity,
        }
    }
}

/// Makes the bytes of a file on another thread.
pub(super) type Make = Box<dyn FnOnce() -> Result<Vec<u8>, String> + Send>;

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
        make: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
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

impl Contents {
    /// The file's bytes. Slow unless it is a text: not to be called on the window's thread.
    ///
    /// # Errors
    /// The device or the encoder fails; one line.
    pub(super) fn bytes(self) -> Result<Vec<u8>, String> {
        let picture = match self {
            Contents::Text(text) => return Ok(text.into_bytes()),
            Contents::Made(make) => return make(),
            Contents::Picture(picture) => picture,
        };
        let [width, height] = picture.size();
        let rgba = picture.wait().map_err(|error| error.to_string())?;
        let rgb = rgba.chunks_exact(4).flat_map(|p| &p[..3]).copied();
        let picture = RgbImage::from_raw(width, height, rgb.collect());
        let picture = picture.ok_or("the picture is incomplete")?;
        pictures::png(&picture).map_err(|error| format!("cannot encode the picture: {error}"))
    }
}

/// Refuses a path that cannot be written or is one of `inputs`.
fn check(path: &Path, what: &str, inputs: &[PathBuf]) -> Result<(), String> {
    let mut plan = Plan::default();
    plan.write(path, what);
    let checked = plan.check(|| inputs.to_vec());
    checked.map_err(|error| error.to_string())
}

/// The progress of an export, shared with the window.
#[derive(Default)]
struct Progress {
    /// The share done, 0 to 1, as the bits of an f32.
    share: AtomicU32,
    cancelled: AtomicBool,
}

impl Progress {
    /// Records the share done, 0 to 1. Returns whether to continue.
    fn report(&self, share: f32) -> bool {
        self.share.store(share.to_bits(), Ordering::Relaxed);
        !self.cancelled.load(Ordering::Relaxed)
    }
}

/// The path of the written file, or a one-line error; `None` if the export was cancelled.
type Outcome = Option<Result<PathBuf, String>>;

pub(super) struct Exports {
    sender: SyncSender<Outcome>,
    outcomes: Receiver<Outcome>,
    wake: egui::Context,
    running: Option<Arc<Progress>>,
    /// The file written last.
    pub written: Option<PathBuf>,
}

impl Exports {
    pub(super) fn new(context: &egui::Context) -> Self {
        let (sender, outcomes) = sync_channel(2);
        Self {
            sender,
            outcomes,
            wake: context.clone(),
            running: None,
            written: None,
        }
    }

    /// The share done of the running export, 0 to 1.
    pub(super) fn progress(&self) -> Option<f32> {
        let progress = self.running.as_ref()?;
        Some(f32::from_bits(progress.share.load(Ordering::Relaxed)))
    }

    pub(super) fn cancel(&self) {
        if let Some(progress) = &self.running {
            progress.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Receives the result of the last export. Returns its error in one line.
    pub(super) fn receive(&mut self) -> Option<String> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.running = None;
        match outcome? {
            Ok(path) => {
                self.written = Some(path);
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Asks for a path and writes a file there, unless the path is one of `inputs`.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn save(&mut self, file: NewFile, inputs: Vec<PathBuf>) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new().set_file_name(file.name);
        let chosen = dialog.save_file();
        self.spawn(move |_| {
            let path = pollster::block_on(chosen)?.path().to_owned();
            let checked = check(&path, "the export", &inputs);
            let bytes = checked.and_then(|()| file.contents.bytes());
            let written = bytes.and_then(|bytes| {
                files::write_atomic(&path, &bytes).map_err(|error| error.to_string())
            });
            Some(written.map(|()| path))
        })
    }

    /// Asks for a path and writes an artifact there.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn ask(
        &mut self,
        artifact: Artifact,
        flow: FlowSnapshot,
        name: &str,
    ) -> std::io::Result<()> {
        let corrected = flow.is_corrected() && artifact.is_of_mask();
        let mark = if corrected { ".corrected" } else { "" };
        let name = artifact.file_name(&format!("{name}{mark}"));
        let dialog = rfd::AsyncFileDialog::new().set_title("Export");
        if artifact == Artifact::Frames {
            let chosen = dialog.pick_folder();
            return self.spawn(move |progress| {
                let path = pollster::block_on(chosen)?.path().join(name);
                write(artifact, &flow, path, progress)
            });
        }
        let ending = artifact.extension();
        let dialog = dialog.add_filter(artifact.label(), &[ending]);
        let chosen = dialog.set_file_name(name).save_file();
        self.spawn(move |progress| {
            let path = pollster::block_on(chosen)?.path().to_owned();
            write(artifact, &flow, path, progress)
        })
    }

    /// Asks for a path and writes pictures there, unless the path is one of `inputs`. `name` is the
    /// suggested name, without an extension.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn ask_pictures(
        &mut self,
        kind: PictureKind,
        pictures: impl Pictures + Send + 'static,
        name: &str,
        inputs: Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new();
        if kind == PictureKind::Frames {
            let (chosen, name) = (dialog.pick_folder(), format!("{name}.frames"));
            return self.spawn(move |progress| {
                let path = pollster::block_on(chosen)?.path().join(name);
                write_pictures(kind, pictures, &inputs, path, progress)
            });
        }
        let dialog = dialog.add_filter(Artifact::Gif.label(), &["gif"]);
        let chosen = dialog.set_file_name(format!("{name}.gif")).save_file();
        self.spawn(move |progress| {
            let path = pollster::block_on(chosen)?.path().to_owned();
            write_pictures(kind, pictures, &inputs, path, progress)
        })
    }

    /// Writes pictures to a path.
    #[cfg(test)]
    pub(super) fn write_pictures(
        &mut self,
        kind: PictureKind,
        pictures: impl Pictures + Send + 'static,
        path: PathBuf,
    ) -> std::io::Result<()> {
        self.spawn(move |progress| write_pictures(kind, pictures, &[], path, progress))
    }

    /// Asks for a folder and writes all masks there.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn ask_all(&mut self, artifact: Artifact, masks: AllMasks) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new().set_title("Export all masks");
        let chosen = dialog.pick_folder();
        self.spawn(move |progress| {
            let folder = pollster::block_on(chosen)?.path().to_owned();
            let report = |share: f32| progress.report(share);
            masks
                .write(artifact, &folder, &report)
                .map(|written| written.map(|()| folder))
        })
    }

    /// Writes an artifact to a path.
    #[cfg(test)]
    pub(super) fn write(
        &mut self,
        artifact: Artifact,
        flow: FlowSnapshot,
        path: PathBuf,
    ) -> std::io::Result<()> {
        self.spawn(move |progress| write(artifact, &flow, path, progress))
    }

    fn spawn(
        &mut self,
        work: impl FnOnce(&Progress) -> Outcome + Send + 'static,
    ) -> std::io::Result<()> {
        let progress = Arc::new(Progress::default());
        let of_thread = progress.clone();
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        Builder::new()
            .name("flowseg-export".into())
            .spawn(move || {
                // Without a receiver, the window has closed.
                let _ = sender.send(work(&of_thread));
                wake.request_repaint();
            })?;
        self.running = Some(progress);
        self.written = None;
        Ok(())
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn write(artifact: Artifact, flow: &FlowSnapshot, path: PathBuf, progress: &Progress) -> Outcome {
    let report = |share: f32| progress.report(share);
    // Frames always go into a new folder, which cannot be an input.
    if artifact != Artifact::Frames
        && let Err(error) = check(&path, artifact.label(), &flow.inputs)
    {
        return Some(Err(error));
    }
    outcome(export::write(artifact, &flow.scene(), &path, &report), path)
}

fn write_pictures(
    kind: PictureKind,
    pictures: impl Pictures,
    inputs: &[PathBuf],
    path: PathBuf,
    progress: &Progress,
) -> Outcome {
    let report = |share: f32| progress.report(share);
    let written = match kind {
        PictureKind::Frames => export::write_sequence(&path, &pictures, &report),
        PictureKind::Gif => {
            if let Err(error) = check(&path, "the animation", inputs) {
                return Some(Err(error));
            }
            export::write_animation(&path, &pictures, &report)
        }
    };
    outcome(written, path)
}

fn outcome(written: Result<(), export::ExportError>, path: PathBuf) -> Outcome {
    match written {
        Ok(()) => Some(Ok(path)),
        Err(export::ExportError::Cancelled) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}
