//! The application: draws the window frame by frame.

use super::app_event::AppEvent;
use super::app_state::{AppState, Devices};
use super::canvas_panel::CanvasPanel;
use super::canvas_renderer::CanvasRenderer;
use super::capture::Capture;
use super::commands::run::run;
use super::commands::{self, Action, Command};
use super::dock::{self, Dock};
use super::field::FieldPanel;
use super::frame_stats::FrameStats;
use super::lessons::{Driver, Parts, Request};
use super::memory::Memory;
use super::open_model::OpenModel;
use super::options::{Front, Options};
use super::panel::Panel;
use super::panels::{PanelKind, Panels};
use super::photo_list::PhotoList;
use super::reopen::{Handover, Kept, Shown};
use super::theme::{self, GRID};
use super::{background, bars, correct, exports_leave, file_open};
use crate::device::Loss;
use burn::tensor::Device;
use eframe::egui;
use eframe::egui_wgpu::RenderState;
use egui_tiles::Tree;
use std::path::PathBuf;

pub(super) struct App {
    pub(super) shared: AppState,
    pub(super) panels: Panels,
    pub(super) layout: Tree<PanelKind>,
    /// Whether the window was opened with a view of the field.
    field_in_front: bool,
    /// Whether the photos that the window was opened with are still to come, and leave the panel in
    /// front.
    front_stays: bool,
    pub(super) capture: Option<Capture>,
    pub(super) lessons: Driver,
    frames: FrameStats,
    /// Whether files were being opened before the latest reports were received.
    opening: bool,
    /// Whether the graphics device is lost, and whom it notifies.
    loss: Option<(Loss, Handover)>,
}

impl App {
    pub(super) fn new(
        context: &egui::Context,
        state: Option<&RenderState>,
        device: Device,
        devices: Devices,
        memory: Option<Memory>,
        options: &Options,
    ) -> Self {
        theme::apply(context);
        if let Some(Err(error)) = state.map(|state| background::install(context, state)) {
            tracing::warn!("{error}");
        }
        let Memory {
            mut settings,
            panels: mut layout,
            field,
        } = memory.unwrap_or_default();
        let paths = options.paths.iter().cloned().map(file_open::argument);
        // A model file among the paths is opened directly, so that no default model is loaded first.
        let (models, paths): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.partition(|p| file_open::is_model(p));
        let model = models.last().map(|path| path.to_string_lossy());
        let model = model.as_deref().or(options.model.as_deref());
        settings.solver = options.solver.unwrap_or(settings.solver);
        if options.steps.is_some() {
            settings.choose_steps(options.steps);
        }
        // Paths are listed on another thread, so the list is empty at first.
        let photos = if paths.is_empty() {
            PhotoList::samples(0)
        } else {
            PhotoList::files(Vec::new(), 0)
        };
        let (renderer, error) = match state.map(CanvasRenderer::new).transpose() {
            Ok(renderer) => (renderer, None),
            Err(error) => (None, Some(error)),
        };
        let pipelines = renderer
            .as_ref()
            .map(|renderer| renderer.pipelines().clone());
        let mut shared =
            AppState::new(context, pipelines, device, devices, settings, model, photos);
        if let Some(error) = error {
            shared.errors.report(error.to_string());
        }
        let has_paths = !paths.is_empty();
        if has_paths {
            shared.open_paths(paths);
        }
        let mut panels = Panels {
            canvas: CanvasPanel::new(renderer),
            field: FieldPanel::new(state.cloned(), field),
            ..Panels::default()
        };
        shared.settings.language = options.language.unwrap_or(shared.settings.language);
        if !models.is_empty() {
            dock::reveal(&mut layout, PanelKind::Model);
        }
        let mut lessons = Driver::default();
        // A picture shows where the particles end.
        lessons.hurry = options.screenshot.is_some();
        match options.front {
            Front::Photo => {}
            Front::Field(preset) => {
                panels.field.preset(preset);
                dock::reveal(&mut layout, PanelKind::Field);
            }
            Front::Race { pause_after } => {
                panels.race.show_after(pause_after);
                dock::reveal(&mut layout, PanelKind::Race);
            }
            Front::Lesson(number) => {
                let mut parts = Parts {
                    app: &mut shared,
                    panels: &mut panels,
                    layout: &mut layout,
                };
                lessons.act(Request::Open(number.saturating_sub(1)), &mut parts);
            }
        }
        Self {
            shared,
            panels,
            layout,
            field_in_front: matches!(options.front, Front::Field(_)),
            front_stays: matches!(options.front, Front::Race { .. }) && has_paths,
            capture: None,
            lessons,
            frames: FrameStats::default(),
            opening: false,
            loss: None,
        }
    }

    /// Watches the graphics device of the window.
    pub(super) fn watch(&mut self, context: &egui::Context, loss: Loss, handover: Handover) {
        let wake = context.clone();
        loss.wake_by(move || wake.request_repaint());
        self.loss = Some((loss, handover));
    }

    /// Shows what a window showed whose graphics device was lost.
    pub(super) fn show_again(&mut self, context: &egui::Context, shown: Shown) {
        let number = self.shared.opener.number();
        self.run(context, vec![Command::ShowPhotos(shown.photos, number)]);
        self.shared.errors.report(shown.notice);
    }

    /// Reports what the graphics driver has refused. Closes the window if the device is lost: nothing
    /// can be drawn any more. Returns whether it is.
    fn follow_device(&mut self, context: &egui::Context) -> bool {
        let Some((loss, handover)) = &self.loss else {
            return false;
        };
        for error in loss.take_errors() {
            let line = format!("The graphics driver refused a command: {error}");
            self.shared.errors.report(line);
        }
        let Some(reason) = loss.reason() else {
            return false;
        };
        handover.leave(Kept {
            photos: self.shared.photos.clone(),
            model: self.shared.chosen_model(),
            reason: reason.to_owned(),
        });
        self.shared.correct.keep();
        context.send_viewport_cmd(egui::ViewportCommand::Close);
        true
    }

    /// Whether the graphics device is lost, so that nothing can be drawn.
    fn is_lost(&self) -> bool {
        let loss = self.loss.as_ref();
        loss.is_some_and(|(loss, _)| loss.reason().is_some())
    }

    /// Takes the reports of all threads, and asks before the window is closed. To be called in every turn of the
    /// window, even of a hidden one: a thread stands still while many of its reports wait.
    pub(super) fn follow(&mut self, context: &egui::Context) {
        self.panels.race.receive();
        if self.follow_device(context) {
            return;
        }
        self.opening = self.shared.opener.busy();
        self.shared.receive();
        if let Some(ready) = self.shared.correct.take_ready() {
            if matches!(ready, Command::Action(Action::Quit)) {
                close(context);
            } else {
                self.run(context, vec![ready]);
                // The photo stays if nothing else could be shown.
                self.shared.restore_correction();
            }
            // Files that have waited for the answer are opened in the next turn.
            context.request_repaint();
        }
        if self.shared.exports.closes_now() {
            close(context);
        }
        let closes = context.input(|input| input.viewport().close_requested());
        if closes && self.capture.is_none() && self.holds_window() {
            use egui::ViewportCommand::{CancelClose, Focus, Minimized};
            // Nobody sees the question in a window that is hidden.
            for command in [CancelClose, Minimized(false), Focus] {
                context.send_viewport_cmd(command);
            }
            context.request_repaint();
        }
        self.wait_for_corrections(context);
    }

    /// Asks before the window is closed. Returns whether it must stay open.
    fn holds_window(&mut self) -> bool {
        if self.shared.correct.holds_window() {
            // The window may stay. If not, they are asked about after that.
            self.shared.exports.stay();
            return true;
        }
        self.shared.exports.holds_window()
    }

    /// Requests a turn of the window for the time at which corrections are to be written.
    fn wait_for_corrections(&self, context: &egui::Context) {
        if let Some(due) = self.shared.correction_due() {
            context.request_repaint_after(due);
        }
    }

    /// Carries out commands, and passes the resulting events to the panels.
    fn run(&mut self, context: &egui::Context, commands: Vec<Command>) {
        for command in commands {
            run(&mut self.shared, context, command);
        }
        for event in self.shared.take_events() {
            for panel in self.panels.all() {
                panel.on_event(&event, context);
            }
            match event {
                AppEvent::PanelsReset => self.layout = dock::tree(),
                AppEvent::ComparisonStarted => {
                    dock::reveal(&mut self.layout, PanelKind::Compare);
                }
                AppEvent::PhotosShown if std::mem::take(&mut self.front_stays) => {}
                AppEvent::PhotosShown if !self.lessons.is_open() => self.uncover_photo(),
                AppEvent::RunsOpened(_) | AppEvent::RunBegun(_) => {
                    self.front_stays = false;
                    dock::reveal(&mut self.layout, PanelKind::Runs);
                }
                // In a lesson, the list would cover the photo.
                AppEvent::PhotosListed if !self.lessons.is_open() => {
                    dock::reveal(&mut self.layout, PanelKind::Photos);
                }
                AppEvent::Lesson(request) => {
                    let (lessons, mut parts) = self.lessons();
                    lessons.act(request, &mut parts);
                }
                _ => {}
            }
        }
    }

    /// Brings the canvas to the front if a panel that is not about photos covers it.
    fn uncover_photo(&mut self) {
        let covering = dock::covering(&self.layout, PanelKind::Canvas);
        let about_others = |panel: &PanelKind| matches!(panel, PanelKind::Runs | PanelKind::Race);
        if covering.iter().any(about_others) {
            dock::reveal(&mut self.layout, PanelKind::Canvas);
        }
    }

    /// The lessons, and what they arrange.
    fn lessons(&mut self) -> (&mut Driver, Parts<'_>) {
        let parts = Parts {
            app: &mut self.shared,
            panels: &mut self.panels,
            layout: &mut self.layout,
        };
        (&mut self.lessons, parts)
    }

    /// The commands of keys, dropped files and the clipboard.
    fn input(&self, context: &egui::Context, correcting: bool) -> Vec<Command> {
        let dropped = context.input(|input| self.shared.opener.dropped(&input.raw.dropped_files));
        let dropped = (!dropped.is_empty()).then_some(Command::OpenPaths(dropped));
        if self.shared.asks() {
            return dropped.into_iter().collect();
        }
        let numbers = if correcting {
            commands::pressed_numbers(context)
        } else {
            Vec::new()
        };
        let numbers = numbers.into_iter();
        let numbers = numbers.map(|number| Command::ChooseNth(number - 1));
        let actions = commands::pressed(context, correcting);
        let actions = actions.into_iter().map(Command::Action);
        let mut commands: Vec<Command> = numbers.chain(actions).chain(dropped).collect();
        let pasted = context.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::PasteImage(image) => Some(Ok(image.clone())),
                egui::Event::Paste(text) => Some(Err(text.clone())),
                _ => None,
            })
        });
        match pasted {
            // A text field takes what is pasted.
            _ if context.text_edit_focused() => {}
            Some(Ok(image)) => {
                let number = self.shared.opener.number();
                commands.push(Command::PasteImage(image, number));
            }
            // Text on the clipboard may be a path.
            Some(Err(text)) => {
                let paths = file_open::named(&text);
                if !paths.is_empty() {
                    commands.push(Command::OpenPaths(paths));
                }
            }
            None => {}
        }
        commands
    }

    /// Forgets what is under the pointer in panels that are covered: they do not tell when it leaves them.
    fn forget_hover(&mut self, context: &egui::Context) {
        let shown = |panel| dock::is_shown(&self.layout, panel);
        let [classes, canvas] = [PanelKind::Classes, PanelKind::Canvas].map(shown);
        let AppState { hover, correct, .. } = &mut self.shared;
        let class = hover.class.take_if(|_| !classes).is_some();
        let pixel = hover.pixel.take_if(|_| !canvas).is_some();
        correct.hover.take_if(|_| !canvas);
        if class || pixel {
            // It may be drawn already.
            context.request_repaint();
        }
    }

    /// Draws the dialogs that are panels of their own.
    fn dialogs(&mut self, context: &egui::Context, commands: &mut Vec<Command>) {
        let shown = self.shared.dialogs;
        let dialogs: [(bool, &mut dyn Panel, f32, Command); 2] = [
            (
                shown.export.is_some(),
                &mut self.panels.export,
                44.0,
                Command::CloseExport,
            ),
            (
                shown.devices,
                &mut self.panels.device,
                90.0,
                Command::CloseDevices,
            ),
        ];
        for (shown, dialog, width, close) in dialogs {
            if !shown {
                continue;
            }
            let mut open = true;
            egui::Window::new(dialog.title())
                .open(&mut open)
                .collapsible(false)
                .resizable(false)
                .default_width(width * GRID)
                .anchor(egui::Align2::CENTER_CENTER, egui::Vec2::ZERO)
                .show(context, |ui| dialog.ui(ui, &self.shared, commands));
            if !open {
                commands.push(close);
            }
        }
    }

    /// Whether everything requested is on the screen.
    pub(super) fn still(&self) -> bool {
        self.picture_is_still() && self.panels.runs.settled() && self.panels.race.settled()
    }

    /// The same apart from runs and races, which go on for hours.
    fn picture_is_still(&self) -> bool {
        let app = &self.shared;
        let flow = match (app.photos.item(), &app.flow) {
            (None, _) => true,
            (_, Some(flow)) if flow.settled.is_some() => true,
            _ => app.errors.first().is_some(),
        };
        let field = !self.field_in_front || self.panels.field.settled();
        let (shown, _) = app.photos.place();
        let due = |model: &OpenModel| app.masks.is_due(shown, &model.card, app.settings.masks);
        // The other photos of a folder may take hours.
        let masks = !app.model.as_ref().is_some_and(due);
        flow && field
            && masks
            && self.lessons.settled(&self.panels)
            && (self.panels.network.settled() || !dock::is_shown(&self.layout, PanelKind::Network))
            && app.is_compared()
            && !app.busy()
            && !app.opener.busy()
            && !app.correct.busy()
    }
}

/// Asks the system to close the window. What holds it open is asked about in the next turn, even where the window
/// is hidden.
fn close(context: &egui::Context) {
    context.send_viewport_cmd(egui::ViewportCommand::Close);
}

impl eframe::App for App {
    /// Is called for a hidden window as well, which is not drawn.
    fn logic(&mut self, context: &egui::Context, _: &mut eframe::Frame) {
        self.follow(context);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        if self.is_lost() {
            return;
        }
        self.frames
            .frame(frame.info().cpu_usage.unwrap_or_default());
        context.set_zoom_factor(self.shared.settings.scale);
        let asked = self.shared.asks();
        let (lessons, mut parts) = self.lessons();
        lessons.follow(&mut parts);
        // Also while a mask is awaited: the keys would mean something else for a moment.
        let correcting = self.shared.correct.on;
        let commands = self.input(&context, correcting);
        self.run(&context, commands);
        // Photos that come later were not named when the window was opened.
        self.front_stays &= self.opening;
        self.wait_for_corrections(&context);
        background::paint(ui, context.viewport_rect(), ui.visuals().panel_fill);
        let mut commands = Vec::new();
        egui::Panel::top("top")
            .frame(background::bare(ui))
            .exact_size(5.0 * GRID)
            .show(ui, |ui| bars::top(&self.shared, ui, &mut commands));
        egui::Panel::bottom("status")
            .frame(background::bare(ui))
            .show(ui, |ui| bars::status(&self.shared, ui, &mut commands));
        self.run(&context, std::mem::take(&mut commands));
        if self
            .shared
            .advance(ui.input(|input| input.stable_dt.min(0.1)))
        {
            context.request_repaint();
        }
        let timeline = egui::Panel::bottom("timeline")
            .frame(background::bare(ui))
            .show(ui, |ui| {
                self.panels.timeline.ui(ui, &self.shared, &mut commands);
            });
        let timeline = timeline.response.rect.top();
        self.run(&context, std::mem::take(&mut commands));
        let mut dock = Dock {
            app: &mut self.shared,
            panels: &mut self.panels,
        };
        egui::CentralPanel::no_frame().show(ui, |ui| self.layout.ui(&mut dock, ui));
        self.forget_hover(&context);
        bars::help(&self.shared, &context, &mut commands);
        correct::fine_tune_dialog(&self.shared, &context, &mut commands);
        correct::leave_dialog(&self.shared, &context, &mut commands);
        correct::folder_dialog(&self.shared, &context, &mut commands);
        exports_leave::dialog(&self.shared, &context, &mut commands);
        self.dialogs(&context, &mut commands);
        self.shared.errors.show(&context, timeline, &mut commands);
        self.run(&context, commands);
        if asked && !self.shared.asks() {
            // The answer is followed, and files that have waited for it are opened, in the next frame.
            context.request_repaint();
        }
        let still = self.still();
        if still && self.capture.is_some() && !self.lessons.is_open() {
            self.run(&context, vec![Action::Last.into()]);
        }
        let picture_is_still = self.picture_is_still();
        let (lessons, mut parts) = self.lessons();
        lessons.shoot(&context, picture_is_still, &mut parts);
        if let Some(capture) = &mut self.capture {
            capture.frame(&context, still, self.shared.errors.first());
        }
    }

    fn raw_input_hook(&mut self, _: &egui::Context, input: &mut egui::RawInput) {
        // A screenshot must not depend on the position of the pointer.
        if self.capture.is_some() {
            let of_pointer = |event: &egui::Event| {
                use egui::Event::{MouseMoved, PointerButton, PointerMoved};
                matches!(
                    event,
                    PointerMoved(_) | MouseMoved(_) | PointerButton { .. }
                )
            };
            input.events.retain(|event| !of_pointer(event));
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        if self.capture.is_none() {
            let lessons = &self.lessons;
            let (settings, panels, field) =
                lessons.remembered(&self.shared, &self.panels, &self.layout);
            let memory = Memory {
                settings,
                panels: panels.clone(),
                field: field.clone(),
            };
            eframe::set_value(storage, eframe::APP_KEY, &memory);
        }
    }

    fn on_exit(&mut self) {
        self.shared.correct.flush();
    }

    fn persist_egui_memory(&self) -> bool {
        self.capture.is_none()
    }
}
