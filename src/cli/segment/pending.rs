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
    /// When each file was written, as Unix time in milliseconds, by its path below the folder.
    files: HashMap<PathBuf, u64>,
}

/// A path in a list. JSON has no text for names that are not Unicode.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Other(OsString),
}

impl Pending {
    /// The lists that earlier runs have left in a folder.
    ///
    /// # Errors
    /// A list that cannot be read.
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
        let mut times = self.lists.iter().filter_map(|list| list.files.get(name));
        times.any(|time| *time == milliseconds(file))
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
            let time = milliseconds(file);
            (time > 0).then(|| (name.to_owned(), time))
        });
        let files: HashMap<PathBuf, u64> = there.collect();
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

    /// Removes the lists of which no file is left.
    ///
    /// # Errors
    /// A list that cannot be removed.
    pub(super) fn end(&self) -> Result<(), FileError> {
        let is_left =
            |(name, time): (&PathBuf, &u64)| milliseconds(&self.folder.join(name)) == *time;
        let lists = self.lists.iter();
        let mut ended = lists.filter(|list| !list.files.iter().any(is_left));
        ended.try_for_each(|list| files::remove_file(&list.path))
    }
}

impl List {
    /// The list at a path; `None` for another file, or one that another run has removed meanwhile.
    fn read(path: PathBuf) -> Result<Option<Self>, FileError> {
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError::Read { path, source }),
            Ok(text) => text,
        };
        let Ok(entries) = serde_json::from_slice::<Vec<(Name, u64)>>(&text) else {
            return Ok(None);
        };
        let files = entries.into_iter().map(|(name, time)| match name {
            Name::Text(name) => (name.into(), time),
            Name::Other(name) => (name.into(), time),
        });
        let files = files.collect();
        Ok(Some(Self { path, files }))
    }

    fn write(&self) -> Result<(), FileError> {
        let name = |path: &Path| match path.to_str() {
            Some(name) => Name::Text(name.to_owned()),
            None => Name::Other(path.into()),
        };
        let entries = self.files.iter();
        let entries: Vec<(Name, u64)> = entries.map(|(path, time)| (name(path), *time)).collect();
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
        let file = File::create(path).unwrap();
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
        pending.end().unwrap();
        assert_eq!(lists(folder.path()), 1);
        // The next one begins with the first again.
        let mut pending = Pending::read(folder.path()).unwrap();
        pending.add(all.into_iter()).unwrap();
        let pending = Pending::read(folder.path()).unwrap();
        assert_eq!(all.map(|file| pending.has(file)), [true; 3]);
        for file in all {
            write(file, 2);
        }
        pending.end().unwrap();
        assert_eq!(lists(folder.path()), 0);
        assert!(!Pending::read(folder.path()).unwrap().has(&b));
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
        let list = |byte: &[u8]| List {
            path: folder.path().join(PREFIX),
            files: [(OsStr::from_bytes(byte).into(), 7)].into(),
        };
        for name in [&b"a\xfe.png"[..], b"a\nb.png"] {
            list(name).write().unwrap();
            let read = List::read(folder.path().join(PREFIX)).unwrap().unwrap();
            assert_eq!(read.files, list(name).files);
        }
    }
}
