//! The panel: its state, and how a race is started and followed.

use super::shown::Shown;
use crate::race::{Event, Race, RaceConfig, Record, Slice, StartOptions};
use crate::texts::Texts;
use crate::vector_field::Camera;
use crate::viewer::app_state::AppState;
use crate::viewer::background;
use crate::viewer::commands::Command;
use crate::viewer::panel::Panel;
use crate::viewer::platform;
use crate::viewer::theme::GRID;
use burn::tensor::Device;
use eframe::egui;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

/// Width of the controls, in points.
const CONTROLS: f32 = 45.0 * GRID;
/// Pause between two frames while a race runs: short, so that there are 20 frames a second even if a
/// software adapter takes 45 ms for each, but not zero, since the race may use the same processor.
const PAUSE: Duration = Duration::from_millis(4);

/// A race, and how it is shown.
pub(crate) struct RacePanel {
    /// The settings of the next race.
    pub(crate) settings: RaceConfig,
    /// The data folder as it is written in its field.
    pub(crate) folder: String,
    /// What a dialog for it chooses, while one is open.
    pub(super) chosen_folder: Option<Receiver<Result<Option<PathBuf>, String>>>,
    /// Whether the next race computes where the window does, instead of on the CPU.
    pub(super) on_window_device: bool,
    /// Whether the controls are hidden.
    pub(super) folded: bool,
    /// Training steps per second at most.
    pub(super) pace: Option<f32>,
    pub(super) slice: Slice,
    pub(super) camera: Camera,
    /// Training steps after which the default race is to pause; requested at the start of the window.
    pub(super) wanted: Option<u64>,
    pub(crate) race: Option<Race>,
    /// The settings of the race that was started last.
    pub(super) started: RaceConfig,
    pub(crate) record: Option<Record>,
    /// Whether the newest frame of the record is still to be shown.
    fresh: bool,
    pub(super) failed: Option<String>,
    pub(super) shown: Shown,
}

impl Default for RacePanel {
    fn default() -> Self {
        Self {
            settings: RaceConfig::default(),
            folder: String::new(),
            chosen_folder: None,
            on_window_device: false,
            folded: false,
            pace: None,
            slice: Slice::default(),
            // As near as the whole cube can be seen from any side.
            camera: Camera {
                extent: 1.75,
                ..Camera::default()
            },
            wanted: None,
            race: None,
            started: RaceConfig::default(),
            record: None,
            fresh: false,
            failed: None,
            shown: Shown::default(),
        }
    }
}

impl RacePanel {
    /// Shows the default race after that many steps; 0 for one that has not begun.
    pub(crate) fn show_after(&mut self, steps: u64) {
        self.wanted = Some(steps).filter(|steps| *steps > 0);
    }

    /// Whether nothing changes without input any more.
    pub(crate) fn settled(&self) -> bool {
        let resting = self.race.as_ref().is_none_or(|race| {
            let reached = self.record.as_ref().map(Record::step);
            race.paused() && reached == Some(race.steps())
        });
        self.wanted.is_none() && resting && !self.fresh && !self.shown.moving()
    }

    /// Starts a race with the chosen settings, in place of the current one.
    pub(super) fn start(
        &mut self,
        device: &Device,
        context: &egui::Context,
        pause_at: Option<u64>,
    ) {
        let folder = self.folder.trim();
        self.settings.data = (!folder.is_empty()).then(|| folder.into());
        self.race = None;
        (self.record, self.fresh) = (None, false);
        self.shown = Shown::default();
        self.failed = self.settings.check().err().map(|error| error.to_string());
        if self.failed.is_some() {
            return;
        }
        self.started = self.settings.clone();
        let device = if self.on_window_device {
            device.clone()
        } else {
            Device::flex()
        };
        let wake = context.clone();
        let wake = move || wake.request_repaint();
        let options = StartOptions {
            pause_at,
            low_priority: true,
        };
        match Race::start(self.started.clone(), &device, options, wake) {
            Ok(race) => {
                race.set_pace(self.pace);
                self.race = Some(race);
            }
            Err(error) => self.failed = Some(platform::no_thread(&error)),
        }
    }

    /// Shows a dialog for the data folder.
    pub(super) fn ask_folder(&mut self, context: &egui::Context, title: &str) {
        let (sender, receiver) = sync_channel(1);
        let wake = context.clone();
        let spawned = platform::ask_folder(title, move |folder| {
            // Without a receiver, the window has closed.
            let _ = sender.send(folder);
            wake.request_repaint();
        });
        match spawned {
            Ok(()) => self.chosen_folder = Some(receiver),
            Err(error) => self.failed = Some(platform::no_thread(&error)),
        }
    }

    /// Takes the folder that a dialog has chosen.
    fn receive_folder(&mut self) {
        let Some(chosen) = &self.chosen_folder else {
            return;
        };
        match chosen.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(Ok(Some(folder))) => self.folder = folder.display().to_string(),
            Ok(Err(error)) => self.failed = Some(error),
            // The dialog was closed without a choice.
            Ok(Ok(None)) | Err(TryRecvError::Disconnected) => {}
        }
        self.chosen_folder = None;
    }

    /// Takes what the race has reported. To be called in every turn of the window, even of a hidden one: the race
    /// stands still while many reports wait.
    pub(crate) fn receive(&mut self) {
        while let Some(event) = self.race.as_ref().and_then(Race::poll) {
            match event {
                Event::Ready(held_out) => {
                    self.record = Some(Record::new(self.started.clone(), held_out));
                }
                Event::Snapshot(snapshot) => {
                    if let Some(record) = &mut self.record {
                        self.fresh |= record.add(snapshot);
                    }
                }
                Event::Ended(outcome) => {
                    self.race = None;
                    self.failed = outcome.err().map(|error| error.to_string());
                }
            }
        }
    }
}

impl Panel for RacePanel {
    fn title(&self) -> &'static str {
        self.title_in(Texts::of(Default::default()))
    }

    fn title_in(&self, texts: &'static Texts) -> &'static str {
        &texts.race.title
    }

    fn margin(&self) -> f32 {
        0.0
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let context = ui.ctx().clone();
        if let Some(steps) = self.wanted.take() {
            self.folded = true;
            self.start(app.device(), &context, Some(steps));
        }
        self.receive_folder();
        if std::mem::take(&mut self.fresh)
            && let Some(record) = &self.record
        {
            self.shown.update(record, &context);
        }
        egui::Panel::top("race tools")
            .frame(background::bare(ui))
            .exact_size(5.5 * GRID)
            .show(ui, |ui| self.toolbar(ui, app, commands));
        if !self.folded {
            egui::Panel::left("race settings")
                .frame(background::bare(ui))
                .resizable(false)
                .exact_size(CONTROLS)
                .show(ui, |ui| {
                    egui::ScrollArea::vertical()
                        .auto_shrink(false)
                        .show(ui, |ui| self.controls(ui, app));
                });
        }
        egui::CentralPanel::default()
            .frame(background::bare(ui).inner_margin(GRID))
            .show(ui, |ui| self.figure(ui, &app.texts().race));
        let running = self.race.as_ref().is_some_and(|race| !race.paused());
        if running {
            context.request_repaint_after(PAUSE);
        }
    }
}
