//! Recognises and parses JSON files.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::super::error::DataError;
use super::super::limits::{MAX_PIXELS, MAX_SIDE};
use crate::files;

/// Kinds of JSON files that describe labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Coco,
    Labelme,
}

/// Bytes of a file that are read to recognise its kind.
const START: u64 = 64 << 10;
/// Keys of COCO files; the start of one holds at least two.
const COCO: [&str; 7] = [
    "\"images\"",
    "\"annotations\"",
    "\"categories\"",
    "\"file_name\"",
    "\"image_id\"",
    "\"category_id\"",
    "\"segments_info\"",
];
/// Keys of Labelme files.
const LABELME: [&str; 3] = ["\"shapes\"", "\"imagePath\"", "\"imageData\""];

/// The kind of a file by the keys at its start; `None` for any other file.
pub(super) fn kind(path: &Path) -> Option<Kind> {
    let mut start = Vec::new();
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    File::open(path)
        .ok()?
        .take(START)
        .read_to_end(&mut start)
        .ok()?;
    let text = String::from_utf8_lossy(&start);
    if !text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{')
    {
        return None;
    }
    if LABELME.iter().any(|key| text.contains(key)) {
        return Some(Kind::Labelme);
    }
    let found = COCO.iter().filter(|key| text.contains(**key)).count();
    (found >= 2).then_some(Kind::Coco)
}

/// Whether a file has the extension of JSON.
pub(super) fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

/// The first `most` JSON files directly in a folder, by name.
pub(super) fn files_in(folder: &Path, most: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let hidden = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b".")
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_json(path) && !hidden(path))
        .collect();
    found.sort();
    found.truncate(most);
    found
}

/// A whole number, which some programs write with a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole<T>(pub T);

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor(PhantomData))
    }
}

struct WholeVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> Visitor<'_> for WholeVisitor<T> {
    type Value = Whole<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number in range")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole<T>, E> {
        let whole = T::try_from(i128::from(number)).ok().map(Whole);
        whole.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole<T>, E> {
        let whole = T::try_from(i128::from(number)).ok().map(Whole);
        whole.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole<T>, E> {
        // The conversion saturates, and the type of the number is narrower.
        let whole = (number.fract() == 0.0).then_some(number as i128);
        let whole = whole.and_then(|whole| T::try_from(whole).ok()).map(Whole);
        whole.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
}

/// Parses a memory-mapped file; `what` is its expected kind, with its article.
///
/// # Errors
/// A file that cannot be read or is of another kind, with the position of the first mistake.
pub(super) fn read<T: for<'de> Deserialize<'de>>(path: &Path, what: &str) -> Result<T, DataError> {
    let size = std::fs::metadata(path).map_err(DataError::read(path))?;
    if size.is_file() && size.len() == 0 {
        let path = path.to_path_buf();
        return Err(DataError::EmptyFile { path });
    }
    let bytes = files::map_file(path, "JSON file")?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|error| {
        let reason = error
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let reason = format!("cannot be read as {what} ({reason}): export it again");
        DataError::description(path, reason)
    })
}

/// Lets a visitor take what it wants of a memory-mapped file; mistakes in the file only end its way.
pub(super) fn visit<V: for<'de> Visitor<'de>>(path: &Path, visitor: V) {
    if let Ok(bytes) = files::map_file(path, "JSON file") {
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        // The rest of an object that a visitor leaves early is a mistake to the parser.
        let _rest = serde_json::Deserializer::from_slice(text).deserialize_map(visitor);
    }
}

/// Checks the `[width, height]` that a file states for a photo, 0 if it does not.
///
/// # Errors
/// A size over the limits of images; nothing of that size was allocated.
pub(super) fn stated(
    path: &Path,
    photo: &str,
    [width, height]: [u64; 2],
) -> Result<Option<[u64; 2]>, DataError> {
    if width == 0 || height == 0 {
        return Ok(None);
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        let reason = format!(
            "states a size of {width}x{height} for {}, over the limit of {} megapixels and {MAX_SIDE} \
             pixels per side: correct it",
            photo.escape_debug(),
            MAX_PIXELS / 1_000_000
        );
        return Err(DataError::description(path, reason));
    }
    Ok(Some([width, height]))
}
