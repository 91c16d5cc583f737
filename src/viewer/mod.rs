//! The window: watch a photo flow into its mask, scrub the ODE, question a pixel.

mod canvas;
mod flow;
mod legend;
pub mod runs;
mod theme;
mod timeline;

use crate::data::{SceneConfig, render};
use crate::device;
use crate::encoding::Centroids;
use crate::inference::Sampling;
use crate::job::{Job, Message, Photo};
use crate::model::Model;
use eframe::egui;
use eframe::egui_wgpu::{WgpuSetup, WgpuSetupCreateNew};
use flow::{Flow, Layer};
use std::path::PathBuf;
use std::sync::Arc;

/// What the window opens with.
pub struct Options {
    /// The model.
    pub model: Model,
    /// The device that computes, in words.
    pub device: String,
    /// Photos to look at; without one a scene that the program renders itself.
    pub photos: Vec<PathBuf>,
    /// How to sample at first.
    pub sampling: Sampling,
    /// Write a picture of the window here once the flow is complete, then close.
    pub screenshot: Option<PathBuf>,
}

/// Opens the window and returns when it closes.
///
/// # Errors
/// A display or a driver that refuses, or a screenshot that can't be written.
pub fn open(options: Options) -> Result<(), String> {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    setup.instance_descriptor.backends = burn::tensor::wgpu::wgpu::Backends::PRIMARY;
    setup.device_descriptor = Arc::new(device::descriptor);
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("FlowSeg")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([720.0, 480.0]),
        wgpu_options: eframe::egui_wgpu::WgpuConfiguration {
            wgpu_setup: WgpuSetup::CreateNew(setup),
            ..Default::default()
        },
        ..Default::default()
    };
    let failure = Arc::new(std::sync::Mutex::new(None));
    let of_app = failure.clone();
    eframe::run_native(
        "flowseg",
        native,
        Box::new(move |context| {
            theme::apply(&context.egui_ctx);
            Ok(Box::new(App::new(options, context, of_app)))
        }),
    )
    .map_err(|e| {
        format!("the window cannot open ({e}): check the display and the graphics driver")
    })?;
    match failure.lock().map(|mut failure| failure.take()) {
        Ok(Some(text)) => Err(text),
        _ => Ok(()),
    }
}

/// The whole state of the window.
struct App {
    model: Arc<Model>,
    centroids: Centroids,
    device: String,
    adapter: String,
    photos: Vec<PathBuf>,
    shown: usize,
    sampling: Sampling,
    job: Option<Job>,
    flow: Option<Flow>,
    error: Option<String>,
    layer: Layer,
    opacity: f32,
    /// Position between the states, 0 to the number of steps.
    position: f32,
    playing: bool,
    highlighted: Option<usize>,
    canvas: canvas::Canvas,
    screenshot: Option<PathBuf>,
    /// Frames drawn since the flow was complete.
    settled: u8,
    failure: Arc<std::sync::Mutex<Option<String>>>,
}

impl App {
    fn new(
        options: Options,
        context: &eframe::CreationContext<'_>,
        failure: Arc<std::sync::Mutex<Option<String>>>,
    ) -> Self {
        let adapter = context.wgpu_render_state.as_ref().map_or_else(
            || "no adapter".to_owned(),
            |state| {
                let info = state.adapter.get_info();
                let software = info.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu;
                format!("{}{}", info.name, if software { " (software)" } else { "" })
            },
        );
        let mut app = Self {
            centroids: options.model.centroids(),
            model: Arc::new(options.model),
            device: options.device,
            adapter,
            photos: options.photos,
            shown: 0,
            sampling: options.sampling,
            job: None,
            flow: None,
            error: None,
            layer: Layer::Overlay,
            opacity: 0.7,
            position: 0.0,
            playing: true,
            highlighted: None,
            canvas: canvas::Canvas::default(),
            screenshot: options.screenshot,
            settled: 0,
            failure,
        };
        app.restart(&context.egui_ctx);
        app
    }

    /// Samples the current photo anew.
    fn restart(&mut self, context: &egui::Context) {
        let photo = match self.photos.get(self.shown) {
            Some(path) => Photo::File(path.clone()),
            None => {
                let config = SceneConfig {
                    classes: 12,
                    size: [360, 480],
                    ..Default::default()
                };
                Photo::Picture(Arc::new(render(&config, 1).image))
            }
        };
        // The job before stops within a step; dropping it waits for that.
        self.job = None;
        self.error = None;
        self.position = 0.0;
        self.playing = true;
        let wake = context.clone();
        let job = Job::segment(self.model.clone(), photo, self.sampling, move || {
            wake.request_repaint();
        });
        match job {
            Ok(job) => self.job = Some(job),
            Err(error) => self.error = Some(format!("cannot start a worker thread: {error}")),
        }
    }

    fn receive(&mut self, context: &egui::Context) {
        let mut ended = false;
        while let Some(message) = self.job.as_ref().and_then(Job::poll) {
            match message {
                Message::Opened { photo, size } => {
                    self.flow = Some(Flow::new(context, photo, size));
                }
                Message::State(state) => {
                    if let Some(flow) = &mut self.flow {
                        flow.states.push(state);
                    }
                }
                Message::Finished => ended = true,
                Message::Failed(text) => {
                    self.flow = None;
                    self.error = Some(text);
                    ended = true;
                }
            }
        }
        if ended {
            self.job = None;
        }
    }

    fn open_dropped(&mut self, context: &egui::Context) {
        let dropped: Vec<PathBuf> = context.input(|input| {
            input
                .raw
                .dropped_files
                .iter()
                .map(|file| file.path().to_owned())
                .collect()
        });
        if !dropped.is_empty() {
            self.photos = dropped;
            self.shown = 0;
            self.restart(context);
        }
    }

    fn keys(&mut self, context: &egui::Context) {
        use egui::Key;
        if context.egui_wants_keyboard_input() {
            return;
        }
        let pressed = |key| context.input(|input| input.key_pressed(key));
        let steps = self.sampling.steps as f32;
        if pressed(Key::Space) {
            timeline::toggle(self);
        }
        for (key, by) in [(Key::ArrowRight, 1.0), (Key::ArrowLeft, -1.0)] {
            if pressed(key) {
                self.playing = false;
                self.position = (self.position.round() + by).clamp(0.0, steps);
            }
        }
        for (key, to) in [(Key::Home, 0.0), (Key::End, steps)] {
            if pressed(key) {
                self.playing = false;
                self.position = to;
            }
        }
        let numbers = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];
        for (key, (layer, ..)) in numbers.into_iter().zip(Layer::ALL) {
            if pressed(key) {
                self.layer = layer;
            }
        }
        let count = self.photos.len();
        for (key, by) in [(Key::PageDown, 1), (Key::PageUp, count.saturating_sub(1))] {
            if pressed(key) && count > 1 {
                self.shown = (self.shown + by) % count;
                self.restart(context);
            }
        }
    }

    fn top(&mut self, ui: &mut egui::Ui) {
        ui.horizontal_centered(|ui| {
            ui.heading("FlowSeg");
            ui.separator();
            for (layer, name, help) in Layer::ALL {
                ui.selectable_value(&mut self.layer, layer, name)
                    .on_hover_text(help);
            }
            let overlay = self.layer == Layer::Overlay;
            let slider = egui::Slider::new(&mut self.opacity, 0.0..=1.0).text("opacity");
            ui.add_enabled(overlay, slider);
            if ui
                .button("Fit")
                .on_hover_text("Show the whole photo")
                .clicked()
            {
                self.canvas = canvas::Canvas::default();
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                theme::choice(ui);
                let name = match self.photos.get(self.shown) {
                    Some(path) => path.file_name().unwrap_or_default().to_string_lossy(),
                    None => "a rendered scene; drop a photo here".into(),
                };
                ui.label(name);
            });
        });
    }

    fn status(&self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            let card = &self.model.card;
            ui.small(format!("computes on {}", self.device));
            ui.separator();
            ui.small(format!("draws on {}", self.adapter));
            ui.separator();
            let score = card.score.as_ref().map_or(String::new(), |score| {
                format!(", mIoU {:.1}", 100.0 * score.miou)
            });
            ui.small(format!(
                "{}: {} classes{score}",
                card.dataset,
                card.classes.len()
            ));
        });
    }

    /// Asks for a picture of the window once the flow stands still, writes it and closes.
    fn capture(&mut self, context: &egui::Context) {
        if self.job.is_some() || self.screenshot.is_none() {
            return;
        }
        self.playing = false;
        self.position = self.sampling.steps as f32;
        // One frame more, so that the picture shows the end and its texture has arrived.
        self.settled += 1;
        context.request_repaint();
        if self.settled < 4 {
            return;
        }
        let Some(path) = self.screenshot.take() else {
            return;
        };
        let failure = self.failure.clone();
        let close = context.clone();
        context.request_screenshot(move |image| {
            let [width, height] = image.size;
            let rgb = image
                .pixels
                .iter()
                .flat_map(|p| [p.r(), p.g(), p.b()])
                .collect();
            let written = image::RgbImage::from_raw(width as u32, height as u32, rgb)
                .ok_or_else(|| "the window is empty".to_owned())
                .and_then(|picture| picture.save(&path).map_err(|e| e.to_string()));
            if let (Err(error), Ok(mut failure)) = (written, failure.lock()) {
                *failure = Some(format!("cannot write {}: {error}", path.display()));
            }
            close.send_viewport_cmd(egui::ViewportCommand::Close);
            close.request_repaint();
        });
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        self.receive(&context);
        self.open_dropped(&context);
        self.keys(&context);
        egui::Panel::top("top")
            .exact_size(5.0 * theme::GRID)
            .show(ui, |ui| self.top(ui));
        egui::Panel::bottom("status").show(ui, |ui| self.status(ui));
        egui::Panel::bottom("timeline").show(ui, |ui| timeline::show(self, ui));
        egui::Panel::right("legend")
            .default_size(30.0 * theme::GRID)
            .show(ui, |ui| legend::show(self, ui));
        egui::CentralPanel::default().show(ui, |ui| canvas::show(self, ui));
        self.capture(&context);
    }
}
