//! Model files.

use super::tensors::{self, Precision};
use super::{Card, METADATA_KEY, Model, ModelError};
use crate::files::{self, FileError};
use burn::tensor::Device;
use serde_json::{Map, Value};
use std::path::Path;

/// Reads a model file onto a device.
///
/// # Errors
/// A file that cannot be read or is not a model.
pub fn read(path: &Path, device: &Device) -> Result<Model, FileError> {
    let bytes = files::map_file(path, "model file")?;
    Model::from_bytes(&bytes, device).map_err(|error| unusable(path, error))
}

/// Writes a model file.
///
/// # Errors
/// A failed write.
pub fn write(path: &Path, model: &Model, precision: Precision) -> Result<(), FileError> {
    let bytes = model
        .to_bytes(precision)
        .map_err(|error| unusable(path, error))?;
    files::write_atomic(path, &bytes)
}

/// A model file's bytes with changes to its card: entries of the JSON object `changes` replace those of
/// the same name, and `null` removes one. The weights stay the same, bit for bit.
///
/// # Errors
/// Bytes that are not a model, or changes that make the card invalid.
pub fn with_card(bytes: &[u8], changes: &Map<String, Value>) -> Result<Vec<u8>, ModelError> {
    let mut metadata = tensors::metadata(bytes)?;
    let broken = |error: serde_json::Error| ModelError::Metadata(error.to_string());
    let card = metadata.get(METADATA_KEY).ok_or(ModelError::Foreign)?;
    let mut card: Map<String, Value> = serde_json::from_str(card).map_err(broken)?;
    for (name, value) in changes {
        match value {
            Value::Null => card.remove(name),
            value => card.insert(name.clone(), value.clone()),
        };
    }
    let card: Card = serde_json::from_value(card.into()).map_err(broken)?;
    card.check()?;
    let card = serde_json::to_string(&card).map_err(broken)?;
    metadata.insert(METADATA_KEY.to_owned(), card);
    Ok(tensors::with_metadata(bytes, metadata)?)
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
    use crate::model::{Quality, testing};
    use serde_json::json;

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
        ] {
            let error = with_card(&bytes, wrong.as_object().unwrap()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let foreign = tensors::to_safetensors(
            &tensors::export(&model.network),
            Default::default(),
            Precision::Single,
        );
        let foreign = with_card(&foreign.unwrap(), &Map::new());
        assert!(matches!(foreign, Err(ModelError::Foreign)));
    }
}
