//! The state of the window that all panels share, and what the worker's events do to it.

mod events;
mod selection;
mod status_text;

pub use selection::Selection;

use super::brush::BrushMask;
use super::canvas_renderer::CanvasRenderer;
use super::error_list::ErrorList;
use super::exports::Exports;
use super::file_open::FileOpener;
use super::flow::Flow;
use super::photo_list::{Item, PhotoList};
use super::settings::Settings;
use super::view::Camera;
use super::worker_events::{Event, EventConverter};
use crate::encoding::Centroids;
use crate::flow::Source;
use crate::gpu::canvas::{Layer, Sources};
use crate::inference::Sampling;
use crate::job::Worker;
use crate::model::Card;
use crate::models;
use burn::tensor::Device;
use eframe::egui::util::undoer::Undoer;
use eframe::egui::{self, Rect, Vec2};
use eframe::egui_wgpu::RenderState;
use std::path::PathBuf;
use web_time::Instant;

/// What the window computes and draws on, in words.
#[derive(Clone, Debug)]
pub struct Devices {
    /// What computes.
    pub compute: String,
    /// Why, where the program decided it.
    pub note: Option<String>,
    /// The adapter that draws.
    pub adapter: String,
    /// Whether that is a program on the processor.
    pub software: bool,
}

/// The open model, as far as the window needs it.
pub struct Shown {
    /// Its name in lists: a built-in's, or a path.
    pub name: String,
    /// What it says of itself.
    pub card: Card,
    /// Its classes' names as they are drawn, distinct even where fonts lack their letters.
    pub names: Vec<String>,
    /// Its classes' centroids.
    pub centroids: Centroids,
    /// Its classes' colours.
    pub colours: Vec<[u8; 3]>,
}

/// What the worker does.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Nothing.
    Idle,
    /// Reads a model.
    Loading,
    /// Decodes the photo.
    Opening,
    /// Waits for the device to compile its kernels.
    Preparing,
    /// Computes states, since then.
    Sampling(Instant),
}

/// The playhead.
pub struct Play {
    /// Position between the states, 0 to the number of steps.
    pub position: f32,
    /// Whether it moves.
    pub playing: bool,
}

/// The state.
pub struct AppState {
    /// Remembered choices.
    pub settings: Settings,
    /// Drawing; none without a graphics device.
    pub screen: Option<CanvasRenderer>,
    /// What the window computes and draws on.
    pub devices: Devices,
    /// The open model.
    pub model: Option<Shown>,
    /// The name of the model that is being opened.
    wanted: String,
    /// Whether somebody chose the model.
    chosen: bool,
    /// What there is to look at.
    pub photos: PhotoList,
    /// The flow that is shown.
    pub flow: Option<Flow>,
    /// What the worker does.
    pub phase: Phase,
    /// The playhead.
    pub play: Play,
    /// Pins, hidden classes and brushed pixels.
    pub selection: Selection,
    history: Undoer<Selection>,
    /// How to sample.
    pub sampling: Sampling,
    /// The number of steps in its control, taken over when it is let go.
    pub wanted_steps: usize,
    /// The scale of the input in its control, taken over when it is let go.
    pub wanted_scale: f64,
    /// The pane that layer keys work on.
    pub active: usize,
    /// The pane under the pointer and the photo's size, for zooming by keys.
    pub pane: Option<(Rect, Vec2)>,
    /// The network's pixel under the pointer.
    pub hovered_pixel: Option<usize>,
    /// The class that is lit.
    pub lit: Option<usize>,
    /// What went wrong.
    pub errors: ErrorList,
    /// Dialogs and folders.
    pub opener: FileOpener,
    /// Runs that were asked for.
    pub runs: Vec<PathBuf>,
    /// Whether the list of keys is shown.
    pub help: bool,
    /// Whether a drag over the photo brushes a region without a key held.
    pub brushing: bool,
    /// The brush that is being drawn in the photo: its pane, and where in the photo it began.
    pub brush_from: Option<(Rect, Vec2)>,
    /// The darkened picture of what is not brushed.
    pub mask: BrushMask,
    /// Files being written.
    pub exports: Exports,
    /// Whether the window is being pictured: then nothing follows the pointer.
    pub pictured: bool,
    /// Whether the export dialog is shown.
    pub exporting: bool,
    /// Whether the panels go back to their places.
    pub reset_panels: bool,
    /// What the class list is filtered by.
    pub search: String,
    worker: Option<Worker<Event>>,
}

impl AppState {
    /// Starts the worker and opens a model by its name; without one, what suits the photos.
    pub fn new(
        context: &egui::Context,
        state: Option<&RenderState>,
        device: Device,
        devices: Devices,
        settings: Settings,
        model: Option<&str>,
        photos: PhotoList,
    ) -> Self {
        let mut errors = ErrorList::default();
        let screen = state.and_then(|state| match CanvasRenderer::new(state) {
            Ok(screen) => Some(screen),
            Err(error) => {
                errors.tell(error.to_string());
                None
            }
        });
        let pipelines = screen.as_ref().map(|screen| screen.pipelines().clone());
        let mut converter = EventConverter::new(context.clone(), pipelines);
        let wake = context.clone();
        let worker = Worker::start(
            device,
            move |message, tell| converter.take(message, tell),
            move || wake.request_repaint(),
        );
        let worker = match worker {
            Ok(worker) => Some(worker),
            Err(error) => {
                errors.tell(format!("cannot start a worker thread: {error}"));
                None
            }
        };
        let wake = context.clone();
        let sampling = Sampling {
            solver: settings.solver,
            ..Sampling::default()
        };
        let mut app = Self {
            settings,
            screen,
            devices,
            model: None,
            wanted: String::new(),
            chosen: false,
            photos,
            flow: None,
            phase: Phase::Idle,
            play: Play {
                position: 0.0,
                playing: true,
            },
            selection: Selection::default(),
            history: Undoer::default(),
            sampling,
            wanted_steps: sampling.steps,
            wanted_scale: sampling.scale,
            active: 0,
            pane: None,
            hovered_pixel: None,
            lit: None,
            errors,
            opener: FileOpener::new(move || wake.request_repaint()),
            runs: Vec::new(),
            help: false,
            brushing: false,
            brush_from: None,
            mask: BrushMask::default(),
            exports: Exports::new(context),
            pictured: false,
            exporting: false,
            reset_panels: false,
            search: String::new(),
            worker,
        };
        app.chosen = model.is_some();
        let unless_chosen = match app.photos.item() {
            Some(Item::Sample(_)) => models::FOR_SAMPLES,
            _ => models::FOR_PHOTOS,
        };
        app.open_model(model.unwrap_or(unless_chosen));
        app
    }

    /// Opens a model that somebody chose; from now on it stays, whatever is shown.
    pub fn choose_model(&mut self, name: &str) {
        self.chosen = true;
        self.open_model(name);
    }

    /// Opens a model by its name or path; the flow starts over when it is there.
    pub fn open_model(&mut self, name: &str) {
        let Some(worker) = &self.worker else { return };
        self.wanted = name.to_owned();
        self.phase = Phase::Loading;
        let name = name.to_owned();
        worker.open_model(Box::new(move |device| {
            models::load(&name, device).map_err(|error| error.to_string())
        }));
    }

    /// Shows another photos.
    /// Unless somebody chose a model, photos get the one for photos and samples theirs.
    pub fn show(&mut self, photos: PhotoList) {
        let suits = match photos.item() {
            Some(Item::Sample(_)) => models::FOR_SAMPLES,
            _ => models::FOR_PHOTOS,
        };
        self.photos = photos;
        let open = match self.phase {
            Phase::Loading => Some(self.wanted.as_str()),
            _ => self.model.as_ref().map(|model| model.name.as_str()),
        };
        if self.chosen || open == Some(suits) {
            self.open();
        } else {
            self.flow = None;
            self.open_model(suits);
        }
    }

    /// Shows a picture from the clipboard.
    pub fn paste(&mut self, image: &egui::ColorImage) {
        let rgb = image
            .pixels
            .iter()
            .flat_map(|p| [p.r(), p.g(), p.b()])
            .collect();
        let [width, height] = image.size.map(|side| side as u32);
        match image::RgbImage::from_raw(width, height, rgb).filter(|_| width * height > 0) {
            Some(picture) => self.show(PhotoList::pasted(picture)),
            None => self.errors.tell("the picture on the clipboard is empty"),
        }
    }

    /// Opens what the photos shows.
    pub fn open(&mut self) {
        if let Some(path) = self.photos.file().map(ToOwned::to_owned) {
            self.settings.remember(&path);
        }
        self.flow = None;
        // Pins and brushes name pixels of the photo before: they don't come back by undoing.
        self.selection.pins.clear();
        self.selection.brushed = Default::default();
        self.history = Undoer::default();
        self.settings.view.camera = Camera::default();
        self.play.playing = true;
        self.sample();
    }

    /// Samples the photo anew, as the controls say.
    pub fn sample(&mut self) {
        self.play.position = 0.0;
        let (Some(worker), Some(item), Some(_)) = (&self.worker, self.photos.item(), &self.model)
        else {
            return;
        };
        self.phase = Phase::Opening;
        worker.flow(item.photo(), self.sampling);
    }

    /// Never hears of the worker again, so that a picture of waiting stays the same.
    #[cfg(test)]
    pub fn silence(&mut self) {
        self.worker = None;
        self.opener = FileOpener::new(|| ());
    }

    /// Stops sampling; the states so far stay.
    pub fn cancel(&mut self) {
        if let Some(worker) = &self.worker {
            worker.cancel();
        }
        self.phase = Phase::Idle;
    }

    /// The number of states that a whole flow has.
    pub fn states(&self) -> usize {
        self.sampling.steps + 1
    }

    /// The furthest position that can be shown.
    pub fn reachable(&self) -> f32 {
        let states = self.flow.as_ref().map_or(0, |flow| flow.states.len());
        states.saturating_sub(1) as f32
    }

    /// Whether states are still to come.
    pub fn busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// Whether the photo's labels are known.
    pub fn has_truth(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.truth.is_some())
    }

    /// What the active pane shows.
    pub fn active_layer(&self) -> Layer {
        self.settings.view.layers[self.active.min(3)]
    }

    /// What the canvas is drawn from at the playhead's position.
    pub fn sources(&mut self) -> Option<Sources> {
        let (screen, model, flow) = (
            self.screen.as_mut()?,
            self.model.as_ref()?,
            self.flow.as_mut()?,
        );
        let drawn = screen
            .set_classes(&model.centroids, &model.colours, &self.selection.hidden)
            .and_then(|()| flow.sources(screen, self.play.position));
        match drawn {
            Ok(sources) => sources,
            Err(error) => {
                self.errors.tell(error.to_string());
                None
            }
        }
    }

    /// Moves the playhead to a state and stops there.
    pub fn go_to(&mut self, position: f32) {
        self.play.playing = false;
        self.play.position = position.clamp(0.0, self.sampling.steps as f32);
    }

    /// Finds out what paths are and opens them.
    pub fn look(&mut self, paths: Vec<PathBuf>) {
        if let Err(error) = self.opener.look(paths) {
            self.errors.tell(format!("cannot start a thread: {error}"));
        }
    }

    /// Where the flow starts, unless the model decides.
    pub fn source(&self) -> Source {
        let of_model = self.model.as_ref().map(|model| model.card.source);
        self.sampling.source.or(of_model).unwrap_or_default()
    }
}
