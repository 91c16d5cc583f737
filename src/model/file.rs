//! Model files.

use super::tensors::{self, Precision, Tensors};
use super::{Card, METADATA_KEY, Model, ModelError, Quality, Score};
use crate::files::{self, FileError, FileKind};
use crate::text_file;
use burn::tensor::Device;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Map, Value};
use std::path::Path;

/// Reads a model file onto a device.
///
/// # Errors
/// A file that cannot be read or is not a model.
pub fn read(path: &Path, device: &Device) -> Result<Model, FileError> {
    of_bytes(path, &files::map_file(path, "model file")?, device)
}

/// The same for a file whose bytes are known.
///
/// # Errors
/// If they are no model.
pub fn of_bytes(path: &Path, bytes: &[u8], device: &Device) -> Result<Model, FileError> {
    Model::from_bytes(bytes, device).map_err(|error| {
        let picture = refuse_picture(path, bytes).err();
        picture.unwrap_or_else(|| unusable(path, error))
    })
}

/// Refuses the bytes of the file at `path` where a model is expected and they are a picture.
///
/// # Errors
/// A picture.
pub(crate) fn refuse_picture(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if !is_picture(bytes) {
        return Ok(());
    }
    Err(FileError::Foreign {
        path: path.to_owned(),
        kind: PICTURE,
    })
}

const PICTURE: FileKind = FileKind::new(
    "a picture, not a model",
    "give a model file, a run folder, or the name of a model, in the place of a model",
);

/// Whether bytes begin as pictures do, and no model. Formats that begin with two letters alone are left out: so
/// may a damaged model.
fn is_picture(bytes: &[u8]) -> bool {
    use image::ImageFormat::{Gif, Jpeg, Png, Tiff, WebP};
    image::guess_format(bytes).is_ok_and(|format| matches!(format, Gif | Jpeg | Png | Tiff | WebP))
}

/// Writes a model file.
///
/// # Errors
/// A failed write.
pub fn write(path: &Path, model: &Model, precision: Precision) -> Result<(), FileError> {
    write_weights(path, model, &tensors::export(&model.network), precision)
}

/// [`write()`] with weights that were copied from the model's device before.
///
/// # Errors
/// A failed write.
pub fn write_weights(
    path: &Path,
    model: &Model,
    weights: &Tensors,
    precision: Precision,
) -> Result<(), FileError> {
    let bytes = model
        .bytes_with(weights, precision)
        .map_err(|error| unusable(path, error))?;
    files::write_atomic(path, &bytes)
}

/// A model file's bytes with changes to its card: entries of the JSON object `changes` replace those of
/// the same name, and `null` removes one. The weights stay the same, bit for bit.
///
/// # Errors
/// Bytes that are not a model, changes of entries that no card has, changes that make the card invalid or untrue of
/// the weights, and a network other than that of the tensors.
pub fn with_card(bytes: &[u8], changes: &Map<String, Value>) -> Result<Vec<u8>, ModelError> {
    check_names::<Card>("", Some(changes))?;
    let within = |name: &str| changes.get(name).and_then(Value::as_object);
    check_names::<Score>("score.", within("score"))?;
    check_names::<Quality>("quality.", within("quality"))?;
    let mut metadata = tensors::metadata(bytes)?;
    let broken = |error: serde_json::Error| ModelError::Metadata(error.to_string());
    let card = metadata.get(METADATA_KEY).ok_or(ModelError::Foreign)?;
    let mut card: Map<String, Value> = serde_json::from_str(card).map_err(broken)?;
    let before = card.clone();
    for change in changes {
        apply(&mut card, change);
    }
    if let Some(reason) = problem(&card)
        && problem(&before).is_none()
    {
        return Err(ModelError::Change(
            first_wrong(&before, changes).unwrap_or(reason),
        ));
    }
    let card: Card = serde_json::from_value(card.into()).map_err(broken)?;
    let card = card.checked()?;
    // A card that could not be read is repaired, whatever it said.
    let before = serde_json::from_value::<Card>(before.into()).ok();
    if let Some(before) = before.and_then(|before| before.checked().ok())
        && let Some(reason) = card.wrong_change(&before)
    {
        return Err(ModelError::Change(reason));
    }
    let card = serde_json::to_string(&card).map_err(broken)?;
    metadata.insert(METADATA_KEY.to_owned(), card);
    let changed = tensors::with_metadata(bytes, metadata)?;
    if changes.contains_key("network") {
        // Another network may not fit the tensors.
        Model::from_bytes(&changed, &Device::flex())?;
    }
    Ok(changed)
}

/// Makes a change to a card.
fn apply(card: &mut Map<String, Value>, (name, value): (&String, &Value)) {
    match value {
        Value::Null => card.remove(name),
        value => card.insert(name.clone(), value.clone()),
    };
}

/// The first change that a card cannot hold by itself, and why.
fn first_wrong(card: &Map<String, Value>, changes: &Map<String, Value>) -> Option<String> {
    changes.iter().find_map(|change| {
        let mut changed = card.clone();
        apply(&mut changed, change);
        Some(format!("{}: {}", change.0, problem(&changed)?))
    })
}

/// Why a card cannot be used.
fn problem(card: &Map<String, Value>) -> Option<String> {
    match serde_json::from_value::<Card>(card.clone().into()) {
        Err(error) => Some(text_file::plain_reason(&error.to_string())),
        Ok(card) => match card.checked() {
            Err(ModelError::Metadata(reason)) => Some(reason),
            _ => None,
        },
    }
}

/// Refuses changes whose names are not those of the entries of `T`; `within` comes before the name in the error.
/// A card is read without this, so that one of a later version, which has more entries, is still a card.
fn check_names<'de, T: Deserialize<'de>>(
    within: &str,
    changes: Option<&Map<String, Value>>,
) -> Result<(), ModelError> {
    let mut entries = Entries::default();
    // It fails in any case: only the names are wanted.
    let _ = T::deserialize(&mut entries);
    let mut names = changes.into_iter().flat_map(Map::keys);
    match names.find(|name| !entries.0.contains(&name.as_str())) {
        Some(name) => Err(ModelError::UnknownEntry {
            name: format!("{within}{name}"),
            known: entries.0.join(", "),
        }),
        None => Ok(()),
    }
}

/// The names of the entries of a struct, as its derived reader asks for them.
#[derive(Default)]
struct Entries(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Entries {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("there are no values"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0 = names;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn unusable(path: &Path, error: ModelError) -> FileError {
    FileError::Model {
        path: path.to_owned(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use serde_json::json;

    #[test]
    fn a_photo_in_the_place_of_a_model_is_called_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path, &Device::flex()).err().unwrap().to_string()
        };
        let starts: [&[u8]; 5] = [
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff\xe0",
            b"GIF89a",
            b"II*\0",
            b"RIFF\0\0\0\0WEBP",
        ];
        for start in starts {
            let error = error(&[start, &[0; 40]].concat());
            let words = "is a picture, not a model: give a model file";
            assert!(error.contains(words), "{error}");
        }
        let other = error(b"BM and no model at all");
        assert!(other.contains("is not a usable model"), "{other}");
    }

    #[test]
    fn a_card_changes_and_the_weights_stay() {
        let model = testing::tiny(&["a", "b"], [8, 12], |_| ());
        let bytes = model.to_bytes(Precision::Half).unwrap();
        let quality = Quality {
            scales: vec![1.0, 1.5],
            flip: true,
            fast: 0.25,
            best: 0.5,
            on: "a test".into(),
        };
        let changes = json!({"quality": quality, "sampling_steps": 3, "score": null});
        let changed = with_card(&bytes, changes.as_object().unwrap()).unwrap();
        let read = Model::from_bytes(&changed, &Device::flex()).unwrap();
        assert_eq!(read.card.quality, Some(quality));
        assert_eq!(read.card.sampling_steps, Some(3));
        assert_eq!(read.card.classes, model.card.classes);
        let before = Model::from_bytes(&bytes, &Device::flex()).unwrap();
        assert_eq!(
            tensors::export(&read.network),
            tensors::export(&before.network)
        );
        // The bytes after the header are identical, and removing the entry restores the file.
        let back = json!({"quality": null, "sampling_steps": null});
        let back = with_card(&changed, back.as_object().unwrap()).unwrap();
        assert!(back == bytes);
        for (wrong, word) in [
            (json!({"classes": 3}), "invalid type"),
            (json!({"size": [0, 5]}), "0 x 5"),
            (json!({"format": 99}), "99"),
            (
                json!({"sampling_step": 2}),
                "no entry sampling_step: its entries are format, network,",
            ),
            (json!({"licences": null}), "no entry licences"),
            (
                json!({"score": {"miou": 0.5, "on": "x", "steps": 1, "iou": 0.5}}),
                "score.iou",
            ),
            (json!({"quality": {"scale": [1.0]}}), "quality.scale"),
            (
                json!({"sampling_steps": "two"}),
                "sampling_steps: invalid type: string \"two\", expected a whole number",
            ),
            // What the weights were not trained with.
            (json!({"classes": ["a"]}), "classes: "),
            (json!({"classes": ["a", "b", "c"]}), "for 2 classes"),
            (json!({"classes": []}), "classes: "),
            (json!({"encoding": "random"}), "encoding: "),
            (json!({"order": [1, 0]}), "order: "),
            (json!({"size": [7, 7]}), "size: sides must be multiples"),
            (json!({"sampling_steps": 0}), "sampling_steps: use a number"),
            (json!({"sampling_steps": 1001}), "1 to 1000"),
            (json!({"filter_radius": 65}), "filter_radius: "),
            (
                json!({"score": {"miou": 50.0, "on": "x", "steps": 1}}),
                "score: ",
            ),
        ] {
            let error = with_card(&bytes, wrong.as_object().unwrap()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        // Another network is refused, and the order of another class table left out.
        let mut network = model.card.network.clone();
        network.transformer_blocks += 1;
        let error =
            with_card(&bytes, json!({"network": network}).as_object().unwrap()).unwrap_err();
        assert!(error.to_string().contains("parameters"), "{error}");
        let changes = json!({"classes": ["a", "b", "c"], "order": [1, 0]});
        let start = testing::tiny(&[""; 0], [8, 12], |_| ());
        let start = start.to_bytes(Precision::Half).unwrap();
        let changed = with_card(&start, changes.as_object().unwrap()).unwrap();
        assert!(Card::read(&changed).unwrap().order.is_empty());
        let text = &tensors::metadata(&changed).unwrap()[METADATA_KEY];
        assert!(!text.contains("order"), "{text}");
        // Other names for the same classes, and the size that the card has.
        let changes = json!({"classes": ["x", "y"], "size": [8, 12]});
        let changed = with_card(&bytes, changes.as_object().unwrap()).unwrap();
        assert_eq!(Card::read(&changed).unwrap().classes, ["x", "y"]);
        let foreign = tensors::to_safetensors(
            &tensors::export(&model.network),
            Default::default(),
            Precision::Single,
        );
        let foreign = with_card(&foreign.unwrap(), &Map::new());
        assert!(matches!(foreign, Err(ModelError::Foreign)));
    }
}
