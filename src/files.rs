//! Files written whole or not at all, and models read from disk.

use crate::model::tensors::Precision;
use crate::model::{Model, ModelError};
use burn::tensor::Device;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A failure that names the file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading failed.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Writing failed; nothing half-written is left.
    #[error("cannot write {} ({}): check the space and the permissions there", path.display(), reason(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A disk with too little space.
    #[error("{} has {available} GiB of free space and {needed} are needed: free some, or name another folder", path.display())]
    Room {
        /// The folder.
        path: PathBuf,
        /// What is needed, in GiB.
        needed: String,
        /// What there is, in GiB.
        available: String,
    },
    /// The file is no model.
    #[error("{} is no usable model: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
}

/// The system's reason without the name of a temporary file.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" at path ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Writes a file under a temporary name beside it, flushes it to the disk and renames it.
///
/// # Errors
/// Any failure of the disk; the temporary file is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |file| {
        file.write_all(bytes).map_err(|source| FileError::Write {
            path: path.to_owned(),
            source,
        })
    })
}

/// [`write_atomic`] for what is better written piece by piece. `write` should buffer.
///
/// # Errors
/// Any failure of the disk or of `write`; the temporary file is removed.
pub fn write_with<E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| FileError::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".flowseg-")
        .tempfile_in(folder_of(path))
        .map_err(failed)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(failed)?;
    readable_by_all(file.path()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes what was created under a temporary name, which is private by default, as readable as any
/// other new file or folder.
///
/// # Errors
/// A disk that refuses.
pub fn readable_by_all(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Reads a whole file.
///
/// # Errors
/// Anything but a readable file.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        return Err(failed(io::Error::other(
            "it is a folder; name a file in it",
        )));
    }
    fs::read(path).map_err(failed)
}

/// Creates a folder and its parents.
///
/// # Errors
/// A disk that refuses.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Refuses a folder whose disk has less than `needed` bytes of free space. Where the system does not
/// tell, nothing is refused.
///
/// # Errors
/// Both numbers.
pub fn check_room(folder: &Path, needed: u64) -> Result<(), FileError> {
    let gib = |bytes: u64| format!("{:.2}", bytes as f64 / f64::from(1 << 30));
    match free_space(folder) {
        Some(available) if available < needed => Err(FileError::Room {
            path: folder.to_owned(),
            needed: gib(needed),
            available: gib(available),
        }),
        _ => Ok(()),
    }
}

/// Bytes that may still be written to the disk of a folder.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Makes a folder's entries durable, so that a rename in it survives a power cut.
pub fn sync_folder(path: &Path) {
    // Not every system lets a folder be opened; there the rename alone has to do.
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
}

/// Reads a model file onto a device.
///
/// # Errors
/// A file that can't be read, or is no model.
pub fn read_model(path: &Path, device: &Device) -> Result<Model, FileError> {
    // Mapped, so that a file of any size that turns out to be no model costs nothing.
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        return Err(failed(io::Error::other(
            "it is a folder; name a model file in it",
        )));
    }
    let file = File::open(path).map_err(failed)?;
    // SAFETY: the map is read only and dropped before this function returns; a file that is cut
    // short meanwhile by somebody else is the risk that every mapped reader takes.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?;
    Model::from_bytes(&bytes, device).map_err(|source| FileError::Model {
        path: path.to_owned(),
        source,
    })
}

/// Writes a model file.
///
/// # Errors
/// A disk that refuses.
pub fn write_model(path: &Path, model: &Model, precision: Precision) -> Result<(), FileError> {
    let bytes = model
        .to_bytes(precision)
        .map_err(|source| FileError::Model {
            path: path.to_owned(),
            source,
        })?;
    write_atomic(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_disk_without_room_is_refused_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        check_room(folder.path(), 1).unwrap();
        let error = check_room(folder.path(), u64::MAX).unwrap_err().to_string();
        for word in [
            &*folder.path().to_string_lossy(),
            "17179869184.00",
            "free space",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }
}
