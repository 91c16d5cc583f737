//! The toolbar for correcting a mask, above the canvas.

use super::folder::folder_name;
use super::request::{Correction, DIAMETER, FineTuneRequest, Request, Tool};
use super::requests;
use crate::labels::IGNORE;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{self, Action, Command, help};
use crate::viewer::field::widgets::ranged;
use crate::viewer::open_model::OpenModel;
use crate::viewer::theme::{self, GRID};
use crate::viewer::{background, classes_panel};
use eframe::egui;
use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use egui_material_icons::MaterialIcon;
use egui_material_icons::icons;

/// The tools with their icons and descriptions.
const TOOLS: [(Tool, MaterialIcon, &str); 3] = [
    (Tool::Brush, icons::ICON_BRUSH, "Paint the chosen class"),
    (
        Tool::Eraser,
        icons::ICON_INK_ERASER,
        "Restore the network's label",
    ),
    (
        Tool::Fill,
        icons::ICON_FORMAT_COLOR_FILL,
        "Give the chosen class to a connected region",
    ),
];

/// Height of the toolbar in one row, and of every further row, in points.
const BAR: f32 = 5.0 * GRID;
const FURTHER: f32 = 4.5 * GRID;
/// Least width of the status, in points.
const STATUS: f32 = 9.0 * GRID;

/// Draws the toolbar, if a mask is corrected, in as many rows as it needs.
pub(crate) fn bar(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    if !app.correct.on {
        return;
    }
    // The widths of the tools and of the buttons at the right, when they were in one row last.
    let id = ui.scope_id().with("widths of the correct bar");
    let known: [f32; 2] = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    // The panel has margins.
    let room = ui.available_width() - 2.0 * GRID;
    let rows = rows(known, room);
    egui::Panel::top("correct bar")
        .frame(background::bare(ui))
        .exact_size(BAR + (rows - 1) as f32 * FURTHER)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            if rows > 1 {
                in_rows(app, ui, commands);
                return;
            }
            let widths = in_one_row(app, ui, commands);
            ui.data_mut(|data| data.insert_temp(id, widths));
            if self::rows(widths, room) > 1 {
                ui.ctx().request_repaint();
            }
        });
}

/// The number of rows for tools and buttons of these widths, in points, and the status.
fn rows([tools, buttons]: [f32; 2], room: f32) -> usize {
    if tools + buttons + STATUS <= room {
        1
    } else if tools <= room {
        2
    } else {
        3
    }
}

/// Draws everything in one row. Returns the widths of the tools and of the buttons at the right.
fn in_one_row(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) -> [f32; 2] {
    let mut widths = [0.0; 2];
    ui.horizontal_centered(|ui| {
        let left = ui.add_enabled_ui(app.correct.is_ready(), |ui| {
            tools(app, ui, commands);
            ui.separator();
            classes(app, ui, commands);
            ui.separator();
            history(app, ui, commands);
        });
        widths[0] = left.response.rect.width();
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            keep(app, ui, commands);
            widths[1] = ui.min_rect().width();
            state(app, ui);
        });
    });
    widths
}

/// Draws the tools in one row or two, and the buttons and the status in another.
fn in_rows(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.add_space(GRID / 4.0);
    ui.spacing_mut().interact_size.y = 3.5 * GRID;
    ui.horizontal_wrapped(|ui| {
        if !app.correct.is_ready() {
            ui.disable();
        }
        tools(app, ui, commands);
        classes(app, ui, commands);
        history(app, ui, commands);
    });
    ui.horizontal(|ui| {
        keep(app, ui, commands);
        state(app, ui);
    });
}

fn tools(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let correct = &app.correct;
    for (tool, icon, description) in TOOLS {
        let action = Action::Correct(Correction::Tool(tool));
        let help = format!("{description}\n{}", help(ui.ctx(), action));
        if theme::icon_toggle(ui, correct.tool == tool, icon, &help).clicked() {
            commands.push(action.into());
        }
    }
    let snap = Action::Correct(Correction::Snap);
    let text = format!(
        "Strokes stay within the region of the network's mask in which they begin, and fills use \
         its outline\n{}",
        help(ui.ctx(), snap)
    );
    if theme::icon_toggle(ui, correct.snap, icons::ICON_TIMELINE, &text).clicked() {
        commands.push(snap.into());
    }
    ui.spacing_mut().slider_width = 9.0 * GRID;
    let mut diameter = correct.diameter;
    let slider = egui::Slider::new(&mut diameter, DIAMETER)
        .logarithmic(true)
        .fixed_decimals(0)
        .suffix(" px");
    let keys = [Correction::Smaller, Correction::Larger].map(|key| {
        let entry = commands::entry(Action::Correct(key));
        let keys = entry.and_then(|entry| entry.keys.first());
        keys.map_or_else(String::new, |keys| commands::text(ui.ctx(), keys))
    });
    ui.add_enabled(correct.tool != Tool::Fill, slider)
        .on_hover_text(format!(
            "{} ({} {})",
            ranged("Diameter of the brush in pixels of the photo", &DIAMETER, 0),
            keys[0],
            keys[1]
        ));
    if diameter != correct.diameter {
        commands.push(Command::Correct(Request::Diameter(diameter)));
    }
}

fn classes(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let Some(model) = &app.model else { return };
    let class = app.correct.class;
    let mut ask = |request| commands.push(Command::Correct(request));
    swatch(ui, model, class);
    let combo = egui::ComboBox::from_id_salt("painted class")
        .selected_text(name(model, class))
        .width(15.0 * GRID)
        .height(50.0 * GRID);
    combo
        .show_ui(ui, |ui| {
            for k in classes_panel::order_of(app, model) {
                ui.horizontal(|ui| {
                    swatch(ui, model, k as u16);
                    let key = match k {
                        0..9 => format!("{}  ", k + 1),
                        _ => String::new(),
                    };
                    let text = format!("{key}{}", name(model, k as u16));
                    if ui.selectable_label(usize::from(class) == k, text).clicked() {
                        ask(Request::Choose(k as u16));
                    }
                });
            }
            ui.separator();
            let none = ui.selectable_label(class == IGNORE, name(model, IGNORE));
            if none.on_hover_text("Training ignores these pixels").clicked() {
                ask(Request::Choose(IGNORE));
            }
        })
        .response
        .on_hover_text(
            "The class to paint; also chosen by a click in the Classes panel, the keys 1 to 9 for the \
             first classes of the model's table, or I for the class under the pointer",
        );
    new_class(ui, commands);
}

/// Draws the button that adds a class, whose name is typed in a menu.
fn new_class(ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let button = egui::Button::new(theme::icon(icons::ICON_ADD)).frame_when_inactive(false);
    // By default, a click on the field would close the menu.
    let config = MenuConfig::new().close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
    let menu = MenuButton::from_button(button).config(config);
    let (button, shown) = menu.ui(ui, |ui| {
        let id = ui.scope_id().with("name of the class");
        let mut text: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        let label = ui.label("Another class, for photos that need it");
        let field = ui.horizontal(|ui| {
            let field = egui::TextEdit::singleline(&mut text)
                .hint_text("Name")
                .desired_width(20.0 * GRID);
            let field = ui.add(field).labelled_by(label.id);
            let entered =
                field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let add = ui.add_enabled(!text.trim().is_empty(), egui::Button::new("Add"));
            if add.clicked() || entered {
                let request = Request::AddClass(std::mem::take(&mut text));
                commands.push(Command::Correct(request));
                ui.close();
            }
            field
        });
        ui.data_mut(|data| data.insert_temp(id, text));
        field.inner
    });
    if let Some(field) = shown.filter(|_| button.clicked()) {
        field.inner.request_focus();
    }
    let help = "Add a class. The model learns it when it is fine-tuned";
    theme::named(button, "Add a class", help);
}

fn swatch(ui: &mut egui::Ui, model: &OpenModel, class: u16) {
    let colour = model.colours.get(usize::from(class)).copied();
    theme::swatch(ui, colour.unwrap_or([128; 3]), 1.75 * GRID);
}

fn name(model: &OpenModel, class: u16) -> &str {
    let name = model.names.get(usize::from(class));
    name.map_or("no class", String::as_str)
}

fn history(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    for (action, icon) in [
        (Action::Undo, icons::ICON_UNDO),
        (Action::Redo, icons::ICON_REDO),
    ] {
        commands::button(app, ui, action, icon, commands);
    }
}

/// Draws the buttons for saving and fine-tuning, from right to left.
fn keep(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let tune = Action::Correct(Correction::FineTune);
    let text = if app.correct.fine_tuning.is_running() {
        "Fine-tuning"
    } else {
        "Fine-tune"
    };
    let button = egui::Button::new((theme::icon(icons::ICON_SCHOOL), text));
    let response = ui.add(button).on_hover_text(format!(
        "Train the open model on the corrected photos\n{}",
        help(ui.ctx(), tune)
    ));
    if response.clicked() {
        commands.push(tune.into());
    }
    let text = match folder_name(app) {
        Some(folder) => format!("Save the mask as labels into {folder}"),
        None => "Save the mask as labels into a folder to be chosen once".to_owned(),
    };
    let button = egui::Button::new((theme::icon(icons::ICON_SAVE), "Save"));
    let response = ui
        .add_enabled(app.correct.is_ready(), button)
        .on_hover_text(format!("{text}\n{}", help(ui.ctx(), requests::SAVE)));
    if response.clicked() {
        commands.push(requests::SAVE.into());
    }
}

/// Draws the status in the remaining space, and all of it under the pointer.
fn state(app: &AppState, ui: &mut egui::Ui) {
    let Some((short, whole)) = status(app) else {
        return;
    };
    let label = egui::Label::new(egui::RichText::new(short).weak())
        .truncate()
        .show_tooltip_when_elided(false);
    ui.add(label).on_hover_text(whole);
}

/// The status in a few words, and in full.
fn status(app: &AppState) -> Option<(&str, &str)> {
    let flow = app.flow.as_ref();
    if flow.is_none() && !app.busy() {
        // The canvas says why there is nothing to correct.
        return None;
    }
    let complete = flow.is_some_and(|flow| flow.settled.is_some());
    let too_large = flow.is_some_and(|flow| !requests::fits(flow));
    Some(match &app.correct.note {
        _ if too_large => (
            "Too large",
            "This photo is too large for this device to correct its mask",
        ),
        _ if !complete && app.busy() => (
            "Not ready",
            "The mask can be corrected once the flow is complete",
        ),
        _ if !complete => (
            "Not ready",
            "Sample the flow to its end (R) to correct its mask",
        ),
        _ if app.correct.preparing.is_some() => ("Preparing", "Preparing the mask"),
        _ if !app.correct.is_ready() && app.awaits_best_mask() => {
            ("Not ready", "The mask can be corrected once it is made")
        }
        Some(note) => (note.short, &note.whole),
        None if app.correct.is_unsaved() => (
            "Not saved",
            "The corrections of this mask are not saved as labels",
        ),
        None => return None,
    })
}

/// A button of the fine-tuning dialog.
pub(super) fn fine_tune_button(
    ui: &mut egui::Ui,
    text: &str,
    request: FineTuneRequest,
    commands: &mut Vec<Command>,
) {
    if ui.button(text).clicked() {
        commands.push(Command::Correct(Request::FineTune(request)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_beside_each_other_takes_another_row() {
        assert_eq!(rows([0.0; 2], 100.0), 1);
        let widths = [567.0, 165.0];
        assert_eq!(
            [944.0, 784.0, 584.0, 400.0].map(|room| rows(widths, room)),
            [1, 2, 2, 3]
        );
    }
}
