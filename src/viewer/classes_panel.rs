//! The class list: every class with its colour and its share of the shown state or corrected mask.

use super::app_state::AppState;
use super::class_photos::{ClassPhotos, Row};
use super::commands::{self, Action, Command};
use super::correct;
use super::open_model::OpenModel;
use super::panel::Panel;
use super::platform;
use super::theme::{self, GRID, ROW};
use eframe::egui::{self, Sense};
use egui_material_icons::icons;

/// Hovering a class highlights its pixels, a click hides it, a double click shows it alone, and a right
/// click lists the open photos by it.
#[derive(Default)]
pub(super) struct ClassesPanel {
    search: String,
    /// Whether photos are listed by the IoU of a class instead of by its share.
    by_iou: bool,
}

impl Panel for ClassesPanel {
    fn title(&self) -> &'static str {
        "Classes"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let mut hovered = None;
        if let Some(model) = &app.model {
            self.head(app, ui, commands);
            if let Some(photos) = &app.class_photos {
                let height = 0.6 * ui.available_height();
                egui::Panel::bottom("photos of a class")
                    .frame(egui::Frame::new())
                    .exact_size(height)
                    .show(ui, |ui| self.photos(app, photos, model, ui, commands));
            }
            hovered = self.list(app, model, ui, commands);
        } else {
            theme::empty(ui, "Open a model to see its classes.");
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
            let all = Action::ShowAll;
            commands::button(app, ui, all, icons::ICON_VISIBILITY, commands);
        });
    }

    /// Draws the classes and returns the one under the pointer.
    fn list(
        &self,
        app: &AppState,
        model: &OpenModel,
        ui: &mut egui::Ui,
        commands: &mut Vec<Command>,
    ) -> Option<usize> {
        let is_shown = app.shows_corrections();
        let flow = app.flow.as_ref();
        let corrected = flow.and_then(|flow| app.correct.shares(flow.id, is_shown));
        let of_state = || app.shown_classes().map(|shown| shown.shares);
        // There are no shares where no photo is shown.
        let now = corrected.or_else(of_state);
        let last = app.flow.as_ref().and_then(|flow| flow.nearest(f32::MAX));
        let last = last.map_or(&[][..], |(_, host)| &host.shares);
        let order = order(model, last, &self.search);
        let correcting = app.correct.on;
        if order.is_empty() {
            theme::empty(ui, "No class name contains this.");
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
                    let share = now
                        .as_ref()
                        .map(|now| now.get(class).copied().unwrap_or(0.0));
                    let chosen = correcting && usize::from(app.correct.class) == class;
                    let response = row(ui, model, class, share, [hidden, chosen]);
                    if response.hovered() {
                        hovered = Some(class);
                    }
                    if platform::DESKTOP && response.secondary_clicked() {
                        commands.push(Command::ListClass(Some(class)));
                    } else if correcting {
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

impl ClassesPanel {
    /// Draws the list of open photos by a class.
    fn photos(
        &mut self,
        app: &AppState,
        photos: &ClassPhotos,
        model: &OpenModel,
        ui: &mut egui::Ui,
        commands: &mut Vec<Command>,
    ) {
        ui.separator();
        let name = model.names.get(photos.class).map_or("", String::as_str);
        ui.horizontal(|ui| {
            if theme::icon_button(ui, icons::ICON_CLOSE, "Close the list").clicked() {
                commands.push(Command::ListClass(None));
            }
            ui.selectable_value(&mut self.by_iou, false, "share")
                .on_hover_text("Photos with the largest share of the class first");
            ui.selectable_value(&mut self.by_iou, true, "IoU")
                .on_hover_text("Photos with the lowest IoU of the class first");
            ui.add(egui::Label::new(format!("Photos with {name}")).truncate());
        });
        let [done, all] = photos.progress();
        let rows = photos.rows(self.by_iou);
        if done < all {
            ui.weak(format!("{done} of {all} photos segmented so far"));
        } else if rows.is_empty() {
            ui.weak(format!("None of the {all} photos has this class."));
        }
        let shown = app.photos.place().0;
        egui::ScrollArea::vertical()
            .id_salt("photos of a class")
            .auto_shrink(false)
            .show_rows(ui, ROW, rows.len(), |ui, range| {
                ui.spacing_mut().item_spacing.y = 0.0;
                for row in &rows[range] {
                    let response = photo_row(ui, row, row.index == shown);
                    if response.clicked() {
                        commands.push(Command::ShowPhoto(row.index));
                    }
                }
            });
    }
}

/// A photo in the list of a class: name, share and IoU of the class.
fn photo_row(ui: &mut egui::Ui, row: &Row, shown: bool) -> egui::Response {
    let iou = row
        .iou
        .map_or_else(|| "-".to_owned(), |iou| format!("{:.1}", 100.0 * iou));
    let share = 100.0 * row.share;
    let text = format!("{share:5.1} %   IoU {iou:>5}   {}", row.name);
    let text = egui::RichText::new(text).text_style(egui::TextStyle::Monospace);
    let button = egui::Button::selectable(shown, text)
        .truncate()
        .min_size(egui::vec2(ui.available_width(), ROW));
    ui.add(button).on_hover_text(format!(
        "{}\n{share:.2} % of its pixels; IoU with its ground truth in %: {iou}; click to show it",
        row.name
    ))
}

/// The matching classes, those largest in the last state first. The order does not depend on the
/// playhead, so that rows stay in place while the flow plays.
fn order(model: &OpenModel, shares: &[f32], search: &str) -> Vec<usize> {
    let search = search.trim().to_lowercase();
    let mut order: Vec<usize> = (0..model.classes.len())
        .filter(|&k| model.classes[k].to_lowercase().contains(&search))
        .collect();
    let share = |k: usize| shares.get(k).copied().unwrap_or_default();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    order
}

pub(super) fn order_of(app: &AppState, model: &OpenModel) -> Vec<usize> {
    let last = app.flow.as_ref().and_then(|flow| flow.nearest(f32::MAX));
    order(model, last.map_or(&[][..], |(_, host)| &host.shares), "")
}

fn row(
    ui: &mut egui::Ui,
    model: &OpenModel,
    class: usize,
    share: Option<f32>,
    [hidden, chosen]: [bool; 2],
) -> egui::Response {
    let size = egui::vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = &model.names[class];
    let percent = share.map(|share| format!("{:.1} %", 100.0 * share));
    let share = share.unwrap_or(0.0);
    response.widget_info(|| {
        let name = &model.classes[class];
        let text = match &percent {
            Some(percent) => format!("{name}, {percent}"),
            None => name.clone(),
        };
        egui::WidgetInfo::selected(egui::Role::CheckBox, true, !hidden, text)
    });
    let painter = ui.painter();
    let visuals = ui.visuals();
    if chosen {
        painter.rect_filled(rect, 4.0, visuals.selection.bg_fill);
    } else if response.hovered() {
        painter.rect_filled(rect, 4.0, visuals.widgets.inactive.weak_bg_fill);
    }
    // The share as a bar under the name, so that the list is a histogram.
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
        percent.unwrap_or_default(),
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
    let key = match class {
        0..9 => format!(" or the key {}", class + 1),
        _ => String::new(),
    };
    response.on_hover_text(format!(
        "{name}\nclass {class}; click: hide or show; double-click: show alone; right-click: list the \
         open photos by it; while a mask is corrected, a click{key} chooses the class to paint"
    ))
}
