//! The window: watch a photo flow into its mask, scrub the ODE, inspect a pixel.
//!
//! `app_state::AppState` is the state that the panels share. A panel (`panel::Panel`) owns its own
//! state, reads the shared one and pushes `commands::Command`s; `commands::run` carries them out.
//! What takes long runs on the worker's thread (`worker_events`) or on separate threads (`file_open`,
//! `exports`).

mod app_event;
mod app_state;
mod background;
mod bars;
mod brush;
mod brush_mask;
mod brush_tool;
mod canvas_panel;
mod canvas_renderer;
mod capture;
mod charts_panel;
mod classes_panel;
mod commands;
mod display;
mod dock;
mod error_list;
mod export_dialog;
mod exports;
pub mod field;
mod file_open;
mod flow;
mod frame_stats;
mod model_panel;
mod open_model;
mod panel;
mod panels;
mod photo_list;
mod pixel_info;
mod pixel_panel;
mod remembered;
mod runs;
mod selection;
mod settings;
#[cfg(test)]
mod tests;
mod theme;
mod timeline_panel;
mod view;
mod worker_events;

use crate::device::{self, Choice};
use crate::files;
use crate::sampler::Solver;
use app_event::AppEvent;
use app_state::{AppState, Devices};
use burn::tensor::Device;
use canvas_panel::CanvasPanel;
use canvas_renderer::CanvasRenderer;
use capture::Capture;
use charts_panel::ChartsPanel;
use classes_panel::ClassesPanel;
use commands::run::run;
use commands::{Action, Command};
use dock::Dock;
use eframe::egui;
use eframe::egui_wgpu::{RenderState, WgpuConfiguration, WgpuSetup, WgpuSetupExisting};
use egui_tiles::Tree;
use export_dialog::ExportDialog;
use field::FieldPanel;
use frame_stats::FrameStats;
use model_panel::ModelPanel;
use panel::Panel;
use panels::{PanelKind, Panels};
use photo_list::PhotoList;
use pixel_panel::PixelPanel;
use remembered::Fields;
use ron::value::RawValue;
use runs::RunsPanel;
use serde::Serialize;
use settings::Settings;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use theme::GRID;
use timeline_panel::TimelinePanel;

/// The program's name for the desktop, and for the folder of what is remembered.
const APP: &str = "flowseg";

/// A theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// Light text on dark ground.
    Dark,
    /// Dark text on light ground.
    Light,
}

/// What the window opens with.
pub struct Options {
    /// What computes.
    pub device: Choice,
    /// The model, by the name of a built-in one or by its path; none for the one used last.
    pub model: Option<String>,
    /// Photos, folders, runs and model files to look at, also as `file:` URIs; without any the
    /// samples.
    pub paths: Vec<PathBuf>,
    /// The solver; none for the one chosen last.
    pub solver: Option<Solver>,
    /// Solver steps; none for the number chosen last, or what the model recommends.
    pub steps: Option<usize>,
    /// Write a picture of the window here once everything stands still, then close.
    pub screenshot: Option<PathBuf>,
    /// The field, in one of its ready-made views, in front of the photo.
    pub field: Option<field::Preset>,
    /// The theme; none for what it was last.
    pub theme: Option<Theme>,
    /// Width and height of the window in points; none for what it was last.
    pub size: Option<[f32; 2]>,
}

/// Opens the window and returns when it closes.
///
/// # Errors
/// No display, no adapter or a driver that refuses; a screenshot that can't be written, or that shows
/// that something went wrong.
pub fn open(options: Options) -> Result<(), String> {
    let screenshot = options.screenshot.clone();
    display::check()?;
    let opened = pollster::block_on(device::open_for_window(options.device.clone()));
    let (compute, graphics) = opened.map_err(display::cannot_draw)?;
    let devices = Devices {
        compute: compute.name.clone(),
        note: compute.note.clone(),
        adapter: graphics.about.name.clone(),
        software: graphics.about.software,
    };
    // A picture is to look the same wherever it is taken, so nothing remembered goes into it.
    let remember = options.screenshot.is_none();
    let nowhere = if remember {
        None
    } else {
        Some(
            files::TemporaryFolder::private()
                .map_err(|error| format!("no temporary folder: {error}"))?,
        )
    };
    if let Some(folder) = eframe::storage_dir(APP).filter(|_| remember) {
        remembered::repair(&folder.join("app.ron"));
    }
    let size = options.size.map(egui::Vec2::from);
    // Smaller than that only where somebody asks for it.
    let smallest = egui::vec2(720.0, 480.0);
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("FlowSeg")
            .with_app_id(APP)
            .with_inner_size(size.unwrap_or(egui::vec2(1280.0, 800.0)))
            .with_min_inner_size(size.map_or(smallest, |size| size.min(smallest))),
        window_builder: Some(Box::new(move |builder| {
            let placed = remembered::placed(builder);
            match size {
                Some(size) => placed.with_inner_size(size),
                None => placed,
            }
        })),
        // The program has its own, which also serve pictures.
        system_font_fallback: false,
        wgpu_options: WgpuConfiguration {
            wgpu_setup: WgpuSetup::Existing(WgpuSetupExisting {
                instance: graphics.instance,
                adapter: graphics.adapter,
                device: graphics.device,
                queue: graphics.queue,
            }),
            ..Default::default()
        },
        // Noise against banding is work for every pixel, and nothing here has bands.
        dithering: !graphics.about.software,
        persist_window: remember,
        persistence_path: nowhere
            .as_ref()
            .map(|folder| folder.path().join("window.ron")),
        ..Default::default()
    };
    let outcome = capture::Outcome::default();
    let of_app = outcome.clone();
    let visible = Arc::new(AtomicBool::new(false));
    let of_window = visible.clone();
    let run = || {
        let app: eframe::AppCreator<'_> = Box::new(move |creation| {
            of_window.store(true, Ordering::Relaxed);
            let stored = creation.storage.filter(|_| remember);
            let memory = stored.and_then(Memory::read);
            let state = creation.wgpu_render_state.as_ref();
            let context = &creation.egui_ctx;
            match options.theme {
                Some(Theme::Dark) => context.set_theme(egui::Theme::Dark),
                Some(Theme::Light) => context.set_theme(egui::Theme::Light),
                None => {}
            }
            let mut app = App::new(context, state, compute.device, devices, memory, &options);
            app.capture = options.screenshot.map(|path| Capture::new(path, of_app));
            Ok(Box::new(app))
        });
        eframe::run_native(APP, native, app)
    };
    display::run(&visible, run)?;
    screenshot.map_or(Ok(()), |path| capture::result(&path, &outcome))
}

/// What is remembered between starts.
#[derive(Serialize)]
struct Memory {
    settings: Settings,
    panels: Tree<PanelKind>,
    field: field::FieldSettings,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            panels: dock::tree(),
            field: field::FieldSettings::default(),
        }
    }
}

impl Memory {
    fn read(storage: &dyn eframe::Storage) -> Option<Self> {
        let text: Box<RawValue> = eframe::get_value(storage, eframe::APP_KEY)?;
        Some(Self::of(&text))
    }

    /// What a file of this version or another one holds, with defaults for what this version lacks
    /// or does not understand.
    fn of(text: &RawValue) -> Self {
        let fields: Fields = text.into_rust().unwrap_or_default();
        let mut settings: Settings = fields
            .get("settings")
            .map(remembered::read)
            .unwrap_or_default();
        settings.clamp();
        let panels = fields.get("panels").and_then(|text| text.into_rust().ok());
        Self {
            settings,
            panels: panels.filter(dock::is_sound).unwrap_or_else(dock::tree),
            field: fields
                .get("field")
                .map(remembered::read)
                .unwrap_or_default(),
        }
    }
}

struct App {
    shared: AppState,
    panels: Panels,
    /// The layout of the panels.
    layout: Tree<PanelKind>,
    /// Whether a picture of the field was asked for.
    field_in_front: bool,
    capture: Option<Capture>,
    frames: FrameStats,
}

impl App {
    fn new(
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
        // A model's file is known by its name, so that no other model is opened before it.
        let (models, paths): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.partition(|p| file_open::is_model(p));
        let model = models.last().map(|path| path.to_string_lossy());
        let model = model.as_deref().or(options.model.as_deref());
        settings.solver = options.solver.unwrap_or(settings.solver);
        if options.steps.is_some() {
            settings.choose_steps(options.steps);
        }
        // Named paths are listed on another thread; until then there is nothing to show.
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
        if !paths.is_empty() {
            shared.open_paths(paths);
        }
        let mut panels = Panels {
            canvas: CanvasPanel::new(renderer),
            field: FieldPanel::new(state.cloned(), field),
            runs: RunsPanel::default(),
            classes: ClassesPanel::default(),
            model: ModelPanel::default(),
            pixel: PixelPanel,
            charts: ChartsPanel,
            timeline: TimelinePanel::default(),
            export: ExportDialog::default(),
        };
        if !models.is_empty() {
            dock::reveal(&mut layout, PanelKind::Model);
        }
        if let Some(preset) = options.field {
            panels.field.preset(preset);
            dock::reveal(&mut layout, PanelKind::Field);
        }
        Self {
            shared,
            panels,
            layout,
            field_in_front: options.field.is_some(),
            capture: None,
            frames: FrameStats::default(),
        }
    }

    /// Carries out commands, and lets the panels take notice of what happened.
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
                AppEvent::RunsOpened(_) => dock::reveal(&mut self.layout, PanelKind::Runs),
                _ => {}
            }
        }
    }

    /// What keys, dropped files and the clipboard ask for.
    fn input(context: &egui::Context) -> Vec<Command> {
        let actions = commands::pressed(context);
        let mut commands: Vec<Command> = actions.into_iter().map(Command::Action).collect();
        let (dropped, pasted) = context.input(|input| {
            let dropped: Vec<PathBuf> = input
                .raw
                .dropped_files
                .iter()
                .map(|file| file.path().to_owned())
                .collect();
            let pasted = input.events.iter().find_map(|event| match event {
                egui::Event::PasteImage(image) => Some(Ok(image.clone())),
                egui::Event::Paste(text) => Some(Err(text.clone())),
                _ => None,
            });
            (dropped, pasted)
        });
        if !dropped.is_empty() {
            commands.push(Command::OpenPaths(dropped));
        }
        match pasted {
            Some(Ok(image)) => commands.push(Command::PasteImage(image)),
            // Text on the clipboard may be the name of a file.
            Some(Err(text)) if !context.egui_wants_keyboard_input() => {
                let paths = file_open::named(&text);
                if !paths.is_empty() {
                    commands.push(Command::OpenPaths(paths));
                }
            }
            _ => {}
        }
        commands
    }

    /// Draws the export dialog if it is open.
    fn export_dialog(&mut self, context: &egui::Context, commands: &mut Vec<Command>) {
        if !self.shared.dialogs.export {
            return;
        }
        let dialog = &mut self.panels.export;
        let mut open = true;
        egui::Window::new(dialog.title())
            .open(&mut open)
            .collapsible(false)
            .resizable(false)
            .default_width(44.0 * GRID)
            .anchor(egui::Align2::CENTER_CENTER, egui::Vec2::ZERO)
            .show(context, |ui| dialog.ui(ui, &self.shared, commands));
        if !open {
            commands.push(Command::CloseExport);
        }
    }

    /// Whether everything that was asked for is on the screen.
    fn still(&self) -> bool {
        let app = &self.shared;
        let flow = match (app.photos.item(), &app.flow) {
            (None, _) => true,
            (_, Some(flow)) if flow.settled.is_some() => true,
            _ => app.errors.first().is_some(),
        };
        let field = !self.field_in_front || self.panels.field.settled();
        flow && field && self.panels.runs.settled() && !app.busy() && !app.opener.busy()
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        self.frames
            .frame(frame.info().cpu_usage.unwrap_or_default());
        context.set_zoom_factor(self.shared.settings.scale);
        self.shared.receive();
        self.run(&context, Self::input(&context));
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
        egui::Panel::bottom("timeline")
            .frame(background::bare(ui))
            .show(ui, |ui| {
                self.panels.timeline.ui(ui, &self.shared, &mut commands);
            });
        self.run(&context, std::mem::take(&mut commands));
        let mut dock = Dock {
            app: &mut self.shared,
            panels: &mut self.panels,
        };
        egui::CentralPanel::no_frame().show(ui, |ui| self.layout.ui(&mut dock, ui));
        bars::help(&self.shared, &context, &mut commands);
        self.export_dialog(&context, &mut commands);
        self.shared.errors.show(&context, &mut commands);
        self.run(&context, commands);
        let still = self.still();
        if still && self.capture.is_some() {
            self.run(&context, vec![Action::Last.into()]);
        }
        if let Some(capture) = &mut self.capture {
            capture.frame(&context, still, self.shared.errors.first());
        }
    }

    fn raw_input_hook(&mut self, _: &egui::Context, input: &mut egui::RawInput) {
        // A picture of the window does not depend on where the pointer happens to be.
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
            let memory = Memory {
                settings: self.shared.settings.clone(),
                panels: self.layout.clone(),
                field: self.panels.field.settings.clone(),
            };
            eframe::set_value(storage, eframe::APP_KEY, &memory);
        }
    }

    fn persist_egui_memory(&self) -> bool {
        self.capture.is_none()
    }
}
