//! The field lab: the vector field around the class centroids as a live instrument.

mod compose;
mod controls;
mod counts;
mod curve;
mod export;
mod figure;
mod inset;
mod layers;
mod legend;
mod motion;
mod mouse;
mod overlay;
mod picture;
mod preset;
mod quality;
mod readout;
mod settings;
#[cfg(test)]
mod tests;
mod view;
mod widgets;

pub use crate::gpu::field::{Cloud, CloudState};
pub use preset::Preset;
pub use settings::{Cut, FieldSettings};

use crate::encoding::Centroids;
use crate::gpu::GpuError;
use crate::gpu::field::{Curve, Flow, Picturing, Renderer, Table, Tally, nearest_neighbour};
use crate::viewer::brush::{Brush, Veil};
use crate::viewer::ground;
use crate::{fonts, pictures};
use eframe::egui;
use eframe::egui_wgpu::RenderState;
use std::sync::Arc;

/// What the lab is shown.
pub struct FieldInput<'a> {
    /// The open model's centroids.
    pub centroids: &'a Centroids,
    /// Their classes' names, in the same order.
    pub classes: &'a [String],
    /// The open photo on its way, if there is one.
    pub cloud: Option<Cloud<'a>>,
    /// Which pixels are brushed, one entry a pixel, or none at all.
    pub brushed: &'a Arc<Vec<bool>>,
    /// Pinned pixels.
    pub pins: &'a [Pin<'a>],
}

/// A pinned pixel.
pub struct Pin<'a> {
    /// Its index in row-major order.
    pub pixel: usize,
    /// What to call it.
    pub label: String,
    /// Its states from t = 0 on.
    pub trajectory: &'a [[f32; 3]],
}

/// A file to be saved.
pub struct Export {
    /// The name to propose.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
}

/// What a file holds.
pub enum Contents {
    /// Text.
    Text(String),
    /// A picture on its way from the device, to become a PNG.
    Picture(Picturing),
}

impl Contents {
    /// The file's bytes. Takes a while for a picture: not to be called by the window's thread.
    ///
    /// # Errors
    /// A device that fails, in one line.
    pub fn bytes(self) -> Result<Vec<u8>, String> {
        let picture = match self {
            Contents::Text(text) => return Ok(text.into_bytes()),
            Contents::Picture(picture) => picture,
        };
        let [width, height] = picture.size();
        let rgba = picture.wait().map_err(|error| error.to_string())?;
        let rgb = rgba.chunks_exact(4).flat_map(|p| &p[..3]).copied();
        let picture = image::RgbImage::from_raw(width, height, rgb.collect());
        let picture = picture.ok_or("the picture is cut off")?;
        pictures::png(&picture).map_err(|error| format!("cannot encode the picture: {error}"))
    }
}

/// What came of a frame.
#[derive(Default)]
pub struct FieldOutput {
    /// Pixels that were brushed, as points of the cube or in the photo beside it; none of them
    /// clears the brush.
    pub brushed: Option<Brush>,
    /// A file that the user asked for.
    pub export: Option<Export>,
    /// What went wrong, on one line.
    pub error: Option<String>,
}

/// The lab.
pub struct FieldLab {
    /// What has been chosen; may be replaced at any time, such as by stored settings.
    pub settings: FieldSettings,
    derived: compose::Derived,
    renderer: Option<Renderer>,
    texture: Option<picture::Picture>,
    quality: quality::Quality,
    motion: motion::Motion,
    failed: Option<String>,
    playing: bool,
    hurry: bool,
    restart: bool,
    face_slice: bool,
    velocity_known: bool,
    wants_figure: bool,
    drag: Option<mouse::Drag>,
    /// Where in the photo the brush began that is being drawn.
    brush_from: Option<egui::Vec2>,
    photo: Option<inset::Texture>,
    veil: Veil,
    picked: Option<[f32; 3]>,
    highlighted: Option<usize>,
    curve: Option<(curve::CurveKey, Curve)>,
    tallies: Vec<Option<Tally>>,
    settled: bool,
    pending: FieldOutput,
}

impl Default for FieldLab {
    fn default() -> Self {
        Self::new()
    }
}

impl FieldLab {
    /// A lab with default settings; nothing is compiled or allocated on a device before it is seen.
    pub fn new() -> Self {
        Self {
            settings: FieldSettings::default(),
            derived: compose::Derived::default(),
            renderer: None,
            texture: None,
            quality: quality::Quality::default(),
            motion: motion::Motion::default(),
            failed: None,
            playing: true,
            hurry: false,
            restart: false,
            face_slice: false,
            velocity_known: false,
            wants_figure: false,
            drag: None,
            brush_from: None,
            photo: None,
            veil: Veil::default(),
            picked: None,
            highlighted: None,
            curve: None,
            tallies: Vec::new(),
            settled: false,
            pending: FieldOutput::default(),
        }
    }

    /// Sets a ready-made view. Its particles run to their end without pausing for the eye, so that
    /// [`FieldLab::settled`] comes soon.
    pub fn preset(&mut self, preset: Preset) {
        self.apply(preset);
        self.hurry = true;
    }

    /// Whether nothing more will change by itself: particles are at their end and counted, and the
    /// picture has its full quality.
    pub fn settled(&self) -> bool {
        self.settled || self.failed.is_some()
    }

    /// Draws the lab into the whole of `ui`. Without a `gpu` it says that there is none.
    pub fn ui(
        &mut self,
        ui: &mut egui::Ui,
        gpu: Option<&RenderState>,
        input: &FieldInput<'_>,
    ) -> FieldOutput {
        let before = self.settings.clone();
        let classes = if self.settings.models_table {
            input.centroids.len()
        } else {
            self.settings.classes
        };
        self.settings.clamp(classes);
        self.velocity_known = input.cloud.is_some_and(|cloud| cloud.velocity.is_some());
        egui::Panel::right("field controls")
            .frame(ground::bare(ui))
            .exact_size(widgets::PANEL)
            .resizable(false)
            .show(ui, |ui| {
                egui::ScrollArea::vertical()
                    .auto_shrink(false)
                    .show(ui, |ui| {
                        controls::show(self, ui, input);
                    });
            });
        let table = self.derived.table(&self.settings, input.centroids);
        self.settings.clamp(table.centroids.len());
        if self.settings.curve {
            egui::Panel::bottom("field curve")
                .frame(ground::bare(ui))
                .default_size(ui.available_height() * 0.42)
                .min_size(160.0)
                .resizable(true)
                .show(ui, |ui| curve::show(self, ui, &table, input));
        }
        egui::CentralPanel::no_frame().show(ui, |ui| match gpu {
            Some(gpu) => view::show(self, ui, gpu, table, input),
            None => {
                ui.centered_and_justified(|ui| {
                    ui.label("The field needs a graphics device: start the program in a window.");
                });
            }
        });
        if before != self.settings {
            self.settled = false;
            ui.ctx().request_repaint();
        }
        std::mem::take(&mut self.pending)
    }

    fn apply(&mut self, preset: Preset) {
        preset.apply(&mut self.settings);
        self.face_slice = self.settings.slice;
        self.picked = None;
        self.playing = true;
        self.settled = false;
    }

    fn fail(&mut self, error: &GpuError) {
        let text = error.to_string();
        self.pending.error = Some(text.clone());
        self.failed = Some(text);
    }

    /// The field of the settings on the CPU.
    fn flow<'a>(&self, table: &'a Table) -> Flow<'a> {
        Flow {
            table,
            potential: self.settings.potential,
            target: self.settings.target,
            kind: self.settings.kind,
            correction: self.settings.correction(),
            neighbourhood: self.settings.neighbourhood,
        }
    }

    /// The class that the curve goes towards.
    fn towards(&self, table: &Table) -> Option<usize> {
        let nearest = || nearest_neighbour(table.centroids.points(), self.settings.target);
        self.settings.towards.or_else(nearest)
    }
}

/// A class's name: the model's, or its number where the table is not the model's.
fn class_name(settings: &FieldSettings, input: &FieldInput<'_>, class: usize) -> String {
    match input.classes.get(class) {
        Some(name) if settings.models_table => name.clone(),
        _ => format!("class {class}"),
    }
}

/// [`class_name`] as it is drawn.
fn drawn_name(settings: &FieldSettings, input: &FieldInput<'_>, class: usize) -> String {
    fonts::in_visual_order(&class_name(settings, input, class)).into_owned()
}
