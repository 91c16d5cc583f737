//! Models by name: those inside the binary, and files.

use crate::files::FileError;
use crate::model::{self, Model, ModelError};
use crate::run_format;
use burn::tensor::Device;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The models inside the binary, the default first: name and file contents. A constant would be there
/// once for every part of the crate that is compiled on its own.
pub static BUILT_IN: &[(&str, &[u8])] = &[
    (
        FOR_PHOTOS,
        include_bytes!("../assets/models/street.safetensors"),
    ),
    (
        "fashion",
        include_bytes!("../assets/models/fashion.safetensors"),
    ),
    (
        "cells",
        include_bytes!("../assets/models/cells.safetensors"),
    ),
    (
        FOR_SAMPLES,
        include_bytes!("../assets/models/scenes.safetensors"),
    ),
];

/// The built-in model for photos, and the default of every command.
pub const FOR_PHOTOS: &str = "street";
/// The built-in model for the scenes that the program renders itself.
pub const FOR_SAMPLES: &str = "scenes";

/// Why a model can't be used for segmentation.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A damaged binary.
    #[error("the built-in model {0} cannot be read: {1}")]
    BuiltIn(String, ModelError),
    /// A file that can't be read, or is no model.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder without a model.
    #[error(
        "{0} holds neither model.safetensors nor best.safetensors: name a model file, or the folder of \
         a run that was validated or has finished"
    )]
    NoModel(String),
    /// A network without classes.
    #[error(
        "{0} has no class table: it is a starting point for training, not a segmentation model"
    )]
    NoClasses(String),
}

/// The folder of installed models: `flowseg/models` in the user's data directory.
pub fn folder() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("flowseg").join("models"))
}

/// The installed models by name, in the order of their names: files NAME.safetensors in the
/// [`folder`].
pub fn installed() -> Vec<(String, PathBuf)> {
    let entries = folder().and_then(|folder| std::fs::read_dir(folder).ok());
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut found: Vec<(String, PathBuf)> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    found.sort();
    found
}

/// The file of a model that is not built in: a path as it is, of a run folder the finished model or else
/// the best one, or an installed model by its name.
pub fn file(name: impl AsRef<OsStr>) -> PathBuf {
    let path = Path::new(name.as_ref());
    if path.is_dir() {
        let models = [run_format::MODEL, run_format::BEST].map(|model| path.join(model));
        let found = models.into_iter().find(|model| model.exists());
        return found.unwrap_or_else(|| path.to_owned());
    }
    let named = |(installed, _): &(String, PathBuf)| installed.as_str() == path.as_os_str();
    let elsewhere = (!path.exists()).then(|| installed().into_iter().find(named));
    elsewhere
        .flatten()
        .map_or_else(|| path.to_owned(), |(_, path)| path)
}

/// Loads a built-in model by its name, a model file by its path, the model of a run by its folder, or an
/// installed model by its name, in this order.
///
/// # Errors
/// A file that can't be read, is no model, or has no classes to segment into.
pub fn load(name: impl AsRef<OsStr>, device: &Device) -> Result<Model, LoadError> {
    let name = name.as_ref();
    let shown = || name.to_string_lossy().into_owned();
    let model = match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        Some((_, bytes)) => {
            Model::from_bytes(bytes, device).map_err(|error| LoadError::BuiltIn(shown(), error))?
        }
        None => {
            let path = file(name);
            if path.is_dir() {
                return Err(LoadError::NoModel(shown()));
            }
            model::file::read(&path, device)?
        }
    };
    if model.card.classes.len() < 2 {
        return Err(LoadError::NoClasses(shown()));
    }
    Ok(model)
}
