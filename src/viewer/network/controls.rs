//! Lists with their names, and the keys of a chart.

use crate::viewer::theme::GRID;
use eframe::egui::{self, Sense, vec2};
use egui_plot::LineStyle;

/// Draws a label and the list that it belongs to, of at least `width` points. In a row that wraps, both are on
/// the next line if they do not fit on this one.
pub(super) fn labelled(
    ui: &mut egui::Ui,
    label: &str,
    list: egui::ComboBox,
    selected: String,
    width: f32,
    entries: impl FnOnce(&mut egui::Ui),
) {
    let extent = |text: &str, style: egui::TextStyle| {
        let (text, font) = (text.to_owned(), style.resolve(ui.style()));
        let galley = ui
            .painter()
            .layout_no_wrap(text, font, egui::Color32::WHITE);
        galley.size().x
    };
    let spacing = ui.spacing();
    let arrow = spacing.icon_width + spacing.icon_spacing + 2.0 * spacing.button_padding.x;
    let of_list = width.max(extent(&selected, egui::TextStyle::Button) + arrow);
    let of_label = extent(label, egui::TextStyle::Body) + spacing.item_spacing.x;
    let size = vec2((of_label + of_list).ceil(), spacing.interact_size.y);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        let label = ui.label(label);
        let list = list.selected_text(selected).width(width);
        list.show_ui(ui, entries).response.labelled_by(label.id);
    });
}

/// Draws the name of a line of a chart after a piece of the line.
pub(super) fn key(ui: &mut egui::Ui, name: &str, colour: egui::Color32, style: LineStyle) {
    ui.horizontal(|ui| {
        let (strip, _) = ui.allocate_exact_size(vec2(3.0 * GRID, GRID), Sense::hover());
        let ends = [strip.left_center(), strip.right_center()];
        let stroke = egui::Stroke::new(2.0, colour);
        match style {
            LineStyle::Solid => {
                ui.painter().line_segment(ends, stroke);
            }
            _ => {
                let dashes = egui::Shape::dashed_line(&ends, stroke, GRID / 2.0, GRID / 4.0);
                ui.painter().extend(dashes);
            }
        }
        ui.label(name);
    });
}
