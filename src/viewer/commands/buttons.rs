//! Buttons and menu entries that start actions.

use super::Command;
use super::enabled::{is_enabled, is_on};
use super::table::{Action, Entry, entry, live_keys, text};
use crate::viewer::app_state::AppState;
use crate::viewer::theme;
use eframe::egui;
use egui_material_icons::MaterialIcon;

/// The keys that start an entry's action now, for menus; empty if none do.
pub(crate) fn keys_now(app: &AppState, context: &egui::Context, entry: &Entry) -> String {
    let keys = live_keys(entry, app.correct.on);
    keys.map_or_else(String::new, |keys| text(context, keys))
}

/// The name of an action, with the keys that start it now in brackets.
pub(crate) fn tooltip(app: &AppState, context: &egui::Context, action: Action) -> String {
    let Some(entry) = entry(action) else {
        return String::new();
    };
    let keys = keys_now(app, context, entry);
    if keys.is_empty() {
        entry.name.to_owned()
    } else {
        format!("{} ({keys})", entry.name)
    }
}

/// An icon button for an action, whose tooltip is the action's name with its keys. It is disabled while
/// the action has no effect.
pub(crate) fn button(
    app: &AppState,
    ui: &mut egui::Ui,
    action: Action,
    icon: MaterialIcon,
    commands: &mut Vec<Command>,
) {
    let help = tooltip(app, ui.ctx(), action);
    let enabled = is_enabled(app, action);
    if theme::icon_button_if(ui, enabled, icon, &help).clicked() {
        commands.push(action.into());
    }
}

/// A button that switches an action on or off, disabled while it has no effect; none where the platform
/// lacks what it needs.
pub(crate) fn toggle(
    app: &AppState,
    ui: &mut egui::Ui,
    action: Action,
    icon: MaterialIcon,
    commands: &mut Vec<Command>,
) {
    if entry(action).is_some_and(|entry| !entry.is_offered()) {
        return;
    }
    let help = tooltip(app, ui.ctx(), action);
    let [enabled, on] = [is_enabled(app, action), is_on(app, action) == Some(true)];
    if theme::icon_toggle_if(ui, enabled, on, icon, &help).clicked() {
        commands.push(action.into());
    }
}
