//! What the cells of a race's figure have in common.

use crate::viewer::theme::{self, GRID, ROW};
use eframe::egui::{self, Color32, RichText, Ui};

/// The colours of sides a and b.
pub(super) const COLOURS: [Color32; 2] = [Color32::from_rgb(222, 142, 62), theme::ACCENT];

/// The heading of a cell, with the colour of a side.
pub(super) fn heading(ui: &mut Ui, text: &str, side: Option<usize>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.75 * GRID;
        ui.set_height(ROW - GRID / 2.0);
        if let Some(side) = side {
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(GRID), egui::Sense::hover());
            ui.painter()
                .circle_filled(rect.center(), 0.5 * GRID, COLOURS[side]);
        }
        ui.add(egui::Label::new(RichText::new(text).small().strong()).truncate());
    });
}

/// The space of a cell below its heading, with a name for screen readers and a tooltip.
pub(super) fn space(ui: &mut Ui, sense: egui::Sense, name: &str, help: &str) -> egui::Response {
    let response = ui.allocate_response(ui.available_size(), sense);
    response.accessible_name(name).on_hover_text(help)
}

/// The background of cubes and slices: a grey on which black and white classes both show.
pub(super) fn backdrop(visuals: &egui::Visuals) -> Color32 {
    Color32::from_gray(if visuals.dark_mode { 58 } else { 206 })
}
