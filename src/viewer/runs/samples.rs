//! Sample predictions of one run, step by step.

use super::shown::Shown;
use crate::format::thousands;
use crate::pictures::{PARTS, part_of_strip};
use crate::runs::{Sample, Watcher};
use crate::viewer::theme;
use eframe::egui::{self, Align2, Rect, RichText, TextStyle, TextureHandle, TextureOptions, vec2};
use egui_material_icons::MaterialIcon;
use egui_material_icons::icons::{ICON_CHEVRON_LEFT, ICON_CHEVRON_RIGHT};
use image::RgbImage;
use std::path::Path;

/// The most pictures kept, for going back and forth.
const KEPT: usize = 12;
/// Maximum longer side of a picture in pixels, if the graphics device allows it.
const SIDE: usize = 8192;
const LARGEST: f32 = 4.0;
/// Height of the names above a picture, in points.
const NAMES: f32 = 2.5 * theme::GRID;

/// The loaded pictures, and the selected one.
#[derive(Default)]
pub(super) struct Samples {
    /// The index of the selected sample; `None` follows the newest.
    at: Option<usize>,
    /// The sample that the watcher is loading.
    asked: Option<Sample>,
    pictures: Vec<(Sample, Result<TextureHandle, String>)>,
}

impl Samples {
    /// Whether a picture is loaded and none is pending.
    #[cfg(test)]
    pub(super) fn is_loaded(&self) -> bool {
        self.asked.is_none() && !self.pictures.is_empty()
    }

    /// Whether no picture is pending.
    pub(super) fn settled(&self) -> bool {
        self.asked.is_none()
    }

    /// Stores a picture that the watcher loaded.
    pub(super) fn take(
        &mut self,
        context: &egui::Context,
        path: &Path,
        picture: Result<RgbImage, String>,
    ) {
        let Some(sample) = self.asked.take_if(|asked| asked.path == path) else {
            return;
        };
        let picture = picture.map(|picture| {
            let size = [picture.width() as usize, picture.height() as usize];
            let image = egui::ColorImage::from_rgb(size, picture.as_raw());
            context.load_texture(path.to_string_lossy(), image, TextureOptions::LINEAR)
        });
        self.pictures.push((sample, picture));
        let surplus = self.pictures.len().saturating_sub(KEPT);
        self.pictures.drain(..surplus);
    }

    /// Draws the samples of a run that has any.
    pub(super) fn show(&mut self, shown: &Shown, watcher: &Watcher, ui: &mut egui::Ui) {
        let samples = &shown.run.samples;
        let last = samples.len() - 1;
        let mut at = self.at.map_or(last, |at| at.min(last));
        ui.add_space(theme::GRID / 2.0);
        ui.horizontal(|ui| {
            ui.strong("Samples");
            ui.label(RichText::new(&shown.name).color(shown.colour));
            ui.add_space(theme::GRID);
            if arrow(ui, at > 0, ICON_CHEVRON_LEFT, "Previous sample") {
                at -= 1;
            }
            let slider = egui::Slider::new(&mut at, 0..=last).show_value(false);
            ui.add_enabled(last > 0, slider)
                .on_hover_text("Step of the samples")
                .accessible_name("Step of the samples");
            if arrow(ui, at < last, ICON_CHEVRON_RIGHT, "Next sample") {
                at += 1;
            }
            let Sample { step, name, .. } = &samples[at];
            ui.monospace(format!("step {}", thousands(*step)));
            ui.label(name);
            if at == last {
                ui.weak("newest");
            }
        });
        // At the newest sample, follow new ones as they arrive.
        self.at = (at < last).then_some(at);
        self.picture(&samples[at], watcher, ui);
    }

    fn picture(&mut self, sample: &Sample, watcher: &Watcher, ui: &mut egui::Ui) {
        let area = ui.available_rect_before_wrap();
        ui.allocate_rect(area, egui::Sense::hover());
        match self.pictures.iter().find(|(of, _)| of == sample) {
            Some((_, Ok(texture))) => strip(texture, area, ui),
            Some((_, Err(text))) => {
                let colour = theme::ERROR;
                say(text, colour, area, ui);
            }
            None => {
                if self.asked.is_none() {
                    let side = ui.input(|input| input.max_texture_side).min(SIDE);
                    let asked = watcher.load(&sample.path, side as u32);
                    self.asked = asked.then(|| sample.clone());
                }
                say("loading", ui.visuals().weak_text_color(), area, ui);
            }
        }
    }
}

/// An arrow button, enabled while `on`. Returns whether it was clicked.
fn arrow(ui: &mut egui::Ui, on: bool, icon: MaterialIcon, name: &str) -> bool {
    let button = ui.add_enabled_ui(on, |ui| theme::icon_button(ui, icon, name));
    button.inner.clicked()
}

/// Draws a strip as large as its area allows, with the names of its parts above it.
fn strip(texture: &TextureHandle, area: Rect, ui: &egui::Ui) {
    let area = area.with_min_y(area.min.y + NAMES);
    let size = texture.size_vec2();
    let scale = (area.width() / size.x).min(area.height() / size.y);
    let scale = scale.min(LARGEST);
    let target = Rect::from_min_size(area.min, size * scale);
    let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
    ui.painter()
        .image(texture.id(), target, whole, egui::Color32::WHITE);
    let font = TextStyle::Small.resolve(ui.style());
    let colour = ui.visuals().weak_text_color();
    for (i, name) in PARTS.into_iter().enumerate() {
        let [left, width] = part_of_strip(i, size.x).map(|v| v * scale);
        let at = target.left_top() + vec2(left, -theme::GRID / 2.0);
        // A part that is narrower than its name has none.
        let galley = ui
            .painter()
            .layout_no_wrap(name.to_owned(), font.clone(), colour);
        if galley.size().x <= width {
            let place = Align2::LEFT_BOTTOM.anchor_size(at, galley.size());
            ui.painter().galley(place.min, galley, colour);
        }
    }
}

fn say(text: &str, colour: egui::Color32, area: Rect, ui: &egui::Ui) {
    let font = TextStyle::Body.resolve(ui.style());
    ui.painter()
        .text(area.center(), Align2::CENTER_CENTER, text, font, colour);
}
