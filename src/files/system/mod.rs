//! What the file systems of Unix and Windows do differently.
//!
//! Each system has one file with the same items; those of systems that are not Unix share some:
//! - `FileId` and `file_id`: which file a path leads to, whatever it is called;
//! - `free_space`: bytes that this user may still write;
//! - `special`: whether a path is not a file but a stream or a device, by its name;
//! - `is_block_device`, `standard`, `open_stream`: the kinds of streams;
//! - `is_held`: whether an operation failed because another process has the file open at the moment;
//! - `with_mode`: the permissions of new files and folders;
//! - `hold` and `is_held_by_nobody`: marks a temporary file as one in use, as long as it is open, and whether
//!   one is not; where that cannot be told, none is;
//! - `keep`: marks a temporary file as one that stays.

#[cfg(not(unix))]
mod not_unix;
#[cfg(not(any(unix, windows)))]
mod other;
mod special;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
use other as this;
#[cfg(unix)]
use unix as this;
#[cfg(windows)]
use windows as this;

pub(super) use special::Special;
pub(super) use this::{
    FileId, file_id, free_space, hold, is_block_device, is_held, is_held_by_nobody, keep,
    open_stream, special, standard, with_mode,
};
