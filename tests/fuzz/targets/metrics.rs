//! `metrics.jsonl`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("metrics.jsonl");
    fs::write(&path, bytes).unwrap();
    let _ = flowseg::runs::read_metrics(&path);
});
