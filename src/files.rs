//! Atomic file writes for the whole program, and reading model files.
//!
//! No other module writes files; a test below reads the sources to prove it.
//! - A regular file is written under a temporary name beside the target, flushed to disk and
//!   renamed, so that no reader ever sees a partial file. Temporary names are short and never
//!   derived from the target's, which may be as long as the file system allows.
//! - A symbolic link is written through: the file that it points to is replaced, the link stays.
//! - A device or a pipe is opened and written, never replaced; `/dev/stdout` is standard output.
//! - New files and folders have the permissions that the user's umask gives; a file that is
//!   replaced keeps its own.
//! - On Windows, where a file that another process has open can often not be replaced, it is tried
//!   again for two seconds.
//! - Temporary files are removed after an error and after Ctrl-C ([`remove_temporaries`]); on Unix, those that a
//!   killed process left at least a day ago are removed by the next command that writes to the folder
//!   ([`create_output_folder`]).
//!
//! In a browser there is no disk: files are what the page has fetched or the user has opened, and what
//! is written is offered as a download.
//!
//! Before it starts its work, a command checks with a [`Plan`] that its outputs can be written and
//! replace none of its inputs.

mod claim;
#[cfg(not(target_arch = "wasm32"))]
mod disk;
mod foreign;
#[cfg(target_arch = "wasm32")]
mod page_files;
mod plan;
mod scratch;
mod signature;
mod stamp;
mod system;
mod target;
mod temporary;

pub use claim::Claim;
#[cfg(not(target_arch = "wasm32"))]
pub use disk::{Contents, Output, exists, map_file, read, write_with};
pub use foreign::{FileKind, foreign};
#[cfg(target_arch = "wasm32")]
pub use page_files::{Contents, Output, exists, keep, map_file, read, write_with};
pub use plan::Plan;
pub use scratch::ScratchFile;
pub use signature::is_picture;
pub(crate) use signature::{MAGICK, UNREAD_PICTURES};
pub use stamp::Stamp;
pub use temporary::{TemporaryFolder, is_temporary, remove_temporaries};

use crate::csv;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use target::Target;
pub use target::folder_of;
use temporary::patiently;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Writing failed; no partial file is left.
    #[error("cannot write {} ({source}): {}", path.display(), remedy(path, source))]
    Write { path: PathBuf, source: io::Error },
    /// An output that is also an input of the command.
    #[error(
        "{what} cannot be written to {}: that is the input {}; choose another place",
        output.display(), input.display()
    )]
    Input {
        what: String,
        output: PathBuf,
        /// The input at the same path.
        input: PathBuf,
    },
    /// An output folder that contains inputs of the command.
    #[error("{} holds inputs such as {}: choose another folder", folder.display(), input.display())]
    InputFolder {
        folder: PathBuf,
        /// One of these inputs.
        input: PathBuf,
    },
    /// A file that no output may replace.
    #[error("{} is {what}, and is not replaced: choose another folder, or move it away", path.display())]
    Kept { path: PathBuf, what: String },
    /// A file that another process writes during its whole run; see [`Claim`].
    #[error(
        "another run of FlowSeg is writing {}: wait for its end, or choose another place for this one",
        path.display()
    )]
    Claimed { path: PathBuf },
    /// The name that many programs take for standard output, in the place of an output.
    #[error("- is not a {kind}: give one{advice}")]
    Dash {
        /// "file" or "folder".
        kind: &'static str,
        advice: &'static str,
    },
    /// Two outputs of a command with the same path.
    #[error(
        "{first} and {second} would both be written to {}: use another folder for one of them",
        path.display()
    )]
    Twice {
        first: String,
        second: String,
        path: PathBuf,
    },
    /// A disk with too little space.
    #[error("{} has {available} of free space, but {needed} are needed: free some, or choose another folder", path.display())]
    Room {
        path: PathBuf,
        /// With its unit.
        needed: String,
        /// With its unit.
        available: String,
    },
    /// Not the kind of file that its name promises; see [`foreign`].
    #[error("{} is {}: {}", path.display(), kind.name, kind.remedy)]
    Foreign { path: PathBuf, kind: FileKind },
    #[error("{} is not a usable model: {source}", path.display())]
    Model {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FileError {
    /// For `map_err`: writing `path` failed.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write {
            path: path.clone(),
            source,
        }
    }

    /// The same error about a file in the folder `temporary`, with the path that it would have in
    /// `folder`.
    pub(crate) fn moved(mut self, temporary: &Path, folder: &Path) -> Self {
        if let Self::Write { path, .. } | Self::Model { path, .. } = &mut self
            && let Ok(name) = path.strip_prefix(temporary)
        {
            *path = folder.join(name);
        }
        self
    }

    /// For `map_err`: reading `path` failed.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read {
            path: path.clone(),
            source,
        }
    }
}

/// What to do after a failed write.
fn remedy(path: &Path, error: &io::Error) -> String {
    const CHECK: &str = "check the space and the permissions there";
    const FILE: &str = "a file is where a folder is needed: check the path, or choose another";
    match error.kind() {
        // Windows reports this, too, for a path that goes on below a file.
        ErrorKind::NotFound if path.ancestors().skip(1).any(Path::is_file) => FILE.to_owned(),
        ErrorKind::NotFound => match fs::read_link(path) {
            Ok(link) => format!("the folder of {} is missing", link.display()),
            // Some file systems, such as /proc, report this if nothing can be created.
            Err(_) if folder_of(path).is_dir() => CHECK.to_owned(),
            Err(_) => format!("create the folder {} first", folder_of(path).display()),
        },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space there, or choose another place".to_owned()
        }
        ErrorKind::InvalidFilename => "use a shorter name".to_owned(),
        ErrorKind::IsADirectory => "give a file name".to_owned(),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => FILE.to_owned(),
        _ => CHECK.to_owned(),
    }
}

/// Writes a file atomically; see the [module](self) for links, devices and pipes. A pipe whose
/// reader closes it early counts as written.
///
/// # Errors
/// If writing fails, `path` is a folder, or it is a named pipe that no program reads.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = write_with(path, |file| {
        file.write_all(bytes).map_err(FileError::write(path))
    });
    match written {
        Err(FileError::Write { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Fills a new folder under a temporary name beside `path` and renames it, so that it appears
/// complete or not at all. An empty folder at `path` is replaced.
///
/// # Errors
/// If writing or `fill` fails, or `path` is a file or a non-empty folder.
pub fn write_folder<E: From<FileError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let failed = FileError::write(path);
    let folder = TemporaryFolder::beside(path).map_err(&failed)?;
    fill(folder.path())?;
    // Not every system renames over an empty folder. If it has been filled in the meantime, it
    // stays and the rename fails.
    let _ = fs::remove_dir(path);
    folder.persist(path).map_err(&failed)?;
    sync_folder(folder_of(path));
    Ok(())
}

/// Opens a file for reading and writing wherever in it, and creates it if it is missing. For files of
/// checked records, which a process may fill in over several runs.
///
/// # Errors
/// If it cannot be created or written.
pub fn update(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.open(path).map_err(FileError::write(path))
}

/// Opens a file that grows line by line, such as a metrics log, for appending.
///
/// # Errors
/// If the file cannot be opened.
pub fn append(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(FileError::write(path))
}

/// Creates a file that grows record by record, under the first of `names` that is free in `folder`.
///
/// # Errors
/// If the file cannot be created.
pub fn create_first_free(
    folder: &Path,
    names: impl IntoIterator<Item = String>,
) -> Result<(PathBuf, File), FileError> {
    for name in names {
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FileError::write(&path)(error)),
        }
    }
    Err(FileError::write(folder)(ErrorKind::AlreadyExists.into()))
}

/// A text as part of a file name: at most `longest` bytes, with underscores for path separators,
/// control characters and characters that some systems reserve.
pub fn name_part(text: &str, longest: usize) -> String {
    let mut name = String::new();
    for character in text.chars() {
        let reserved = character.is_control() || r#"/\:*?"<>|"#.contains(character);
        let character = if reserved { '_' } else { character };
        if name.len() + character.len_utf8() > longest {
            break;
        }
        name.push(character);
    }
    name
}

/// Creates a folder and its parents.
///
/// # Errors
/// If it cannot be created, or its path is `-`.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    if is_dash(path) {
        return Err(FileError::Dash {
            kind: "folder",
            advice: ", or ./- for a folder of this name",
        });
    }
    fs::create_dir_all(path).map_err(FileError::write(path))
}

/// Creates the folder of a command's outputs, or takes one that is there, and removes what killed processes left
/// in it; see [`is_temporary`].
///
/// # Errors
/// If it cannot be created.
pub fn create_output_folder(path: &Path) -> Result<(), FileError> {
    create_folder(path)?;
    temporary::remove_leftovers(path);
    Ok(())
}

/// Whether a path is `-`, which many programs take for standard output.
fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Removes a file if it exists.
///
/// # Errors
/// If it exists and cannot be removed.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    match patiently(|| fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::write(path)(error)),
        _ => Ok(()),
    }
}

/// Renames a file within its folder, replacing any file of that name.
///
/// # Errors
/// If it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    patiently(|| fs::rename(from, to)).map_err(FileError::write(to))
}

/// Renames a folder within its parent, replacing any folder of that name.
///
/// # Errors
/// If it cannot be renamed.
pub fn rename_folder(from: &Path, to: &Path) -> Result<(), FileError> {
    // If this fails, the rename fails too and reports why.
    let _ = patiently(|| fs::remove_dir_all(to));
    patiently(|| fs::rename(from, to)).map_err(FileError::write(to))
}

/// Refuses a folder whose disk has less than `needed` bytes of free space. If the system does not
/// report it, nothing is refused.
///
/// # Errors
/// If there is too little space; the message states both amounts.
pub fn check_room(folder: &Path, needed: u64) -> Result<(), FileError> {
    match system::free_space(folder) {
        Some(available) if available < needed => Err(FileError::Room {
            path: folder.to_owned(),
            needed: amount(needed),
            available: amount(available),
        }),
        _ => Ok(()),
    }
}

/// Bytes in GiB, or in MiB below one.
fn amount(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 {
        format!("{mib:.2} MiB")
    } else {
        format!("{:.2} GiB", mib / 1024.0)
    }
}

/// Makes a folder's entries durable, so that a rename in it survives a power failure.
pub fn sync_folder(path: &Path) {
    // Not every system can open a folder; there the rename alone must do.
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
}

/// Whether what is written to a path replaces a file that is there. Devices, pipes and standard streams, also those
/// that are redirected to a file, are written to and never replaced.
pub fn replaces(path: &Path) -> bool {
    matches!(Target::of(path), Ok(Target::File(file)) if file.is_file())
}

/// Refuses to replace a file that is there; `what` says what it is.
///
/// # Errors
/// The file exists.
pub fn refuse_existing(path: &Path, what: &str) -> Result<(), FileError> {
    if !path.exists() {
        return Ok(());
    }
    Err(FileError::Kept {
        path: path.to_owned(),
        what: what.to_owned(),
    })
}

/// Refuses to replace a text file that another program wrote: one that has contents for which `is_own` does not
/// hold, or that is not text.
///
/// # Errors
/// The file, with `what` it is.
pub fn keep_text(
    path: &Path,
    what: &str,
    is_own: impl FnOnce(&str) -> bool,
) -> Result<(), FileError> {
    let may_replace = |text: String| text.is_empty() || is_own(&text);
    if !replaces(path) || fs::read_to_string(path).is_ok_and(may_replace) {
        return Ok(());
    }
    refuse_existing(path, what)
}

/// [`keep_text`] for a table of comma-separated values: this program's own begins with these columns.
///
/// # Errors
/// The file.
pub fn keep_table(path: &Path, columns: &[&str]) -> Result<(), FileError> {
    keep_text(path, FOREIGN_TABLE, |text| csv::has_columns(text, columns))
}

/// [`keep_text`] for a JSON object: this program's own has these keys.
///
/// # Errors
/// The file.
pub fn keep_json(path: &Path, keys: &[&str]) -> Result<(), FileError> {
    keep_text(path, FOREIGN_TABLE, |text| {
        let object: Result<serde_json::Value, _> = serde_json::from_str(text);
        object.is_ok_and(|object| keys.iter().all(|key| object.get(key).is_some()))
    })
}

/// What a table of another program is, for [`keep_text`].
pub const FOREIGN_TABLE: &str =
    "a table saved by another program or by an earlier version of FlowSeg";

/// Refuses files that [`foreign`] recognises.
///
/// # Errors
/// What the file is, and what to do about it.
pub fn refuse_foreign(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match foreign(bytes) {
        None => Ok(()),
        Some(kind) => Err(FileError::Foreign {
            path: path.to_owned(),
            kind,
        }),
    }
}

#[cfg(test)]
mod tests;
