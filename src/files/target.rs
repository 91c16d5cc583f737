//! What a path refers to, and how that is written.

use super::system::{self, Special};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Number of links to follow before assuming a cycle; Linux has the same limit.
const LINKS: usize = 40;

/// The folder that contains a path.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Where the bytes for a path are written.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// A regular or missing file, after following all links: replaced by a rename.
    File(PathBuf),
    Output,
    Error,
    /// A device, a pipe or an open file: opened and written.
    Stream(PathBuf),
}

impl Target {
    /// Follows the links of `path`.
    ///
    /// # Errors
    /// If it is a folder or a block device, its links form a cycle, or it cannot be inspected.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            match system::special(&path, folder_of(&path)) {
                Some(Special::Output) => return Ok(Self::Output),
                Some(Special::Error) => return Ok(Self::Error),
                Some(Special::Stream) => return Ok(Self::Stream(path)),
                None => {}
            }
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::File(path)),
                Err(error) => return Err(error),
            };
            if kind.is_symlink() {
                path = folder_of(&path).join(fs::read_link(&path)?);
            } else if kind.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            } else if kind.is_file() {
                return Ok(Self::File(path));
            } else if system::is_block_device(kind) {
                return Err(io::Error::other("it is a block device"));
            } else {
                return Ok(Self::Stream(path));
            }
        }
        Err(io::Error::other("its symbolic links form a cycle"))
    }

    /// Opens a target that is not replaced.
    ///
    /// # Errors
    /// If it is a pipe that no program reads, or cannot be opened.
    pub(super) fn open(&self) -> io::Result<File> {
        match self {
            Self::File(path) | Self::Stream(path) => system::open_stream(path),
            Self::Output => system::standard(io::stdout()),
            Self::Error => system::standard(io::stderr()),
        }
    }
}
