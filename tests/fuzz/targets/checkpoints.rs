//! Checkpoints of PyTorch.
#![no_main]

use flowseg::model::tensors::from_pytorch;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("checkpoint.pt");
    fs::write(&path, bytes).unwrap();
    let _ = from_pytorch(&path);
});
