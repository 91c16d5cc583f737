//! Systems that are neither Unix nor Windows, such as a browser.

use super::special::Special;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The canonical path.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct FileId(PathBuf);

pub(crate) fn file_id(path: &Path, _: &Metadata) -> Option<FileId> {
    path.canonicalize().ok().map(FileId)
}

pub(crate) fn free_space(_: &Path) -> Option<u64> {
    None
}

pub(crate) fn special(_: &Path, _: &Path) -> Option<Special> {
    None
}

pub(crate) fn is_block_device(_: FileType) -> bool {
    false
}

pub(crate) fn standard(_: impl io::Write) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn open_stream(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

pub(crate) fn is_held(_: &io::Error) -> bool {
    false
}

pub(crate) fn with_mode(_: &mut tempfile::Builder<'_, '_>, _: u32) {}

pub(crate) fn hold(_: &File) {}

pub(crate) fn is_held_by_nobody(_: &Path) -> bool {
    false
}

pub(crate) fn keep(_: &File) -> io::Result<()> {
    Ok(())
}
