//! Reads settings that another version of the program may have written.

use super::settings::SCALE;
use super::view::in_range;
use crate::files;
use eframe::egui;
use ron::value::RawValue;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The fields of a struct in the order in which they were written, each as RON text.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        let mut fields = self.0.iter();
        fields.find_map(|(known, value)| (known == name).then_some(&**value))
    }

    /// The struct's text with one field replaced.
    fn with(&self, name: &str, other: &RawValue) -> String {
        let fields = self.0.iter().map(|(known, value)| {
            let value = if known == name { other } else { value };
            format!("{known}:{}", value.get_ron())
        });
        format!("({})", fields.collect::<Vec<_>>().join(","))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a structure")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_struct("", &[], Reader)
    }
}

/// Reads a struct field by field: one that is missing or invalid gets its default and does not affect
/// the others.
pub(super) fn read<T: Default + Serialize + DeserializeOwned>(text: &RawValue) -> T {
    if let Ok(whole) = text.into_rust() {
        return whole;
    }
    let fields = |text: &RawValue| text.into_rust::<Fields>().ok();
    let defaults = RawValue::from_rust(&T::default()).ok();
    let (Some(stored), Some(mut known)) = (fields(text), defaults.as_deref().and_then(fields))
    else {
        return T::default();
    };
    let mut value = T::default();
    for at in 0..known.0.len() {
        let name = known.0[at].0.clone();
        let Some(field) = stored.get(&name) else {
            continue;
        };
        if let Ok(with_field) = ron::from_str(&known.with(&name, field)) {
            value = with_field;
            known.0[at].1 = field.to_owned();
        }
    }
    value
}

/// Repairs a zoom factor with which no window can be opened. The windowing library reads it before this
/// program can check it.
pub(super) fn repair(file: &Path) {
    let text = std::fs::read_to_string(file).ok();
    if let Some(text) = text.and_then(|text| with_sane_zoom(&text))
        && let Err(error) = files::write_atomic(file, text.as_bytes())
    {
        tracing::warn!("{error}");
    }
}

/// The file's text with the zoom factor in its range, or `None` if it needs no change.
fn with_sane_zoom(text: &str) -> Option<String> {
    /// The key of egui's memory.
    const EGUI: &str = "egui";
    let mut state: BTreeMap<String, String> = ron::from_str(text).ok()?;
    let mut memory: egui::Memory = ron::from_str(state.get(EGUI)?).ok()?;
    let zoom = memory.options.zoom_factor;
    if SCALE.contains(&zoom) {
        return None;
    }
    memory.options.zoom_factor = in_range(zoom, SCALE, 1.0);
    state.insert(EGUI.to_owned(), ron::to_string(&memory).ok()?);
    ron::to_string(&state).ok()
}

/// The builder without a position, except on Windows and macOS, which move a remembered position onto a
/// screen; on X11, it could be on a monitor that is no longer connected.
pub(super) fn placed(builder: egui::ViewportBuilder) -> egui::ViewportBuilder {
    let kept = cfg!(any(target_os = "windows", target_os = "macos"));
    egui::ViewportBuilder {
        position: builder.position.filter(|_| kept),
        ..builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Round,
        Square(u8),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Choices {
        names: Vec<String>,
        shape: Shape,
        size: f32,
        inner: Option<Vec<Shape>>,
    }

    impl Default for Choices {
        fn default() -> Self {
            Self {
                names: Vec::new(),
                shape: Shape::Round,
                size: 1.0,
                inner: None,
            }
        }
    }

    fn of(text: &str) -> Choices {
        read(RawValue::from_ron(text).unwrap())
    }

    #[test]
    fn a_field_that_is_not_understood_costs_no_other() {
        let chosen = Choices {
            names: vec!["a, b)".into(), "\"".into()],
            shape: Shape::Square(3),
            size: f32::NAN,
            inner: Some(vec![Shape::Round]),
        };
        let text = ron::to_string(&chosen).unwrap();
        assert!(of(&text).size.is_nan());
        let other = text.replace("Square(3)", "Star(points:5)");
        assert_ne!(other, text);
        let kept = of(&other);
        assert_eq!((&kept.names, &kept.inner), (&chosen.names, &chosen.inner));
        assert_eq!(kept.shape, Shape::Round);
        assert!(kept.size.is_nan());
        // A field of another type, an extra field and a missing field.
        let more = text.replace("size:NaN", "size:\"big\",later:{1:(2,3)}");
        assert_eq!(of(&more).size, 1.0);
        assert_eq!(of(&more).shape, Shape::Square(3));
        assert_eq!(of("(size:2.5)").size, 2.5);
        assert_eq!(of("[1, 2]"), Choices::default());
    }

    #[test]
    fn numbers_come_back_into_their_range() {
        for (value, expected) in [
            (0.0, 0.5),
            (f32::NAN, 1.0),
            (f32::INFINITY, 2.0),
            (1.5, 1.5),
        ] {
            assert_eq!(in_range(value, 0.5..=2.0, 1.0), expected);
        }
    }

    #[test]
    fn a_magnification_that_opens_no_window_is_repaired() {
        let state = |zoom: f32| {
            let mut memory = egui::Memory::default();
            memory.options.theme_preference = egui::ThemePreference::Light;
            memory.options.zoom_factor = zoom;
            let memory = ron::to_string(&memory).unwrap();
            let other = "(settings:())".to_owned();
            let state = BTreeMap::from([("app", &other), ("egui", &memory)]);
            ron::to_string(&state).unwrap()
        };
        for (zoom, expected) in [(0.0, 0.6), (f32::NAN, 1.0), (-1.0, 0.6), (1e9, 2.5)] {
            let text = with_sane_zoom(&state(zoom)).unwrap();
            let kept: BTreeMap<String, String> = ron::from_str(&text).unwrap();
            let memory: egui::Memory = ron::from_str(&kept["egui"]).unwrap();
            assert_eq!(memory.options.zoom_factor, expected);
            assert_eq!(
                memory.options.theme_preference,
                egui::ThemePreference::Light
            );
            assert_eq!(kept["app"], "(settings:())");
        }
        assert_eq!(with_sane_zoom(&state(1.2)), None);
        assert_eq!(with_sane_zoom("{\"egui\": \"(opti"), None);
        // A file that is missing or invalid is left as it is.
        let folder = tempfile::tempdir().unwrap();
        repair(&folder.path().join("app.ron"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_window_is_not_placed_where_a_monitor_was() {
        let builder = egui::ViewportBuilder::default()
            .with_position([5000.0, 3000.0])
            .with_inner_size([900.0, 600.0]);
        let placed = placed(builder);
        assert!(placed.position.is_none() || cfg!(any(windows, target_os = "macos")));
        assert_eq!(placed.inner_size, Some(egui::vec2(900.0, 600.0)));
    }
}
