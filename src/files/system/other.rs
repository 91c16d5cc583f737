//! Systems that are neither Unix nor Windows, such as a browser.

pub(crate) use super::not_unix::{
    hold, is_block_device, is_held_by_nobody, open_stream, standard, with_mode,
};
use super::special::Special;
use std::fs::{File, Metadata};
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

pub(crate) fn is_held(_: &io::Error) -> bool {
    false
}

pub(crate) fn keep(_: &File) -> io::Result<()> {
    Ok(())
}
