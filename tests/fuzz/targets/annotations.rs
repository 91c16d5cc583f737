//! Outlines: the first byte selects where the rest is put, a COCO file, one of Labelme, or YOLO's
//! list of classes or lines of labels.
#![no_main]

use flowseg::data::Dataset;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A grey picture of 8 x 8 pixels as PGM.
const PHOTO: &[u8] = b"P5 8 8 255 0123456701234567012345670123456701234567012345670123456701234567";

struct Folders {
    _root: TempDir,
    /// The data sets, each with the file that is written.
    all: [(PathBuf, PathBuf); 4],
}

static FOLDERS: LazyLock<Folders> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    let set = |name: &str, photo: &str, written: &str, beside: &[(&str, &str)]| {
        let folder = root.path().join(name);
        let put = |path: &str, bytes: &[u8]| {
            let path: &Path = &folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put(photo, PHOTO);
        put(written, b"");
        for (path, text) in beside {
            put(path, text.as_bytes());
        }
        (folder.clone(), folder.join(written))
    };
    let lines = "train: images/train\nval: images/train\nnames: [road, car]\n";
    let label = "0 0.1 0.1 0.9 0.1 0.9 0.9\n";
    let coco = "annotations/instances_train2017.json";
    let photo = "images/train/a.pgm";
    let label_file = "labels/train/a.txt";
    Folders {
        all: [
            set("coco", "train2017/a.pgm", coco, &[]),
            set("labelme", "a.pgm", "a.json", &[]),
            set("yaml", photo, "data.yaml", &[(label_file, label)]),
            set("yolo", photo, label_file, &[("data.yaml", lines)]),
        ],
        _root: root,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let [first, file @ ..] = bytes else { return };
    let (folder, written) = &FOLDERS.all[usize::from(*first) % 4];
    fs::write(written, file).unwrap();
    if let Ok(data) = Dataset::open(folder, "training") {
        for at in 0..data.len().min(2) {
            let _ = data.load(at);
        }
    }
});
