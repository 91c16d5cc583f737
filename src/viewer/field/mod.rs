//! The panel of the vector field around the class centroids: Figure 1, live.
//!
//! `FieldPanel` is the panel. Each frame turns its settings into a scene (`derived`), draws it
//! (`picture`, `view`) and what is on top (`overlay`, `legend`, `inset`, `readout`, `curve`).

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
mod measures;
mod motion;
mod mouse;
mod overlay;
mod panel;
mod photo_colours;
mod picture;
mod preset;
mod projection;
mod quality;
mod readout;
mod settings;
mod spheres;
mod style;
#[cfg(test)]
mod tests;
mod velocity;
mod view;
pub(super) mod widgets;

pub(crate) use panel::{FieldBefore, FieldPanel};
pub use preset::Preset;
pub(crate) use settings::FieldSettings;
pub(super) use widgets::PANEL as CONTROLS;

use crate::encoding::{Centroids, FIRST_AXES};
use crate::flow::Source;
use crate::gpu::field::{Cloud, CloudColours, CloudState};
use crate::viewer::app_state::AppState;
use crate::viewer::background;
use crate::viewer::commands::Command;
use crate::viewer::panel::Panel;
use crate::viewer::platform;
use crate::viewer::theme;
use eframe::egui;
use interface::{FieldInput, FieldOutput, Pin};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

impl Panel for FieldPanel {
    fn title(&self) -> &'static str {
        "Field"
    }

    fn margin(&self) -> f32 {
        0.0
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let Some(model) = &app.model else {
            theme::empty(ui, "Open a model to see the field.");
            return;
        };
        let axes = self.settings.fitting_axes(model.centroids.dims());
        let flow = app.flow.as_ref();
        let position = app.playhead.position;
        let trajectories: Vec<Vec<[f32; 3]>> = flow.map_or_else(Vec::new, |flow| {
            let pins = app.selection.pins.iter();
            let drawn = |x: Vec<f32>| axes.map(|axis| x.get(axis).copied().unwrap_or_default());
            let path = |&pixel| flow.path_of(pixel).into_iter().map(drawn).collect();
            pins.map(path).collect()
        });
        let pins = app.selection.pins.iter().zip(&trajectories).enumerate();
        let pins: Vec<Pin<'_>> = pins
            .map(|(i, (&pixel, trajectory))| Pin {
                pixel,
                label: (i + 1).to_string(),
                trajectory,
            })
            .collect();
        let around = flow.and_then(|flow| flow.around(position));
        // If both neighbouring states are on the device, their buffers are read there.
        let on_device = flow.zip(around).and_then(|(flow, (low, high, share))| {
            Some((flow.on_device(low)?, flow.on_device(high)?, share))
        });
        // A page cannot wait for what brushing reads back, and the first three channels alone lie
        // together in the device's memory: everything else is mixed in this program's.
        let in_place = platform::DESKTOP && axes == FIRST_AXES;
        let on_device = on_device.filter(|_| in_place);
        let both = flow.zip(around).and_then(|(flow, (low, high, _))| {
            let [low, high] = [low, high].map(|step| flow.states.get(step)?.host.as_ref());
            Some([low?.along(axes), high?.along(axes)])
        });
        let mixed = both.as_ref().zip(around).filter(|_| !in_place);
        let mixed = mixed.map(|([low, high], (.., share))| {
            let both = low.iter().zip(high.iter());
            both.map(|(a, b)| a + share * (b - a)).collect::<Vec<f32>>()
        });
        let source = flow.and_then(|flow| flow.states.first()?.host.as_ref());
        let source = source.map(|host| (host.along(axes), host.along(FIRST_AXES)));
        let chosen = flow.and_then(|flow| flow.settings?.sampling.source);
        let from = chosen.unwrap_or(model.card.source);
        let pixels = self.settings.layers.cloud.shown;
        // Of a flow from noise, no state has the photo's colours.
        let photo = flow.filter(|_| pixels && from == Source::Noise);
        let photo = photo.map(|flow| self.photo.of(flow));
        let by_class = pixels && self.settings.drawn_colours() == CloudColours::Class;
        let classes = if by_class { app.shown_classes() } else { None };
        let nearest = flow.and_then(|flow| flow.nearest(position));
        let state = match mixed {
            Some(mixed) => Some(Cow::Owned(mixed)),
            None => nearest.map(|(_, host)| host.along(axes)),
        };
        // The step that is under way, as in the Pixel panel.
        let velocity = flow
            .zip(around)
            .and_then(|(flow, (step, ..))| self.velocity.at(flow, step, axes));
        let cloud = flow.and_then(|flow| {
            let ((_, host), state) = (nearest?, state.as_deref()?);
            let (source, colours) = source.as_ref()?;
            let colours = photo.as_ref().map_or(&**colours, |photo| photo.as_slice());
            let labels = classes
                .as_ref()
                .map_or(&host.labels, |classes| &classes.labels);
            let mut generation = DefaultHasher::new();
            let of_classes = classes.as_ref().map(|classes| classes.key);
            let parts = (flow.generation, position.to_bits(), axes, of_classes);
            (parts, photo.is_some()).hash(&mut generation);
            let on_device = on_device.as_ref().map(|(low, high, share)| {
                let (buffer, offset) = low.location();
                CloudState::Device {
                    buffer,
                    offset,
                    next: Some(high.location()),
                    share: *share,
                    host: both
                        .as_ref()
                        .map(|states| states.each_ref().map(Cow::as_ref)),
                }
            });
            Some(Cloud {
                size: flow.size,
                state: on_device.unwrap_or(CloudState::Host(state)),
                source,
                colours,
                velocity: velocity.as_deref().map(Vec::as_slice),
                labels,
                photo: flow.id,
                generation: generation.finish(),
            })
        });
        let input = FieldInput {
            centroids: &model.centroids,
            classes: &model.card.classes,
            colours: &model.colours,
            cloud,
            source: from,
            brushed: &app.selection.brushed,
            pins: &pins,
        };
        let output = self.show(ui, &input);
        commands.extend(output.brushed.map(Command::Brush));
        commands.extend(output.error.map(Command::ReportError));
        commands.extend(output.export.map(Command::Save));
    }
}

impl FieldPanel {
    /// Fits the settings to the centroids: the model's, or those of a number of classes.
    fn clamp(&mut self, of_model: &Centroids) {
        let settings = &mut self.settings;
        let classes = settings.class_count(of_model.len());
        settings.clamp(classes, of_model.dims());
    }

    /// Draws the panel into the whole of `ui`. Without a graphics device, it says that it needs one.
    fn show(&mut self, ui: &mut egui::Ui, input: &FieldInput<'_>) -> FieldOutput {
        let before = self.settings.clone();
        self.clamp(input.centroids);
        if self.derived.colours != input.colours {
            self.derived.colours = input.colours.to_vec();
        }
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
        self.clamp(input.centroids);
        let table = self.derived.table(&self.settings, input.centroids);
        if self.settings.curve {
            egui::Panel::bottom("field curve")
                .frame(background::bare(ui))
                .default_size(ui.available_height() * 0.42)
                // The curves have room for two labels beside them.
                .min_size(27.0 * theme::GRID)
                .resizable(true)
                .show(ui, |ui| curve::show(self, ui, &table, input));
        }
        let gpu = self.gpu.clone();
        egui::CentralPanel::no_frame().show(ui, |ui| match gpu {
            Some(gpu) => view::show(self, ui, &gpu, &table, input),
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
