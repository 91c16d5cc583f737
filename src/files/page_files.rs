//! The files of a page in a browser: those that it has fetched and those that the user has opened, by
//! their names. Files are written as downloads.

use super::{FileError, refuse_foreign};
use crate::page;
use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a file is written to.
pub type Output = Cursor<Vec<u8>>;

/// The contents of a file.
pub type Contents = Arc<[u8]>;

static KEPT: Mutex<BTreeMap<PathBuf, Contents>> = Mutex::new(BTreeMap::new());

fn kept() -> MutexGuard<'static, BTreeMap<PathBuf, Contents>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most bytes of all files: a page's memory ends at 4 GiB, and the program needs some, too.
const MOST: usize = 1_500_000_000;

/// Keeps a file until the page is closed.
///
/// # Errors
/// If all files together would be too large.
pub fn keep(path: &Path, bytes: Vec<u8>) -> Result<(), FileError> {
    let mut kept = kept();
    let total = kept
        .values()
        .fold(bytes.len(), |sum, file| sum + file.len());
    if total > MOST {
        let reason = "the page has no room for more files: reload it to close those that are open";
        return Err(FileError::read(path)(io::Error::other(reason)));
    }
    kept.insert(path.to_owned(), bytes.into());
    Ok(())
}

/// Whether there is a file.
pub fn exists(path: &Path) -> bool {
    kept().contains_key(path)
}

fn contents(path: &Path) -> Result<Contents, FileError> {
    let found = kept().get(path).cloned();
    found.ok_or_else(|| {
        let reason = io::Error::new(ErrorKind::NotFound, "it is not open in this page");
        FileError::read(path)(reason)
    })
}

/// Like [`write_atomic`](super::write_atomic), for content that is written piece by piece.
///
/// # Errors
/// Errors of `write`, and a browser that refuses the download.
pub fn write_with<E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut Output) -> Result<(), E>,
) -> Result<(), E> {
    let mut output = Output::default();
    write(&mut output)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    page::download(&name, output.get_ref())
        .map_err(|reason| FileError::write(path)(io::Error::other(reason)))?;
    Ok(())
}

/// Reads a whole file.
///
/// # Errors
/// If the page does not have it.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    Ok(contents(path)?.to_vec())
}

/// The contents of a file.
///
/// # Errors
/// If the page does not have it, or it is recognised as something else.
pub fn map_file(path: &Path, _: &str) -> Result<Contents, FileError> {
    let bytes = contents(path)?;
    refuse_foreign(path, &bytes)?;
    Ok(bytes)
}
