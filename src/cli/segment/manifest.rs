//! The manifest: one line per photo, for programs that process the masks.

use super::outputs::key;
use crate::files::{self, FileError};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file of JSON lines, appended photo by photo. The last line about a photo counts.
pub(super) struct Manifest {
    path: PathBuf,
    file: File,
    /// Keys of the photos recorded as done.
    done: HashSet<String>,
}

impl Manifest {
    /// An empty file at `path`, or, to continue, the existing one.
    ///
    /// # Errors
    /// A failed write.
    pub(super) fn open(path: &Path, goes_on: bool) -> Result<Self, FileError> {
        let mut done = HashSet::new();
        let mut torn = false;
        if goes_on && path.is_file() {
            let text = fs::read(path).map_err(|source| FileError::Read {
                path: path.to_owned(),
                source,
            })?;
            let text = String::from_utf8_lossy(&text);
            // A run that was killed may have left half a line.
            torn = !text.is_empty() && !text.ends_with('\n');
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                if line["error"].is_null()
                    && let Some(input) = line["input"].as_str()
                {
                    done.insert(key(input, line["frame"].as_u64()));
                }
            }
        } else {
            files::write_atomic(path, b"")?;
        }
        let mut manifest = Self {
            path: path.to_owned(),
            file: files::append(path)?,
            done,
        };
        if torn {
            manifest.write(b"\n")?;
        }
        Ok(manifest)
    }

    /// Whether a photo is recorded as done.
    pub(super) fn has(&self, input: &str) -> bool {
        self.done.contains(input)
    }

    /// Appends a line, unbuffered, so that it survives a kill.
    ///
    /// # Errors
    /// A failed write.
    pub(super) fn add(&mut self, line: &serde_json::Value) -> Result<(), FileError> {
        self.write(format!("{line}\n").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.file.write_all(bytes);
        written.map_err(FileError::write(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            ["a", "b", "c"].map(|name| manifest.has(name)),
            [true, false, false]
        );
        manifest.add(&json!({"input": "b", "error": null})).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(Manifest::open(&path, true).unwrap().has("b"));
        assert!(!Manifest::open(&path, false).unwrap().has("a"));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
