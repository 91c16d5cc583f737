//! `dataset.toml`, in a folder with photos and labels of a few names.
#![no_main]

use flowseg::data::Dataset;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    for below in ["images/train", "labels/train", "images/val", "labels/val"] {
        let below = folder.path().join(below);
        fs::create_dir_all(&below).unwrap();
        for name in ["a.png", "b.png"] {
            fs::write(below.join(name), "").unwrap();
        }
    }
    fs::write(folder.path().join("names.txt"), "road\ncar\n").unwrap();
    folder
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(FOLDER.path().join("dataset.toml"), bytes).unwrap();
    for split in ["training", "validation"] {
        let _ = Dataset::open(FOLDER.path(), split);
    }
});
