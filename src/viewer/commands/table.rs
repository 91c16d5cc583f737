//! The table of all actions of the keyboard, the menus and the toolbar.

use super::group::Group;
use crate::gpu::canvas::Layer;
use crate::viewer::correct::{Correction, Tool};
use crate::viewer::platform;
use crate::viewer::view::Arrangement;
use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};
use egui_material_icons::{MaterialIcon, icons};

/// A command with a name, an icon and optionally keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    OpenPhotos,
    OpenFolder,
    OpenModel,
    OpenRun,
    /// Shows the picture on the clipboard.
    Paste,
    /// Shows the next photo of the list.
    Next,
    Previous,
    Export,
    Quit,
    Play,
    /// Switches playing in a loop on or off.
    Loop,
    StepForward,
    StepBack,
    /// Goes to the source of the flow.
    First,
    Last,
    Rerun,
    /// Closes dialogs; otherwise ends correcting, stops sampling, clears the brush or deselects it.
    Cancel,
    /// Shows a layer in the active pane.
    Show(Layer),
    Arrange(Arrangement),
    /// Starts or stops comparing the result with another.
    Compare,
    /// Fits the whole photo into the view.
    Fit,
    /// One screen pixel per photo pixel.
    ActualSize,
    ZoomIn,
    ZoomOut,
    /// Switches between outlines at the resolution of the photo and of the network.
    Fine,
    /// Switches between the colours of the centroids and of the data set.
    Colours,
    /// Undoes the last change of pins, hidden classes and brushed pixels.
    Undo,
    Redo,
    ShowAll,
    ClearPins,
    /// Lets a drag over the photo brush a region without Shift.
    Brush,
    ClearBrush,
    /// Starts or stops correcting the mask with the mouse.
    CorrectMask,
    Correct(Correction),
    /// Moves all panels back to their original places.
    ResetPanels,
    /// Fills the screen with the window, or gives it back.
    FullScreen,
    LargerText,
    SmallerText,
    /// Begins the lessons, or leaves them.
    Lessons,
    NextLesson,
    PreviousLesson,
    Help,
    /// Describes the devices and the system.
    Devices,
}

/// A row of the table.
pub(crate) struct Entry {
    pub action: Action,
    pub name: &'static str,
    /// Its shortcuts; menus and tooltips show the first.
    pub keys: &'static [KeyboardShortcut],
    pub icon: MaterialIcon,
    pub group: Group,
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
    ($($group:ident { $($action:expr, $name:literal, [$($keys:expr),*], $icon:ident;)* })*) => {
        &[$($(Entry {
            action: $action,
            name: $name,
            keys: &[$($keys),*],
            icon: icons::$icon,
            group: Group::$group,
        },)*)*]
    };
}

/// All actions, in the order of the menus.
pub(crate) const TABLE: &[Entry] = table! {
    File {
        Action::OpenFolder, "Open folder", [ctrl_shift(Key::O)], ICON_FOLDER_OPEN;
        Action::OpenPhotos, "Open photos", [ctrl(Key::O)], ICON_IMAGE;
        Action::OpenModel, "Open model", [ctrl(Key::M)], ICON_NETWORK_NODE;
        Action::OpenRun, "Open training run", [ctrl(Key::T)], ICON_MONITORING;
        Action::Paste, "Paste picture", [ctrl(Key::V)], ICON_CONTENT_PASTE;
        Action::Next, "Next photo", [key(Key::PageDown), key(Key::N)], ICON_CHEVRON_RIGHT;
        Action::Previous, "Previous photo", [key(Key::PageUp), key(Key::P)], ICON_CHEVRON_LEFT;
        Action::Export, "Export", [ctrl(Key::E)], ICON_DOWNLOAD;
        Action::Quit, "Quit", [ctrl(Key::Q)], ICON_LOGOUT;
    }
    Flow {
        Action::Play, "Play or pause", [key(Key::Space)], ICON_PLAY_ARROW;
        Action::StepBack, "Step back", [key(Key::ArrowLeft)], ICON_SKIP_PREVIOUS;
        Action::StepForward, "Step forward", [key(Key::ArrowRight)], ICON_SKIP_NEXT;
        Action::First, "First state", [key(Key::Home)], ICON_FIRST_PAGE;
        Action::Last, "Last state", [key(Key::End)], ICON_LAST_PAGE;
        Action::Loop, "Loop", [key(Key::L)], ICON_REPEAT;
        Action::Rerun, "Sample again", [key(Key::R)], ICON_REFRESH;
        Action::Cancel, "Stop sampling", [key(Key::Escape)], ICON_CLOSE;
    }
    View {
        Action::Show(Layer::Photo), "Photo", [key(Key::Num1)], ICON_IMAGE;
        Action::Show(Layer::Raw), "State", [key(Key::Num2)], ICON_BLUR_ON;
        Action::Show(Layer::Map), "Mask", [key(Key::Num3)], ICON_MAP;
        Action::Show(Layer::Overlay), "Overlay", [key(Key::Num4)], ICON_LAYERS;
        Action::Show(Layer::Truth), "Ground truth", [key(Key::Num5)], ICON_CHECK;
        Action::Show(Layer::Error), "Error", [key(Key::Num6)], ICON_DIFFERENCE;
        Action::Show(Layer::Probability), "Probability", [key(Key::Num7)], ICON_PERCENT;
        Action::Show(Layer::Margin), "Margin", [key(Key::Num8)], ICON_DENSITY_SMALL;
        Action::Show(Layer::Entropy), "Entropy", [key(Key::Num9)], ICON_GRAIN;
        Action::Show(Layer::Second), "Second result", [key(Key::Num0)], ICON_FILTER_2;
        Action::Show(Layer::Disagreement), "Disagreement", [key(Key::D)], ICON_DIFFERENCE;
        Action::Compare, "Compare with a second result", [key(Key::K)], ICON_COMPARE_ARROWS;
        Action::Arrange(Arrangement::Single), "One view", [key(Key::F1)], ICON_CROP_SQUARE;
        Action::Arrange(Arrangement::SideBySide), "Two views", [key(Key::F2)], ICON_SPLITSCREEN_RIGHT;
        Action::Arrange(Arrangement::Swipe), "Two views with a divider", [key(Key::F3)], ICON_COMPARE;
        Action::Arrange(Arrangement::Grid), "Four views", [key(Key::F4)], ICON_GRID_VIEW;
        Action::Fit, "Fit to view", [key(Key::F)], ICON_FIT_SCREEN;
        Action::ActualSize, "Actual pixels", [key(Key::O)], ICON_ASPECT_RATIO;
        Action::ZoomIn, "Zoom in", [key(Key::Plus), key(Key::Equals)], ICON_ZOOM_IN;
        Action::ZoomOut, "Zoom out", [key(Key::Minus)], ICON_ZOOM_OUT;
        Action::Fine, "Fine outlines", [key(Key::G)], ICON_GRAIN;
        Action::Colours, "Data set's colours", [key(Key::C)], ICON_PALETTE;
        Action::LargerText, "Larger controls", [ctrl(Key::Plus), ctrl(Key::Equals)], ICON_TEXT_INCREASE;
        Action::SmallerText, "Smaller controls", [ctrl(Key::Minus)], ICON_TEXT_DECREASE;
        Action::ResetPanels, "Reset panels", [], ICON_DASHBOARD;
        Action::FullScreen, "Full screen", [key(Key::F11)], ICON_FULLSCREEN;
    }
    Edit {
        Action::Undo, "Undo", [ctrl(Key::Z)], ICON_UNDO;
        Action::Redo, "Redo", [ctrl_shift(Key::Z), ctrl(Key::Y)], ICON_REDO;
        Action::ShowAll, "Show all classes", [key(Key::A)], ICON_VISIBILITY;
        Action::ClearPins, "Remove pins", [key(Key::Delete)], ICON_KEEP_OFF;
        Action::Brush, "Brush a region", [key(Key::B)], ICON_SELECT;
        Action::ClearBrush, "Clear the brush", [], ICON_DESELECT;
    }
    Correct {
        Action::CorrectMask, "Correct the mask", [key(Key::M)], ICON_EDIT;
        Action::Correct(Correction::Tool(Tool::Brush)), "Brush", [key(Key::B)], ICON_BRUSH;
        Action::Correct(Correction::Tool(Tool::Eraser)), "Eraser", [key(Key::E)], ICON_INK_ERASER;
        Action::Correct(Correction::Tool(Tool::Fill)), "Fill a region", [key(Key::F)], ICON_FORMAT_COLOR_FILL;
        Action::Correct(Correction::Snap), "Snap to the network's outline", [key(Key::S)], ICON_TIMELINE;
        Action::Correct(Correction::Pick), "Class under the pointer", [key(Key::I)], ICON_COLORIZE;
        Action::Correct(Correction::Smaller), "Smaller brush", [key(Key::OpenBracket)], ICON_REMOVE;
        Action::Correct(Correction::Larger), "Larger brush", [key(Key::CloseBracket)], ICON_ADD;
        Action::Correct(Correction::Save), "Save labels", [ctrl(Key::S)], ICON_SAVE;
        Action::Correct(Correction::ChooseFolder), "Folder for corrected photos", [], ICON_FOLDER_SPECIAL;
        Action::Correct(Correction::FineTune), "Fine-tune on my corrections", [ctrl_shift(Key::F)], ICON_SCHOOL;
    }
    Help {
        Action::Lessons, "Lessons", [key(Key::F6)], ICON_SCHOOL;
        Action::NextLesson, "Next lesson", [ctrl(Key::ArrowRight)], ICON_CHEVRON_RIGHT;
        Action::PreviousLesson, "Previous lesson", [ctrl(Key::ArrowLeft)], ICON_CHEVRON_LEFT;
        Action::Help, "Keyboard shortcuts", [key(Key::Questionmark)], ICON_KEYBOARD;
        Action::Devices, "Devices and system", [], ICON_MEMORY;
    }
};

impl Entry {
    /// Whether the platform has what the action needs.
    pub(crate) fn is_offered(&self) -> bool {
        platform::DESKTOP
            || !matches!(
                self.action,
                Action::OpenFolder
                    | Action::OpenRun
                    | Action::Paste
                    | Action::Quit
                    | Action::FullScreen
                    | Action::CorrectMask
                    | Action::Correct(_)
            )
    }

    /// Whether its keys work only while a mask is corrected. They then take precedence over equal keys.
    fn while_correcting(&self) -> bool {
        matches!(self.action, Action::Correct(_)) && self.keys.iter().all(|k| k.modifiers.is_none())
    }
}

/// The first of an entry's keys that starts its action now. While a mask is corrected, the keys for that
/// mean something else.
pub(super) fn live_keys(entry: &Entry, correcting: bool) -> Option<&'static KeyboardShortcut> {
    let of_correcting = |keys: &KeyboardShortcut| {
        let mut entries = TABLE.iter().filter(|entry| entry.while_correcting());
        NUMBERS.contains(keys) || entries.any(|entry| entry.keys.contains(keys))
    };
    let free =
        |keys: &&KeyboardShortcut| !correcting || entry.while_correcting() || !of_correcting(keys);
    entry.keys.iter().find(free)
}

pub(crate) fn entry(action: Action) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.action == action)
}

/// Keys as printed on a keyboard.
pub(crate) fn text(context: &egui::Context, keys: &KeyboardShortcut) -> String {
    let key = keys.logical_key;
    let symbol = match key {
        Key::Questionmark
        | Key::Plus
        | Key::Minus
        | Key::Equals
        | Key::OpenBracket
        | Key::CloseBracket => key.symbol_or_name(),
        _ => key.name(),
    };
    context.format_shortcut(keys).replace(key.name(), symbol)
}

/// The first shortcut of an action, as [`text`] formats it; empty without any.
pub(crate) fn keys_of(context: &egui::Context, action: Action) -> String {
    let keys = entry(action).and_then(|entry| entry.keys.first());
    keys.map_or_else(String::new, |keys| text(context, keys))
}

/// The name of an action, with its keys in brackets.
pub(crate) fn help(context: &egui::Context, action: Action) -> String {
    let Some(entry) = entry(action) else {
        return String::new();
    };
    match entry.keys.first() {
        Some(keys) => format!("{} ({})", entry.name, text(context, keys)),
        None => entry.name.to_owned(),
    }
}

/// The keys that choose classes while a mask is corrected, in their order.
const NUMBERS: [KeyboardShortcut; 9] = [
    key(Key::Num1),
    key(Key::Num2),
    key(Key::Num3),
    key(Key::Num4),
    key(Key::Num5),
    key(Key::Num6),
    key(Key::Num7),
    key(Key::Num8),
    key(Key::Num9),
];

/// Whether keys are for the window: not while a text field has the focus or a menu is open, which closes by Escape
/// and may hold choices with keys of their own.
fn takes_keys(context: &egui::Context) -> bool {
    !context.text_edit_focused() && !egui::Popup::is_any_open(context)
}

/// The numbers from 1 to 9 whose keys were pressed in this frame, in the order of the presses, where keys
/// are for the window.
pub(crate) fn pressed_numbers(context: &egui::Context) -> Vec<usize> {
    if !takes_keys(context) {
        return Vec::new();
    }
    let numbers = NUMBERS.iter().zip(1..).collect::<Vec<_>>();
    context.input_mut(|input| consume(&mut input.events, &numbers))
}

/// The actions whose keys were pressed in this frame, in the order of the presses, where keys are for the
/// window. While a mask is corrected, the keys for that take precedence. A button or slider that
/// has the focus keeps its own keys.
pub(crate) fn pressed(context: &egui::Context, correcting: bool) -> Vec<Action> {
    if !takes_keys(context) {
        return Vec::new();
    }
    let is_focused = context.memory(|memory| memory.focused().is_some());
    let of_correcting = TABLE.iter().filter(|entry| entry.while_correcting());
    let others = TABLE.iter().filter(|entry| !entry.while_correcting());
    let entries = of_correcting.filter(|_| correcting).chain(others);
    // Keys without Shift are also found where they were pressed with it, so those with it come first.
    let (mut keys, without): (Vec<_>, Vec<_>) = entries
        .filter(|entry| entry.is_offered())
        .flat_map(|entry| entry.keys.iter().map(move |keys| (keys, entry.action)))
        .filter(|(keys, _)| !is_focused || !is_of_widgets(keys))
        .partition(|(keys, _)| keys.modifiers.shift);
    keys.extend(without);
    context.input_mut(|input| consume(&mut input.events, &keys))
}

/// Whether a button or slider that has the focus is used by these keys, or the focus moves by them.
fn is_of_widgets(keys: &KeyboardShortcut) -> bool {
    use Key::{ArrowDown, ArrowLeft, ArrowRight, ArrowUp, Enter, Space};
    let of_widgets = [Space, Enter, ArrowLeft, ArrowRight, ArrowUp, ArrowDown];
    keys.modifiers.is_none() && of_widgets.contains(&keys.logical_key)
}

/// Takes the presses of shortcuts out of a frame's events. Returns what each of them stands for, in the
/// order of the presses; of equal shortcuts, the first counts. A key that is held counts once a frame,
/// so that a slow frame does not make up for the repeats that it has missed.
fn consume<T: Copy + PartialEq>(
    events: &mut Vec<egui::Event>,
    shortcuts: &[(&KeyboardShortcut, T)],
) -> Vec<T> {
    let mut pressed = Vec::new();
    events.retain(|event| {
        let Some((_, of_keys)) = shortcuts.iter().find(|(keys, _)| presses(event, keys)) else {
            return true;
        };
        let held = matches!(event, egui::Event::Key { repeat: true, .. });
        if !held || !pressed.contains(of_keys) {
            pressed.push(*of_keys);
        }
        false
    });
    pressed
}

/// Whether an event is the press of a shortcut. Keys without modifiers count with and without shift: `?`
/// and `+` need it on some keyboards. The modifiers are those of the key press: at the end of the frame,
/// they may have been released.
fn presses(event: &egui::Event, keys: &KeyboardShortcut) -> bool {
    let egui::Event::Key {
        key,
        pressed: true,
        modifiers,
        ..
    } = event
    else {
        return false;
    };
    let as_asked = if keys.modifiers.is_none() {
        !modifiers.command && !modifiers.ctrl && !modifiers.alt
    } else {
        modifiers.matches_logically(keys.modifiers)
    };
    as_asked && *key == keys.logical_key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Look;
    use crate::viewer::view::LAYERS;

    #[test]
    fn a_mac_shows_its_own_keys() {
        let context = egui::Context::default();
        // Fonts are loaded in the first frame; they decide which symbols can be shown.
        let _ = context.run_ui(egui::RawInput::default(), |_| {});
        context.set_os(egui::os::OperatingSystem::Nix);
        assert_eq!(keys_of(&context, Action::OpenPhotos), "Ctrl+O");
        assert_eq!(keys_of(&context, Action::Redo), "Ctrl+Shift+Z");
        context.set_os(egui::os::OperatingSystem::Mac);
        for keys in TABLE.iter().flat_map(|entry| entry.keys) {
            let text = text(&context, keys);
            assert!(!text.contains("Ctrl"), "{text}");
            let command = keys.modifiers.command;
            assert_eq!(
                text.contains('⌘') || text.contains("Cmd"),
                command,
                "{text}"
            );
        }
    }

    /// Buttons shorten three names, which their tooltips give in full.
    #[test]
    fn layers_have_one_name_on_buttons_and_in_the_menu() {
        let short = [Layer::Truth, Layer::Second, Layer::Disagreement];
        for (layer, name, _) in LAYERS {
            let shown = |entry: &&Entry| entry.action == Action::Show(layer);
            let in_menu = TABLE.iter().find(shown).map(|entry| entry.name);
            assert_eq!(in_menu == Some(name), !short.contains(&layer), "{name}");
        }
        // And in the dialog of the exports.
        for (look, layer) in [
            (Look::Raw, Layer::Raw),
            (Look::Map, Layer::Map),
            (Look::Overlay, Layer::Overlay),
        ] {
            let on_button = LAYERS.iter().find(|(of, ..)| *of == layer);
            assert_eq!(on_button.map(|(_, name, _)| *name), Some(look.label()));
        }
    }

    /// The press or release of a key.
    fn event(key: Key, modifiers: Modifiers, pressed: bool) -> egui::Event {
        egui::Event::Key {
            key,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers,
        }
    }

    /// What `ask` returns in a frame with events.
    fn asked<T>(events: Vec<egui::Event>, ask: impl Fn(&egui::Context) -> Vec<T>) -> Vec<T> {
        let input = egui::RawInput {
            events,
            ..Default::default()
        };
        let mut answers = Vec::new();
        let _ = egui::Context::default().run_ui(input, |ui| answers.extend(ask(ui.ctx())));
        answers
    }

    /// The actions of a key that is pressed and released in one frame, with its modifiers.
    fn actions_of(key: Key, modifiers: Modifiers, correcting: bool) -> Vec<Action> {
        let events = vec![
            egui::Event::ModifiersChanged(modifiers),
            event(key, modifiers, true),
            event(key, modifiers, false),
            egui::Event::ModifiersChanged(Modifiers::NONE),
        ];
        asked(events, |context| pressed(context, correcting))
    }

    /// The events of keys that are pressed and released one after the other.
    fn one_by_one(keys: &[Key]) -> Vec<egui::Event> {
        let both = |key: &Key| [true, false].map(|down| event(*key, Modifiers::NONE, down));
        keys.iter().flat_map(both).collect()
    }

    #[test]
    fn all_presses_of_a_frame_count_in_their_order() {
        let keys = [Key::N, Key::ArrowLeft, Key::N, Key::P, Key::N];
        let actions = asked(one_by_one(&keys), |context| pressed(context, false));
        let (next, back) = (Action::Next, Action::StepBack);
        assert_eq!(actions, [next, back, next, Action::Previous, next]);
        let undo = || event(Key::Z, Modifiers::COMMAND, true);
        let release = event(Key::Z, Modifiers::COMMAND, false);
        let actions = asked(vec![undo(), release, undo()], |context| {
            pressed(context, false)
        });
        assert_eq!(actions, [Action::Undo; 2]);
        let keys = [Key::Num2, Key::Num9, Key::Num2];
        assert_eq!(asked(one_by_one(&keys), pressed_numbers), [2, 9, 2]);
    }

    #[test]
    fn an_open_menu_takes_all_keys() {
        let open = |context: &egui::Context| {
            egui::Popup::open_id(context, egui::Id::unique("menu"));
        };
        let keys = [Key::Num2, Key::N];
        let numbers = asked(one_by_one(&keys), |context| {
            open(context);
            pressed_numbers(context)
        });
        assert!(numbers.is_empty());
        let actions = asked(one_by_one(&keys), |context| {
            open(context);
            pressed(context, false)
        });
        assert_eq!(actions, []);
    }

    /// The actions of keys that are pressed while what `focus` draws has the focus.
    fn actions_in(keys: &[Key], mut focus: impl FnMut(&mut egui::Ui)) -> Vec<Action> {
        let context = egui::Context::default();
        let _ = context.run_ui(egui::RawInput::default(), &mut focus);
        let input = egui::RawInput {
            events: one_by_one(keys),
            ..Default::default()
        };
        let mut actions = Vec::new();
        let _ = context.run_ui(input, |ui| {
            actions.extend(pressed(ui.ctx(), false));
            focus(ui);
        });
        actions
    }

    #[test]
    fn a_focused_button_leaves_other_keys_to_shortcuts() {
        let keys = [Key::N, Key::Space, Key::ArrowRight, Key::Home];
        let button = |ui: &mut egui::Ui| ui.button("Save").request_focus();
        assert_eq!(actions_in(&keys, button), [Action::Next, Action::First]);
        let mut text = String::new();
        let field = |ui: &mut egui::Ui| ui.text_edit_singleline(&mut text).request_focus();
        assert_eq!(actions_in(&keys, field), []);
    }

    #[test]
    fn a_held_key_counts_once_a_frame() {
        // Without a release between them, all but the first are repeats.
        let held = vec![event(Key::N, Modifiers::NONE, true); 4];
        let actions = asked(held, |context| pressed(context, false));
        assert_eq!(actions, [Action::Next]);
    }

    #[test]
    fn a_shortcut_counts_with_the_modifiers_of_its_own_press() {
        let ctrl = Modifiers::CTRL | Modifiers::COMMAND;
        let shift = Modifiers::SHIFT;
        let snap = Action::Correct(Correction::Snap);
        let save = Action::Correct(Correction::Save);
        for (key, modifiers, expected) in [
            (Key::S, Modifiers::NONE, vec![snap]),
            (Key::S, ctrl, vec![save]),
            (Key::S, Modifiers::ALT, vec![]),
            (
                Key::F,
                ctrl | shift,
                vec![Action::Correct(Correction::FineTune)],
            ),
            (Key::Questionmark, shift, vec![Action::Help]),
            (Key::Z, ctrl, vec![Action::Undo]),
            (Key::Z, ctrl | shift, vec![Action::Redo]),
            (Key::O, ctrl, vec![Action::OpenPhotos]),
            (Key::O, ctrl | shift, vec![Action::OpenFolder]),
            (Key::O, Modifiers::NONE, vec![Action::ActualSize]),
        ] {
            let actions = actions_of(key, modifiers, true);
            assert_eq!(actions, expected, "{key:?} with {modifiers:?}");
        }
        assert_eq!(actions_of(Key::S, Modifiers::NONE, false), []);
    }

    #[test]
    fn keys_are_shown_only_where_they_start_what_is_named() {
        let keys = |action, correcting| {
            let keys = live_keys(entry(action).unwrap(), correcting);
            keys.map(|keys| keys.logical_key)
        };
        let painting = Action::Correct(Correction::Tool(Tool::Brush));
        assert_eq!(keys(painting, true), Some(Key::B));
        for (action, key) in [
            (Action::Brush, Key::B),
            (Action::Fit, Key::F),
            (Action::Show(Layer::Map), Key::Num3),
        ] {
            assert_eq!(keys(action, false), Some(key), "{action:?}");
            assert_eq!(keys(action, true), None, "{action:?}");
        }
        for correcting in [false, true] {
            for entry in TABLE
                .iter()
                .filter(|entry| correcting || !entry.while_correcting())
            {
                let Some(keys) = live_keys(entry, correcting) else {
                    continue;
                };
                let numbers = correcting && NUMBERS.contains(keys);
                assert!(!numbers, "{}", entry.name);
                let modifiers = if keys.modifiers.command {
                    keys.modifiers | Modifiers::CTRL
                } else {
                    keys.modifiers
                };
                let actions = actions_of(keys.logical_key, modifiers, correcting);
                assert_eq!(actions, [entry.action], "{}", entry.name);
            }
        }
    }

    #[test]
    fn no_two_actions_share_a_key() {
        for correcting in [false, true] {
            let mut all: Vec<(&KeyboardShortcut, &str)> = TABLE
                .iter()
                .filter(|entry| entry.while_correcting() == correcting)
                .flat_map(|entry| entry.keys.iter().map(|keys| (keys, entry.name)))
                .collect();
            while let Some((keys, name)) = all.pop() {
                if let Some((_, other)) = all.iter().find(|(k, _)| *k == keys) {
                    panic!("{keys:?} is both {name} and {other}");
                }
            }
        }
    }
}
