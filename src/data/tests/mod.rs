//! Tests of the data module, and the folders and files that they need.

mod augmentation;
mod balance;
mod bands;
mod checks;
mod coco;
mod coco_files;
mod coco_programs;
mod converting;
mod decoding;
mod fingerprints;
mod folders;
mod forms;
mod joining;
mod jpegs;
mod layouts;
mod loading;
mod names;
mod photos;
mod reports;
mod scenes;
mod shapes;
mod split_names;
mod tiles;
mod tomls;
mod voc;
mod yolo_forms;

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

use super::*;
use crate::labels::{IGNORE, LabelMap};

/// A sample data set of the shared folder.
fn shared(name: &str) -> PathBuf {
    let root = std::env::var_os("FLOWSEG_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let path = root.join("data").join(name);
    assert!(
        path.is_dir(),
        "{} is missing: set FLOWSEG_SHARED to the shared folder",
        path.display()
    );
    path
}

/// A photo in which every pixel differs from its neighbours.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 37 + y * 11) as u8,
            (x * 5 + y * 61) as u8,
            (x * y + 90) as u8,
        ])
    })
}

fn save_photo(path: &Path, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Formats are recognised by content: files of any other name get PNG bytes.
    let format = match path.extension().and_then(|ending| ending.to_str()) {
        Some("bmp") => image::ImageFormat::Bmp,
        Some("webp") => image::ImageFormat::WebP,
        Some("gif") => image::ImageFormat::Gif,
        _ => image::ImageFormat::Png,
    };
    photo(width, height).save_with_format(path, format).unwrap();
}

/// Writes a PNG of any colour type and depth from its packed bytes.
fn save_png(
    path: &Path,
    size: [u32; 2],
    colour: png::ColorType,
    depth: png::BitDepth,
    bytes: &[u8],
) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), size[0], size[1]);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == png::ColorType::Indexed {
        encoder.set_palette(
            (0..=255u8)
                .flat_map(|i| [255 - i, i / 2, 7])
                .collect::<Vec<_>>(),
        );
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(bytes).unwrap();
    writer.finish().unwrap();
}

/// An 8-bit label file.
fn save_labels(path: &Path, size: [u32; 2], labels: &[u8]) {
    save_png(
        path,
        size,
        png::ColorType::Grayscale,
        png::BitDepth::Eight,
        labels,
    );
}

/// A 4x2 pair of photo and labels.
fn save_pair(image: &Path, labels: &Path, values: [u8; 8]) {
    save_photo(image, 4, 2);
    save_labels(labels, [4, 2], &values);
}

/// An entry of a TIFF's directory: tag, kind (3: SHORT, 4: LONG, 7: bytes) and values.
type Entry = (u16, u16, Vec<u32>);

/// Adds a directory of these entries, in the order of their tags, to a TIFF whose four bytes at `link` then point to
/// it. Returns where the link to the next one is.
fn add_directory(bytes: &mut Vec<u8>, link: usize, entries: &[Entry]) -> usize {
    let mut directory = (entries.len() as u16).to_le_bytes().to_vec();
    for (tag, kind, values) in entries {
        let mut value: Vec<u8> = match kind {
            3 => values
                .iter()
                .flat_map(|v| (*v as u16).to_le_bytes())
                .collect(),
            4 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            _ => values.iter().map(|v| *v as u8).collect(),
        };
        if value.len() > 4 {
            let at = bytes.len() as u32;
            bytes.extend(value);
            value = at.to_le_bytes().to_vec();
        }
        value.resize(4, 0);
        directory.extend(tag.to_le_bytes());
        directory.extend(kind.to_le_bytes());
        directory.extend((values.len() as u32).to_le_bytes());
        directory.extend(value);
    }
    let at = bytes.len() as u32;
    bytes[link..link + 4].copy_from_slice(&at.to_le_bytes());
    let next = bytes.len() + directory.len();
    bytes.extend(directory);
    bytes.extend([0; 4]);
    next
}

/// A plain data set with `count` pairs of 4x2 in both splits and the classes a, b, c.
fn plain(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("classes.txt"), "a\nb\r\nc\n\n").unwrap();
    for split in ["training", "validation"] {
        for i in 0..count {
            let image = dir.path().join(format!("images/{split}/p{i:02}.png"));
            let labels = dir.path().join(format!("annotations/{split}/p{i:02}.png"));
            save_pair(&image, &labels, [0, 1, 2, 255, 2, 1, (i % 3) as u8, 0]);
        }
    }
    dir
}

/// The one-line message of an error.
fn message<T>(result: Result<T, DataError>) -> String {
    let message = result.map(drop).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// Asserts that a message contains all of these.
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}
