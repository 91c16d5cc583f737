//! Temporary files and folders, which are removed however the program ends, except by a kill.

use super::system;
use super::target::folder_of;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir};

const PREFIX: &str = ".flowseg-";
/// Letters and digits after it.
const RANDOM: usize = 10;
/// The end of a marker's name, after a number of 16 hexadecimal digits.
const MARKER_END: &str = ".lock";
/// A leftover was last written at least so long ago: for the moments in which a file is made and renamed,
/// its process does not hold it, and some network drives know only the locks of their own computer.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);
/// The first and the last pause between attempts at a file that another process holds; each is twice
/// the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(1024);
/// Number of attempts to remove a folder into which another thread is still writing.
const ATTEMPTS: usize = 5;

struct Registry {
    paths: BTreeSet<PathBuf>,
    /// Set when the program is about to exit: nothing new is created then.
    closed: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    paths: BTreeSet::new(),
    closed: false,
});

impl Registry {
    /// # Errors
    /// The program is about to exit.
    fn check(&self) -> io::Result<()> {
        if self.closed {
            return Err(io::Error::other("the program is ending"));
        }
        Ok(())
    }
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file and folder and prevents new ones. Call it right before the process
/// exits without unwinding, as on a second Ctrl-C.
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

/// Whether a file name is one that this module creates. Leftovers of a killed process may be
/// removed by the owner of the folder.
pub fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// Removes the temporary files and the markers that a killed process left in a folder a day ago or earlier. Files in use
/// stay, and so does what cannot be removed.
pub(super) fn remove_leftovers(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_file_name(&entry.file_name())) {
        let path = entry.path();
        if is_old_file(&path) && system::is_held_by_nobody(&path) {
            // It may be another user's.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a name is exactly as those of markers and of nearly all temporary files are: letters of both cases are in the
/// latter, so that no word, date or number is meant.
fn is_file_name(name: &OsStr) -> bool {
    let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    random.is_some_and(|random| {
        if let Some(number) = random.strip_suffix(MARKER_END) {
            return number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        }
        let mixed = random.bytes().any(|byte| byte.is_ascii_uppercase())
            && random.bytes().any(|byte| byte.is_ascii_lowercase());
        random.len() == RANDOM && mixed && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Whether a path is a regular file, itself no link, that was not written for [`LEFTOVER_AGE`].
fn is_old_file(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    let age = metadata
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok());
    metadata.is_file() && age.is_some_and(|age| age >= LEFTOVER_AGE)
}

/// A path that is registered as long as this lives.
struct Entry(PathBuf);

impl Entry {
    /// Creates and registers under one lock, so that [`remove_temporaries`] misses nothing.
    fn create<T>(
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> io::Result<(T, Self)> {
        let mut registry = registry();
        registry.check()?;
        let made = make().map_err(without_path)?;
        let path = path(&made).to_owned();
        registry.paths.insert(path.clone());
        Ok((made, Self(path)))
    }

    /// Registers what exists already.
    fn of(path: &Path) -> io::Result<Self> {
        let mut registry = registry();
        registry.check()?;
        registry.paths.insert(path.to_owned());
        Ok(Self(path.to_owned()))
    }
}

/// The system's reason without the name of the temporary file, which means nothing to the user.
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

/// Permissions before the umask, as for every new file or folder.
fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM);
    system::with_mode(&mut builder, mode);
    builder
}

/// A file that is removed when dropped, unless it is persisted.
pub(super) struct TemporaryFile {
    // Drop order: first removed, then unregistered.
    file: NamedTempFile,
    _entry: Entry,
}

impl TemporaryFile {
    /// A new file in the folder of `path`.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let make = || builder(0o666).tempfile_in(folder_of(path));
        let (file, entry) = Entry::create(make, NamedTempFile::path)?;
        system::hold(file.as_file());
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

    /// Flushes the file to disk and renames it to `path`. A file there is replaced and its
    /// permissions are kept; a write-protected file is not replaced.
    pub(super) fn persist(self, path: &Path) -> io::Result<()> {
        let file = self.file.as_file();
        system::keep(file)?;
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
        // Not `NamedTempFile::persist`, which takes no path of more than 260 characters on Windows.
        let (file, mut temporary) = self.file.into_parts();
        drop(file);
        patiently(|| fs::rename(&temporary, path))?;
        temporary.disable_cleanup(true);
        Ok(())
    }
}

/// An empty file that is locked, so that only one process at a time has it, and removed when dropped.
pub(super) struct Marker {
    // Drop order: first unregistered, then removed and unlocked; what another process locks then is not removed here.
    _entry: Entry,
    _locked: Locked,
}

impl Marker {
    /// The marker of a number in a folder.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if another process has it, and others if it cannot be created.
    pub(super) fn take(folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(format!("{PREFIX}{number:016x}{MARKER_END}"));
        for _ in 0..ATTEMPTS {
            let locked = Locked {
                file: locked(&path)?,
                path: path.clone(),
            };
            // Otherwise the process that had it has removed it before it was locked here.
            if locked.is_in_place() {
                // Not before: a network drive may let a lock wait, and the end of the program needs the registry.
                return Ok(Self {
                    _entry: Entry::of(&path)?,
                    _locked: locked,
                });
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }
}

/// A locked file, which is removed when dropped.
struct Locked {
    file: File,
    path: PathBuf,
}

impl Locked {
    /// Whether the path still leads to this file, and not to none or to one of another process.
    fn is_in_place(&self) -> bool {
        let id = |metadata: io::Result<Metadata>| system::file_id(&self.path, &metadata.ok()?);
        let there = id(fs::metadata(&self.path));
        there.is_some() && there == id(self.file.metadata())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.is_in_place() {
            // Where it stays, the next process takes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file that is created if it is missing, and locked until it is closed.
fn locked(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = match options.open(path) {
        // Another user's, which can be locked nevertheless.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            File::open(path).map_err(|_| error)?
        }
        opened => opened?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        // Where there are no locks, nothing tells two processes apart.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Repeats an operation for about two seconds while another process holds the file. Only Windows
/// refuses to replace, rename and remove such a file.
pub(super) fn patiently<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    while_held(system::is_held, attempt)
}

fn while_held<T>(
    is_held: impl Fn(&io::Error) -> bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt() {
            Err(error) if is_held(&error) && pause <= LAST_PAUSE => {
                std::thread::sleep(pause);
                pause *= 2;
            }
            done => return done,
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}

/// The permissions of a file that is about to be replaced; `None` if there is none.
///
/// # Errors
/// If the file is write-protected.
pub(super) fn permissions_of(path: &Path) -> io::Result<Option<Permissions>> {
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => Ok(Some(file.metadata()?.permissions())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A folder that is removed with its contents when dropped, unless it is persisted.
pub struct TemporaryFolder {
    folder: TempDir,
    _entry: Entry,
}

impl TemporaryFolder {
    /// A new folder in the folder of `path`.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        Self::create(|| builder(0o777).tempdir_in(folder_of(path)))
    }

    /// A new folder, accessible only to this user, in the system's temporary folder.
    ///
    /// # Errors
    /// If it cannot be created.
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
        patiently(|| fs::rename(self.folder.path(), path))?;
        // It has another name now, so nothing is left to remove.
        let _ = self.folder.keep();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let aged = |name: &str, age: Duration| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - age)
                .unwrap();
            path
        };
        let day = Duration::from_secs(24 * 3600 + 1);
        let left = [
            aged(".flowseg-01234567aB", day),
            aged(".flowseg-0123456789abcdef.lock", day),
        ];
        let marker = Marker::take(folder.path(), 7).unwrap();
        let old = std::time::SystemTime::now() - day;
        marker._locked.file.set_modified(old).unwrap();
        let kept = [
            aged(".flowseg-abcdefghIJ", Duration::from_secs(60)),
            aged(".flowseg-1753500000", day),
            aged(".flowseg-checkpoint", day),
            aged(".flowseg-replaced", day),
            aged(".flowseg-my-backups", day),
            aged(".flowseg-checkpoint.lock", day),
            marker._locked.path.clone(),
            aged("0123456789", day),
        ];
        let used = TemporaryFile::beside(&folder.path().join("mask.png")).unwrap();
        used.file.as_file().set_modified(old).unwrap();
        let name = used.path().file_name().unwrap().to_ascii_lowercase();
        let mut name = name.into_string().unwrap().into_bytes();
        let last = name.len() - 2..;
        name[last].copy_from_slice(b"aB");
        assert!(is_file_name(OsStr::new(&String::from_utf8(name).unwrap())));
        remove_leftovers(folder.path());
        assert!(!left.iter().any(|path| path.exists()) && used.path().exists());
        assert!(kept.iter().all(|path| path.exists()));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_file_that_was_locked_is_a_marker() {
        let folder = tempfile::tempdir().unwrap();
        let marker = Marker::take(folder.path(), 7).unwrap();
        let path = marker._locked.path.clone();
        assert!(marker._locked.is_in_place());
        fs::remove_file(&path).unwrap();
        assert!(!marker._locked.is_in_place());
        // Another process takes its place, and keeps it.
        let other = Marker::take(folder.path(), 7).unwrap();
        drop(marker);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_marker_of_another_user_is_one() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let marker = Marker::take(folder.path(), 7).unwrap();
        let path = marker._locked.path.clone();
        // As if it were another's: nobody may write to it.
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let error = Marker::take(folder.path(), 7).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // One that a killed process left is taken and removed.
        drop(marker);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        drop(Marker::take(folder.path(), 7).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_another_process_holds_is_tried_again() {
        let held = |error: &io::Error| error.kind() == ErrorKind::ResourceBusy;
        let mut left = 4;
        let done = while_held(held, || {
            left -= 1;
            match left {
                0 => Ok("replaced"),
                _ => Err(ErrorKind::ResourceBusy.into()),
            }
        });
        assert_eq!(done.unwrap(), "replaced");
        // Any other error ends it at once, and a file that stays held does so in the end.
        let mut attempts = 0;
        let error = while_held(held, || -> io::Result<()> {
            attempts += 1;
            Err(ErrorKind::PermissionDenied.into())
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(attempts, 1);
        let error = while_held(held, || -> io::Result<()> {
            attempts += 1;
            Err(ErrorKind::ResourceBusy.into())
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ResourceBusy);
        assert_eq!(attempts, 1 + 12);
    }
}
