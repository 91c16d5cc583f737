//! Unix: Linux and macOS.

use super::special::Special;
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use std::fs::{File, FileType, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Device and inode.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64, u64);

pub(crate) fn file_id(_: &Path, metadata: &Metadata) -> Option<FileId> {
    Some(FileId(metadata.dev(), metadata.ino()))
}

pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Resolves a path like `/dev/fd/3` or `/proc/self/fd/1`, which refers to an open file of a
/// process. `folder` is the path's folder.
pub(crate) fn special(path: &Path, folder: &Path) -> Option<Special> {
    let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
    let folder = folder.canonicalize().ok()?;
    let of_process = folder.ends_with("fd") && folder.starts_with("/proc");
    let own = format!("/proc/{}", std::process::id());
    let ours = folder == Path::new("/dev/fd") || of_process && folder.starts_with(own);
    match number {
        1 if ours => Some(Special::Output),
        2 if ours => Some(Special::Error),
        _ if ours || of_process => Some(Special::Stream),
        _ => None,
    }
}

pub(crate) fn is_block_device(kind: FileType) -> bool {
    kind.is_block_device()
}

/// Another handle of a standard stream, after flushing what the program has printed so far.
pub(crate) fn standard(mut stream: impl io::Write + AsFd) -> io::Result<File> {
    stream.flush()?;
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// Opens a device or a pipe for writing. Waiting for a reader of a pipe could block for ever, so it
/// is opened without blocking; the writes then wait for a slow reader.
pub(crate) fn open_stream(path: &Path) -> io::Result<File> {
    // An open file may be a regular file; what others wrote into it stays.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = open(path, flags | OFlags::NONBLOCK, Mode::empty());
    let file = match opened {
        Err(rustix::io::Errno::NXIO) => {
            return Err(io::Error::other("no program reads this pipe"));
        }
        other => other?,
    };
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file.into())
}

/// An open file can be replaced and removed here.
pub(crate) fn is_held(_: &io::Error) -> bool {
    false
}

/// Permissions before the umask, as for every new file or folder.
pub(crate) fn with_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
    builder.permissions(PermissionsExt::from_mode(mode));
}

/// A lock, which the system takes back when the process ends, however it does.
pub(crate) fn hold(file: &File) {
    // Where there are no locks, a file that is left behind stays.
    let _ = file.try_lock();
}

pub(crate) fn is_held_by_nobody(path: &Path) -> bool {
    let file = File::options().read(true).write(true).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok())
}

pub(crate) fn keep(_: &File) -> io::Result<()> {
    Ok(())
}
