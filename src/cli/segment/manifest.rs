//! The manifest: one line per photo, for programs that process the masks.

use super::outputs::{Keys, key, sequence_key};
use crate::files::{self, FileError};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Maximum bytes at the start of a file that are examined.
const START: u64 = 1 << 20;
/// Entry of a line about a path that is not Unicode, so that `input` or `sequence` does not say it: its key.
pub(super) const KEY: &str = "key";
/// Entry of a line about a photo with a mask that was corrected: whether the others of its files show that one.
pub(super) const CORRECTED: &str = "corrected";
/// Entry of such a line: when that mask was corrected, as Unix time in milliseconds.
pub(super) const CORRECTED_AT: &str = "corrected_at_ms";

/// A file of JSON lines, appended photo by photo.
pub(super) struct Manifest {
    path: PathBuf,
    file: File,
    /// What is recorded of a photo, by its key. The last line about a photo counts.
    recorded: HashMap<String, Recorded>,
    keys: Keys,
}

/// What a line says of a photo, or of a sequence.
struct Recorded {
    is_done: bool,
    /// When the mask that it knows was corrected, if it was: Unix time in milliseconds.
    corrected_at: Option<u64>,
    /// What its masks were made with; null if the line does not say it.
    made_with: Value,
}

impl Manifest {
    /// Refuses a path where there is a file that is neither empty nor a manifest.
    ///
    /// # Errors
    /// The file, and what to do.
    pub(super) fn keep_foreign(path: &Path) -> Result<(), FileError> {
        if !files::replaces(path) || is_own(path)? {
            return Ok(());
        }
        files::refuse_existing(path, "not a manifest that FlowSeg wrote")
    }

    /// An empty file at `path`, or, to continue, the existing one.
    ///
    /// # Errors
    /// A failed write.
    pub(super) fn open(path: &Path, goes_on: bool) -> Result<Self, FileError> {
        let mut recorded = HashMap::new();
        let mut keys = Keys::default();
        let mut torn = false;
        if goes_on && path.is_file() {
            let text = fs::read(path).map_err(unreadable(path))?;
            let lines = text.split_inclusive(|&byte| byte == b'\n');
            let whole: Vec<&[u8]> = lines.filter(|line| is_json(line)).collect();
            recorded.extend(whole.iter().filter_map(|line| entry(&mut keys, line)));
            let whole = whole.concat();
            torn = !whole.is_empty() && !whole.ends_with(b"\n");
            // A run that was killed may have left half a line.
            if whole.len() < text.len() {
                files::write_atomic(path, &whole)?;
            }
        } else {
            files::write_atomic(path, b"")?;
        }
        let mut manifest = Self {
            path: path.to_owned(),
            file: files::append(path)?,
            recorded,
            keys,
        };
        if torn {
            manifest.write(b"\n")?;
        }
        Ok(manifest)
    }

    /// Whether a photo is recorded as done.
    pub(super) fn has(&self, input: &str) -> bool {
        self.recorded
            .get(input)
            .is_some_and(|recorded| recorded.is_done)
    }

    /// Whether a photo is recorded as done with the mask that was corrected at this Unix time in milliseconds.
    pub(super) fn has_corrected(&self, input: &str, time: u64) -> bool {
        let recorded = self.recorded.get(input);
        recorded.is_some_and(|recorded| recorded.is_done && recorded.corrected_at == Some(time))
    }

    /// What the masks of a photo that is recorded as done were made with, if its line says it.
    pub(super) fn made_with(&self, input: &str) -> Option<&Value> {
        let recorded = self.recorded.get(input)?;
        let known = recorded.is_done && !recorded.made_with.is_null();
        known.then_some(&recorded.made_with)
    }

    /// Removes the lines about photos and sequences, given their keys, so that new lines replace them.
    ///
    /// # Errors
    /// A failed read or write.
    pub(super) fn without(self, removed: &HashSet<String>) -> Result<Self, FileError> {
        if !removed.iter().any(|key| self.recorded.contains_key(key)) {
            return Ok(self);
        }
        let Self {
            path,
            file,
            mut keys,
            ..
        } = self;
        // Windows does not replace a file that is open.
        drop(file);
        let text = fs::read(&path).map_err(unreadable(&path))?;
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let kept = lines
            .filter(|line| entry(&mut keys, line).is_none_or(|(key, _)| !removed.contains(&key)));
        files::write_atomic(&path, &kept.collect::<Vec<_>>().concat())?;
        Self::open(&path, true)
    }

    /// Appends a line, unbuffered, so that it survives a kill.
    ///
    /// # Errors
    /// A failed write.
    pub(super) fn add(&mut self, line: &Value) -> Result<(), FileError> {
        self.write(format!("{line}\n").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.file.write_all(bytes);
        written.map_err(FileError::write(&self.path))
    }
}

/// The key of the photo or the sequence that a line is about, and what it says.
fn entry(keys: &mut Keys, line: &[u8]) -> Option<(String, Recorded)> {
    let mut line: Value = serde_json::from_slice(line).ok()?;
    let mut place = |path: &str| {
        let place = line[KEY].as_str().map(str::to_owned);
        place.unwrap_or_else(|| keys.of(Path::new(path)))
    };
    let key = match (line["input"].as_str(), line["sequence"].as_str()) {
        (Some(input), _) => key(&place(input), line["frame"].as_u64()),
        (None, Some(sequence)) => sequence_key(&place(sequence)),
        (None, None) => return None,
    };
    let recorded = Recorded {
        is_done: line["error"].is_null(),
        corrected_at: line[CORRECTED_AT].as_u64(),
        made_with: line["made_with"].take(),
    };
    Some((key, recorded))
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// Whether a file is empty, or has lines of a manifest at its start: about photos, or about sequences. Runs that were
/// killed may have left halves of such lines, also as the only one.
fn is_own(path: &Path) -> Result<bool, FileError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    read.map_err(unreadable(path))?;
    let is_line = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let has = |name: &str| line.get(name).is_some();
        has("input") && has("outputs") || has("sequence") && has("pictures")
    };
    let is_half = || {
        let cut = serde_json::from_slice::<IgnoredAny>(&start);
        let is_cut = cut.is_err_and(|error| error.is_eof());
        is_cut && start.starts_with(b"{\"") && !start.contains(&b'\n')
    };
    let whole = (start.len() as u64) < START;
    let lines = || start.split(|&byte| byte == b'\n');
    let is_start = |line: &[u8]| line.starts_with(b"{\"") || b"{\"".starts_with(line);
    let are_lines = lines().all(is_start);
    let is_manifest = are_lines && lines().any(is_line);
    Ok(start.is_empty() || is_manifest || whole && is_half())
}

/// For `map_err`: reading `path` failed.
fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Read {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place(name: &str) -> String {
        Keys::default().of(Path::new(name))
    }

    #[test]
    fn photos_are_found_under_any_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let mut manifest = Manifest::open(&path, true).unwrap();
        let spelled = folder.path().join(".").join("a.png");
        for line in [
            json!({"input": spelled, "error": null}),
            json!({"input": "b\u{fffd}", "key": "bytes:/b\\xff", "error": null}),
        ] {
            manifest.add(&line).unwrap();
        }
        let manifest = Manifest::open(&path, true).unwrap();
        assert!(manifest.has(&Keys::default().of(&folder.path().join("a.png"))));
        assert!(manifest.has("bytes:/b\\xff") && !manifest.has(&place("b\u{fffd}")));
    }

    #[test]
    fn sequences_whose_path_is_not_unicode_are_found_by_their_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let mut manifest = Manifest::open(&path, true).unwrap();
        let line = json!({"sequence": "b\u{fffd}", "key": "bytes:/b\\xff", "pictures": 1});
        manifest.add(&line).unwrap();
        let removed = |key: &str| HashSet::from([sequence_key(key)]);
        let manifest = Manifest::open(&path, true).unwrap();
        let manifest = manifest.without(&removed(&place("b\u{fffd}"))).unwrap();
        assert_ne!(fs::read(&path).unwrap(), b"");
        manifest.without(&removed("bytes:/b\\xff")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_photo_is_done_with_its_corrected_mask_only_if_its_line_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let mut manifest = Manifest::open(&path, true).unwrap();
        for line in [
            json!({"input": "a", "error": null}),
            json!({"input": "b", "error": null, "corrected": true, "corrected_at_ms": 7}),
            // It could not be copied into the other files, nor can it be by another run.
            json!({"input": "c", "error": null, "corrected": false, "corrected_at_ms": 7}),
            json!({"input": "d", "error": "cut", "corrected": true, "corrected_at_ms": 7}),
            // It was corrected again.
            json!({"input": "e", "error": null, "corrected": true, "corrected_at_ms": 6}),
        ] {
            manifest.add(&line).unwrap();
        }
        let manifest = Manifest::open(&path, true).unwrap();
        let names = ["a", "b", "c", "d", "e"];
        let found = names.map(|name| manifest.has_corrected(&place(name), 7));
        assert_eq!(found, [false, true, true, false, false]);
    }

    #[test]
    fn a_manifest_begins_anew_or_goes_on_after_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let mut manifest = Manifest::open(&path, true).unwrap();
        manifest.add(&json!({"input": "a", "error": null})).unwrap();
        manifest
            .add(&json!({"input": "b", "error": "cut"}))
            .unwrap();
        let mut torn = fs::read(&path).unwrap();
        torn.extend(b"{\"input\": \"c\", \"er");
        fs::write(&path, torn).unwrap();
        let mut manifest = Manifest::open(&path, true).unwrap();
        assert_eq!(
            ["a", "b", "c"].map(|name| manifest.has(&place(name))),
            [true, false, false]
        );
        manifest.add(&json!({"input": "b", "error": null})).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(Manifest::open(&path, true).unwrap().has(&place("b")));
        assert!(!Manifest::open(&path, false).unwrap().has(&place("a")));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn lines_of_photos_that_are_tried_again_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let mut manifest = Manifest::open(&path, true).unwrap();
        for line in [
            json!({"input": "a", "error": "cut"}),
            json!({"input": "b", "frame": 1, "error": "cut"}),
            json!({"input": "b", "frame": 2, "error": null}),
            json!({"sequence": "b", "pictures": 1}),
        ] {
            manifest.add(&line).unwrap();
        }
        let manifest = Manifest::open(&path, true).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        let manifest = manifest.without(&HashSet::from([place("c")])).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        let again = [place("a"), key(&place("b"), Some(1))].into();
        let mut manifest = manifest.without(&again).unwrap();
        assert!(manifest.has(&key(&place("b"), Some(2))) && !manifest.has(&place("a")));
        manifest.add(&json!({"input": "a", "error": null})).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (
                &lines[0]["frame"],
                &lines[1]["sequence"],
                &lines[2]["input"]
            ),
            (&2.into(), &"b".into(), &"a".into())
        );
        let sequence = Keys::default().of_sequence(Path::new("b"));
        let manifest = Manifest::open(&path, true).unwrap();
        manifest.without(&HashSet::from([sequence])).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().count() == 2 && !text.contains("sequence"),
            "{text}"
        );
    }

    /// A folder of files in memory, not of devices.
    #[cfg(target_os = "linux")]
    #[test]
    fn files_in_shared_memory_are_not_replaced() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
            return;
        };
        let path = folder.path().join("notes.md");
        fs::write(&path, "# Notes\n").unwrap();
        let error = Manifest::keep_foreign(&path).unwrap_err().to_string();
        assert!(error.contains("notes.md is not a manifest"), "{error}");
        for device in ["/dev/null", "/dev/stdout"] {
            Manifest::keep_foreign(Path::new(device)).unwrap();
        }
    }

    #[test]
    fn only_manifests_and_empty_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.md");
        Manifest::keep_foreign(&path).unwrap();
        for own in [
            "",
            "{\"error\":null,\"input\":\"a\",\"outputs\":[]}\n{\"inp",
            "{\"pictures\":3,\"sequence\":\"a\"}\n",
            // What killed runs left.
            "{\"error\":null,\"inp",
            "{\"error\":null,\"inp\n{\"error\":null,\"input\":\"a\",\"outputs\":[]}\n",
        ] {
            fs::write(&path, own).unwrap();
            Manifest::keep_foreign(&path).unwrap();
        }
        for other in [
            &b"# Notes\n"[..],
            b"\n",
            b"{\"input\": 1}\n",
            b"{\"flags\":{},\"shapes\":[]}",
            b"{\"flags\":{},\n\"shapes\":",
            b"[\"input\", \"outputs\"]\n",
            b"# Log\n{\"error\":null,\"input\":\"a\",\"outputs\":[]}\n",
            b"\xff\xd8\xff",
        ] {
            fs::write(&path, other).unwrap();
            let error = Manifest::keep_foreign(&path).unwrap_err().to_string();
            assert!(error.contains("notes.md is not a manifest"), "{error}");
        }
    }
}
