//! The legend: every class with its colour and its share of the picture at this step.

use super::app_state::{AppState, Shown};
use super::commands::{self, Command};
use super::theme::{self, GRID, ROW};
use eframe::egui::{self, Sense};
use egui_material_icons::icons;

/// Draws the panel. Hovering a class lights its pixels, a click hides it, a double click shows it
/// alone.
pub fn show(app: &mut AppState, ui: &mut egui::Ui) {
    app.lit = None;
    let Some(model) = app.model.take() else {
        theme::empty(ui, "The classes appear with a model.");
        return;
    };
    head(app, ui);
    let shares: Vec<f32> = app
        .flow
        .as_ref()
        .and_then(|flow| flow.nearest(app.play.position))
        .map_or_else(Vec::new, |(_, host)| host.shares.clone());
    let final_shares: Vec<f32> = app
        .flow
        .as_ref()
        .and_then(|flow| flow.nearest(f32::MAX))
        .map_or_else(Vec::new, |(_, host)| host.shares.clone());
    let order = order(&model, &final_shares, &app.search);
    if order.is_empty() {
        theme::empty(ui, "No class has this in its name.");
    }
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show_rows(ui, ROW, order.len(), |ui, rows| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for &class in &order[rows] {
                row(app, ui, &model, class, shares.get(class).copied());
            }
        });
    app.model = Some(model);
}

fn head(app: &mut AppState, ui: &mut egui::Ui) {
    ui.horizontal(|ui| {
        let context = ui.ctx().clone();
        let width = ui.available_width() - 4.5 * GRID;
        let search = egui::TextEdit::singleline(&mut app.search)
            .hint_text("Search classes")
            .desired_width(width);
        ui.add(search);
        let any = !app.selection.hidden.is_empty();
        ui.add_enabled_ui(any, |ui| {
            let help = commands::help(&context, Command::ShowAll);
            if theme::icon_button(ui, icons::ICON_VISIBILITY, &help).clicked() {
                app.run(&context, Command::ShowAll);
            }
        });
    });
}

/// The classes that match, the largest of the last state first. The order follows the last state
/// and not the playhead, so that no row jumps away while the flow plays.
fn order(model: &Shown, shares: &[f32], search: &str) -> Vec<usize> {
    let search = search.trim().to_lowercase();
    let mut order: Vec<usize> = (0..model.card.classes.len())
        .filter(|&k| model.card.classes[k].to_lowercase().contains(&search))
        .collect();
    let share = |k: usize| shares.get(k).copied().unwrap_or_default();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    order
}

fn row(app: &mut AppState, ui: &mut egui::Ui, model: &Shown, class: usize, share: Option<f32>) {
    let size = egui::vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let hidden = app.selection.hidden.contains(&class);
    if response.hovered() {
        app.lit = Some(class);
    }
    if response.double_clicked() {
        let classes = model.card.classes.len();
        app.mark(|selection| {
            // The first click of the two has hidden or shown it; what counts is that it is alone.
            selection.hidden = (0..classes).filter(|&k| k != class).collect();
        });
    } else if response.clicked() {
        app.mark(|selection| {
            if !selection.hidden.remove(&class) {
                selection.hidden.insert(class);
            }
        });
    }
    let share = share.unwrap_or_default();
    let name = &model.names[class];
    response.widget_info(|| {
        let name = &model.card.classes[class];
        let text = format!("{name}, {:.1} per cent", 100.0 * share);
        egui::WidgetInfo::selected(egui::Role::CheckBox, true, !hidden, text)
    });
    let painter = ui.painter();
    let visuals = ui.visuals();
    if response.hovered() {
        painter.rect_filled(rect, 4.0, visuals.widgets.inactive.weak_bg_fill);
    }
    // The share as a bar behind the name: a histogram that reads along the list.
    let bar = egui::Rect::from_min_max(
        egui::pos2(rect.left() + ROW, rect.bottom() - 3.0),
        egui::pos2(
            rect.left() + ROW + share * (rect.width() - ROW),
            rect.bottom() - 1.0,
        ),
    );
    let [r, g, b] = model.colours[class];
    painter.rect_filled(bar, 1.0, egui::Color32::from_rgb(r, g, b));
    let swatch = egui::Rect::from_center_size(
        rect.left_center() + egui::vec2(1.5 * GRID, 0.0),
        egui::Vec2::splat(1.75 * GRID),
    );
    theme::paint_swatch(painter, visuals, swatch, model.colours[class]);
    let strength = if hidden || share == 0.0 {
        visuals.weak_text_color()
    } else {
        visuals.text_color()
    };
    let font = egui::TextStyle::Body.resolve(ui.style());
    let numbers = egui::TextStyle::Monospace.resolve(ui.style());
    let percent = painter.text(
        rect.right_center() - egui::vec2(GRID, 0.0),
        egui::Align2::RIGHT_CENTER,
        format!("{:.1} %", 100.0 * share),
        numbers,
        strength,
    );
    let mut job = egui::text::LayoutJob::simple_singleline(name.clone(), font, strength);
    job.wrap =
        egui::text::TextWrapping::truncate_at_width(percent.left() - rect.left() - 4.5 * GRID);
    let galley = painter.layout_job(job);
    let at = rect.left_center() + egui::vec2(3.5 * GRID, -galley.size().y / 2.0);
    let middle = at.y + galley.size().y / 2.0;
    let width = galley.size().x;
    painter.galley(at, galley, strength);
    if hidden {
        let stroke = egui::Stroke::new(1.0, strength);
        painter.hline(at.x..=at.x + width, middle, stroke);
    }
    response.on_hover_text(format!(
        "{name}\nclass {class}; click: hide or show; double click: show alone"
    ));
}
