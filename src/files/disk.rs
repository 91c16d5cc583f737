//! Files on disks.

use super::target::Target;
use super::temporary::TemporaryFile;
use super::{FileError, refuse_foreign};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What a file is written to.
pub type Output = File;

/// A file that is mapped for reading.
pub type Contents = memmap2::Mmap;

/// Like [`write_atomic`](super::write_atomic), for content that is written piece by piece. `write` should buffer.
///
/// # Errors
/// As for [`write_atomic`](super::write_atomic), and errors of `write`.
pub fn write_with<E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut Output) -> Result<(), E>,
) -> Result<(), E> {
    let failed = FileError::write(path);
    match Target::of(path).map_err(&failed)? {
        Target::File(place) => {
            let mut temporary = TemporaryFile::beside(&place).map_err(&failed)?;
            write(temporary.file())?;
            temporary.persist(&place).map_err(&failed)?;
        }
        stream => write(&mut stream.open().map_err(&failed)?)?,
    }
    Ok(())
}

/// Reads a whole file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = FileError::read(path);
    if path.is_dir() {
        let reason = "it is a folder; choose a file in it";
        return Err(failed(io::Error::other(reason)));
    }
    fs::read(path).map_err(failed)
}

/// Maps a file for reading, so that a file of any size that is not of the right kind costs nothing.
/// `kind` is what is expected, such as "model file".
///
/// # Errors
/// If it is a folder, a device or a pipe, cannot be read, or is recognised as something else.
pub fn map_file(path: &Path, kind: &str) -> Result<Contents, FileError> {
    let failed = FileError::read(path);
    let metadata = fs::metadata(path).map_err(&failed)?;
    if !metadata.is_file() {
        let reason = if metadata.is_dir() {
            format!("it is a folder; choose a {kind} in it")
        } else {
            format!("it is a device or a pipe; choose a {kind}")
        };
        return Err(failed(io::Error::other(reason)));
    }
    let file = File::open(path).map_err(&failed)?;
    // SAFETY: the map is read-only. Like every mapped reader it relies on no other process
    // truncating the file.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(&failed)?;
    refuse_foreign(path, &bytes)?;
    Ok(bytes)
}

/// Whether there is a file or a folder.
pub fn exists(path: &Path) -> bool {
    path.exists()
}
