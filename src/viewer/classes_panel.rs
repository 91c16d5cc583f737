//! The class list: every class with its colour and its share of the picture at this step.

use super::app_state::AppState;
use super::commands::{self, Action, Command};
use super::correct;
use super::open_model::OpenModel;
use super::panel::Panel;
use super::theme::{self, GRID, ROW};
use eframe::egui::{self, Sense};
use egui_material_icons::icons;

/// Hovering a class highlights its pixels, a click hides it, a double click shows it alone.
#[derive(Default)]
pub(super) struct ClassesPanel {
    search: String,
}

impl Panel for ClassesPanel {
    fn title(&self) -> &'static str {
        "Classes"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let mut hovered = None;
        if let Some(model) = &app.model {
            self.head(app, ui, commands);
            hovered = self.list(app, model, ui, commands);
        } else {
            theme::empty(ui, "The classes appear with a model.");
        }
        if hovered != app.hover.class {
            commands.push(Command::HoverClass(hovered));
        }
    }
}

impl ClassesPanel {
    fn head(&mut self, app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
        ui.horizontal(|ui| {
            let width = ui.available_width() - 4.5 * GRID;
            let search = egui::TextEdit::singleline(&mut self.search)
                .hint_text("Search classes")
                .desired_width(width);
            ui.add(search);
            ui.add_enabled_ui(!app.selection.hidden.is_empty(), |ui| {
                commands::button(ui, Action::ShowAll, icons::ICON_VISIBILITY, commands);
            });
        });
    }

    /// Draws the classes; returns the one under the pointer.
    fn list(
        &self,
        app: &AppState,
        model: &OpenModel,
        ui: &mut egui::Ui,
        commands: &mut Vec<Command>,
    ) -> Option<usize> {
        let shares = |position: f32| {
            let state = app.flow.as_ref().and_then(|flow| flow.nearest(position));
            state.map_or(&[][..], |(_, host)| &host.shares)
        };
        let now = shares(app.playhead.position);
        let order = order(model, shares(f32::MAX), &self.search);
        let correcting = app.correct.is_ready();
        if order.is_empty() {
            theme::empty(ui, "No class has this in its name.");
        }
        let mut hovered = None;
        egui::ScrollArea::vertical().auto_shrink(false).show_rows(
            ui,
            ROW,
            order.len(),
            |ui, rows| {
                ui.spacing_mut().item_spacing.y = 0.0;
                for &class in &order[rows] {
                    let hidden = app.selection.hidden.contains(&class);
                    let share = now.get(class).copied().unwrap_or_default();
                    let chosen = correcting && usize::from(app.correct.class) == class;
                    let response = row(ui, model, class, share, [hidden, chosen]);
                    if response.hovered() {
                        hovered = Some(class);
                    }
                    if correcting {
                        if response.clicked() {
                            let choose = correct::Request::Choose(class as u16);
                            commands.push(Command::Correct(choose));
                        }
                    } else if response.double_clicked() {
                        commands.push(Command::ShowOnlyClass(class));
                    } else if response.clicked() {
                        commands.push(Command::ToggleClass(class));
                    }
                }
            },
        );
        hovered
    }
}

/// The classes that match, those largest in the last state first. The order follows the last state
/// rather than the playhead, so that no row jumps away while the flow plays.
fn order(model: &OpenModel, shares: &[f32], search: &str) -> Vec<usize> {
    let search = search.trim().to_lowercase();
    let mut order: Vec<usize> = (0..model.classes.len())
        .filter(|&k| model.classes[k].to_lowercase().contains(&search))
        .collect();
    let share = |k: usize| shares.get(k).copied().unwrap_or_default();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    order
}

/// All classes in the order of the panel.
pub(super) fn order_of(app: &AppState, model: &OpenModel) -> Vec<usize> {
    let last = app.flow.as_ref().and_then(|flow| flow.nearest(f32::MAX));
    order(model, last.map_or(&[][..], |(_, host)| &host.shares), "")
}

fn row(
    ui: &mut egui::Ui,
    model: &OpenModel,
    class: usize,
    share: f32,
    [hidden, chosen]: [bool; 2],
) -> egui::Response {
    let size = egui::vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = &model.names[class];
    response.widget_info(|| {
        let name = &model.classes[class];
        let text = format!("{name}, {:.1} per cent", 100.0 * share);
        egui::WidgetInfo::selected(egui::Role::CheckBox, true, !hidden, text)
    });
    let painter = ui.painter();
    let visuals = ui.visuals();
    if chosen {
        painter.rect_filled(rect, 4.0, visuals.selection.bg_fill);
    } else if response.hovered() {
        painter.rect_filled(rect, 4.0, visuals.widgets.inactive.weak_bg_fill);
    }
    // The share as a bar under the name: a histogram along the list.
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
        "{name}\nclass {class}; click: hide or show; double click: show alone; while a mask is \
         corrected, a click chooses the class to paint"
    ))
}
