//! The remembered state of the window.

use super::dock;
use super::field::FieldSettings;
use super::panels::PanelKind;
use super::remembered::{self, Fields};
use super::settings::Settings;
use egui_tiles::Tree;
use ron::value::RawValue;
use serde::Serialize;

/// The remembered choices. The names of the fields are those in the file.
#[derive(Serialize)]
pub(super) struct Memory {
    pub settings: Settings,
    pub panels: Tree<PanelKind>,
    pub field: FieldSettings,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            panels: dock::tree(),
            field: FieldSettings::default(),
        }
    }
}

impl Memory {
    pub(super) fn read(storage: &dyn eframe::Storage) -> Option<Self> {
        let text: Box<RawValue> = eframe::get_value(storage, eframe::APP_KEY)?;
        Some(Self::of(&text))
    }

    /// The contents of a file of any version, with defaults for what is missing or invalid.
    pub(super) fn of(text: &RawValue) -> Self {
        let fields: Fields = text.into_rust().unwrap_or_default();
        let mut settings: Settings = fields
            .get("settings")
            .map(remembered::read)
            .unwrap_or_default();
        settings.clamp();
        let panels = fields.get("panels").and_then(|text| text.into_rust().ok());
        Self {
            settings,
            panels: panels.filter(dock::is_sound).unwrap_or_else(dock::tree),
            field: fields
                .get("field")
                .map(remembered::read)
                .unwrap_or_default(),
        }
    }
}
