//! Models by name: those inside the binary, installed ones, and files.

#[cfg(test)]
mod tests;

use crate::files::{self, FileError};
use crate::format::hex;
use crate::model::{self, Model, ModelError};
use crate::run_format;
use crate::spelling;
use burn::tensor::Device;
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The models inside the binary, the default first: name and file contents. Empty in a build without
/// the feature `embedded-models`. A static, since a constant could be duplicated in every codegen unit.
#[cfg(embedded_models)]
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

/// The models inside the binary; none in this build.
#[cfg(not(embedded_models))]
pub static BUILT_IN: &[(&str, &[u8])] = &[];

/// The models shipped with the program, inside the binary or beside it, the default first.
pub const NAMES: [&str; 4] = [FOR_PHOTOS, "fashion", "cells", FOR_SAMPLES];

/// The model for photos, and the default of every command.
pub const FOR_PHOTOS: &str = "street";
/// The model for the scenes that the program renders itself.
pub const FOR_SAMPLES: &str = "scenes";

/// Where the names of models are listed.
const LISTED: &str = if cfg!(target_arch = "wasm32") {
    "the Model panel lists them"
} else {
    "`flowseg models` lists them"
};

/// Why a model can't be used for segmentation.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the built-in model {0} cannot be read: {1}")]
    BuiltIn(String, ModelError),
    /// A model shipped with the program that is neither in this build nor installed.
    #[error(
        "the model {name} is neither in this build nor installed: put {name}.safetensors into {folder}, or give a model file"
    )]
    NotInstalled {
        /// The model.
        name: String,
        /// The folder for installed models.
        folder: String,
    },
    /// Neither a model of this name nor a file.
    #[error("there is no model {name}: {}{LISTED}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        name: String,
        /// The most similar name of a model, if one is near.
        nearest: Option<String>,
    },
    /// A file that cannot be read or is not a model.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder without a model.
    #[error("{name} holds neither model.safetensors nor best.safetensors: {}", instead(.newest.as_deref()))]
    NoModel {
        name: String,
        /// The model in the newest checkpoint of a run.
        newest: Option<PathBuf>,
    },
    /// A network without classes.
    #[error(
        "{0} has no class table: it is a starting point for training, not a segmentation model"
    )]
    NoClasses(String),
}

/// What to give in the place of a folder without a model.
fn instead(newest: Option<&Path>) -> String {
    newest.map_or_else(
        || {
            "give a model file, or the folder of a run that was validated or has finished"
                .to_owned()
        },
        |path| format!("its newest state so far is {}", path.display()),
    )
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("did you mean {name}? "))
}

/// The folder of installed models: `flowseg/models` in the user's data directory.
pub fn folder() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("flowseg").join("models"))
}

/// The folders that are searched for installed models: the user's [`folder`], and those of a package,
/// beside the program.
pub fn folders() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(dunce::canonicalize);
    let beside = program.ok().map(|program| folders_beside(&program));
    folder()
        .into_iter()
        .chain(beside.into_iter().flatten())
        .collect()
}

/// Where packages keep models: beside the program in an archive, below `share` on Unix, and in the
/// resources of a macOS bundle.
fn folders_beside(program: &Path) -> Vec<PathBuf> {
    let Some(folder) = program.parent() else {
        return Vec::new();
    };
    let mut folders = vec![folder.join("models")];
    if let Some(above) = folder.parent() {
        folders.push(above.join("share").join("flowseg").join("models"));
        folders.push(above.join("Resources").join("models"));
    }
    folders
}

/// The installed models, sorted by name: files NAME.safetensors in the [`folders`]; of several with the
/// same name the first counts.
pub fn installed() -> Vec<(String, PathBuf)> {
    models_in(&folders())
}

fn models_in(folders: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let entries = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let mut found: Vec<(String, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    // A stable sort: the first folder of a name stays first.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.dedup_by(|(later, _), (first, _)| later == first);
    found
}

/// Whether a name is that of a shipped or installed model rather than a file.
pub fn is_name(name: &str) -> bool {
    NAMES.contains(&name) || installed().iter().any(|(installed, _)| installed == name)
}

/// Where a model is.
enum Place {
    /// In the binary.
    BuiltIn(&'static [u8]),
    /// Installed under its name.
    Installed(PathBuf),
    /// A path as it was given, whatever is there, or the model of a run folder.
    Path(PathBuf),
}

/// Where the model of a name or path is. Models shipped with the program come first, whether they are in this
/// binary or installed; then what is at the path, a model file or a run folder; then other installed models.
/// A folder without a model hides none.
fn place_of(name: &OsStr) -> Place {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((_, bytes)) => Place::BuiltIn(bytes),
        None => place_outside(name, installed),
    }
}

/// [`place_of`] for a model that is not in the binary.
fn place_outside(name: &OsStr, installed: impl FnOnce() -> Vec<(String, PathBuf)>) -> Place {
    let path = Path::new(name);
    let there = model_at(path);
    if is_shipped(name) || there.is_none() {
        let mut installed = installed().into_iter();
        if let Some((_, path)) = installed.find(|(known, _)| known.as_str() == name) {
            return Place::Installed(path);
        }
    }
    Place::Path(there.unwrap_or_else(|| path.to_owned()))
}

fn is_shipped(name: &OsStr) -> bool {
    NAMES.iter().any(|known| *known == name)
}

/// The model at a path: a file as it is, and of a run folder the finished model or else the best.
pub(crate) fn model_at(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let mut models = [run_format::MODEL, run_format::BEST]
            .into_iter()
            .map(|model| path.join(model));
        return models.find(|model| model.exists());
    }
    files::exists(path).then(|| path.to_owned())
}

/// Says that there is a model at the path `name`, too, which the one of that name hides.
fn note_hidden(name: &OsStr, place: &Place) {
    if !matches!(place, Place::Path(_)) && model_at(Path::new(name)).is_some() {
        let name = name.to_string_lossy();
        tracing::warn!(
            "{name} is the model that comes with FlowSeg: for the one here, write ./{name}"
        );
    }
}

/// The file of a model: that of an installed one, a path as given, or the model in a run folder; see [`load`]
/// for what comes first. A model in the binary has none, and the name is returned.
pub fn file(name: impl AsRef<OsStr>) -> PathBuf {
    let name = name.as_ref();
    match place_of(name) {
        Place::BuiltIn(_) => name.into(),
        Place::Installed(path) | Place::Path(path) => path,
    }
}

/// The bytes of a model: in the binary, or mapped from a file.
pub enum Bytes {
    BuiltIn(&'static [u8]),
    File(files::Contents),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::BuiltIn(bytes) => bytes,
            Self::File(contents) => contents,
        }
    }
}

/// A model whose file was looked for and opened once: what is said of it is true of the one that is loaded, also if a
/// training replaces the file meanwhile.
pub struct Found {
    name: OsString,
    /// `None` in the binary.
    file: Option<PathBuf>,
    bytes: Bytes,
}

impl Found {
    /// The name or path by which it was found.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Its file; `None` for one in the binary.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The bytes of the model.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Loads it.
    ///
    /// # Errors
    /// If it is not a model, or has no classes.
    pub fn load(&self, device: &Device) -> Result<Model, LoadError> {
        let shown = || self.name.to_string_lossy().into_owned();
        let model = match &self.file {
            None => Model::from_bytes(&self.bytes, device)
                .map_err(|error| LoadError::BuiltIn(shown(), error))?,
            Some(path) => model::file::of_bytes(path, &self.bytes, device)?,
        };
        if model.card.classes.len() < 2 {
            return Err(LoadError::NoClasses(shown()));
        }
        Ok(model)
    }
}

/// Finds a model and opens its file; see [`load`] for what comes first.
///
/// # Errors
/// A name that no model has, or a file that cannot be read.
pub fn find(name: impl AsRef<OsStr>) -> Result<Found, LoadError> {
    let name = name.as_ref();
    let place = place_of(name);
    note_hidden(name, &place);
    found_at(name, place)
}

fn found_at(name: &OsStr, place: Place) -> Result<Found, LoadError> {
    let file = match place {
        Place::BuiltIn(bytes) => {
            return Ok(Found {
                name: name.to_owned(),
                file: None,
                bytes: Bytes::BuiltIn(bytes),
            });
        }
        Place::Installed(path) => path,
        Place::Path(path) => {
            check_there(name, &path)?;
            path
        }
    };
    Ok(Found {
        name: name.to_owned(),
        bytes: Bytes::File(files::map_file(&file, "model file")?),
        file: Some(file),
    })
}

/// The bytes of a model that is found as [`load`] finds it.
///
/// # Errors
/// A name that no model has, a file that cannot be read, or a picture.
pub fn bytes(name: impl AsRef<OsStr>) -> Result<Bytes, LoadError> {
    without_picture(find(name)?)
}

/// The same for what is not the only use of a model: nothing is said of a path that its name hides.
///
/// # Errors
/// As for [`bytes`].
pub fn bytes_without_note(name: impl AsRef<OsStr>) -> Result<Bytes, LoadError> {
    let name = name.as_ref();
    without_picture(found_at(name, place_of(name))?)
}

fn without_picture(found: Found) -> Result<Bytes, LoadError> {
    if let Some(path) = &found.file {
        model::file::refuse_picture(path, &found.bytes)?;
    }
    Ok(found.bytes)
}

/// SHA-256 of the bytes of a model, in hexadecimal digits.
pub fn checksum_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The contents of a model file.
///
/// # Errors
/// A file that cannot be read, or a picture.
pub(crate) fn contents(path: &Path) -> Result<files::Contents, FileError> {
    let contents = files::map_file(path, "model file")?;
    model::file::refuse_picture(path, &contents)?;
    Ok(contents)
}

/// Refuses a path without a model: nothing under the name of a model, or a folder.
fn check_there(name: &OsStr, path: &Path) -> Result<(), LoadError> {
    let shown = || name.to_string_lossy().into_owned();
    if is_shipped(name) && model_at(path).is_none() {
        return Err(LoadError::NotInstalled {
            name: shown(),
            folder: folder().unwrap_or_default().display().to_string(),
        });
    }
    if path.is_dir() {
        let (name, newest) = (shown(), newest_state(path));
        return Err(LoadError::NoModel { name, newest });
    }
    if looks_like_a_name(name) && !files::exists(path) {
        let installed = installed();
        let installed = installed.iter().map(|(name, _)| name.as_str());
        let name = shown();
        let nearest = spelling::nearest(&name, NAMES.into_iter().chain(installed));
        let nearest = nearest.map(str::to_owned);
        return Err(LoadError::Unknown { name, nearest });
    }
    Ok(())
}

/// The moving average in the newest checkpoint of a run folder.
fn newest_state(run: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(run.join(run_format::CHECKPOINTS)).ok()?;
    let states = entries.flatten().filter_map(|entry| {
        let step = run_format::checkpoint_step(entry.file_name().to_str()?)?;
        let path = entry.path().join(run_format::AVERAGE);
        path.is_file().then_some((step, path))
    });
    states.max().map(|(_, path)| path)
}

/// Whether a model was meant rather than a file: one word without an ending.
fn looks_like_a_name(name: &OsStr) -> bool {
    let path = Path::new(name);
    path.file_name() == Some(name) && path.extension().is_none()
}

/// Whether a path is the name of a model shipped with the program, in the binary or installed, and so means
/// the same from any folder.
pub fn is_built_in(path: &Path) -> bool {
    let name = path.as_os_str();
    is_shipped(name) && !matches!(place_of(name), Place::Path(_))
}

/// Fetches a shipped model from beside the page unless it is there already; other names are those of
/// files that the page has. `progress` is called with a share from 0 to 1.
///
/// # Errors
/// One line with the address.
#[cfg(target_arch = "wasm32")]
pub async fn fetch(name: &str, progress: impl Fn(f32)) -> Result<(), String> {
    if files::exists(Path::new(name)) || !NAMES.contains(&name) {
        return Ok(());
    }
    let address = format!("models/{name}.safetensors");
    let bytes = crate::page::fetch(&address, |read, all| {
        let all = all.unwrap_or(TYPICAL).max(read);
        progress(read as f32 / all as f32);
    });
    files::keep(Path::new(name), bytes.await?).map_err(|error| error.to_string())
}

/// Bytes of a model where the server does not tell.
#[cfg(target_arch = "wasm32")]
const TYPICAL: u64 = 25_000_000;

/// Loads a model. In this order of precedence, `name` is that of a model shipped with the program (in the
/// binary, or else installed), the path of a model file or of the folder of a run, or the name of an installed
/// model. The order is that of every build; a path that begins with `./` is never a name.
///
/// # Errors
/// If the file cannot be read, is not a model, or has no classes.
pub fn load(name: impl AsRef<OsStr>, device: &Device) -> Result<Model, LoadError> {
    find(name)?.load(device)
}
