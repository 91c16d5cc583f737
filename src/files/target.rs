//! What a path refers to, and how that is written.

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
            if let Some(descriptor) = descriptor(&path) {
                return Ok(descriptor);
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
            } else if is_disk(kind) {
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
            Self::File(path) | Self::Stream(path) => open_stream(path),
            Self::Output => standard(io::stdout()),
            Self::Error => standard(io::stderr()),
        }
    }
}

/// Resolves a path like `/dev/fd/3` or `/proc/self/fd/1`, which refers to an open file of a
/// process.
#[cfg(unix)]
fn descriptor(path: &Path) -> Option<Target> {
    let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
    let folder = folder_of(path).canonicalize().ok()?;
    let of_process = folder.ends_with("fd") && folder.starts_with("/proc");
    let own = format!("/proc/{}", std::process::id());
    let ours = folder == Path::new("/dev/fd") || of_process && folder.starts_with(own);
    match number {
        1 if ours => Some(Target::Output),
        2 if ours => Some(Target::Error),
        _ if ours || of_process => Some(Target::Stream(path.to_owned())),
        _ => None,
    }
}

#[cfg(not(unix))]
fn descriptor(_: &Path) -> Option<Target> {
    None
}

#[cfg(unix)]
fn is_disk(kind: fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&kind)
}

#[cfg(not(unix))]
fn is_disk(_: fs::FileType) -> bool {
    false
}

/// Another handle of a standard stream, after flushing what the program has printed so far.
#[cfg(unix)]
fn standard(mut stream: impl io::Write + std::os::fd::AsFd) -> io::Result<File> {
    stream.flush()?;
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn standard(_: impl io::Write) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

/// Opens a device or a pipe for writing. Waiting for a reader of a pipe could block for ever, so it
/// is opened without blocking; the writes then wait for a slow reader.
#[cfg(unix)]
fn open_stream(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
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

#[cfg(not(unix))]
fn open_stream(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).open(path)
}
