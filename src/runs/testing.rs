//! What the tests of runs share.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Appends text to a file, as a run does to its `metrics.jsonl`.
pub(crate) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
