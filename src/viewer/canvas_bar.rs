//! The toolbar of the canvas: layers, arrangements, zoom and opacity.

use super::app_state::AppState;
use super::commands::{self, Action, Command, tooltip};
use super::theme::{self, GRID, ICON};
use super::view::{self, Arrangement, LAYERS};
use super::{background, doubt_maps};
use crate::gpu::canvas::Layer;
use eframe::egui::{self, Color32};
use egui_material_icons::icons;

/// Height of the toolbar in one row, and of every further row, in points.
const BAR: f32 = 5.0 * GRID;
const FURTHER: f32 = 4.5 * GRID;
/// Least width of the opacity with its number, in points.
const OPACITY: f32 = 12.0 * GRID;
/// Space between the toolbar's buttons, in points.
const GAP: f32 = GRID / 2.0;
/// The most rows of the toolbar.
const MOST_ROWS: usize = 4;

/// Draws the toolbar at the top of `ui`, in as many rows as it needs. Returns its height in points.
pub(super) fn show(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) -> f32 {
    let rows = rows(app, ui);
    let height = BAR + (rows - 1) as f32 * FURTHER;
    egui::Panel::top("canvas bar")
        .frame(background::bare(ui))
        .exact_size(height)
        .show(ui, |ui| bar(app, ui, rows, commands));
    height
}

/// The number of rows that the toolbar needs in the width of `ui`.
fn rows(app: &AppState, ui: &egui::Ui) -> usize {
    // The panel has margins.
    let width = ui.available_width() - 2.0 * GRID;
    let parts = widths(app, ui);
    let needed: f32 = parts.iter().sum();
    if needed <= width {
        return 1;
    }
    if parts.iter().all(|part| *part <= width) {
        return 2;
    }
    // What does not fit into the rest of a row leaves it empty.
    let rows = (needed / (0.85 * width.max(1.0))).ceil();
    (rows as usize).clamp(3, MOST_ROWS)
}

/// The widths of the layers and of all that follows them, in points.
fn widths(app: &AppState, ui: &egui::Ui) -> [f32; 2] {
    let font = egui::TextStyle::Button.resolve(ui.style());
    let padding = 2.0 * ui.spacing().button_padding.x;
    let text = |name: &str| {
        let painter = ui.painter();
        let galley = painter.layout_no_wrap(name.to_owned(), font.clone(), Color32::WHITE);
        galley.size().x + padding + GAP
    };
    let layers = LAYERS.iter().filter(|(layer, ..)| {
        doubt_maps::measure(*layer).is_none() && (!of_second(*layer) || app.second.is_some())
    });
    let layers: f32 = layers.map(|(_, name, _)| text(name)).sum();
    let arrow = 3.0 * GRID;
    let menu = text(name_of_doubt(app)) + arrow;
    // Arrangements, fit, actual size, fine outlines, correct and brush.
    let icons = (Arrangement::ALL.len() + 5) as f32 * (ICON + padding + GAP);
    let line = 6.0 + GAP;
    let opacity = if shows_opacity(app) {
        OPACITY + line
    } else {
        0.0
    };
    [layers + menu, icons + 2.0 * line + opacity]
}

/// Whether a layer is that of a second result.
pub(super) fn of_second(layer: Layer) -> bool {
    matches!(layer, Layer::Second | Layer::Disagreement)
}

/// The name of the menu with the measures of uncertainty: that of the shown one.
fn name_of_doubt(app: &AppState) -> &'static str {
    let active = app.active_layer();
    doubt_maps::measure(active).map_or("Uncertainty", |_| view::name(active))
}

/// Draws the toolbar above the panes, in a number of rows; of two, the layers are the first.
fn bar(app: &AppState, ui: &mut egui::Ui, rows: usize, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = GAP;
    if rows > 1 {
        ui.add_space(GRID / 4.0);
        ui.spacing_mut().interact_size.y = 3.5 * GRID;
        ui.horizontal_wrapped(|ui| {
            layers(app, ui, commands);
            if rows == 2 {
                ui.end_row();
            }
            tools(app, ui, false, commands);
            if shows_opacity(app) {
                if ui.available_size_before_wrap().x < OPACITY {
                    ui.end_row();
                }
                opacity(app, ui, commands);
            }
            correct_toggle(app, ui, commands);
            brush_toggle(app, ui, commands);
        });
        return;
    }
    ui.horizontal_centered(|ui| {
        layers(app, ui, commands);
        ui.separator();
        tools(app, ui, true, commands);
        if shows_opacity(app) {
            ui.separator();
            opacity(app, ui, commands);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            brush_toggle(app, ui, commands);
            correct_toggle(app, ui, commands);
        });
    });
}

/// Draws the buttons of arrangements and zoom, with or without a line between these groups.
fn tools(app: &AppState, ui: &mut egui::Ui, line: bool, commands: &mut Vec<Command>) {
    for (arrangement, icon, _) in Arrangement::ALL {
        commands::toggle(app, ui, Action::Arrange(arrangement), icon, commands);
    }
    if line {
        ui.separator();
    }
    commands::button(app, ui, Action::Fit, icons::ICON_FIT_SCREEN, commands);
    let actual = Action::ActualSize;
    commands::button(app, ui, actual, icons::ICON_ASPECT_RATIO, commands);
    commands::toggle(app, ui, Action::Fine, icons::ICON_GRAIN, commands);
}

/// Whether a visible layer has an opacity.
fn shows_opacity(app: &AppState) -> bool {
    let view = &app.settings.view;
    view.shown().iter().any(|layer| has_opacity(*layer))
}

fn opacity(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let before = app.settings.view.opacity;
    let mut opacity = before;
    // The number and the buttons at the right keep their room.
    let room = ui.available_size_before_wrap().x - 17.0 * GRID;
    ui.spacing_mut().slider_width = room.clamp(4.0 * GRID, 10.0 * GRID);
    let slider = egui::Slider::new(&mut opacity, 0.0..=1.0)
        .custom_formatter(|value, _| format!("{:.0} %", 100.0 * value))
        .custom_parser(|text| Some(text.trim_end_matches([' ', '%']).parse::<f64>().ok()? / 100.0));
    ui.add(slider)
        .on_hover_text("Opacity of the layer over the photo, 0 to 100 %");
    if opacity != before {
        commands.push(Command::SetOpacity(opacity));
    }
}

fn brush_toggle(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let brush = Action::Brush;
    let about = if app.correct.on {
        "While the mask is corrected, a drag paints instead."
    } else {
        "Drag over the photo, with this on or Shift held: its pixels light up in the Field panel's cube. \
         Escape clears the brush."
    };
    let help = format!("{}\n{about}", tooltip(app, ui.ctx(), brush));
    let enabled = commands::is_enabled(app, brush);
    if theme::icon_toggle_if(ui, enabled, app.brushing, icons::ICON_SELECT, &help).clicked() {
        commands.push(brush.into());
    }
}

fn correct_toggle(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let correct = Action::CorrectMask;
    commands::toggle(app, ui, correct, icons::ICON_EDIT, commands);
}

/// Draws the choice of layers: buttons, a menu for the measures of uncertainty and, during a comparison,
/// buttons for the second result.
fn layers(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let plain = |layer| doubt_maps::measure(layer).is_none() && !of_second(layer);
    for row in LAYERS.iter().filter(|(layer, ..)| plain(*layer)) {
        layer_button(app, ui, row, commands);
    }
    let shown = doubt_maps::measure(app.active_layer()).is_some();
    let arrow = theme::icon(icons::ICON_ARROW_DROP_DOWN);
    let button = egui::Button::selectable(shown, (name_of_doubt(app), arrow));
    let menu = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for row in LAYERS {
            if doubt_maps::measure(row.0).is_some() && layer_button(app, ui, &row, commands) {
                ui.close();
            }
        }
    });
    menu.0.on_hover_text(
        "How certain the shown state is: probability, margin or entropy of every pixel",
    );
    if app.second.is_some() {
        for row in LAYERS.iter().filter(|(layer, ..)| of_second(*layer)) {
            layer_button(app, ui, row, commands);
        }
    }
}

/// A button that shows a layer in the active pane. Returns whether it was clicked.
fn layer_button(
    app: &AppState,
    ui: &mut egui::Ui,
    &(layer, name, description): &(Layer, &str, &str),
    commands: &mut Vec<Command>,
) -> bool {
    let known = commands::is_enabled(app, Action::Show(layer));
    let button = egui::Button::selectable(app.active_layer() == layer, name);
    let keys = tooltip(app, ui.ctx(), Action::Show(layer));
    let why_not = if app.has_flow() {
        "No label file is known for this photo: open one from the folder of a data set with classes of \
         the model"
    } else {
        "No photo is shown"
    };
    let response = ui
        .add_enabled(known, button)
        .on_hover_text(format!("{description}\n{keys}"))
        .on_disabled_hover_text(why_not);
    if response.clicked() {
        commands.push(Action::Show(layer).into());
    }
    response.clicked()
}

/// Whether the opacity applies to a layer.
fn has_opacity(layer: Layer) -> bool {
    matches!(layer, Layer::Overlay | Layer::Second) || doubt_maps::measure(layer).is_some()
}
