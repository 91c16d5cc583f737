//! Temporary files and folders, which are gone however the program ends short of a kill.

use super::target::folder_of;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{NamedTempFile, TempDir};

const PREFIX: &str = ".flowseg-";
/// Attempts to remove a folder into which another thread is still writing.
const ATTEMPTS: usize = 5;

/// The temporary files and folders of this process.
struct Registry {
    paths: BTreeSet<PathBuf>,
    /// Whether the program is about to exit: nothing new is created then.
    closed: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    paths: BTreeSet::new(),
    closed: false,
});

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file and folder, and creates none from now on: to be called right before
/// the process exits without unwinding, as on a second Ctrl-C.
pub fn remove_temporaries() {
    let mut registry = registry();
    registry.closed = true;
    for path in &registry.paths {
        if fs::remove_file(path).is_ok() {
            continue;
        }
        for _ in 0..ATTEMPTS {
            match fs::remove_dir_all(path) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(_) => {}
            }
        }
    }
}

/// Whether a file's name is one that this module gives: what a killed process left behind may be
/// removed by whoever owns the folder.
pub fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// A path in the registry for as long as this lives.
struct Entry(PathBuf);

impl Entry {
    /// Creates and registers at once, so that [`remove_temporaries`] misses nothing.
    fn create<T>(
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> io::Result<(T, Self)> {
        let mut registry = registry();
        if registry.closed {
            return Err(io::Error::other("the program is ending"));
        }
        let made = make().map_err(without_path)?;
        let path = path(&made).to_owned();
        registry.paths.insert(path.clone());
        Ok((made, Self(path)))
    }
}

/// The system's reason without the name of the temporary file, which nobody has heard of.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        registry().paths.remove(&self.0);
    }
}

/// Permissions that the system cuts down by the umask, as those of every new file or folder.
fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// A file that is removed unless it is persisted.
pub(super) struct TemporaryFile {
    // Dropped in this order: removed, then forgotten.
    file: NamedTempFile,
    _entry: Entry,
}

impl TemporaryFile {
    /// A new file in the folder of `path`.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let make = || builder(0o666).tempfile_in(folder_of(path));
        let (file, entry) = Entry::create(make, NamedTempFile::path)?;
        Ok(Self {
            file,
            _entry: entry,
        })
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Flushes it to the disk and renames it to `path`. A file there is replaced and its
    /// permissions are kept; one that may not be written is not replaced either.
    pub(super) fn persist(self, path: &Path) -> io::Result<()> {
        let file = self.file.as_file();
        if let Some(kept) = permissions_of(path)?
            && kept != file.metadata()?.permissions()
        {
            file.set_permissions(kept)?;
        }
        match file.sync_all() {
            // Some file systems cannot flush a single file.
            Err(error) if is_unsupported(&error) => {}
            flushed => flushed?,
        }
        self.file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}

/// The permissions of a file that is about to be replaced; none where there is no file.
///
/// # Errors
/// A file that may not be written.
pub(super) fn permissions_of(path: &Path) -> io::Result<Option<Permissions>> {
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => Ok(Some(file.metadata()?.permissions())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A folder that is removed with all that is in it unless it is persisted.
pub struct TemporaryFolder {
    folder: TempDir,
    _entry: Entry,
}

impl TemporaryFolder {
    /// A new folder in the folder of `path`.
    ///
    /// # Errors
    /// A disk that refuses.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        Self::create(|| builder(0o777).tempdir_in(folder_of(path)))
    }

    /// A new folder for this person alone where the system keeps temporary files.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn private() -> io::Result<Self> {
        Self::create(|| builder(0o700).tempdir())
    }

    fn create(make: impl FnOnce() -> io::Result<TempDir>) -> io::Result<Self> {
        let (folder, entry) = Entry::create(make, TempDir::path)?;
        Ok(Self {
            folder,
            _entry: entry,
        })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Renames it to `path`.
    pub(super) fn persist(self, path: &Path) -> io::Result<()> {
        fs::rename(self.folder.path(), path)?;
        // It has another name now, so there is nothing left to remove.
        let _ = self.folder.keep();
        Ok(())
    }
}
