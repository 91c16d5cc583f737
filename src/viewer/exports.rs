//! Export: choose what, choose where, and a thread of its own writes it.

use super::app_state::AppState;
use super::theme::{self, GRID};
use crate::encoding::Centroids;
use crate::export::{self, Artifact, Look, Scene, Trajectory};
use crate::files::{self, Plan};
use eframe::egui;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

/// A flow as a thread can keep it.
pub struct Kept {
    photo: Arc<RgbImage>,
    size: [usize; 2],
    times: Vec<f32>,
    states: Vec<Arc<Vec<f32>>>,
    labels: Vec<Arc<Vec<u16>>>,
    centroids: Centroids,
    colours: Vec<[u8; 3]>,
    classes: Vec<String>,
    look: Look,
    opacity: f32,
    /// Files that no export may replace.
    inputs: Vec<PathBuf>,
}

/// The open photo and model, which no export may replace.
pub fn inputs(app: &AppState) -> Vec<PathBuf> {
    let photo = app.photos.file().map(Path::to_owned);
    let model = app.model.as_ref().map(|model| PathBuf::from(&model.name));
    photo.into_iter().chain(model).collect()
}

/// Refuses a file that cannot be written, and one of `inputs`.
fn check(path: &Path, what: &str, inputs: &[PathBuf]) -> Result<(), String> {
    let mut plan = Plan::default();
    plan.write(path, what);
    let checked = plan.check(|| inputs.to_vec());
    checked.map_err(|error| error.to_string())
}

impl Kept {
    /// The app's flow as far as it was read; none before the first state.
    pub fn of(app: &AppState, look: Look) -> Option<Self> {
        let (flow, model) = (app.flow.as_ref()?, app.model.as_ref()?);
        let hosts: Vec<_> = flow
            .states
            .iter()
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
            look,
            opacity: app.settings.view.opacity,
            inputs: inputs(app),
        })
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
            look: self.look,
            opacity: self.opacity,
        }
    }
}

/// What a running export shares with the window.
#[derive(Default)]
struct Progress {
    /// The share done, as the bits of an f32.
    share: AtomicU32,
    cancelled: AtomicBool,
}

/// A file that was written, or one line that says why not; none where the user thought better of it.
type Outcome = Option<Result<PathBuf, String>>;

/// The exports of a window.
pub struct Exports {
    sender: SyncSender<Outcome>,
    outcomes: Receiver<Outcome>,
    wake: egui::Context,
    running: Option<Arc<Progress>>,
    look: Look,
    /// The file written last.
    pub written: Option<PathBuf>,
}

impl Exports {
    /// Nothing runs.
    pub fn new(context: &egui::Context) -> Self {
        let (sender, outcomes) = sync_channel(2);
        Self {
            sender,
            outcomes,
            wake: context.clone(),
            running: None,
            look: Look::default(),
            written: None,
        }
    }

    /// Whether one is running.
    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// Takes in what became of the last one; an error is one line.
    pub fn receive(&mut self) -> Option<String> {
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

    /// Asks where to write the bytes that `make` gives on the thread of the export, and writes them
    /// unless that is one of `inputs`.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn save(
        &mut self,
        name: &str,
        inputs: Vec<PathBuf>,
        make: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
    ) -> std::io::Result<()> {
        let chosen = rfd::AsyncFileDialog::new().set_file_name(name).save_file();
        self.spawn(move |_| {
            let path = pollster::block_on(chosen)?.path().to_owned();
            let checked = check(&path, "the export", &inputs);
            let written = checked.and_then(|()| make()).and_then(|bytes| {
                files::write_atomic(&path, &bytes).map_err(|error| error.to_string())
            });
            Some(written.map(|()| path))
        })
    }

    /// Asks where and writes an artifact.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn ask(&mut self, artifact: Artifact, kept: Kept, name: &str) -> std::io::Result<()> {
        let name = artifact.file_name(name);
        let dialog = rfd::AsyncFileDialog::new().set_title("Export");
        if artifact == Artifact::Frames {
            let chosen = dialog.pick_folder();
            return self.spawn(move |progress| {
                let path = pollster::block_on(chosen)?.path().join(name);
                write(artifact, &kept, path, progress)
            });
        }
        let ending = artifact.extension();
        let dialog = dialog.add_filter(artifact.label(), &[ending]);
        let chosen = dialog.set_file_name(name).save_file();
        self.spawn(move |progress| {
            let path = pollster::block_on(chosen)?.path().to_owned();
            write(artifact, &kept, path, progress)
        })
    }

    /// Writes an artifact to a path.
    ///
    /// # Errors
    /// A system that can't start another thread.
    #[cfg(test)]
    pub fn write(&mut self, artifact: Artifact, kept: Kept, path: PathBuf) -> std::io::Result<()> {
        self.spawn(move |progress| write(artifact, &kept, path, progress))
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
                // Without a reader the window has closed.
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
        if let Some(progress) = &self.running {
            progress.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

fn write(artifact: Artifact, kept: &Kept, path: PathBuf, progress: &Progress) -> Outcome {
    let tell = |share: f32| {
        progress.share.store(share.to_bits(), Ordering::Relaxed);
        !progress.cancelled.load(Ordering::Relaxed)
    };
    // A folder of frames is a new one in any case.
    if artifact != Artifact::Frames
        && let Err(error) = check(&path, artifact.label(), &kept.inputs)
    {
        return Some(Err(error));
    }
    match export::write(artifact, &kept.scene(), &path, &tell) {
        Ok(()) => Some(Ok(path)),
        Err(export::ExportError::Cancelled) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

/// Draws the dialog.
pub fn show(app: &mut AppState, context: &egui::Context) {
    if !app.exporting {
        return;
    }
    let mut open = true;
    egui::Window::new("Export")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .default_width(44.0 * GRID)
        .anchor(egui::Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(context, |ui| content(app, ui));
    app.exporting = open && app.exporting;
}

fn content(app: &mut AppState, ui: &mut egui::Ui) {
    let states = app.flow.as_ref().map_or(0, |flow| flow.states.len());
    if states == 0 {
        theme::empty(ui, "There is nothing to export yet: open a photo first.");
        return;
    }
    let wanted = app.states();
    if states < wanted {
        ui.weak(format!(
            "The flow is at step {} of {}: exports end there.",
            states - 1,
            wanted - 1
        ));
    }
    ui.horizontal(|ui| {
        ui.label("Animations show");
        for look in Look::ALL {
            ui.selectable_value(&mut app.exports.look, look, look.label());
        }
    });
    ui.separator();
    let mut chosen = None;
    ui.add_enabled_ui(!app.exports.busy(), |ui| {
        for artifact in Artifact::ALL {
            let button = egui::Button::new(artifact.label()).wrap_mode(egui::TextWrapMode::Extend);
            let size = egui::vec2(ui.available_width(), theme::ROW);
            if ui.add_sized(size, button).clicked() {
                chosen = Some(artifact);
            }
        }
    });
    if let Some(artifact) = chosen
        && let Some(kept) = Kept::of(app, app.exports.look)
    {
        let name = app.photos.item().map(super::photo_list::Item::stem);
        let name = name.unwrap_or_else(|| "flow".into());
        if let Err(error) = app.exports.ask(artifact, kept, &name) {
            let text = format!("cannot start a thread: {error}");
            app.errors.tell(text);
        }
    }
    ui.separator();
    match (&app.exports.running, &app.exports.written) {
        (Some(progress), _) => {
            let share = f32::from_bits(progress.share.load(Ordering::Relaxed));
            ui.horizontal(|ui| {
                ui.add(egui::ProgressBar::new(share).desired_width(24.0 * GRID));
                if ui.button("Cancel").clicked() {
                    progress.cancelled.store(true, Ordering::Relaxed);
                }
            });
            // The thread wakes the window at its end; in between the bar is looked at now and then.
            ui.ctx()
                .request_repaint_after(std::time::Duration::from_millis(200));
        }
        (None, Some(path)) => {
            ui.label(format!("Written: {}", path.display()));
        }
        (None, None) => {
            ui.weak("Masks have the photo's own size.");
        }
    }
}
