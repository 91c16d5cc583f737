//! Provenance of a run: the `[provenance]` section of its `config.toml`.

use super::TrainError;
use super::config::{Config, PROVENANCE};
use super::prepare::Prepared;
use crate::data::Dataset;
use crate::files::{self, FileError};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    provenance: Provenance,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Provenance {
    version: String,
    device: String,
    data: String,
    classes: usize,
    photos: [usize; 2],
    /// [`Dataset::fingerprint`] of the training split.
    training_fingerprint: String,
    /// [`Dataset::fingerprint`] of the validation split; empty without validation.
    validation_fingerprint: String,
}

/// Whether a configuration was written by a run; `None` if it is not TOML.
pub(super) fn is_of_a_run(text: &str) -> Option<bool> {
    let table: toml::Table = text.parse().ok()?;
    Some(table.contains_key(PROVENANCE))
}

/// Writes a run's `config.toml` to `path`: every setting with absolute paths, so that the run can be
/// resumed from any folder, and its provenance. Warns if a resumed run has different data.
pub(super) fn write(
    config: &Config,
    data: &Prepared,
    devices: &[Device],
    path: &Path,
) -> Result<(), TrainError> {
    let [training_fingerprint, validation_fingerprint] = data.fingerprints.clone();
    let now = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device: devices
            .iter()
            .map(|device| format!("{device:?}"))
            .collect::<Vec<_>>()
            .join(", "),
        data: data.training.name().to_owned(),
        classes: data.training.classes().len(),
        photos: [
            data.training.len(),
            data.validation.as_ref().map_or(0, Dataset::len),
        ],
        training_fingerprint,
        validation_fingerprint,
    };
    let before = std::fs::read_to_string(path).unwrap_or_default();
    if let Ok(Document { provenance: before }) = toml::from_str(&before)
        && !before.training_fingerprint.is_empty()
        && before.training_fingerprint != now.training_fingerprint
    {
        tracing::warn!(
            "the training data of {} has changed since this run started: the resumed run sees different batches",
            now.data
        );
    }
    let document = Document { provenance: now };
    let text = toml::to_string(&document).map_err(|error| FileError::Write {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })?;
    let settings = config.absolute()?.to_toml();
    Ok(files::write_atomic(
        path,
        format!("{settings}\n{text}").as_bytes(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_configuration_reads_back_with_its_provenance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let config = Config::parse("", &["train.steps=7".to_owned()]).unwrap();
        let data = Dataset::open(Path::new("scenes:3"), "training").unwrap();
        let prepared = Prepared {
            fingerprints: [data.fingerprint(), String::new()],
            training: data.clone().into(),
            validation: None,
        };
        let devices = [Device::flex(), Device::flex()];
        write(&config, &prepared, &devices, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        // Scenes are not in a folder and have no absolute path.
        assert_eq!(Config::parse(&text, &[]).unwrap(), config);
        let Document { provenance } = toml::from_str(&text).unwrap();
        assert_eq!(provenance.training_fingerprint, data.fingerprint());
        assert_eq!(provenance.photos, [512, 0]);
        assert_eq!(provenance.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(provenance.device.split(", ").count(), 2);
    }
}
