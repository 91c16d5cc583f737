//! The bar at the top, the status line at the bottom, and the list of keyboard shortcuts.

use super::app_state::AppState;
use super::commands::{self, Action, Command, Entry, Group, TABLE};
use super::photo_list::{Item, PhotoList, SAMPLES};
use super::platform;
use super::theme::{self, GRID, ICON};
use super::told_apart::model_names;
use crate::compare;
use crate::models;
use crate::texts::Language;
use eframe::egui;
use egui_material_icons::icons;

/// The menus of the top bar, where the platform offers anything of them.
const MENUS: [Group; 5] = [
    Group::File,
    Group::Edit,
    Group::Correct,
    Group::View,
    Group::Help,
];
/// The buttons beside them.
const BUTTONS: [Action; 5] = [
    Action::OpenPhotos,
    Action::OpenFolder,
    Action::Previous,
    Action::Next,
    Action::Export,
];
/// Space between the parts of the top bar, in points.
const GAP: f32 = GRID / 2.0;
/// Widths of the choice of the model, in points: usual, and the least in a narrow window.
const MODEL: f32 = 14.0 * GRID;
const LEAST_MODEL: f32 = 8.0 * GRID;

pub(super) fn top(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let room = Room::of(app, ui);
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        if room.heading {
            ui.heading("FlowSeg");
            ui.add_space(GRID);
        }
        if room.menus {
            for group in menus() {
                ui.menu_button(group.title(), |ui| menu(app, ui, group, commands));
            }
        } else {
            let button = egui::Button::new(theme::icon(icons::ICON_MENU));
            let all = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
                for group in menus() {
                    ui.menu_button(group.title(), |ui| menu(app, ui, group, commands));
                }
            });
            theme::named(all.0, "Menu", "Menu");
        }
        ui.separator();
        for action in BUTTONS {
            button(app, ui, action, commands);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            button(app, ui, Action::Help, commands);
            themes(ui);
            model(app, ui, room.model, commands);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                title(app, ui);
            });
        });
    });
}

fn menus() -> impl Iterator<Item = Group> {
    let offers = |group: &Group| {
        let mut entries = TABLE.iter().filter(|entry| entry.group == *group);
        entries.any(Entry::is_offered)
    };
    MENUS.into_iter().filter(offers)
}

/// What the top bar has room for.
struct Room {
    heading: bool,
    /// The menus beside each other instead of one that holds them.
    menus: bool,
    /// The width of the choice of the model in points, if it cannot have the one that it needs.
    model: Option<f32>,
}

impl Room {
    fn of(app: &AppState, ui: &egui::Ui) -> Self {
        let width = |text: &str, style: egui::TextStyle| {
            let font = style.resolve(ui.style());
            let galley = ui
                .painter()
                .layout_no_wrap(text.to_owned(), font, egui::Color32::WHITE);
            galley.size().x
        };
        let padding = 2.0 * ui.spacing().button_padding.x;
        let heading = width("FlowSeg", egui::TextStyle::Heading) + GAP + GRID;
        let menus: f32 = menus()
            .map(|group| width(group.title(), egui::TextStyle::Button) + padding + GAP)
            .sum();
        let icon = ICON + padding + GAP;
        let offered = |action: &&Action| commands::entry(**action).is_some_and(Entry::is_offered);
        // The keys and the theme are at the right.
        let icons = BUTTONS.iter().filter(offered).count() + 2;
        let line = 6.0 + GAP;
        let name = width(&shown_model(app), egui::TextStyle::Button);
        let arrow = ui.spacing().icon_width + ui.spacing().icon_spacing;
        let model = MODEL.max(name + arrow + padding);
        let fixed = icons as f32 * icon + line + GAP;
        let available = ui.available_width();
        let left = available - fixed - menus;
        if left >= model {
            return Self {
                heading: left >= model + heading,
                menus: true,
                model: None,
            };
        }
        let beside = left >= LEAST_MODEL;
        let left = if beside {
            left
        } else {
            available - fixed - icon
        };
        Self {
            heading: false,
            menus: beside,
            model: (left < model).then_some(left.max(LEAST_MODEL)),
        }
    }
}

fn button(app: &AppState, ui: &mut egui::Ui, action: Action, commands: &mut Vec<Command>) {
    if let Some(entry) = commands::entry(action).filter(|entry| entry.is_offered()) {
        commands::button(app, ui, action, entry.icon, commands);
    }
}

/// Draws the name of the photo, as far as there is room beside its place in the list.
fn title(app: &AppState, ui: &mut egui::Ui) {
    ui.add_space(GRID / 2.0);
    let name = app.photos.item().map(Item::name).unwrap_or_default();
    let (at, count) = app.photos.place();
    let place = match count {
        0 | 1 => String::new(),
        _ => format!("{} of {count}", at + 1),
    };
    let font = egui::TextStyle::Body.resolve(ui.style());
    let galley = ui
        .painter()
        .layout_no_wrap(place.clone(), font, egui::Color32::WHITE);
    let room = ui.available_width() - galley.size().x - 2.0 * ui.spacing().item_spacing.x;
    if room > 2.0 * GRID {
        ui.scope(|ui| {
            ui.set_max_width(room);
            let label = ui.add(egui::Label::new(egui::RichText::new(name).strong()).truncate());
            if let Some(path) = app.photos.file() {
                label.on_hover_text(path.display().to_string());
            }
        });
    }
    if room > 0.0 && !place.is_empty() {
        ui.weak(place);
    }
}

/// The name of the open model in the top bar.
fn shown_model(app: &AppState) -> String {
    let name = app.model.as_ref().map_or("no model", |model| &model.name);
    compare::model_name(name)
}

/// Draws the choice of the model, in a width in points if its usual one does not fit.
fn model(app: &AppState, ui: &mut egui::Ui, width: Option<f32>, commands: &mut Vec<Command>) {
    let choice = egui::ComboBox::from_id_salt("model").selected_text(shown_model(app));
    let response = match width {
        None => models_of(app, ui, choice.width(MODEL), commands),
        Some(width) => {
            let size = egui::vec2(width, ui.available_height());
            let narrow = choice.width(width).truncate();
            let layout = *ui.layout();
            ui.allocate_ui_with_layout(size, layout, |ui| models_of(app, ui, narrow, commands))
                .inner
        }
    };
    response.on_hover_text("The model");
}

/// Draws the choice of the model with its entries.
fn models_of(
    app: &AppState,
    ui: &mut egui::Ui,
    choice: egui::ComboBox,
    commands: &mut Vec<Command>,
) -> egui::Response {
    let name = app.model.as_ref().map_or("no model", |model| &model.name);
    let entries = |ui: &mut egui::Ui| {
        for known in models::NAMES {
            if ui.selectable_label(known == name, known).clicked() {
                let number = app.opener.number();
                commands.push(Command::ChooseModel(known.to_owned(), number));
            }
        }
        let recent = &app.settings.recent_models;
        for (path, told) in recent.iter().zip(model_names(recent)) {
            let full = path.to_string_lossy();
            let on = app.model.as_ref().is_some_and(|model| model.is_at(path));
            let label = ui.selectable_label(on, told);
            if label.on_hover_text(full.clone()).clicked() {
                let number = app.opener.number();
                commands.push(Command::ChooseModel(full.into_owned(), number));
            }
        }
    };
    choice.show_ui(ui, entries).response
}

fn themes(ui: &mut egui::Ui) {
    use egui::ThemePreference::{Dark, Light, System};
    let chosen = ui.ctx().options(|options| options.theme_preference);
    let choices = [
        (System, icons::ICON_BRIGHTNESS_AUTO, "Theme of the desktop"),
        (Light, icons::ICON_LIGHT_MODE, "Light theme"),
        (Dark, icons::ICON_DARK_MODE, "Dark theme"),
    ];
    let at = choices.iter().position(|(theme, ..)| *theme == chosen);
    let (_, icon, name) = choices[at.unwrap_or(0)];
    if theme::icon_button(ui, icon, &format!("{name}; click for the next")).clicked() {
        let next = choices[(at.unwrap_or(0) + 1) % choices.len()].0;
        ui.ctx().set_theme(next);
    }
}

fn menu(app: &AppState, ui: &mut egui::Ui, group: Group, commands: &mut Vec<Command>) {
    ui.set_min_width(30.0 * GRID);
    for entry in TABLE
        .iter()
        .filter(|entry| entry.group == group && entry.is_offered())
    {
        let keys = commands::keys_now(app, ui.ctx(), entry);
        let enabled = commands::is_enabled(app, entry.action);
        let label = (theme::icon(entry.icon), entry.name);
        let on = commands::is_on(app, entry.action);
        let mut keys = egui::RichText::new(keys);
        if on == Some(true) {
            // Weak text is hardly seen on the fill of what is on.
            keys = keys.color(ui.visuals().selection.stroke.color);
        }
        let mut button = egui::Button::new(label).shortcut_text(keys);
        if let Some(on) = on {
            button = button.selected(on);
        }
        if ui.add_enabled(enabled, button).clicked() {
            commands.push(entry.action.into());
            ui.close();
        }
    }
    if group == Group::File {
        ui.separator();
        files(app, ui, commands);
    }
    if group == Group::View {
        ui.separator();
        languages(app, ui, commands);
    }
}

/// Draws the choice of the language, each in its own words.
fn languages(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let menu = ui.menu_button((theme::icon(icons::ICON_TRANSLATE), "Language"), |ui| {
        for language in Language::ALL {
            let chosen = app.settings.language == language;
            if theme::radio(ui, chosen, language.name()).clicked() {
                commands.push(Command::SetLanguage(language));
                ui.close();
            }
        }
    });
    menu.response.on_hover_text(
        "Language of the lessons, the race and the Network panel; everything else is in English",
    );
}

fn files(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.menu_button((theme::icon(icons::ICON_PHOTO_LIBRARY), "Samples"), |ui| {
        for (i, (name, _)) in SAMPLES.iter().enumerate() {
            if ui.button(*name).clicked() {
                let number = app.opener.number();
                commands.push(Command::ShowPhotos(PhotoList::samples(i), number));
                ui.close();
            }
        }
    });
    if !platform::DESKTOP {
        return;
    }
    ui.menu_button((theme::icon(icons::ICON_HISTORY), "Recent"), |ui| {
        if app.settings.recent.is_empty() {
            ui.weak("nothing opened yet");
        }
        for path in &app.settings.recent {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let button = ui.button(name).on_hover_text(path.display().to_string());
            if button.clicked() {
                commands.push(Command::OpenPaths(vec![path.clone()]));
                ui.close();
            }
        }
    });
}

pub(super) fn status(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        // The problems keep their room; what is at the left is cut where it does not fit.
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            app.errors.button(ui, commands);
            if let Some(flow) = &app.flow {
                let held = flow.resident() * flow.bytes_of_state();
                let text = format!("{:.1} MB of states", held as f64 / 1e6);
                ui.small(text).on_hover_text(format!(
                    "Graphics memory used by the states of this flow; beyond {} MiB the least \
                     recently shown ones stay in main memory",
                    super::flow::BUDGET >> 20
                ));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                about(app, ui);
            });
        });
    });
}

/// Draws what the window waits for, the state of hidden corrections, the names of the devices and what the model was
/// trained on.
fn about(app: &AppState, ui: &mut egui::Ui) {
    let waits = app.exports.waits().then_some((
        "Closes after the export",
        "The window closes once everything is written. To keep it open, cancel the export, or close the window again \
         and choose Cancel",
    ));
    for (short, whole) in waits.into_iter().chain(app.correct.status()) {
        let text = egui::RichText::new(short).small().strong();
        ui.add(egui::Label::new(text)).on_hover_text(whole);
        ui.separator();
    }
    let devices = &app.devices;
    let small = |ui: &mut egui::Ui, text: String| {
        ui.add(egui::Label::new(egui::RichText::new(text).small()).truncate())
    };
    let computes = small(ui, format!("Compute: {}", devices.compute));
    if let Some(note) = &devices.note {
        computes.on_hover_text(note);
    }
    ui.separator();
    let software = if devices.software {
        ", a software adapter"
    } else {
        ""
    };
    small(ui, format!("Graphics: {}{software}", devices.adapter));
    ui.separator();
    if let Some(model) = &app.model {
        let card = &model.card;
        let score = card.score.as_ref().map_or(String::new(), |score| {
            format!(", mIoU {:.1}", 100.0 * score.miou)
        });
        let classes = card.classes.len();
        small(ui, format!("{}, {classes} classes{score}", card.dataset));
    }
}

/// Draws the list of keyboard shortcuts.
pub(super) fn help(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    let mut open = app.dialogs.help;
    let room = context.content_rect().size() - egui::vec2(4.0, 10.0) * GRID;
    // The bar of the title takes all the width that the window may have: no more than the keys need, which is
    // known once they have been drawn.
    let needed = egui::Id::unique("width of the keyboard shortcuts");
    let known = context.data(|data| data.get_temp::<f32>(needed));
    let width = known.unwrap_or(room.x).min(room.x);
    egui::Window::new("Keyboard shortcuts")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .default_size(room)
        // A scrolled area takes what the window has, and so cannot widen it.
        .min_width(width)
        .max_width(width)
        .show(context, |ui| {
            let scroll = egui::ScrollArea::both()
                .max_width(room.x)
                .max_height(room.y);
            let drawn = scroll.show(ui, columns_of_keys).content_size.x;
            let drawn = drawn + ui.spacing().window_margin.sum().x + GRID;
            // Less than a point may come of rounding, and would be drawn again and again.
            if known.is_none_or(|known| (known - drawn).abs() > 0.5) {
                context.data_mut(|data| data.insert_temp(needed, drawn));
                context.request_repaint();
            }
        });
    if open != app.dialogs.help {
        commands.push(Action::Help.into());
    }
}

fn columns_of_keys(ui: &mut egui::Ui) {
    // Columns are as wide as their text; the window scrolls where they do not fit.
    ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0 * GRID;
        use Section::{Field, Mouse, Of};
        for sections in [
            &[Of(Group::File), Of(Group::Edit), Of(Group::Help)][..],
            &[Of(Group::Flow), Mouse],
            &[Of(Group::Correct), Field],
            &[Of(Group::View)],
        ] {
            ui.vertical(|ui| {
                for section in sections {
                    if platform::DESKTOP || *section != Of(Group::Correct) {
                        keys(ui, *section);
                        ui.add_space(GRID);
                    }
                }
            });
        }
    });
}

/// A page makes no masks of a list.
const CLASS_PHOTOS: &str = "Photos with a class";

const MOUSE: [(&str, &str); 9] = [
    ("Pan", "drag"),
    ("Zoom", "wheel or pinch"),
    ("Fit to view", "double-click"),
    ("Pin a pixel", "click"),
    ("Brush a region", "Shift-drag"),
    ("Clear the brush", "Escape"),
    ("Hide a class", "click in the list"),
    ("Show a class alone", "double-click in the list"),
    (CLASS_PHOTOS, "right-click in the list"),
];

/// The mouse in the Field panel.
const IN_FIELD: [(&str, &str); 7] = [
    ("Turn", "drag"),
    ("Pan", "right-drag"),
    ("Zoom", "wheel or pinch"),
    ("Reset the view", "double-click"),
    ("Choose the target", "click a centroid"),
    ("Pick a point of the slice", "click the slice"),
    ("Brush a region", "Shift-drag"),
];

/// Input while a mask is corrected, in addition to the keys of the table.
const CORRECTING: [(&str, &str); 3] = [
    ("Class of the table", "1 to 9"),
    ("Paint", "drag"),
    ("Pan", "right-drag"),
];

/// A section of the list of keyboard shortcuts.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    Of(Group),
    /// The mouse over the photo and the list of classes.
    Mouse,
    /// The mouse in the Field panel.
    Field,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Of(group) => group.title(),
            Self::Mouse => "Mouse",
            Self::Field => "Field",
        }
    }

    /// Input that is not in the table.
    fn further(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Mouse => &MOUSE,
            Self::Field => &IN_FIELD,
            Self::Of(Group::Correct) => &CORRECTING,
            Self::Of(_) => &[],
        }
    }
}

fn keys(ui: &mut egui::Ui, section: Section) {
    theme::section(ui, section.title());
    let context = ui.ctx().clone();
    let of_table = TABLE
        .iter()
        .filter(|entry| section == Section::Of(entry.group) && entry.is_offered())
        .filter(|entry| !entry.keys.is_empty())
        .map(|entry| {
            let keys = entry.keys.iter().map(|keys| commands::text(&context, keys));
            (entry.name, keys.collect::<Vec<_>>().join(", "))
        });
    let further = section.further().iter();
    let further = further
        .filter(|(name, _)| platform::DESKTOP || *name != CLASS_PHOTOS)
        .map(|(name, how)| (*name, (*how).to_owned()));
    egui::Grid::new(section.title())
        .num_columns(2)
        .spacing([2.0 * GRID, 0.0])
        .show(ui, |ui| {
            for (name, keys) in of_table.chain(further) {
                ui.label(name);
                ui.monospace(keys);
                ui.end_row();
            }
        });
}
