//! What Windows and other systems that are not Unix have in common.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

pub(crate) fn is_block_device(_: FileType) -> bool {
    false
}

/// No path means a standard stream.
pub(crate) fn standard(_: impl io::Write) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn open_stream(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// New files inherit their permissions from the folder, where there are any.
pub(crate) fn with_mode(_: &mut tempfile::Builder<'_, '_>, _: u32) {}

/// Windows would keep a locked file from being read, also by this process.
pub(crate) fn hold(_: &File) {}

pub(crate) fn is_held_by_nobody(_: &Path) -> bool {
    false
}
