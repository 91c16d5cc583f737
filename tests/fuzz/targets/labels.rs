//! Label maps.
#![no_main]

use flowseg::data::decode::read_labels;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("labels.png");
    fs::write(&path, bytes).unwrap();
    let _ = read_labels(&path);
});
