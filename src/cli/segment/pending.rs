//! The files of earlier runs that a run is to replace. A list of them lies in the folder of the masks until they are
//! replaced: otherwise a run that continues one that was stopped would take those that are left for done.

use super::outputs::milliseconds;
use crate::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

/// The start of the name of a list. Every run has a name of its own: several may write to one folder at the same time.
const PREFIX: &str = ".flowseg-pending-";

/// The lists in the folder of the masks.
pub(super) struct Pending {
    folder: PathBuf,
    lists: Vec<List>,
    /// The path of this run's.
    own: Option<PathBuf>,
}

struct List {
    path: PathBuf,
    /// The files by their paths below the folder.
    files: HashMap<PathBuf, Written>,
}

/// What tells a file from the one that replaces it. The time alone does not: some file systems, such as those of memory
/// cards, count it in steps of two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// When it was written, as Unix time in milliseconds.
    time_ms: u64,
    /// Its length; 0 for a folder, of which every file system says something else.
    bytes: u64,
}

impl Written {
    /// `None` if nothing is there, or its time is not known.
    fn of(path: &Path) -> Option<Self> {
        let time_ms = milliseconds(path);
        let there = fs::metadata(path).ok().filter(|_| time_ms > 0)?;
        let bytes = if there.is_dir() { 0 } else { there.len() };
        Some(Self { time_ms, bytes })
    }
}

/// A path in a list. JSON has no text for names that are not Unicode.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Other(OsString),
}

impl Pending {
    /// The lists that earlier runs have left in a folder. Those of other users that this one may not read are left out,
    /// with a warning in the log: no run of this user could go on otherwise.
    ///
    /// # Errors
    /// A list that cannot be read for another reason.
    pub(super) fn read(folder: &Path) -> Result<Self, FileError> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let of_list = |name: OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let entries = entries.filter(|entry| of_list(entry.file_name()));
        let lists = entries.filter_map(|entry| List::read(entry.path()).transpose());
        Ok(Self {
            folder: folder.to_owned(),
            lists: lists.collect::<Result<_, _>>()?,
            own: None,
        })
    }

    /// Whether a file is still the one that was to be replaced.
    pub(super) fn has(&self, file: &Path) -> bool {
        let Ok(name) = file.strip_prefix(&self.folder) else {
            return false;
        };
        let mut listed = self.lists.iter().filter_map(|list| list.files.get(name));
        listed.any(|written| Written::of(file) == Some(*written))
    }

    /// Writes the list of this run: of those of the files that are there.
    ///
    /// # Errors
    /// A failed write.
    pub(super) fn add<'a>(
        &mut self,
        files: impl Iterator<Item = &'a Path>,
    ) -> Result<(), FileError> {
        let there = files.filter_map(|file| {
            let name = file.strip_prefix(&self.folder).ok()?;
            Some((name.to_owned(), Written::of(file)?))
        });
        let files: HashMap<PathBuf, Written> = there.collect();
        if files.is_empty() {
            return Ok(());
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.unwrap_or_default().as_nanos();
        let path = self
            .folder
            .join(format!("{PREFIX}{:x}-{now:x}", process::id()));
        let list = List { path, files };
        list.write()?;
        self.own = Some(list.path.clone());
        self.lists.push(list);
        Ok(())
    }

    /// Removes the list of this run, which replaces nothing.
    ///
    /// # Errors
    /// A list that cannot be removed.
    pub(super) fn withdraw(&mut self) -> Result<(), FileError> {
        let own = self.own.take();
        own.map_or(Ok(()), |path| files::remove_file(&path))
    }

    /// Removes the lists of which no file is left, and from the list of this run the files that it has replaced. The
    /// others are those of photos that have failed: a list of an earlier run that has them all takes its place.
    ///
    /// The masks are written, so that a list that cannot be removed, such as another user's, is only told in the log.
    pub(super) fn end(&self) {
        for list in &self.lists {
            if let Err(error) = self.tidy(list) {
                tracing::warn!("{error}");
            }
        }
    }

    fn tidy(&self, list: &List) -> Result<(), FileError> {
        let is_own = |list: &List| self.own.as_ref() == Some(&list.path);
        let left = list.left_in(&self.folder);
        let others = self.lists.iter().filter(|other| !is_own(other));
        // Another run may have removed one meanwhile.
        let others: Vec<&List> = others.filter(|other| other.path.exists()).collect();
        let is_listed = |(name, written): (&PathBuf, &Written)| {
            let mut others = others.iter();
            others.any(|other| other.files.get(name) == Some(written))
        };
        if left.is_empty() || is_own(list) && left.iter().all(is_listed) {
            return files::remove_file(&list.path);
        }
        if is_own(list) && left.len() < list.files.len() {
            let path = list.path.clone();
            return List { path, files: left }.write();
        }
        Ok(())
    }
}

impl List {
    /// The list at a path; `None` for another file, one that another run has removed meanwhile, or one that this user may
    /// not read.
    fn read(path: PathBuf) -> Result<Option<Self>, FileError> {
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                tracing::warn!(
                    "cannot read {} ({error}): masks that another user's stopped run was still to replace \
                     count as done",
                    path.display()
                );
                return Ok(None);
            }
            Err(source) => return Err(FileError::Read { path, source }),
            Ok(text) => text,
        };
        let Ok(entries) = serde_json::from_slice::<Vec<(Name, Written)>>(&text) else {
            return Ok(None);
        };
        let files = entries.into_iter().map(|(name, written)| match name {
            Name::Text(name) => (name.into(), written),
            Name::Other(name) => (name.into(), written),
        });
        let files = files.collect();
        Ok(Some(Self { path, files }))
    }

    /// Those of its files that are still there, below a folder.
    fn left_in(&self, folder: &Path) -> HashMap<PathBuf, Written> {
        let files = self.files.iter();
        let left = files.filter(|(name, written)| {
            let there = Written::of(&folder.join(name));
            there == Some(**written)
        });
        left.map(|(name, written)| (name.clone(), *written))
            .collect()
    }

    fn write(&self) -> Result<(), FileError> {
        let name = |path: &Path| match path.to_str() {
            Some(name) => Name::Text(name.to_owned()),
            None => Name::Other(path.into()),
        };
        let entries = self.files.iter();
        let entries: Vec<(Name, Written)> = entries
            .map(|(path, written)| (name(path), *written))
            .collect();
        let failed = |error: serde_json::Error| FileError::write(&self.path)(error.into());
        let text = serde_json::to_vec(&entries).map_err(failed)?;
        files::write_atomic(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// Writes a file, so many seconds after the others.
    fn write(path: &Path, seconds: u64) {
        write_text(path, seconds, "");
    }

    fn write_text(path: &Path, seconds: u64, text: &str) {
        fs::write(path, text).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        file.set_modified(time).unwrap();
    }

    fn lists(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string());
        names
            .filter(|name| name.as_ref().is_ok_and(|name| name.starts_with(PREFIX)))
            .count()
    }

    #[test]
    fn files_are_listed_until_they_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, new] = ["a.png", "b.png", "new.png"].map(|name| folder.path().join(name));
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([new.as_path()].into_iter()).unwrap();
        assert_eq!(lists(folder.path()), 0);
        write(&a, 0);
        write(&b, 0);
        let all = [a.as_path(), &b, &new];
        pending.add(all.into_iter()).unwrap();
        // The run replaces one of them, and is stopped.
        write(&a, 1);
        write(&new, 1);
        let pending = Pending::read(folder.path()).unwrap();
        assert_eq!(all.map(|file| pending.has(file)), [false, true, false]);
        pending.end();
        assert_eq!(lists(folder.path()), 1);
        // The next one begins with the first again.
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add(all.into_iter()).unwrap();
        let pending = Pending::read(folder.path()).unwrap();
        assert_eq!(all.map(|file| pending.has(file)), [true; 3]);
        for file in all {
            write(file, 2);
        }
        pending.end();
        assert_eq!(lists(folder.path()), 0);
        assert!(!Pending::read(folder.path()).unwrap().has(&b));
    }

    /// The photo of `b` fails in every run.
    #[test]
    fn a_photo_that_always_fails_has_one_list_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.png", "b.png"].map(|name| folder.path().join(name));
        write(&a, 0);
        write(&b, 0);
        for run in 1..4 {
            let mut pending = Pending::read(folder.path()).unwrap();
            pending.add([a.as_path(), &b].into_iter()).unwrap();
            write(&a, run);
            pending.end();
            let pending = Pending::read(folder.path()).unwrap();
            assert_eq!(pending.lists.len(), 1, "{run}");
            assert_eq!(pending.lists[0].files.len(), 1, "{run}");
            assert!(pending.has(&b));
        }
        // An earlier list that is gone meanwhile takes no other's place.
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([b.as_path()].into_iter()).unwrap();
        fs::remove_file(&pending.lists[0].path).unwrap();
        pending.end();
        assert!(Pending::read(folder.path()).unwrap().has(&b));
    }

    #[test]
    fn a_file_that_was_replaced_within_the_step_of_its_time_is_not_the_one_that_was_listed() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a.png");
        write_text(&a, 0, "before");
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([a.as_path()].into_iter()).unwrap();
        assert!(Pending::read(folder.path()).unwrap().has(&a));
        write_text(&a, 0, "now");
        assert!(!Pending::read(folder.path()).unwrap().has(&a));
        pending.end();
        assert_eq!(lists(folder.path()), 0);
    }

    #[test]
    fn a_list_that_cannot_be_removed_keeps_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ended = |name: &str| List {
            path: folder.path().join(format!("{PREFIX}{name}")),
            files: HashMap::new(),
        };
        let pending = Pending {
            folder: folder.path().to_owned(),
            lists: vec![ended("1"), ended("2")],
            own: None,
        };
        // A folder is removed by no one who removes a file.
        fs::create_dir(&pending.lists[0].path).unwrap();
        pending.lists[1].write().unwrap();
        pending.end();
        assert!(pending.lists[0].path.exists() && !pending.lists[1].path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_list_of_another_user_is_left_out() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a.png");
        write(&a, 0);
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([a.as_path()].into_iter()).unwrap();
        let list = &pending.lists[0].path;
        fs::set_permissions(list, PermissionsExt::from_mode(0o000)).unwrap();
        // Root reads everything.
        let is_read = fs::read(list).is_ok();
        assert_eq!(Pending::read(folder.path()).unwrap().has(&a), is_read);
    }

    #[test]
    fn a_run_that_replaces_nothing_leaves_no_list() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a.png");
        write(&a, 0);
        let mut first = Pending::read(folder.path()).unwrap();
        first.add([a.as_path()].into_iter()).unwrap();
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([a.as_path()].into_iter()).unwrap();
        assert_eq!(lists(folder.path()), 2);
        pending.withdraw().unwrap();
        assert_eq!(lists(folder.path()), 1);
        // Nor has one that finds nothing to replace removed another's.
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add([].into_iter()).unwrap();
        pending.withdraw().unwrap();
        assert!(Pending::read(folder.path()).unwrap().has(&a));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_are_listed() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let written = Written {
            time_ms: 7,
            bytes: 9,
        };
        let list = |byte: &[u8]| List {
            path: folder.path().join(PREFIX),
            files: [(OsStr::from_bytes(byte).into(), written)].into(),
        };
        for name in [&b"a\xfe.png"[..], b"a\nb.png"] {
            list(name).write().unwrap();
            let read = List::read(folder.path().join(PREFIX)).unwrap().unwrap();
            assert_eq!(read.files, list(name).files);
        }
    }
}
