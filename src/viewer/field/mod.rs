//! The field lab: the vector field around the class centroids as a live instrument.

mod compose;
mod controls;
mod curve;
mod export;
mod layers;
mod legend;
mod overlay;
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
use crate::gpu::field::{Camera, Curve, Detail, Flow, Renderer, Table, Tally, nearest_neighbour};
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
    pub brushed: &'a [bool],
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
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// What came of a frame.
#[derive(Default)]
pub struct FieldOutput {
    /// Points that were brushed in the cube, one entry a pixel; all false clears the brush.
    pub brushed: Option<Vec<bool>>,
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
    texture: Option<view::Picture>,
    quality: Option<quality::Quality>,
    failed: Option<String>,
    playing: bool,
    hurry: bool,
    restart: bool,
    face_slice: bool,
    velocity_known: bool,
    shown_detail: Option<Detail>,
    seen_from: Option<Camera>,
    /// Seconds of the clock until which things count as moving.
    moving_until: f64,
    drag: Option<view::Drag>,
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
            quality: None,
            failed: None,
            playing: true,
            hurry: false,
            restart: false,
            face_slice: false,
            velocity_known: false,
            shown_detail: None,
            seen_from: None,
            moving_until: 0.0,
            drag: None,
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
    fn flow<'a>(&self, table: &'a Arc<Table>) -> Flow<'a> {
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
