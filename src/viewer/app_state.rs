//! The state that the panels share. They only read it: `commands::run` and the reports of the worker,
//! the file dialogs and the exports change it.

mod aside;
mod comparing;
mod opening;
mod receive;
mod status_text;
mod stopping;

use super::app_event::AppEvent;
use super::class_photos::ClassPhotos;
use super::correct::Correct;
use super::doubt_maps::DoubtMaps;
use super::error_list::ErrorList;
use super::exports::{Exports, FlowSnapshot};
use super::exports_all::AllMasks;
use super::file_open::FileOpener;
use super::flow::Flow;
use super::mask_queue::{MaskQueue, MaskState};
use super::open_model::OpenModel;
use super::photo_list::{Item, PhotoList};
use super::platform;
use super::second::Second;
use super::selection::SelectionHistory;
use super::settings::Settings;
use super::shown_classes::ShownClasses;
use super::worker_events::{EventConverter, WorkerEvent};
use crate::device::{Graphics, Opened};
use crate::export::Look;
use crate::files::Stamp;
use crate::flow::Source;
use crate::gpu::canvas::{Layer, Pipelines};
use crate::inference::Sampling;
use crate::job::{FlowSettings, Worker};
use crate::models;
use crate::texts::Texts;
use burn::tensor::Device;
use eframe::egui;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use web_time::Instant;

pub(super) use aside::SetAside;

/// Descriptions of the devices that the window computes and draws on.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    pub compute: String,
    /// The reason for the choice of device, unless the user chose it.
    pub note: Option<String>,
    pub adapter: String,
    /// Whether that adapter runs on the CPU.
    pub software: bool,
}

impl Devices {
    pub(super) fn of(compute: &Opened, graphics: &Graphics) -> Self {
        Self {
            compute: compute.name.clone(),
            note: compute.note.clone(),
            adapter: graphics.about.name.clone(),
            software: graphics.about.software,
        }
    }
}

/// What the worker is doing.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Idle,
    Loading,
    Opening,
    Preparing,
    /// Computing states since this time.
    Sampling(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Playhead {
    /// Position between the states, 0 to the number of steps.
    pub position: f32,
    pub playing: bool,
}

/// What is under the pointer, in any panel.
#[derive(Default)]
pub(super) struct Hover {
    /// A pixel of the canvas, by its index at the network's size, in row-major order.
    pub pixel: Option<usize>,
    pub class: Option<usize>,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Dialogs {
    pub help: bool,
    /// What the export dialog lists first, if it is open.
    pub export: Option<ExportFirst>,
    pub devices: bool,
}

/// What the export dialog lists first.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ExportFirst {
    /// The exports of the shown photo.
    Photo,
    /// Those of the masks of all photos.
    AllMasks,
}

/// A model to be opened.
#[derive(Default)]
struct ModelRequest {
    /// `None` once it is open.
    name: Option<String>,
    /// See [`OpenModel::file`].
    file: Option<Stamp>,
    /// Whether the user chose it.
    by_user: bool,
    /// Whether the user had chosen the model that it is to replace.
    instead_of: Option<bool>,
}

pub(super) struct AppState {
    pub settings: Settings,
    pub devices: Devices,
    pub model: Option<OpenModel>,
    request: ModelRequest,
    pub photos: PhotoList,
    pub masks: MaskQueue,
    pub flow: Option<Flow>,
    pub phase: Phase,
    /// The second result that the flow is compared with.
    pub second: Option<Second>,
    /// The open photos, listed by a class.
    pub class_photos: Option<ClassPhotos>,
    pub doubt: DoubtMaps,
    classes: ShownClasses,
    pub playhead: Playhead,
    pub selection: SelectionHistory,
    pub flow_settings: FlowSettings,
    /// The pane that layer keys apply to.
    pub active_pane: usize,
    pub hover: Hover,
    /// Whether a drag over the photo brushes a region even without Shift.
    pub brushing: bool,
    pub correct: Correct,
    pub errors: ErrorList,
    /// The photo that was sampled last if that failed, and why.
    failure: Option<(Item, String)>,
    pub dialogs: Dialogs,
    pub opener: FileOpener,
    pub exports: Exports,
    events: Vec<AppEvent>,
    /// What is put back once the model that belongs to it is open again.
    returning: Option<Box<SetAside>>,
    /// Requests repaints.
    wake: egui::Context,
    worker: Option<Worker<WorkerEvent>>,
    device: Device,
}

impl AppState {
    /// Starts the worker and opens a model by its name, by default one that suits the photos. Without
    /// pipelines, nothing is uploaded for drawing.
    pub(super) fn new(
        context: &egui::Context,
        pipelines: Option<Arc<Pipelines>>,
        device: Device,
        devices: Devices,
        settings: Settings,
        model: Option<&str>,
        photos: PhotoList,
    ) -> Self {
        let mut errors = ErrorList::default();
        let doubt = DoubtMaps::start(context, pipelines.clone()).unwrap_or_else(|error| {
            errors.report_no_thread(&error);
            DoubtMaps::none()
        });
        let classes = ShownClasses::start(context).unwrap_or_else(|error| {
            errors.report_no_thread(&error);
            ShownClasses::default()
        });
        let mut converter = EventConverter::new(Some(context.clone()), pipelines);
        let wake = context.clone();
        let worker = Worker::start(
            device.clone(),
            move |message, send| converter.convert(message, send),
            move || wake.request_repaint(),
        );
        let worker = worker.map_err(|error| errors.report_no_thread(&error)).ok();
        let wake = context.clone();
        let flow_settings = FlowSettings {
            sampling: Sampling {
                solver: settings.solver,
                ..Sampling::default()
            },
            ..FlowSettings::default()
        };
        let mut app = Self {
            settings,
            devices,
            model: None,
            request: ModelRequest::default(),
            photos,
            masks: MaskQueue::default(),
            flow: None,
            phase: Phase::Idle,
            second: None,
            class_photos: None,
            doubt,
            classes,
            playhead: Playhead {
                position: 0.0,
                playing: true,
            },
            selection: SelectionHistory::default(),
            flow_settings,
            active_pane: 0,
            hover: Hover::default(),
            brushing: false,
            correct: Correct::new(context),
            errors,
            failure: None,
            dialogs: Dialogs::default(),
            opener: FileOpener::new(move || wake.request_repaint()),
            exports: Exports::new(context),
            events: Vec::new(),
            returning: None,
            wake: context.clone(),
            worker,
            device,
        };
        app.masks.reset(app.photos.items().len(), false);
        app.request.by_user = model.is_some();
        app.open_model(model.unwrap_or(suitable_model(&app.photos)));
        app
    }

    /// The texts in the chosen language.
    pub(super) fn texts(&self) -> &'static Texts {
        Texts::of(self.settings.language)
    }

    /// The device that the window computes on.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<AppEvent> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn emit(&mut self, event: AppEvent) {
        self.events.push(event);
    }

    /// Whether a model is being opened.
    pub(crate) fn is_loading(&self) -> bool {
        matches!(self.phase, Phase::Loading)
    }

    /// Starts the flow of the open photo. While a model is being opened, this is left to its arrival:
    /// worker and window must have the same model.
    pub(super) fn sample(&mut self) {
        self.failure = None;
        if self.is_loading() {
            return;
        }
        self.correct.leave_photo();
        self.playhead.position = 0.0;
        let (Some(worker), Some(item), Some(_)) = (&self.worker, self.photos.item(), &self.model)
        else {
            return;
        };
        self.phase = Phase::Opening;
        worker.flow(item.photo(), self.flow_settings);
        self.masks.retry(self.photos.place().0);
        self.queue_masks();
    }

    /// Starts or stops making the masks of all photos of the list in the background.
    pub(super) fn segment_all(&mut self, all: bool) {
        self.masks.all = all && platform::DESKTOP;
        if all {
            self.masks.retry_all();
        }
        self.queue_masks();
    }

    /// Sends the worker the photos whose masks are wanted.
    pub(super) fn queue_masks(&mut self) {
        let (Some(worker), Some(model)) = (&self.worker, &self.model) else {
            return;
        };
        if self.is_loading() {
            return;
        }
        let settings = self.settings.masks;
        let viewing = settings.viewing(&model.card, self.flow_settings);
        let (shown, _) = self.photos.place();
        let model = (model.name.as_str(), &model.card);
        let wanted = self.masks.wanted(shown, model, settings, &viewing);
        let items = self.photos.items();
        let photos = wanted
            .into_iter()
            .filter_map(|at| Some((at, items.get(at)?.photo())));
        worker.queue(photos.collect(), viewing);
    }

    /// Decodes the mask of the shown photo for drawing.
    fn follow_masks(&mut self) {
        let (shown, _) = self.photos.place();
        let wake = self.wake.clone();
        if let Err(error) = self.masks.follow(shown, move || wake.request_repaint()) {
            self.errors.report_no_thread(&error);
        }
    }

    /// Disconnects the worker and the opener, so that the loading state lasts.
    #[cfg(test)]
    pub(super) fn silence(&mut self) {
        self.worker = None;
        self.opener = FileOpener::new(|| ());
    }

    /// The number of states of the shown flow once it is complete; other settings may be chosen already.
    pub(super) fn state_count(&self) -> usize {
        let shown = self.flow.as_ref().and_then(|flow| flow.settings);
        shown.unwrap_or(self.flow_settings).sampling.steps + 1
    }

    /// The position of the last state so far.
    pub(super) fn reachable(&self) -> f32 {
        let states = self.flow.as_ref().map_or(0, |flow| flow.states.len());
        states.saturating_sub(1) as f32
    }

    /// Whether the canvas draws a mask that is not being corrected as it was corrected: at the flow's end, but
    /// not during a comparison, which is of results of networks.
    pub(super) fn shows_corrections(&self) -> bool {
        self.second.is_none() && self.playhead.position >= self.reachable()
    }

    /// The position at which playing ends: that of the last state, which may be still to come.
    pub(super) fn end(&self) -> f32 {
        if self.busy() {
            self.reachable()
                .max(self.flow_settings.sampling.steps as f32)
        } else {
            self.reachable()
        }
    }

    pub(super) fn busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// Whether a flow is shown, or what the worker does may lead to one.
    pub(super) fn has_flow(&self) -> bool {
        self.flow.is_some() || self.busy()
    }

    pub(super) fn has_truth(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.truth.is_some())
    }

    pub(super) fn active_layer(&self) -> Layer {
        self.settings.view.layers[self.active_pane.min(3)]
    }

    /// Moves the playhead to a position and stops playing.
    pub(super) fn go_to(&mut self, position: f32) {
        self.playhead.playing = false;
        self.playhead.position = position.clamp(0.0, self.end());
    }

    /// Advances a playing playhead by `seconds`. Returns whether it has moved or goes on.
    pub(super) fn advance(&mut self, seconds: f32) -> bool {
        let (reachable, end) = (self.reachable(), self.end());
        let looping = self.settings.looping && end > 0.0;
        let playhead = &mut self.playhead;
        if !playhead.playing || self.flow.is_none() {
            return false;
        }
        if looping && playhead.position >= end {
            // The last state was drawn in the previous frame.
            playhead.position = 0.0;
            return true;
        }
        let before = playhead.position;
        playhead.position = (before + seconds * self.settings.speed).min(reachable);
        // At the last state so far, it waits for the next one.
        let moved = playhead.position != before;
        if playhead.position >= end {
            playhead.playing = looping;
        }
        moved || playhead.position < reachable
    }

    /// Whether a dialog is in front of the panels. That of the fine-tuning may stay open beside them.
    pub(super) fn shows_dialog(&self) -> bool {
        self.dialogs != Dialogs::default() || self.asks()
    }

    /// Classifies paths and opens them.
    pub(super) fn open_paths(&mut self, paths: Vec<PathBuf>) {
        if let Err(error) = self.opener.open(paths) {
            self.errors.report_no_thread(&error);
        }
    }

    /// The source of the flow: the chosen one, by default that of the model's training.
    pub(super) fn source(&self) -> Source {
        let of_model = self.model.as_ref().map(|model| model.card.source);
        let chosen = self.flow_settings.sampling.source;
        chosen.or(of_model).unwrap_or_default()
    }

    /// The open photo and model, which no export may overwrite.
    pub(super) fn inputs(&self) -> Vec<PathBuf> {
        let photo = self.photos.file().map(Path::to_owned);
        let model = self.model.as_ref().map(|model| PathBuf::from(&model.name));
        photo.into_iter().chain(model).collect()
    }

    /// The masks made so far, ready for export; `None` before the first.
    pub(super) fn all_masks(&self) -> Option<AllMasks> {
        let model = self.model.as_ref()?;
        let items = self.photos.items();
        let done: Vec<_> = self.masks.done().collect();
        let masks = done.iter();
        let masks = masks.filter_map(|(at, mask)| Some((items.get(*at)?.clone(), (*mask).clone())));
        let by_hand = (0..done.len()).filter(|&at| self.masks.corrected(done[at].0).is_some());
        let shown = self.photos.place().0;
        let open = done.iter().position(|(at, _)| *at == shown);
        // Also if nothing is left of corrections that were saved.
        let was_corrected = self.masks.corrected(shown).is_some();
        let now = || {
            let flow = self.flow.as_ref()?.id;
            let shows = was_corrected || self.correct.is_corrected(flow);
            shows.then(|| self.correct.mask(flow)).flatten()
        };
        Some(AllMasks {
            masks: masks.collect(),
            by_hand: by_hand.collect(),
            open: open.and_then(|open| Some((open, now()?))),
            classes: model.classes.clone(),
            colours: model.colours.clone(),
            opacity: self.settings.view.opacity,
            inputs: self.inputs(),
            own: self.exports.own.clone(),
        })
        .filter(|all| !all.masks.is_empty())
    }

    /// A snapshot of the flow for export, or `None` before its first state.
    pub(super) fn snapshot(&self, look: Look) -> Option<FlowSnapshot> {
        let (flow, model) = (self.flow.as_ref()?, self.model.as_ref()?);
        let opacity = self.settings.view.opacity;
        let outlines = self.settings.masks.outlines;
        let snapshot = FlowSnapshot::of(flow, model, outlines, look, opacity, self.inputs())?;
        let (shown, _) = self.photos.place();
        let saved = || {
            let saved = self.masks.corrected(shown);
            // What has been erased since then is not exported.
            saved
                .filter(|_| !self.correct.holds(flow.id))?
                .labels()
                .ok()
        };
        if let Some(labels) = self.correct.labels(flow.id).or_else(saved) {
            return Some(snapshot.corrected(labels, &model.classes));
        }
        Some(snapshot.with_mask(self.best_mask()))
    }

    /// The network's mask of the shown photo from several passes or tiles, where they are chosen and it
    /// is there.
    pub(super) fn best_mask(&self) -> Option<Vec<u16>> {
        let card = &self.model.as_ref()?.card;
        let (shown, _) = self.photos.place();
        let mask = match self.masks.state(shown) {
            MaskState::Done(mask) if self.settings.masks.differs(card) => mask,
            _ => return None,
        };
        mask.labels().ok()
    }

    /// Whether the mask of the shown photo from several passes or tiles is chosen and still to be made.
    pub(super) fn awaits_best_mask(&self) -> bool {
        let (shown, _) = self.photos.place();
        let card = self.model.as_ref().map(|model| &model.card);
        card.is_some_and(|card| self.masks.is_waiting(shown, card, self.settings.masks))
    }
}

/// The model for photos unless the user chooses one.
fn suitable_model(photos: &PhotoList) -> &'static str {
    match photos.item() {
        Some(Item::Sample(_)) => models::FOR_SAMPLES,
        _ => models::FOR_PHOTOS,
    }
}
