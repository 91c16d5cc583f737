//! The panel of the vector field around the class centroids: the fields of Figure 1, live.
//!
//! `FieldPanel` is the panel. Each frame turns its settings into a scene (`derived`), draws it
//! (`picture`, `view`) and what lies over it (`overlay`, `legend`, `inset`, `readout`, `curve`).

mod controls;
mod counts;
mod curve;
mod derived;
mod export;
mod figure;
mod inset;
mod interface;
mod layers;
mod legend;
mod motion;
mod mouse;
mod overlay;
mod panel;
mod picture;
mod preset;
mod projection;
mod quality;
mod readout;
mod settings;
mod style;
#[cfg(test)]
mod tests;
mod view;
mod widgets;

pub(crate) use interface::{FieldInput, Pin};
pub(crate) use panel::FieldPanel;
pub use preset::Preset;
pub(crate) use settings::FieldSettings;

use crate::viewer::background;
use eframe::egui;
use eframe::egui_wgpu::RenderState;
use interface::FieldOutput;

impl FieldPanel {
    /// Draws the panel into the whole of `ui`. Without a `gpu` it explains that it needs one.
    pub(crate) fn ui(
        &mut self,
        ui: &mut egui::Ui,
        gpu: Option<&RenderState>,
        input: &FieldInput<'_>,
    ) -> FieldOutput {
        let before = self.settings.clone();
        let classes = self.settings.class_count(input.centroids.len());
        self.settings.clamp(classes);
        egui::Panel::right("field controls")
            .frame(background::bare(ui))
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
        self.settings.clamp(table.len());
        if self.settings.curve {
            egui::Panel::bottom("field curve")
                .frame(background::bare(ui))
                .default_size(ui.available_height() * 0.42)
                .min_size(160.0)
                .resizable(true)
                .show(ui, |ui| curve::show(self, ui, &table, input));
        }
        egui::CentralPanel::no_frame().show(ui, |ui| match gpu {
            Some(gpu) => view::show(self, ui, gpu, &table, input),
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
}
