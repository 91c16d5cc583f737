//! The state of the window that all panels share, and what the worker's events do to it.

use super::album::{Album, Item};
use super::exporting::Exports;
use super::flow::Flow;
use super::intake::{Event, Intake};
use super::open::Opener;
use super::problems::Problems;
use super::screen::Screen;
use super::settings::Settings;
use super::view::Camera;
use crate::encoding::Centroids;
use crate::flow::{Prediction, Source};
use crate::gpu::canvas::{Layer, Sources};
use crate::inference::Sampling;
use crate::job::Worker;
use crate::model::Card;
use crate::{models, palette};
use burn::tensor::Device;
use eframe::egui::util::undoer::Undoer;
use eframe::egui::{self, Rect, Vec2};
use eframe::egui_wgpu::RenderState;
use std::collections::BTreeSet;
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

/// What can be undone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Pinned pixels, by their index at the network's size.
    pub pins: Vec<usize>,
    /// Hidden classes.
    pub hidden: BTreeSet<usize>,
}

/// The state.
pub struct Shell {
    /// Remembered choices.
    pub settings: Settings,
    /// Drawing; none without a graphics device.
    pub screen: Option<Screen>,
    /// What the window computes and draws on.
    pub devices: Devices,
    /// The open model.
    pub model: Option<Shown>,
    /// The name of the model that is being opened.
    wanted: String,
    /// Whether somebody chose the model.
    chosen: bool,
    /// What there is to look at.
    pub album: Album,
    /// The flow that is shown.
    pub flow: Option<Flow>,
    /// What the worker does.
    pub phase: Phase,
    /// The playhead.
    pub play: Play,
    /// Pins and hidden classes.
    pub marks: Marks,
    history: Undoer<Marks>,
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
    pub problems: Problems,
    /// Dialogs and folders.
    pub opener: Opener,
    /// Runs that were asked for.
    pub runs: Vec<PathBuf>,
    /// Whether the list of keys is shown.
    pub help: bool,
    /// Pixels brushed in the field, one entry a pixel, or none at all.
    pub brushed: Vec<bool>,
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

impl Shell {
    /// Starts the worker and opens a model by its name; without one, what suits the album.
    pub fn new(
        context: &egui::Context,
        state: Option<&RenderState>,
        device: Device,
        devices: Devices,
        settings: Settings,
        model: Option<&str>,
        album: Album,
    ) -> Self {
        let mut problems = Problems::default();
        let screen = state.and_then(|state| match Screen::new(state) {
            Ok(screen) => Some(screen),
            Err(error) => {
                problems.tell(error.to_string());
                None
            }
        });
        let pipelines = screen.as_ref().map(|screen| screen.pipelines().clone());
        let mut intake = Intake::new(context.clone(), pipelines);
        let wake = context.clone();
        let worker = Worker::start(
            device,
            move |message, tell| intake.take(message, tell),
            move || wake.request_repaint(),
        );
        let worker = match worker {
            Ok(worker) => Some(worker),
            Err(error) => {
                problems.tell(format!("cannot start a worker thread: {error}"));
                None
            }
        };
        let wake = context.clone();
        let sampling = Sampling {
            solver: settings.solver,
            steps: settings.steps,
            ..Sampling::default()
        };
        let mut shell = Self {
            settings,
            screen,
            devices,
            model: None,
            wanted: String::new(),
            chosen: false,
            album,
            flow: None,
            phase: Phase::Idle,
            play: Play {
                position: 0.0,
                playing: true,
            },
            marks: Marks::default(),
            history: Undoer::default(),
            sampling,
            wanted_steps: sampling.steps,
            wanted_scale: sampling.scale,
            active: 0,
            pane: None,
            hovered_pixel: None,
            lit: None,
            problems,
            opener: Opener::new(move || wake.request_repaint()),
            runs: Vec::new(),
            help: false,
            brushed: Vec::new(),
            exports: Exports::new(context),
            pictured: false,
            exporting: false,
            reset_panels: false,
            search: String::new(),
            worker,
        };
        shell.chosen = model.is_some();
        let unless_chosen = match shell.album.item() {
            Some(Item::Sample(_)) => models::FOR_SAMPLES,
            _ => models::FOR_PHOTOS,
        };
        shell.open_model(model.unwrap_or(unless_chosen));
        shell
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

    /// Shows another album.
    /// Unless somebody chose a model, photos get the one for photos and samples theirs.
    pub fn show(&mut self, album: Album) {
        let suits = match album.item() {
            Some(Item::Sample(_)) => models::FOR_SAMPLES,
            _ => models::FOR_PHOTOS,
        };
        self.album = album;
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
            Some(picture) => self.show(Album::pasted(picture)),
            None => self.problems.tell("the picture on the clipboard is empty"),
        }
    }

    /// Opens what the album shows.
    pub fn open(&mut self) {
        if let Some(path) = self.album.file().map(ToOwned::to_owned) {
            self.settings.remember(&path);
        }
        self.flow = None;
        self.marks.pins.clear();
        self.brushed.clear();
        self.settings.view.camera = Camera::default();
        self.play.playing = true;
        self.sample();
    }

    /// Samples the photo anew, as the controls say.
    pub fn sample(&mut self) {
        self.play.position = 0.0;
        let (Some(worker), Some(item), Some(_)) = (&self.worker, self.album.item(), &self.model)
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
        self.opener = Opener::new(|| ());
    }

    /// Stops sampling; the states so far stay.
    pub fn cancel(&mut self) {
        if let Some(worker) = &self.worker {
            worker.cancel();
        }
        self.phase = Phase::Idle;
    }

    /// Takes in what the worker and the opener found since the last frame.
    pub fn receive(&mut self) {
        while let Some(event) = self.worker.as_ref().and_then(Worker::poll) {
            self.accept(event);
        }
        if let Some(error) = self.exports.receive() {
            self.problems.tell(error);
        }
        while let Some(found) = self.opener.poll() {
            for problem in found.problems {
                self.problems.tell(problem);
            }
            if let Some(path) = found.model {
                self.choose_model(&path.to_string_lossy());
            }
            if !found.runs.is_empty() {
                for run in &found.runs {
                    self.settings.remember(run);
                }
                self.runs = found.runs;
            }
            if !found.photos.is_empty() {
                self.show(Album::files(found.photos, found.shown));
            }
        }
    }

    /// Takes in one event.
    pub fn accept(&mut self, event: Event) {
        match event {
            Event::Model(card, centroids) => {
                let name = std::mem::take(&mut self.wanted);
                let built_in = models::BUILT_IN.iter().any(|(known, _)| *known == name);
                if !built_in && !name.is_empty() {
                    self.settings.remember_model(name.as_ref());
                }
                let prediction = card.prediction;
                let colours = centroids.colours();
                self.model = Some(Shown {
                    name,
                    card: *card,
                    centroids,
                    colours,
                });
                self.colour_model();
                self.marks.hidden.clear();
                self.sampling.steps = match prediction {
                    // A classifier's flow is one straight step.
                    Prediction::Logits => 1,
                    Prediction::Velocity | Prediction::Target => self.settings.steps,
                };
                self.wanted_steps = self.sampling.steps;
                self.phase = Phase::Idle;
                self.open();
            }
            Event::Opened(opened) => {
                let name = self.album.item().map(Item::name).unwrap_or_default();
                self.flow = Some(Flow::new(name, opened));
                self.phase = Phase::Sampling(Instant::now());
            }
            Event::Preparing => self.phase = Phase::Preparing,
            Event::Shown { t, values } => {
                if !matches!(self.phase, Phase::Sampling(_)) {
                    self.phase = Phase::Sampling(Instant::now());
                }
                if let Some(flow) = &mut self.flow {
                    flow.push(t, values);
                }
            }
            Event::Read {
                step,
                host,
                mut thumbnails,
            } => {
                if let (true, Some(model), Some(thumbnails)) = (
                    self.settings.published_colours,
                    &self.model,
                    &mut thumbnails,
                ) {
                    thumbnails.recolour(&model.colours);
                }
                if let Some(flow) = &mut self.flow {
                    flow.read(step, host, thumbnails);
                }
            }
            Event::Finished { settled } => {
                if let Some(flow) = &mut self.flow {
                    flow.settled = Some(settled);
                }
                self.phase = Phase::Idle;
            }
            Event::Failed(text) => {
                self.phase = Phase::Idle;
                self.problems.tell(text);
            }
        }
    }

    /// Changes between the colours of centroids and those that the data set was published with.
    pub fn toggle_colours(&mut self) {
        self.settings.published_colours = !self.settings.published_colours;
        self.colour_model();
        let (Some(flow), Some(model)) = (&mut self.flow, &self.model) else {
            return;
        };
        for moment in &mut flow.moments {
            if let Some(thumbnails) = &mut moment.thumbnails {
                thumbnails.recolour(&model.colours);
            }
        }
    }

    fn colour_model(&mut self) {
        let Some(model) = &mut self.model else { return };
        let published = self
            .settings
            .published_colours
            .then(|| palette::published(&model.card.classes))
            .flatten();
        model.colours = published.unwrap_or_else(|| model.centroids.colours());
    }

    /// The number of states that a whole flow has.
    pub fn states(&self) -> usize {
        self.sampling.steps + 1
    }

    /// The furthest position that can be shown.
    pub fn reachable(&self) -> f32 {
        let states = self.flow.as_ref().map_or(0, |flow| flow.moments.len());
        states.saturating_sub(1) as f32
    }

    /// What is being done, in words; none while nothing is.
    pub fn doing(&self) -> Option<String> {
        Some(match self.phase {
            Phase::Idle => return None,
            Phase::Loading => "Opening the model".into(),
            Phase::Opening => "Opening the photo".into(),
            Phase::Preparing => {
                "Preparing kernels for this device; later runs start at once".into()
            }
            Phase::Sampling(since) => {
                let done = self.flow.as_ref().map_or(0, |flow| flow.moments.len());
                let left = self.states().saturating_sub(done);
                let elapsed = since.elapsed().as_secs_f32();
                let eta = if done > 1 {
                    let seconds = elapsed / (done - 1) as f32 * left as f32;
                    format!(", {seconds:.1} s left")
                } else {
                    String::new()
                };
                format!(
                    "Step {} of {}{eta}",
                    done.saturating_sub(1),
                    self.sampling.steps
                )
            }
        })
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
            .set_classes(&model.centroids, &model.colours, &self.marks.hidden)
            .and_then(|()| flow.sources(screen, self.play.position));
        match drawn {
            Ok(sources) => sources,
            Err(error) => {
                self.problems.tell(error.to_string());
                None
            }
        }
    }

    /// The canvas in words, for those who can't see it.
    pub fn describe(&self) -> String {
        let (Some(flow), Some(model)) = (&self.flow, &self.model) else {
            return "canvas, empty".into();
        };
        let Some((step, host)) = flow.nearest(self.play.position) else {
            return format!("{}, no state yet", flow.name);
        };
        let largest = (0..host.shares.len())
            .max_by(|&a, &b| host.shares[a].total_cmp(&host.shares[b]))
            .map_or_else(String::new, |k| {
                let share = 100.0 * host.shares[k];
                format!(", mostly {} ({share:.0} per cent)", model.card.classes[k])
            });
        format!("{}, step {step}{largest}", flow.name)
    }

    /// Changes pins or hidden classes so that it can be undone.
    pub fn mark(&mut self, change: impl FnOnce(&mut Marks)) {
        self.history.add_undo(&self.marks);
        change(&mut self.marks);
    }

    /// Pins a pixel or unpins it.
    pub fn toggle_pin(&mut self, pixel: usize) {
        self.mark(|marks| {
            let before = marks.pins.len();
            marks.pins.retain(|&pin| pin != pixel);
            if marks.pins.len() == before {
                marks.pins.push(pixel);
            }
        });
    }

    /// Takes back the last change of the marks.
    pub fn undo(&mut self) {
        if let Some(marks) = self.history.undo(&self.marks) {
            self.marks = marks.clone();
        }
    }

    /// Makes the change again that was taken back.
    pub fn redo(&mut self) {
        if let Some(marks) = self.history.redo(&self.marks) {
            self.marks = marks.clone();
        }
    }

    /// Whether there is something to undo and to redo.
    pub fn can_undo(&self) -> [bool; 2] {
        [
            self.history.has_undo(&self.marks),
            self.history.has_redo(&self.marks),
        ]
    }

    /// Moves the playhead to a state and stops there.
    pub fn go_to(&mut self, position: f32) {
        self.play.playing = false;
        self.play.position = position.clamp(0.0, self.sampling.steps as f32);
    }

    /// Finds out what paths are and opens them.
    pub fn look(&mut self, paths: Vec<PathBuf>) {
        if let Err(error) = self.opener.look(paths) {
            self.problems
                .tell(format!("cannot start a thread: {error}"));
        }
    }

    /// Where the flow starts, unless the model decides.
    pub fn source(&self) -> Source {
        let of_model = self.model.as_ref().map(|model| model.card.source);
        self.sampling.source.or(of_model).unwrap_or_default()
    }
}
