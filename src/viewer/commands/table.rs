//! Everything that can be done from the keyboard, the menus and the toolbar: one table.

use crate::gpu::canvas::Layer;
use crate::viewer::view::Arrangement;
use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};
use egui_material_icons::{MaterialIcon, icons};

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Choose photos.
    OpenPhotos,
    /// Choose a folder of photos.
    OpenFolder,
    /// Choose a model file.
    OpenModel,
    /// Choose training runs.
    OpenRun,
    /// Take the picture of the clipboard.
    Paste,
    /// The next photo of the folder.
    Next,
    /// The photo before.
    Previous,
    /// Write results.
    Export,
    /// Close the window.
    Quit,
    /// Play or pause.
    Play,
    /// Play again and again.
    Loop,
    /// One state on.
    StepForward,
    /// One state back.
    StepBack,
    /// The source.
    First,
    /// The last state.
    Last,
    /// Sample again.
    Rerun,
    /// Stop sampling.
    Cancel,
    /// Show a layer in the active pane.
    Show(Layer),
    /// Arrange the panes.
    Arrange(Arrangement),
    /// Show the whole photo.
    Fit,
    /// A screen pixel a photo pixel.
    ActualSize,
    /// Closer.
    ZoomIn,
    /// Further.
    ZoomOut,
    /// Outlines at the photo's resolution or the network's.
    Fine,
    /// A class's own colour or its data set's.
    Colours,
    /// Take back the last change of pins, hidden classes and brushed pixels.
    Undo,
    /// Do it again.
    Redo,
    /// Show all classes.
    ShowAll,
    /// Remove all pins.
    ClearPins,
    /// Let a drag over the photo brush a region.
    Brush,
    /// Clear the brush.
    ClearBrush,
    /// Every panel where it was at first.
    ResetPanels,
    /// Larger controls and text.
    LargerText,
    /// Smaller controls and text.
    SmallerText,
    /// The list of keys.
    Help,
}

/// A line of the table.
pub struct Entry {
    /// What it does.
    pub command: Command,
    /// What it is called.
    pub name: &'static str,
    /// Its keys; the first is shown.
    pub keys: &'static [KeyboardShortcut],
    /// Its icon, for menus and the toolbar.
    pub icon: MaterialIcon,
    /// The group it stands in.
    pub group: &'static str,
}

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

macro_rules! table {
    ($($group:literal { $($command:expr, $name:literal, [$($keys:expr),*], $icon:ident;)* })*) => {
        &[$($(Entry {
            command: $command,
            name: $name,
            keys: &[$($keys),*],
            icon: icons::$icon,
            group: $group,
        },)*)*]
    };
}

/// All commands. Longer key combinations stand before their shorter ones.
pub const TABLE: &[Entry] = table! {
    "File" {
        Command::OpenFolder, "Open folder", [ctrl_shift(Key::O)], ICON_FOLDER_OPEN;
        Command::OpenPhotos, "Open photos", [ctrl(Key::O)], ICON_IMAGE;
        Command::OpenModel, "Open model", [ctrl(Key::M)], ICON_NETWORK_NODE;
        Command::OpenRun, "Open training run", [ctrl(Key::T)], ICON_MONITORING;
        Command::Paste, "Paste picture", [ctrl(Key::V)], ICON_CONTENT_PASTE;
        Command::Next, "Next photo", [key(Key::PageDown), key(Key::N)], ICON_CHEVRON_RIGHT;
        Command::Previous, "Previous photo", [key(Key::PageUp), key(Key::P)], ICON_CHEVRON_LEFT;
        Command::Export, "Export", [ctrl(Key::E)], ICON_DOWNLOAD;
        Command::Quit, "Quit", [ctrl(Key::Q)], ICON_LOGOUT;
    }
    "Flow" {
        Command::Play, "Play or pause", [key(Key::Space)], ICON_PLAY_ARROW;
        Command::StepBack, "Step back", [key(Key::ArrowLeft)], ICON_SKIP_PREVIOUS;
        Command::StepForward, "Step forward", [key(Key::ArrowRight)], ICON_SKIP_NEXT;
        Command::First, "First state", [key(Key::Home)], ICON_FIRST_PAGE;
        Command::Last, "Last state", [key(Key::End)], ICON_LAST_PAGE;
        Command::Loop, "Loop", [key(Key::L)], ICON_REPEAT;
        Command::Rerun, "Sample again", [key(Key::R)], ICON_REFRESH;
        Command::Cancel, "Stop sampling", [key(Key::Escape)], ICON_CLOSE;
    }
    "View" {
        Command::Show(Layer::Photo), "Photo", [key(Key::Num1)], ICON_IMAGE;
        Command::Show(Layer::Raw), "Raw state", [key(Key::Num2)], ICON_BLUR_ON;
        Command::Show(Layer::Map), "Class map", [key(Key::Num3)], ICON_MAP;
        Command::Show(Layer::Overlay), "Overlay", [key(Key::Num4)], ICON_LAYERS;
        Command::Show(Layer::Truth), "Ground truth", [key(Key::Num5)], ICON_CHECK;
        Command::Show(Layer::Error), "Error", [key(Key::Num6)], ICON_DIFFERENCE;
        Command::Arrange(Arrangement::Single), "One view", [key(Key::F1)], ICON_CROP_SQUARE;
        Command::Arrange(Arrangement::SideBySide), "Two views", [key(Key::F2)], ICON_SPLITSCREEN_RIGHT;
        Command::Arrange(Arrangement::Swipe), "Swipe divider", [key(Key::F3)], ICON_COMPARE;
        Command::Arrange(Arrangement::Grid), "Four views", [key(Key::F4)], ICON_GRID_VIEW;
        Command::Fit, "Fit to view", [key(Key::F)], ICON_FIT_SCREEN;
        Command::ActualSize, "Actual pixels", [key(Key::O)], ICON_ASPECT_RATIO;
        Command::ZoomIn, "Zoom in", [key(Key::Plus), key(Key::Equals)], ICON_ZOOM_IN;
        Command::ZoomOut, "Zoom out", [key(Key::Minus)], ICON_ZOOM_OUT;
        Command::Fine, "Fine outlines", [key(Key::G)], ICON_GRAIN;
        Command::Colours, "Data set's colours", [key(Key::C)], ICON_PALETTE;
        Command::LargerText, "Larger controls", [ctrl(Key::Plus), ctrl(Key::Equals)], ICON_TEXT_INCREASE;
        Command::SmallerText, "Smaller controls", [ctrl(Key::Minus)], ICON_TEXT_DECREASE;
        Command::ResetPanels, "Reset panels", [], ICON_DASHBOARD;
    }
    "Edit" {
        Command::Redo, "Redo", [ctrl_shift(Key::Z), ctrl(Key::Y)], ICON_REDO;
        Command::Undo, "Undo", [ctrl(Key::Z)], ICON_UNDO;
        Command::ShowAll, "Show all classes", [key(Key::A)], ICON_VISIBILITY;
        Command::ClearPins, "Remove pins", [key(Key::Delete)], ICON_KEEP_OFF;
        Command::Brush, "Brush a region", [key(Key::B)], ICON_SELECT;
        Command::ClearBrush, "Clear the brush", [], ICON_DESELECT;
    }
    "Help" {
        Command::Help, "Keyboard shortcuts", [key(Key::Questionmark)], ICON_KEYBOARD;
    }
};

/// A command's line of the table.
pub fn entry(command: Command) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.command == command)
}

/// Keys as they are printed on a keyboard.
pub fn text(context: &egui::Context, keys: &KeyboardShortcut) -> String {
    let key = keys.logical_key;
    let symbol = match key {
        Key::Questionmark | Key::Plus | Key::Minus | Key::Equals => key.symbol_or_name(),
        _ => key.name(),
    };
    context.format_shortcut(keys).replace(key.name(), symbol)
}

/// A command's name and, in brackets, its keys.
pub fn help(context: &egui::Context, command: Command) -> String {
    let Some(entry) = entry(command) else {
        return String::new();
    };
    match entry.keys.first() {
        Some(keys) => format!("{} ({})", entry.name, text(context, keys)),
        None => entry.name.to_owned(),
    }
}

/// The commands whose keys were pressed in this frame, unless somebody is typing.
pub fn pressed(context: &egui::Context) -> Vec<Command> {
    if context.egui_wants_keyboard_input() {
        return Vec::new();
    }
    context.input_mut(|input| {
        TABLE
            .iter()
            .filter(|entry| entry.keys.iter().any(|keys| consume(input, keys)))
            .map(|entry| entry.command)
            .collect()
    })
}

/// Bare keys are taken with and without shift: `?` and `+` need it on some keyboards.
fn consume(input: &mut egui::InputState, keys: &KeyboardShortcut) -> bool {
    let bare = keys.modifiers == Modifiers::NONE;
    if bare && (input.modifiers.command || input.modifiers.alt) {
        return false;
    }
    if !bare {
        return input.consume_shortcut(keys);
    }
    let before = input.events.len();
    input.events.retain(|event| {
        !matches!(event, egui::Event::Key { key, pressed: true, .. } if *key == keys.logical_key)
    });
    input.events.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key() {
        let mut all: Vec<(&KeyboardShortcut, &str)> = TABLE
            .iter()
            .flat_map(|entry| entry.keys.iter().map(|keys| (keys, entry.name)))
            .collect();
        while let Some((keys, name)) = all.pop() {
            if let Some((_, other)) = all.iter().find(|(k, _)| *k == keys) {
                panic!("{keys:?} is both {name} and {other}");
            }
        }
    }
}
