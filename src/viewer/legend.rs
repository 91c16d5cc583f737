//! The legend: every class with its colour and its share of the picture at this step.

use super::{App, theme};
use eframe::egui::{self, Color32, Sense};

/// Draws the panel. Hovering a class lights its pixels.
pub fn show(app: &mut App, ui: &mut egui::Ui) {
    ui.add_space(theme::GRID);
    ui.heading("Classes");
    let names = &app.model.card.classes;
    let mut counts = vec![0usize; names.len()];
    let mut total = 0;
    if let Some(flow) = app.flow.as_ref().filter(|flow| !flow.states.is_empty()) {
        let at = (app.position.round() as usize).min(flow.states.len() - 1);
        for &label in &flow.states[at].labels {
            counts[usize::from(label)] += 1;
        }
        total = flow.states[at].labels.len();
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(counts[k]));
    app.highlighted = None;
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            for k in order {
                let size = egui::vec2(ui.available_width(), 3.0 * theme::GRID);
                let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
                if response.hovered() {
                    app.highlighted = Some(k);
                }
                let share = counts[k] as f32 / total.max(1) as f32;
                let name = &names[k];
                response.widget_info(|| {
                    let text = format!("{name}, {:.1} per cent", 100.0 * share);
                    egui::WidgetInfo::labeled(egui::Role::Label, true, text)
                });
                let painter = ui.painter();
                let [r, g, b] = app.centroids.colour(k);
                let colour = Color32::from_rgb(r, g, b);
                let visuals = ui.visuals();
                if response.hovered() {
                    painter.rect_filled(rect, 4.0, visuals.widgets.hovered.weak_bg_fill);
                }
                let swatch = egui::Rect::from_center_size(
                    rect.left_center() + egui::vec2(1.5 * theme::GRID, 0.0),
                    egui::Vec2::splat(1.75 * theme::GRID),
                );
                let edge = egui::Stroke::new(1.0, visuals.widgets.noninteractive.bg_stroke.color);
                painter.rect_filled(swatch, 3.0, colour);
                painter.rect_stroke(swatch, 3.0, edge, egui::StrokeKind::Outside);
                let strength = if counts[k] > 0 {
                    visuals.text_color()
                } else {
                    visuals.weak_text_color()
                };
                painter.text(
                    rect.left_center() + egui::vec2(3.5 * theme::GRID, 0.0),
                    egui::Align2::LEFT_CENTER,
                    name,
                    egui::TextStyle::Body.resolve(ui.style()),
                    strength,
                );
                painter.text(
                    rect.right_center() - egui::vec2(theme::GRID, 0.0),
                    egui::Align2::RIGHT_CENTER,
                    format!("{:.1} %", 100.0 * share),
                    egui::TextStyle::Monospace.resolve(ui.style()),
                    strength,
                );
            }
        });
}
